"""Numbers within a range. What TOML and ``float`` can say beside numbers, ``nan`` and ``inf``, is in no range."""

from __future__ import annotations

import math
from typing import Any

import click


class Numbers(click.FloatRange):
    """As ``click.FloatRange``, of finite numbers only: comparing with ``nan`` finds it never too small nor too big."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{number} is not in the range {self._describe_range()}", param, ctx)
        return number


class WholeNumbers(click.IntRange):
    """As ``click.IntRange``, but a number that is not whole, as a file may have it, is refused and not cut off."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, float) and not value.is_integer():
            where = "" if self.min is self.max is None else f" in the range {self._describe_range()}"
            self.fail(f"{value} is not a whole number{where}", param, ctx)
        return super().convert(value, param, ctx)

"""Values of options as people write them: ``5%``, ``50m``, ``2/8``."""

from __future__ import annotations

import re
from typing import Any

import click

from bulkjobs.settings import HaltRule, Shard

_UNITS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)([smhd])")


_ENDS = "1 stops at the first rejected row, 100% never"


class Halt(click.ParamType[HaltRule]):
    """``N``, at least 1, or ``N%``, more than 0 and at most 100."""

    name = "N|N%"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> HaltRule:
        if isinstance(value, HaltRule):
            return value
        text = str(value).strip()
        try:
            if text.endswith("%"):
                percent = float(text[:-1])
                if 0 < percent <= 100:
                    return HaltRule(percent=percent)
                self.fail(f"{value!r} is not more than 0% and at most 100%; {_ENDS}", param, ctx)
            if (count := int(text)) >= 1:
                return HaltRule(count=count, percent=None)
            self.fail(f"{value!r} is less than one row; {_ENDS}", param, ctx)
        except ValueError:
            pass
        return self.fail(f"{value!r} is neither a number of rows, such as 20, nor a percentage, such as 5%", param, ctx)


class Duration(click.ParamType[float]):
    """Seconds, or numbers with units: ``90``, ``50m``, ``1h30m``."""

    name = "DURATION"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        text = str(value).strip().lower()
        parts = _PART.findall(text)
        if parts and "".join(number + unit for number, unit in parts) == text:
            seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
        else:
            try:
                seconds = float(text)
            except ValueError:
                seconds = 0.0
        if not 0 < seconds <= 366 * _UNITS["d"]:
            self.fail(f"{value!r} is not a duration: write 90 (seconds), 90s, 50m, 1h30m or 2d", param, ctx)
        return seconds


class Part(click.ParamType[Shard]):
    """``I/N``, from ``1/N`` to ``N/N``."""

    name = "I/N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Shard:
        if isinstance(value, Shard):
            return value
        found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", str(value).strip())
        if found is None:
            self.fail(f"{value!r} is not a shard: write 1/4 for the first of four", param, ctx)
        try:
            return Shard(int(found[1]), int(found[2]))
        except ValueError as error:
            return self.fail(f"{value}: {error}", param, ctx)


class Limit(click.ParamType[str]):
    """``N``, from 0, or ``N%``, from 0 to 100; stays a text, which ``limit_of`` reads."""

    name = "N|N%"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value).strip()
        try:
            if 0 <= float(text.removesuffix("%")) <= 100 if text.endswith("%") else int(text) >= 0:
                return text
        except ValueError:
            pass
        return self.fail(f"{value!r} is neither a number of jobs, such as 20, nor a percentage, such as 5%", param, ctx)

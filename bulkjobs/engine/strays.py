"""Refusals that say nothing of the rate: one now and then, for whatever reason, among many that pass. Pure."""

from __future__ import annotations

import math
from collections import deque

STRAY = 1 / 200
"""The part of all requests that may be refused for no reason: what is rarer says nothing."""

_REMEMBERED = 16


class Strays:
    """Counts ends: ``passed`` as they come, ``refused`` likewise; ``density`` weighs what has been seen.

    A refusal that comes of the rate has others close by: as long as more is sent than is taken, part of it is refused.
    """

    def __init__(self) -> None:
        self._ends = 0
        self._refusals: deque[int] = deque(maxlen=_REMEMBERED)
        self._dealt: list[int] = []  # the last refusal that is dealt with

    def passed(self) -> None:
        self._ends += 1

    def refused(self) -> None:
        self._refusals.append(self._ends)
        self._ends += 1

    def forget(self) -> None:
        """What was refused is dealt with."""
        self._dealt = [self._refusals[-1]] if self._refusals else self._dealt
        self._refusals.clear()

    def since(self) -> float:
        """Ends since the last refusal, itself included; without one, infinite."""
        return self._ends - self._refusals[-1] if self._refusals else math.inf

    def density(self, *, with_dealt: bool = False) -> tuple[float, float]:
        """How much better a rate beyond the limit explains the last refusals than chance does; what part is refused.

        The logarithm of a likelihood ratio: k refusals in n ends have the likelihood f^k·(1-f)^(n-k). f is k/n if the
        rate is what they come of, and ``STRAY`` if it is not. The last 2, 3, … refusals are looked at, and the stretch
        that says most counts. 5 is 2 of 13, 3 of 46, 4 of 96. One refusal alone says nothing: 0. ``with_dealt``: the
        last refusal that was dealt with is one of them.
        """
        most = part = 0.0
        if not self._refusals:
            return most, part
        dealt = self._dealt if with_dealt else ()
        for k, first in enumerate((*reversed(self._refusals), *dealt), start=1):
            n = self._refusals[-1] - first + 1
            if k == 1 or k / n <= STRAY:
                continue
            passing = (n - k) * math.log((1 - k / n) / (1 - STRAY)) if n > k else 0.0
            most, part = max((most, part), (k * math.log(k / n / STRAY) + passing, k / n - STRAY))
        return most, part

"""The rate that a run found out, and what it is worth to the next one. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

START = 4.0
"""Sends a second with which ``auto`` begins when nothing was learned."""

FLOOR = 0.05
"""The rate never falls below one send in 20 s: less would not find out that the service is back."""

AGE_MS = 24 * 3_600_000

EVERY = 3.0
"""Seconds between two notes of what was learned, at least: a run that is killed loses no more."""

_SAME = 0.02


@dataclass(frozen=True, slots=True)
class Learned:
    """What a run found out: ``rate`` sends a second, at ``at_ms`` milliseconds since the epoch."""

    rate: float
    at_ms: int

    def differs(self, noted: Learned | None) -> bool:
        """Whether it is worth a note after ``noted``."""
        return noted is None or abs(self.rate - noted.rate) > _SAME * noted.rate

    def start(self, now_ms: int) -> float:
        """The rate to start with: START·(rate/START)^w, where w halves with each day of age.

        Fresh, it is the rate itself; after a day the geometric mean of it and START; after a week nearly START.
        An age below zero (a clock was set) counts like the same age above.
        """
        weight = math.pow(0.5, abs(now_ms - self.at_ms) / AGE_MS)
        return START * math.pow(max(self.rate, FLOOR) / START, weight)

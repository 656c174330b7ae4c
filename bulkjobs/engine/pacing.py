"""Pacing: at most N sends in any window of T seconds, and nearly all of them used (``performance.md``).

``Limiter`` is the port; ``window_limiter`` makes the real one on aiolimiter. Its waiters are not first in,
first out, so exactly one task, the dispatcher, may wait on it.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Protocol

from aiolimiter import AsyncLimiter

LATENESS = 0.002
"""Seconds of lateness that the bucket may make up: timers fire late, never early."""

JITTER = 0.0065
"""Seconds by which the way from permission to arrival may differ from send to send: a matter of the network."""


class Limiter(Protocol):
    """What the dispatcher needs of pacing."""

    async def acquire(self) -> None:
        """Return when the next send may start."""


def bucket(rate: float, lateness: float = LATENESS, jitter: float = JITTER) -> tuple[float, float]:
    """Size B and leak r (per second) of the bucket that keeps N sends in any window of T seconds.

    N/T is ``rate`` in whole numbers (a fraction gets a longer window: 2.5/s is 5 in 2 s). A bucket passes at
    most B + r·W in a window W. B = 1 + (N/T)·lateness, r = (N + 1 - B) / (T + jitter): N+1 sends then span
    at least T + jitter, so no window of T at the server holds more than N.
    """
    ratio = _ratio(rate)
    sends, window = ratio.numerator, ratio.denominator
    size = 1 + (sends / window) * lateness
    return size, (sends + 1 - size) / (window + jitter)


def _ratio(rate: float) -> Fraction:
    ratio = Fraction(rate).limit_denominator(100)
    return ratio if ratio > 0 else Fraction(rate).limit_denominator(10**6)


def window_of(rate: float) -> float:
    """The window in which ``rate`` is kept: seconds, 1 for whole rates."""
    return float(_ratio(rate).denominator)


def window_limiter(rate: float) -> Limiter:
    """A limiter for ``rate`` sends a second. Raises ValueError unless the rate is positive and finite."""
    if not 0 < rate < float("inf"):
        raise ValueError("a rate is more than 0 per second")
    size, leak = bucket(rate)
    return AsyncLimiter(size, size / leak)

"""Pacing: at most N sends in any window of T seconds, and nearly all of them used (``performance.md``).

``Limiter`` is the port; ``window_limiter`` makes the real one on aiolimiter. Its waiters are not first in,
first out, so exactly one task, the dispatcher, may wait on it. ``AdaptiveLimiter`` follows a rate that changes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

from aiolimiter import AsyncLimiter

LATENESS = 0.004
"""Seconds of lateness that the bucket may make up: timers fire late, never early.

asyncio rounds a wait up to a millisecond, and epoll once more where the float is a hair above it (9 · 1e-3 becomes
10 ms): 2.1 ms late at 100/s, each time, measured. With 2 ms only 97.5 % of that rate were used.
"""

JITTER = 0.0065
"""Seconds by which the way from permission to arrival may differ from send to send: a matter of the network."""


class Limiter(Protocol):
    """A bucket of sends, empty when it is made. ``max_rate`` is its size, aiolimiter's word for it."""

    max_rate: float

    async def acquire(self, amount: float = 1) -> None:
        """Return when the next ``amount`` of sends may start; at once while the bucket is empty."""


def bucket(rate: float, lateness: float = LATENESS, jitter: float = JITTER) -> tuple[float, float]:
    """Size B and leak r (per second) of the bucket that keeps N sends in any window of T seconds.

    N is ``rate`` rounded up and T = N / ``rate``, exactly: 10/s is 10 in 1 s, 2.5/s is 3 in 1.2 s. A bucket passes
    at most B + r·W in a window W. B = 1 + rate·lateness, r = (N + 1 - B) / (T + jitter): N+1 sends then span at
    least T + jitter, so no window of T at the server holds more than N. The same holds of every longer window:
    k+1 sends span at least k / rate + jitter, for every k from N on.
    """
    window = window_of(rate)
    sends = math.ceil(rate)
    size = 1 + rate * lateness
    return size, (sends + 1 - size) / (window + jitter)


def window_of(rate: float) -> float:
    """The window in which ``rate`` is kept: seconds, 1 for whole rates."""
    return math.ceil(rate) / rate


def window_limiter(rate: float) -> Limiter:
    """A limiter for ``rate`` sends a second. Raises ValueError unless the rate is positive and finite."""
    if not 0 < rate < float("inf"):
        raise ValueError("a rate is more than 0 per second")
    size, leak = bucket(rate)
    return AsyncLimiter(size, size / leak)


_SAME = 0.005
"""A rate that grew by less than this part is not worth another limiter."""


class AdaptiveLimiter:
    """Paces by ``permitted()``, sends a second, asked after every send. ``make`` makes a limiter for a rate.

    A limiter's rate is fixed, so another rate is another limiter. The new one starts *full* at the moment of a send:
    the next leaves a whole 1/leak later and nothing that the old one saved up goes over. So across any number of
    seams a window W holds at most B + r·W of the highest rate in it, as without seams: size and leak of ``bucket``
    both grow with the rate, a full bucket has no room, and from then on it gains at most r for each second.
    """

    def __init__(self, permitted: Callable[[], float], make: Callable[[float], Limiter] = window_limiter) -> None:
        self._permitted = permitted
        self._make = make
        self._rate = permitted()
        self._limiter = make(self._rate)

    async def acquire(self) -> None:
        """Return when the next send may start. For one waiter at a time."""
        await self._limiter.acquire()
        rate = self._permitted()
        if rate < self._rate or rate > self._rate * (1 + _SAME):
            self._rate, self._limiter = rate, self._make(rate)
            await self._limiter.acquire(self._limiter.max_rate)  # it is empty: this does not wait

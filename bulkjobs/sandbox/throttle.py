"""The gateway's rate limit: at most N requests in any window, counted over a sliding log. Reads no clock."""

from __future__ import annotations

import math
from collections import deque


class Throttle:
    """Permits ``rate`` requests per second; ``None`` permits all.

    The window is one second. A rate that is no whole number gets the window in which ``floor(rate)``
    requests, or one if the rate is below 1, make exactly that rate: 2.5 is two requests in 0.8 s. Refused
    requests do not count, so a client that keeps to the rate is never starved by its own refusals.
    """

    def __init__(self, rate: float | None) -> None:
        if rate is not None and not (math.isfinite(rate) and rate > 0):
            raise ValueError(f"rate {rate}: must be more than 0 requests per second")
        self._most = max(1, math.floor(rate)) if rate is not None else 0
        self._window = self._most / rate if rate is not None else 0.0
        self._admitted: deque[float] = deque()

    def admits(self, now: float) -> bool:
        """Whether a request that arrives at ``now`` (seconds) may pass; if it may, it is counted."""
        if not self._most:
            return True
        admitted = self._admitted
        if admitted and now < admitted[-1]:
            admitted.clear()  # the clock was set back: the old times would block until it catches up
        while admitted and now - admitted[0] >= self._window:
            admitted.popleft()
        if len(admitted) >= self._most:
            return False
        admitted.append(now)
        return True

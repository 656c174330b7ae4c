"""Latency as an early sign: a service that queues is at its limit before it refuses. Pure: times come in."""

from __future__ import annotations

import math


class Latency:
    """``smooth``: seconds from send to answer, over the last ten answers or so; 0.0 before the first."""

    def __init__(self) -> None:
        self.smooth = 0.0
        self._base = math.inf
        self._at = -math.inf

    def measured(self, latency: float, now: float) -> None:
        """An answer came. The base is the least seen; it rises by 1 % a second, for a way that became longer."""
        self._base = min(self._base * (1 + 0.01 * min(now - self._at, 1.0)), latency)
        self._at = now
        self.smooth += (0.1 if self.smooth else 1.0) * (latency - self.smooth)

    @property
    def is_strained(self) -> bool:
        """Whether answers take more than twice the base and 50 ms."""
        return self.smooth > 2 * self._base + 0.05

"""Pacing on virtual time."""

from __future__ import annotations

from bulkjobs.engine.clock import Clock
from bulkjobs.engine.pacing import bucket


class VirtualLimiter:
    """The real bucket's size and leak (``pacing.bucket``) on virtual time, behind the port ``pacing.Limiter``."""

    def __init__(self, rate: float, clock: Clock) -> None:
        self.max_rate, self._leak = bucket(rate)
        self._clock = clock
        self._level = 0.0
        self._at = clock.monotonic()

    async def acquire(self, amount: float = 1) -> None:
        while True:
            now = self._clock.monotonic()
            self._level = max(0.0, self._level - (now - self._at) * self._leak)
            self._at = now
            if self._level + amount <= self.max_rate + 1e-9:
                self._level += amount
                return
            await self._clock.sleep((self._level + amount - self.max_rate) / self._leak)

"""Minutes in seconds: an event loop whose clock runs faster, so that every timer of a run is scaled alike."""

from __future__ import annotations

import asyncio
import random
import selectors
import time
from typing import Any

from bulkjobs.engine.clock import Clock


class _Impatient(selectors.DefaultSelector):
    """Waits ``1 / factor`` of what it is asked to."""

    factor = 1.0

    def select(self, timeout: float | None = None) -> Any:
        return super().select(None if timeout is None else timeout / self.factor)


class ScaledLoop(asyncio.SelectorEventLoop):
    """``factor`` seconds pass in one: timeouts, limiter, back-off, settling and outages keep their proportions."""

    def __init__(self, factor: float) -> None:
        selector = _Impatient()
        selector.factor = factor
        self._factor = factor
        super().__init__(selector)

    def time(self) -> float:
        return time.monotonic() * self._factor


def scaled_clock(loop: asyncio.AbstractEventLoop, seed: int = 1) -> Clock:
    """The engine's clock on such a loop, with reproducible jitter."""
    return Clock(monotonic=loop.time, uniform=random.Random(seed).uniform)

"""Time and chance, passed in: the simulator has its own."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

_OWN = random.Random()  # noqa: S311  # spaces retries, guards nothing
"""An embedding program's sequence of random numbers is left alone."""


@dataclass(frozen=True, slots=True)
class Clock:
    """``monotonic`` in seconds decides; ``wall_ms`` (milliseconds since the epoch) is only written down."""

    monotonic: Callable[[], float] = time.monotonic
    wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    uniform: Callable[[float, float], float] = _OWN.uniform

"""For what only another process or thread can bring about, of which no event of the test's loop tells."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable


async def until(happened: Callable[[], bool | Awaitable[bool]], longest_s: float = 30) -> None:
    """Return as soon as ``happened`` says so. Raises TimeoutError."""
    async with asyncio.timeout(longest_s):
        while True:
            said = happened()
            if await said if inspect.isawaitable(said) else said:
                return
            await asyncio.sleep(0.005)

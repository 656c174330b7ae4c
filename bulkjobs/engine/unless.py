"""Waits that a stop ends: an outage or a pause may last for minutes, and a stop does not wait for its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


class Stopped(Exception):
    """The run was told to stop before what was waited for came."""


async def unless(stopping: asyncio.Event, call: Awaitable[T], ends: Callable[[], bool]) -> T:
    """What ``call`` gives. Raises Stopped once ``stopping`` is set, if that ``ends`` this call; then it is cancelled.

    To be used where nothing is on its way.
    """
    task, stop = asyncio.ensure_future(call), asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait([task, stop], return_when=asyncio.FIRST_COMPLETED)
        if stopping.is_set() and ends():
            raise Stopped
        return await task
    finally:
        task.cancel()
        stop.cancel()
        await asyncio.gather(task, stop, return_exceptions=True)

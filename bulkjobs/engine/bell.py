"""Wakes tasks that wait for something to change, and costs next to nothing while none does."""

from __future__ import annotations

import asyncio


class Bell:
    """Rung for every change; who waits asks again. A ring that nobody waits for is lost, so ask before waiting."""

    def __init__(self) -> None:
        self._waiters: list[asyncio.Future[None]] = []

    def ring(self) -> None:
        """Wake all who wait."""
        if self._waiters:
            waiters, self._waiters = self._waiters, []
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)

    async def wait(self, seconds: float | None = None) -> None:
        """Until the next ring, or until ``seconds`` have passed."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        self._waiters.append(waiter)
        alarm = None if seconds is None else loop.call_later(seconds, _end, waiter)
        try:
            await waiter
        finally:
            if alarm is not None:
                alarm.cancel()


def _end(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)

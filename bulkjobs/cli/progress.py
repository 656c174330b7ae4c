"""The progress display: two lines on a terminal, a log event now and then elsewhere, nothing when quiet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

from rich.console import Console
from rich.live import Live

from bulkjobs.cli.colours import is_lively
from bulkjobs.cli.progress_view import ProgressView, failed, phase_of
from bulkjobs.engine.work import Tally
from bulkjobs.logs import Log
from bulkjobs.settings import Settings

_REFRESH = 0.2
_LINE_EVERY = 10  # seconds


class Display:
    """What is on the screen while a run goes on. ``live``: None where there is no screen, or nothing is shown."""

    def __init__(self, live: Live | None = None) -> None:
        self._live = live

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Out of the way while somebody reads and answers a question."""
        if self._live is None or not self._live.is_started:
            yield
            return
        self._live.stop()
        try:
            yield
        finally:
            self._live.start()


@asynccontextmanager
async def watch(
    tally: Tally, console: Console, log: Log, quiet: bool, settings: Settings | None = None
) -> AsyncIterator[Display]:
    """Show ``tally`` as it changes, until the block ends. ``settings``: the run's, for the time left."""
    if quiet:
        yield Display()
        return
    view = ProgressView(tally, settings=settings or Settings())
    live = None
    if is_lively(console):
        # Refreshed from here and not by a thread of rich's: the figures belong to the loop.
        live = Live(view, console=console, transient=True, auto_refresh=False, redirect_stdout=False)
    task = asyncio.create_task(_refreshed(view, live) if live is not None else _lines(view, log))
    try:
        yield Display(live)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _refreshed(view: ProgressView, live: Live) -> None:
    with live:
        while True:
            view.note()
            if live.is_started:  # else something else is on the screen
                live.refresh()
            await asyncio.sleep(_REFRESH)


async def _lines(view: ProgressView, log: Log) -> None:
    tally, ticks = view.tally, 0
    while True:
        await asyncio.sleep(1.0)
        view.note()
        ticks += 1
        if ticks % _LINE_EVERY:
            continue
        left = view.left_s()
        log.info(
            "progress",
            phase=phase_of(tally, view.clock.monotonic()),
            done=tally.done,
            rows=tally.rows,
            listed=tally.listed,
            sends=tally.sends,
            in_flight=tally.in_flight,
            rate=round(tally.rate, 1),
            retries=tally.retries,
            throttled=tally.throttles,
            settling=tally.settling,
            paused_s=round(view.pause_s()),
            failed=failed(tally),
            left_s=None if left is None else round(left),
        )

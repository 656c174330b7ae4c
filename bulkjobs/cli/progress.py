"""The progress display: a bar on a terminal, a line now and then in a log, nothing when quiet."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.text import Text

from bulkjobs.engine.records import Outcome
from bulkjobs.engine.work import Tally
from bulkjobs.logs import Log

_REFRESH = 0.2
_LINE_EVERY = 10.0
_FAILED = (Outcome.REJECTED, Outcome.CONFLICT, Outcome.DRIFTED, Outcome.UNRESOLVED, Outcome.NOT_SENT)


@asynccontextmanager
async def watch(tally: Tally, console: Console, log: Log, quiet: bool) -> AsyncIterator[None]:
    """Show ``tally`` as it changes, until the block ends."""
    if quiet:
        yield
        return
    show = _bar(tally, console) if console.is_terminal else _lines(tally, log)
    task = asyncio.create_task(show)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _bar(tally: Tally, console: Console) -> None:
    progress = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        _Figures(tally),
        console=console,
        transient=True,
        redirect_stdout=False,
    )
    with progress:
        task = progress.add_task("checking", total=None)
        while True:
            total = tally.rows if tally.phase not in ("reading", "checking") else None
            completed = tally.done if total is not None else tally.rows
            progress.update(task, description=_phase(tally), total=total, completed=completed)
            await asyncio.sleep(_REFRESH)


async def _lines(tally: Tally, log: Log) -> None:
    while True:
        await asyncio.sleep(_LINE_EVERY)
        log.info(
            "progress",
            phase=tally.phase,
            done=tally.done,
            rows=tally.rows,
            sends=tally.sends,
            rate=round(tally.rate, 1),
            retries=tally.retries,
            failed=_failed(tally),
            settling=tally.settling,
        )


def _phase(tally: Tally) -> str:
    if tally.service_down:
        return "service down, probing"
    if tally.phase == "sending" and not tally.in_flight and tally.settling:
        return "settling"
    if tally.phase.startswith("listing"):
        return f"{tally.phase} ({tally.listed:,} jobs)"
    return tally.phase


def _failed(tally: Tally) -> int:
    return sum(tally.outcomes[outcome] for outcome in _FAILED)


class _Speed:
    """Rows and sends a second over the last few seconds."""

    def __init__(self) -> None:
        self._points: list[tuple[float, int, int]] = []

    def note(self, tally: Tally) -> None:
        now = time.monotonic()
        self._points.append((now, tally.sends, tally.done))
        while now - self._points[0][0] > 10:
            self._points.pop(0)

    def rates(self) -> tuple[float, float]:
        if len(self._points) < 2:
            return 0.0, 0.0
        (begin, sends, done), (end, sends_now, done_now) = self._points[0], self._points[-1]
        elapsed = max(end - begin, 1e-3)
        return (sends_now - sends) / elapsed, (done_now - done) / elapsed


class _Figures(ProgressColumn):
    """Rate, retries, failures and time left."""

    def __init__(self, tally: Tally) -> None:
        super().__init__()
        self._tally = tally
        self._speed = _Speed()

    def render(self, task: Task) -> Text:
        tally = self._tally
        self._speed.note(tally)
        sends, rows = self._speed.rates()
        parts = [f"{sends:,.1f}/s of {tally.rate:,.1f}"]
        if tally.retries:
            parts.append(f"{tally.retries:,} retries")
        if tally.throttles:
            parts.append(f"{tally.throttles:,} throttled")
        if tally.settling:
            parts.append(f"{tally.settling:,} settling")
        if failed := _failed(tally):
            parts.append(f"{failed:,} failed")
        left = tally.rows - tally.done
        if tally.phase == "sending" and rows > 0 and left:
            parts.append(f"{_duration(left / rows)} left")
        return Text("  ".join(parts))


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"

"""Issue 5, "Engine": from the start of a second run to its first request, over a journal of finished rows."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from bulkjobs import library
from bulkjobs.cli.collector import collect_rarely
from bulkjobs.engine.submit import Submit
from bulkjobs.engine.work import Stop, Tally
from bulkjobs.settings import Settings

from .child import peak_bytes, turn
from .figures import Cell, Table
from .inventories import write_csv
from .minimal import minimal_server
from .submit_path import CONCURRENCY, KEYS, full_run


def again(path: str, endpoint: str, folder: str) -> dict[str, float]:
    """The same command again, ended once its first request is on its way."""
    collect_rarely()
    return asyncio.run(_again(Path(path), endpoint, Path(folder)))


async def _again(path: Path, endpoint: str, folder: Path) -> dict[str, float]:
    tally, begun, cpu = Tally(), time.perf_counter(), time.process_time()
    seen: dict[str, float] = {}

    async def watch(run: Submit) -> None:
        while not tally.reads:  # noqa: ASYNC110  # a figure, not an event, is what the run shows
            await asyncio.sleep(0.02)
        seen.update(seconds=time.perf_counter() - begun, cpu=time.process_time() - cpu, peak=peak_bytes())
        run.stop(Stop("interrupted", "the benchmark has seen enough"))

    watching: list[asyncio.Task[None]] = []
    await library.submit(
        [path],
        library.Target(endpoint=endpoint, environment=KEYS),
        library.Places(folder / "journal.db", folder),
        Settings(rate=100_000, concurrency=CONCURRENCY),
        tally=tally,
        on_start=lambda run, _: watching.append(asyncio.create_task(watch(run))),
    )
    for task in watching:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    return seen


def run(rows: int | None, full: bool) -> Table:
    count = rows or (1_000_000 if full else 50_000)
    with tempfile.TemporaryDirectory() as folder, minimal_server() as server:
        path = str(write_csv(Path(folder) / "rows.csv", count))
        first = turn(full_run, path=path, endpoint=server.endpoint, folder=folder)
        assert first.result["created"] == count
        found: list[list[Cell]] = []
        for what in ("the same inventory again", "after an edit: checked anew"):
            seen = turn(again, path=path, endpoint=server.endpoint, folder=folder).result
            size = (Path(folder) / "journal.db").stat().st_size
            found.append([what, seen["seconds"], seen["cpu"], seen["peak"] / 1e6, size / 1e6])
            _edit(Path(path))
    return Table(
        f"resume: a journal of {count:,} finished rows",
        ("", "s to first request", "CPU s", "peak MB", "journal MB"),
        found,
        (
            "aims for a million rows: under 10 s, under 400 MB.",
            "Before its first request a run proves the journal sound, checks the inventory unless the same bytes were"
            " found without fault before, and journals its rows.",
        ),
    )


def _edit(path: Path) -> None:
    """One row less."""
    with path.open("rb+") as file:
        file.seek(-2_000, os.SEEK_END)
        tail = file.read()
        file.truncate(path.stat().st_size - (len(tail) - 1 - tail.rindex(b"\n", 0, -1)))

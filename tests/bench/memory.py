"""Issue 5, "Engine": peak memory of a whole run over the number of rows, and what a row costs beyond the first."""

from __future__ import annotations

import tempfile
from pathlib import Path

from .child import turn
from .figures import Cell, Table
from .inventories import write_csv
from .minimal import minimal_server
from .submit_path import full_run

_SIZES = (10_000, 50_000)
_FULL = (10_000, 100_000, 1_000_000)


def run(rows: int | None, full: bool) -> Table:
    sizes = _FULL if full else (10_000, rows) if rows else _SIZES
    found: list[list[Cell]] = []
    before: tuple[int, int] | None = None
    with tempfile.TemporaryDirectory() as folder, minimal_server() as server:
        for count in sizes:
            path = str(write_csv(Path(folder) / "rows.csv", count))
            own = Path(folder) / str(count)
            own.mkdir()
            done = turn(full_run, path=path, endpoint=server.endpoint, folder=str(own))
            assert done.result["created"] == len(server.arrivals()) == count
            slope = None if before is None else (done.peak - before[1]) / (count - before[0])
            found.append([f"{count:,}", done.peak / 1e6, slope, done.result["cpu"] / count * 1e6, done.seconds])
            before = count, done.peak
    return Table(
        "memory: a whole run, report included",
        ("rows", "peak MB", "bytes a further row", "µs of CPU a row", "seconds"),
        found,
        ("aims: under 250 bytes a row beyond the first 100,000, under 400 MB at a million",),
    )

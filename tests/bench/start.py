"""Issue 5, "Engine": how long the program takes to say something."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from .figures import Cell, Table, median
from .inventories import write_csv

_TURNS = 9


def _timed(words: list[str], folder: str) -> tuple[float, float]:
    """Seconds, and processor seconds, of a command in an empty folder."""
    begun = time.perf_counter()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(words, cwd=folder, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - begun, cpu


def run(rows: int | None, full: bool) -> Table:
    program = [sys.executable, "-m", "bulkjobs"]
    found: list[list[Cell]] = []
    with tempfile.TemporaryDirectory() as folder:
        one = str(write_csv(Path(folder) / "one.csv", 1))
        for what, words, aim in (
            ("bulkjobs --help", [*program, "--help"], 0.25),
            ("submit of one row, --sandbox", [*program, "submit", one, "--sandbox", "--quiet"], 2.0),
        ):
            several = [_timed(words, folder) for _ in range(_TURNS)]
            seconds = [taken for taken, _ in several]
            found.append([what, median(seconds), min(seconds), median([cpu for _, cpu in several]), aim])
    return Table(f"start, {_TURNS} turns", ("", "median s", "best s", "CPU s", "aim s"), found)

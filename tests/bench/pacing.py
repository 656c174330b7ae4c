"""Issue 5, "Engine": how much of the permitted rate a run uses, and its worst sliding second, seen at the server."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bulkjobs.engine.pacing import bucket

from .child import turn
from .figures import Cell, Table
from .inventories import write_csv
from .minimal import minimal_server
from .submit_path import full_run

_ROWS = {1: 8, 10: 60, 100: 500, 1_000: 10_000}
_START = 0.5
_FULL = {1: 60, 10: 600, 100: 6_000, 1_000: 30_000}


def worst_second(times: list[float]) -> int:
    """The most arrivals in any window [t, t + 1)."""
    most = first = 0
    for last, now in enumerate(times):
        while now - times[first] >= 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most


def share(times: list[float], rate: float) -> float:
    """How much of the rate was used, in percent."""
    return 100 * (len(times) - 1) / (times[-1] - times[0]) / rate


def run(rows: int | None, full: bool) -> Table:
    found: list[list[Cell]] = []
    with tempfile.TemporaryDirectory() as folder, minimal_server() as server:
        for rate, usual in (_FULL if full else _ROWS).items():
            count = min(rows, usual) if rows else usual
            path = str(write_csv(Path(folder) / "rows.csv", count))
            own = Path(folder) / str(rate)
            own.mkdir()
            turn(full_run, path=path, endpoint=server.endpoint, folder=str(own), rate=rate, concurrency=64)
            times = server.arrivals()
            under_way = [at for at in times if at >= times[0] + _START] or times
            found.append(
                [
                    f"{rate:,}/s",
                    count,
                    share(times, rate) * rate / 100,
                    share(times, rate),
                    share(under_way, rate),
                    100 * bucket(rate)[1] / rate,
                    worst_second(times),
                ]
            )
    return Table(
        "pacing: a run with --rate N, arrivals at the server",
        ("rate", "rows", "achieved/s", "% of the rate", "% under way", "% the bucket lets through", "worst second"),
        found,
        (
            "Under way: from half a second on. Before, the crowd waits for its canaries, which are looked for in the"
            " whole inventory: some 50 ms.",
            "The worst sliding second must not hold more than the rate; on a busy machine arrivals bunch.",
        ),
    )

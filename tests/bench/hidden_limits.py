"""Issue 5, "Adaptive rate": whole runs that are told no rate, in real time, against services that tell none."""

from __future__ import annotations

import asyncio
import json
import math
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from bulkjobs.sandbox import Sandbox, SandboxOptions
from tests.engine.rate_promise import GATEWAYS

from .child import ROOT
from .figures import Cell, Table
from .inventories import write_csv

_LATENCY = 0.005
_WARM_UP = 12.0
_STEADY = 25.0
_BUSY = 100.0
"""Requests a second from which a run has the machine to itself."""

_AT_ONCE = 6
_FULL = [(limit, limit * by) for limit in (2.0, 15.0, 40.0, 200.0) for by in (1.0, 2.0, 0.5)] + [(15.0, 40.0)]
_USUAL = [(15.0, 15.0), (40.0, 40.0)]


@dataclass(frozen=True, slots=True)
class Case:
    """A limit of ``kind`` that is another after ``change`` seconds; ``math.inf``: never."""

    kind: str
    limit: float
    then: float

    @property
    def change(self) -> float:
        return math.inf if self.then == self.limit else _WARM_UP + _STEADY

    @property
    def steady(self) -> list[tuple[float, float, float]]:
        """Since, until, limit. A rise is looked for once in fifty requests."""
        first = (_WARM_UP, _WARM_UP + _STEADY, self.limit)
        if self.then == self.limit:
            return [first]
        again = self.change + _WARM_UP + (50 / self.limit if self.then > self.limit else 0.0)
        return [first, (again, again + _STEADY, self.then)]

    def permitted(self, until: float) -> float:
        """Requests that the limit admits until then."""
        return self.limit * min(until, self.change) + self.then * max(0.0, until - self.change)


def run(rows: int | None, full: bool) -> Table:
    """``rows`` shortens every run to that many."""
    cases = [Case(kind, *limits) for limits, kind in product(_FULL if full else _USUAL, GATEWAYS)]
    quiet = [case for case in cases if max(case.limit, case.then) < _BUSY]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = list(pool.map(lambda case: _measured(case, rows), quiet))
    found += [_measured(case, rows) for case in cases if case not in quiet]
    return Table(
        "hidden limits: runs with --rate auto, seen at the gateway",
        ("", "rows", "seconds", "% of 20 s' worth", "% of all", "% steady", "% refused in it", "refused"),
        found,
        (
            "aims: 85 % over a run of twenty times the limit, 90 % in the steady part, at most 2 % refused there.",
            f"Replies take {_LATENCY * 1000:.0f} ms. Steady: from {_WARM_UP:.0f} s on, and as long after a change"
            " (after a rise, and 50 requests more); the worse of the two parts. Of all: a rise counts from its moment.",
        ),
    )


def _measured(case: Case, rows: int | None) -> list[Cell]:
    count = rows or int(case.permitted(case.steady[-1][1]))
    with tempfile.TemporaryDirectory() as folder:
        inventory = str(write_csv(Path(folder) / "rows.csv", count))
        words = [sys.executable, "-m", "tests.bench.hidden_limits", case.kind, str(case.limit), str(case.then)]
        with subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as gateway:
            assert gateway.stdin is not None
            assert gateway.stdout is not None
            endpoint, access, secret = json.loads(gateway.stdout.readline())
            subprocess.run(
                [
                    *(sys.executable, "-m", "bulkjobs", "submit", inventory, "--endpoint", endpoint, "--quiet"),
                    *("--state", f"{folder}/journal.db", "--report-dir", folder, "--log-level", "error"),
                ],
                cwd=ROOT,
                env=os.environ | {"NCLOUD_ACCESS_KEY_ID": access, "NCLOUD_SECRET_ACCESS_KEY": secret},
                check=True,
            )
            gateway.stdin.close()
            arrivals: list[tuple[float, bool]] = json.loads(gateway.stdout.readline())
    change = f" → {case.then:g}" if case.then != case.limit else ""
    return [f"{case.kind} {case.limit:g}{change}", count, *_judged(case, arrivals)]


def _judged(case: Case, arrivals: Sequence[tuple[float, bool]]) -> list[Cell]:
    admitted = [at for at, passed in arrivals if passed]
    end = admitted[-1]
    enough = int(20 * case.limit)
    soon = admitted[enough - 1] if enough <= len(admitted) else math.inf
    shares: list[float] = []
    asked: list[bool] = []
    for since, planned, limit in case.steady:
        until = min(planned, end)
        part = [passed for at, passed in arrivals if since <= at < until]
        asked += part
        if until - since > 1:
            shares.append(100 * sum(part) / (limit * (until - since)))
    return [
        end,
        2000 / soon if soon < min(math.inf, case.change) else None,
        100 * len(admitted) / case.permitted(end),
        min(shares, default=None),
        100 * asked.count(False) / len(asked) if asked else None,
        len(arrivals) - len(admitted),
    ]


async def _serve(case: Case) -> None:
    """Until standard input ends; then the arrivals, in seconds since the first, and whether each was admitted."""
    gateway = GATEWAYS[case.kind](case.limit, 0.37)
    arrivals: list[tuple[float, bool]] = []
    begun = math.inf

    def admits(_: float) -> bool:
        nonlocal begun
        now = time.monotonic()
        begun = min(begun, now)
        if now - begun >= case.change:
            gateway.limit = case.then
        arrivals.append((now - begun, gateway.admits(now)))
        return arrivals[-1][1]

    loop, over = asyncio.get_running_loop(), asyncio.Event()
    async with Sandbox(SandboxOptions(latency=_LATENCY), admits=admits) as sandbox:
        print(json.dumps([sandbox.endpoint, sandbox.access_key, sandbox.secret_key]), flush=True)
        threading.Thread(target=lambda: (sys.stdin.read(), loop.call_soon_threadsafe(over.set)), daemon=True).start()
        await over.wait()
        print(json.dumps(arrivals), flush=True)


if __name__ == "__main__":
    asyncio.run(_serve(Case(sys.argv[1], *map(float, sys.argv[2:]))))

"""SIGKILL at no chosen moment, over larger runs, against a service that is a process of its own and never dies."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import json
import random
import signal
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.nursery import Nursery

from .service import KEYS, Service, service
from .stage import environment_of

_SEED = 20261124


def _inventory(folder: Path, rows: int) -> Path:
    path = folder / "jobs.csv"
    lines = ["name,bucket,prefix,fields,target_bucket,target_prefix"]
    lines += [f"row{number:05},raw,in/{number},id:string,clean,out/{number}" for number in range(rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


async def _kills(nursery: Nursery, folder: Path, made: Service, rows: int, stops: Sequence[int], *options: str) -> int:
    """Run, kill once the service holds as many jobs as each of ``stops`` says, run to the end. How many were killed."""
    command = [
        "submit", str(_inventory(folder, rows)), "--endpoint", made.endpoint, "--state", str(folder / "state" / "j.db"),
        "--report-dir", str(folder / "reports"), "--json", "--log-level", "error", *options,
    ]  # fmt: skip
    killed = 0
    for stop in (*stops, None):
        process = await nursery.start(command, environment_of(KEYS))
        said = asyncio.create_task(process.communicate())
        if stop is not None:
            reached = asyncio.create_task(made.has_made(stop))
            await asyncio.wait({said, reached}, return_when=asyncio.FIRST_COMPLETED)
            reached.cancel()
            if process.returncode is None:
                process.kill()
        out, err = await said
        assert process.returncode in ((-signal.SIGKILL, 0) if stop is not None else (0,)), err.decode()
        killed += process.returncode == -signal.SIGKILL
    summary = json.loads(out)
    assert summary["rows"] == rows
    assert {outcome for outcome, count in summary["counts"].items() if count} <= {"created", "adopted", "existing"}
    with (folder / "reports" / summary["run"] / "results.csv").open(encoding="utf-8", newline="") as file:
        reported = [(row["line"], row["name"], row["job_id"]) for row in csv.DictReader(file)]
    assert [name for _, name, _ in reported] == [f"row{number:05}" for number in range(rows)]
    assert len({job for _, _, job in reported}) == rows
    jobs = made.jobs()
    assert {name: count for name, count in jobs.items() if count != 1} == {}, "jobs that were made more than once"
    assert len(jobs) == rows
    reported_runs = {path.name for path in (folder / "reports").iterdir() if (path / "summary.json").exists()}
    assert reported_runs == _runs(folder / "state" / "j.db")  # one that is killed before it has begun is no run
    return killed


def _runs(state: Path) -> set[str]:
    with contextlib.closing(sqlite3.connect(state)) as journal:
        return {run for (run,) in journal.execute("SELECT run_id FROM runs")}


async def test_five_hundred_rows_through_three_kills_become_five_hundred_jobs(nursery: Nursery, tmp_path: Path) -> None:
    seeded = random.Random(_SEED)
    stops = sorted(seeded.sample(range(1, 450), 3))
    async with service(nursery, tmp_path / "jobs.data", "--list-lag", "0.4") as made:
        options = ("--rate", "400", "--settle", "0.8", "--concurrency", "16")
        killed = await _kills(nursery, tmp_path, made, 500, stops, *options)
    assert killed == 3


@pytest.mark.sweep
@pytest.mark.parametrize("seed", range(3))
async def test_five_thousand_rows_through_many_kills_a_rate_limit_and_lagging_lists(
    nursery: Nursery, tmp_path: Path, seed: int
) -> None:
    seeded = random.Random(seed)
    stops = sorted(seeded.sample(range(1, 4_900), 12))
    options = ["--list-lag", "2", "--rate", "350", "--latency", "0.03"]
    async with service(nursery, tmp_path / "jobs.data", *options) as made:
        killed = await _kills(nursery, tmp_path, made, 5_000, stops, "--rate", "300", "--settle", "4")
    print(f"seed {seed}: {killed} kills survived in 5,000 rows", flush=True)
    assert killed == len(stops)

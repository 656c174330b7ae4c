"""After every scenario: journal, report and truth agree in every row.

No job twice, none lost, none misreported, no id that is not there.
"""

from __future__ import annotations

import csv
import json
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from .truth import Job, Truth

MADE = {"created", "adopted"}
HOLDS = {*MADE, "existing"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A row as the test wrote it."""

    name: str
    bucket: str
    prefix: str


Row = Mapping[str, str]


def agree(state: Path, folder: Path, truth: Truth, wanted: Sequence[Wanted]) -> dict[str, Row]:
    """The report's rows by name, once it is certain that they are true. ``folder``: the report's."""
    with (folder / "results.csv").open(encoding="utf-8", newline="") as file:
        rows: list[Row] = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == [want.name for want in wanted], "every row once, in its order"
    for row, want in zip(rows, wanted, strict=True):
        _row_is_true(row, want, truth)
    _journal_says_the_same(state, folder.name, rows)
    _summary_says_the_same(folder, rows)
    for name, jobs in Counter(job.name for job in truth.jobs.values() if job.ours and job.is_live).items():
        assert jobs == 1, f"{name}: {jobs} jobs were made"
    names = {want.name for want in wanted}
    strays = [job.name for job in truth.jobs.values() if job.ours and job.name not in names]
    assert not strays, f"jobs that no row asked for: {strays}"
    return {row["name"]: row for row in rows}


def _row_is_true(row: Row, want: Wanted, truth: Truth) -> None:
    outcome, job_id = row["outcome"], row["job_id"]
    live, ours = truth.live(want.name), [job for job in truth.live(want.name) if job.ours]
    where = f"{want.name} is {outcome} {job_id}: {row['error']}"
    if job_id:
        assert job_id in truth.jobs, f"{where}: there is no such job"
        assert truth.jobs[job_id].name == want.name, where
    if outcome in HOLDS:
        assert [job.job_id for job in live] == [job_id], f"{where}: the service holds {live}"
        assert _asks_for(live[0], want), f"{where}: the job is not the row's"
    if outcome in MADE:
        assert ours == live, where
    if outcome == "drifted":
        assert [job.job_id for job in live] == [job_id], where
    if outcome in ("rejected", "invalid") or (outcome == "not_sent" and row["attempts"] != "0"):
        assert not ours, f"{where}: but the job was made"
    if outcome == "conflict":
        assert live, where
        assert all(job.job_id in row["error"] for job in live), f"{where}: names every job of that name"


def _asks_for(job: Job, want: Wanted) -> bool:
    source = job.nodes[0]
    return (source["bucketName"], source["prefix"]) == (want.bucket, want.prefix)


def _journal_says_the_same(state: Path, run_id: str, rows: Sequence[Row]) -> None:
    with closing(sqlite3.connect(f"{state.as_uri()}?mode=ro", uri=True)) as db:
        run, scope, ended = db.execute("SELECT id, scope, ended_at FROM runs WHERE run_id = ?", (run_id,)).fetchone()
        kept = db.execute("SELECT name, outcome, job_id FROM rows WHERE run = ? ORDER BY seq", (run,)).fetchall()
        jobs = dict(db.execute("SELECT name, job_id FROM jobs WHERE scope = ?", (scope,)).fetchall())
        still_open = {
            name for (name,) in db.execute("SELECT name FROM attempts WHERE scope = ? AND closed = 0", (scope,))
        }
    assert ended is not None, "the run was closed"
    assert [(name, outcome, job_id or "") for name, outcome, job_id in kept] == [
        (row["name"], row["outcome"], row["job_id"]) for row in rows
    ]
    for row in rows:
        if row["outcome"] in HOLDS:
            assert jobs[row["name"]] == row["job_id"]
            assert row["name"] not in still_open, "a job that is known leaves no attempt open"
        if row["outcome"] == "unresolved":
            assert row["name"] in still_open, "what is not resolved stays open for the next run"
    if "not_sent" in {row["outcome"] for row in rows}:
        assert not still_open & {row["name"] for row in rows if row["outcome"] == "not_sent"}


def _summary_says_the_same(folder: Path, rows: Sequence[Row]) -> None:
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    counts = Counter(row["outcome"] for row in rows)
    assert {outcome: count for outcome, count in summary["counts"].items() if count} == dict(counts)
    assert summary["rows"] == len(rows)
    if any(inventory["state"] != "read" for inventory in summary["inventories"]):
        return  # its rows are not to be had any more as they stood, and the summary says so
    with (folder / "retry.csv").open(encoding="utf-8", newline="") as file:
        again = [row["name"] for row in csv.DictReader(file)]
    assert again == [row["name"] for row in rows if row["outcome"] not in HOLDS], "retry.csv holds the rest"

"""A create that made its job, as one record: the same as the four records that say it one by one."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from bulkjobs.dataflow.replies import Answer, Verdict
from bulkjobs.engine.clock import Clock
from bulkjobs.engine.journal import made
from bulkjobs.engine.journal.applied import AppliedJobs
from bulkjobs.engine.journal.journal import Journal
from bulkjobs.engine.journal.schema import connect, make_tables
from bulkjobs.engine.journal.statements import Kind
from bulkjobs.engine.protocol import Finish, RowState, on_answer
from bulkjobs.engine.recorder import Recorder
from bulkjobs.engine.records import Outcome, RowRecord
from bulkjobs.engine.work import Tally
from bulkjobs.logs import SilentLog

from .conftest import DIGEST, durable, opened, put_intent, put_job, put_row
from .test_resolver import work_of

NODES = b'[{"type":"SOURCE_OBS"}]'


def _put_made(journal: Journal, attempt: int) -> None:
    journal.put(
        Kind.MADE, journal.scope, journal.run, 1, "n1", DIGEST, "rules", attempt, 7, 2, 2_100, 2_900, 800, 201, "trace",
        "j9", "RUNNABLE", "u9", NODES,
    )  # fmt: skip


def _put_four(journal: Journal, attempt: int) -> None:
    scope, run = journal.scope, journal.run
    journal.put(Kind.JOB, scope, "n1", "j9", "RUNNABLE", "u9", DIGEST, "OURS_EQUAL", 2_900, run, "rules")
    journal.put(Kind.APPLIED, scope, "n1", "j9", DIGEST, NODES)
    journal.put(Kind.FINISHED, "created", "j9", "RUNNABLE", 201, None, None, 2, 2_100, 2_900, 800, run, 1)
    journal.put(Kind.ENDED, 2_900, "created", 201, None, "", "trace", 1, 7, attempt)


async def _tables_after(path: Path, put: Callable[[Journal, int], None], *, was_known: bool) -> dict[str, object]:
    async with opened(path) as journal:
        for seq in range(3):
            put_row(journal, seq)
        put_intent(journal, "n0", 0)
        attempt = put_intent(journal, "n1", 1)
        if was_known:
            put_job(journal, "n1", "before", "FOREIGN_EQUAL")
            journal.put(Kind.COMING, b"[]", journal.scope, "n1", "before")
        await durable(journal)
        put(journal, attempt)
        await durable(journal)
        applied = AppliedJobs(journal).of("n1")
    assert applied is not None
    assert (applied.nodes, applied.coming) == (NODES, None)
    with contextlib.closing(connect(path)) as other:
        tables = [name for (name,) in other.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {
            table: other.execute(f"SELECT * FROM {table}").fetchall() for table in tables if table != "runs"
        }  # our own


@pytest.mark.parametrize("was_known", [False, True])
async def test_it_leaves_what_the_four_leave(tmp_path: Path, was_known: bool) -> None:
    one = await _tables_after(tmp_path / "one" / "journal.db", _put_made, was_known=was_known)
    four = await _tables_after(tmp_path / "four" / "journal.db", _put_four, was_known=was_known)
    assert one == four


async def test_what_the_recorder_says_of_a_create_is_kept_in_all_four_tables(state: Path) -> None:
    clock = Clock(monotonic=lambda: 50.8, wall_ms=lambda: 9_000)
    told: list[RowRecord] = []
    tally = Tally(on_outcome=told.append)
    work = work_of("n1")
    assert work.spec is not None
    answer = Answer(Verdict.CREATED, 201, job_id="j9", job_status="RUNNABLE", updated_date="u9", trace_id="trace")
    async with opened(state) as journal:
        journal.rules = "rules"
        put_row(journal, 1)
        recorder = Recorder(journal, tally, clock, SilentLog())
        await recorder.intent(work)
        work.started, work.first_sent_at, work.waited_ms = 50.0, 2_100, 7
        work.row, finish = on_answer(RowState(attempts=1), answer)
        assert isinstance(finish, Finish)
        recorder.finished(work, finish, answer)
        await durable(journal)
        rows = journal.ask(
            "SELECT outcome, job_id, status, http_status, error_code, error, attempts, first_sent_at, finished_at,"
            " elapsed_ms FROM rows"
        )
        attempts = journal.ask(
            "SELECT ended_at, verdict, http_status, code, message, trace_id, closed, waited_ms FROM attempts"
        )
        jobs = journal.ask("SELECT name, job_id, status, updated_date, digest, relation, seen_at, run, rules FROM jobs")
        applied = AppliedJobs(journal).of("n1")
    assert rows == [("created", "j9", "RUNNABLE", 201, None, None, 2, 2_100, 9_000, 800)]
    assert attempts == [(9_000, "created", 201, None, "", "trace", 1, 7)]
    assert jobs == [("n1", "j9", "RUNNABLE", "u9", work.spec.digest, "OURS_EQUAL", 9_000, journal.run, "rules")]
    assert applied is not None
    assert (applied.job_id, applied.nodes) == ("j9", work.spec.nodes)
    assert work.attempt is None
    assert told == [
        RowRecord(
            0, 3, "n1", Outcome.CREATED, "j9", "RUNNABLE", 201, None, None, 2, 2_100, finished_at=9_000, elapsed_ms=800
        )
    ]
    assert tally.outcomes == {Outcome.CREATED: 1}


async def test_another_connection_knows_nothing_of_it(tmp_path: Path) -> None:
    """What the record needs stands in no journal: another release opens the file as before."""
    path = tmp_path / "journal.db"
    async with opened(path):
        pass
    with contextlib.closing(connect(path)) as other:
        assert other.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'made'").fetchone() == (0,)


def test_it_needs_no_file_beside_the_journal(tmp_path: Path) -> None:
    """With pages as large as SQLite's limit for what it keeps in memory, each such record is one that exceeds it."""
    with contextlib.closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA page_size = 65536")
        make_tables(connection)
        made.make_ready(connection)
        connection.execute("BEGIN IMMEDIATE")
        values = [1, 1, 1, "n1", DIGEST, None, 1, 7, 1, 2_100, 2_900, 800, 201, "trace", "j1", None, None, 1, 0]
        connection.execute(made.SQL, values)
        files = [os.readlink(file) for file in Path("/proc/self/fd").iterdir() if os.path.lexists(file)]
    assert str(tmp_path / "journal.db") in files
    assert [file for file in files if "etilqs" in file] == [], "SQLite's name for its temporary files"

"""Past runs, read without the lock: what reports are rendered from."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bulkjobs.engine.journal.lock import is_held
from bulkjobs.engine.journal.schema import PROVED, check, connect, errors_of, refuse_empty
from bulkjobs.engine.records import AttemptRecord, InventoryRecord, Outcome, RowRecord, RunRecord
from bulkjobs.errors import StateError, UsageError

_ROWS = """
SELECT file, line, name,
    CASE WHEN outcome IS NULL THEN {outcome} ELSE outcome END,
    job_id, status, http_status, error_code, error,
    CASE WHEN outcome IS NULL THEN {attempts} ELSE coalesce(attempts, 0) END,
    CASE WHEN outcome IS NULL THEN {first_sent_at} ELSE first_sent_at END,
    finished_at, elapsed_ms
FROM rows WHERE run = ? ORDER BY seq
""".format_map(PROVED)

_AGAIN_OR_THROTTLED = """
SELECT again, intended_at, ended_at, verdict FROM (
    SELECT id, intended_at, ended_at, verdict, EXISTS (
        SELECT 1 FROM attempts b WHERE b.run = a.run AND b.seq IS a.seq AND b.id < a.id
    ) AS again FROM attempts a WHERE run = ?
) WHERE again OR verdict = 'throttled' ORDER BY id
"""


_OUTCOMES = {outcome.value: outcome for outcome in Outcome}


@dataclass(frozen=True, slots=True)
class PastRun:
    """One run with the folder that its report goes to."""

    key: int
    folder: Path
    record: RunRecord


class History:
    """A context manager over a journal file. Raises StateError when it is missing or cannot be read.

    ``is_proved``: this process holds the journal and has proved it sound, which of a million rows takes a second.
    """

    def __init__(self, path: Path, *, is_proved: bool = False) -> None:
        self._path = path
        if not path.is_file():
            raise StateError(f"state file {path}: does not exist", "name the one that the run used with --state FILE")
        refuse_empty(path)
        with errors_of(path):
            self._db = connect(path)
            try:
                if not is_proved:
                    check(self._db, path)
            except BaseException:
                self._db.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._db.close()

    def run(self, run_id: str) -> PastRun:
        """One run by its id. Raises UsageError when there is none."""
        known = []
        for past in self.runs():
            if past.record.run_id == run_id:
                return past
            known.append(past.record.run_id)
        raise UsageError(f"no run {run_id!r} in {self._path}", f"the latest runs: {', '.join(known[-5:]) or 'none'}")

    def runs(self) -> Iterator[PastRun]:
        """All runs, oldest first."""
        with errors_of(self._path):
            rows = self._db.execute(
                "SELECT u.id, u.run_id, s.endpoint, s.account, u.api, u.folder, u.state, u.reason, u.started_at,"
                " u.ended_at, u.facts FROM runs u JOIN scopes s ON s.id = u.scope ORDER BY u.id"
            ).fetchall()
        for row in rows:
            yield self._past(row)

    def rows(self, past: PastRun) -> Iterator[RowRecord]:
        """All rows of a run, in inventory order, streamed. May be called again."""
        with errors_of(self._path):
            for file, line, name, outcome, *rest in self._db.execute(_ROWS, (past.key,)):
                yield RowRecord(file, line, name, _OUTCOMES[outcome], *rest)

    def again_or_throttled(self, past: PastRun) -> Iterator[AttemptRecord]:
        """The attempts of a run that a row's own record does not tell of, in order: retries, and what was throttled."""
        with errors_of(self._path):
            for again, *rest in self._db.execute(_AGAIN_OR_THROTTLED, (past.key,)):
                yield AttemptRecord(bool(again), *rest)

    def _past(self, row: tuple[Any, ...]) -> PastRun:
        key, run_id, endpoint, account, api, folder, state, reason, started_at, ended_at, facts = row
        if ended_at is None and not is_held(self._path):
            state, reason = "killed", "the process ended without closing its run"
        with errors_of(self._path):
            files = self._db.execute(
                "SELECT path, sha256, rows, location FROM files WHERE run = ? ORDER BY file", (key,)
            ).fetchall()
            orphans = self._db.execute(
                "SELECT name, outcome, job_id, detail FROM orphans WHERE run = ? ORDER BY name", (key,)
            ).fetchall()
            removals = self._db.execute(
                "SELECT name, job_id, outcome, code, detail FROM removals WHERE run = ? ORDER BY name", (key,)
            ).fetchall()
            figures = json.loads(facts)
        record = RunRecord(
            run_id,
            endpoint,
            account,
            api,
            state,
            reason,
            started_at,
            ended_at,
            [InventoryRecord(*file) for file in files],
            figures,
            [dict(zip(("name", "outcome", "job_id", "detail"), orphan, strict=True)) for orphan in orphans],
            [dict(zip(("name", "job_id", "outcome", "code", "detail"), removal, strict=True)) for removal in removals],
        )
        return PastRun(key, Path(folder), record)


def has_run(path: Path, run_id: str) -> bool:
    """Whether the journal has a run of that id. False also if it cannot be read: those who open it are told why.

    For choosing an id before the lock is held. Changes nothing, follows no link.
    """
    with suppress(OSError, sqlite3.Error, StateError):
        if path.is_symlink():
            return False
        refuse_empty(path)
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            return db.execute("SELECT 1 FROM runs WHERE run_id = ?", (run_id,)).fetchone() is not None
    return False

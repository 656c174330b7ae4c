"""``Journal``: opened by one process, asked by the planner, told by the runner."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import msgspec

from bulkjobs.dataflow.listing import ListedJob
from bulkjobs.engine.journal.lock import Lock
from bulkjobs.engine.journal.schema import PROVED, connect, errors_of, make_ready, prepare
from bulkjobs.engine.journal.statements import Kind
from bulkjobs.engine.journal.writer import Writer
from bulkjobs.engine.learned import Learned
from bulkjobs.engine.planning import Known
from bulkjobs.engine.protocol import Relation
from bulkjobs.engine.records import ChangeKind, InventoryRecord
from bulkjobs.errors import StateError, UsageError

_CLOSE_ROWS = """
UPDATE rows SET outcome = {outcome}, attempts = {attempts}, first_sent_at = {first_sent_at}
WHERE run = ? AND outcome IS NULL
""".format_map(PROVED)
"""A row without an outcome: what its attempts prove."""


class PlannedRow(msgspec.Struct, frozen=True, gc=False):
    """A row of the current run beside all that is known of its name."""

    seq: int
    name: str
    digest: bytes
    open_attempt: int | None
    known: Known | None
    listed: tuple[ListedJob, ...]
    open_change: ChangeKind | None = None


@dataclass(frozen=True, slots=True)
class OpenAttempt:
    """An attempt without a known end."""

    attempt: int
    name: str
    change: ChangeKind | None = None


class Journal:
    """The state of all runs. Construction takes the lock (StateBusy) and opens the file (StateError).

    ``holder`` is told to a second process. Reading is synchronous and quick; writing goes through ``writer``,
    which exists from ``start`` to ``close``. ``rules`` names the rules of comparison in force, None the built-in ones:
    what a job was found to be under other rules is not believed.
    """

    rules: str | None = None

    def __init__(self, path: Path, holder: str = "bulkjobs") -> None:
        self.path = path
        self._lock = Lock(path, holder)
        try:
            with errors_of(path):
                make_ready(path)
                self._db = connect(path)
        except BaseException:
            self._lock.release()
            raise
        try:
            with errors_of(path):
                prepare(self._db, path)
            self._next_attempt: int = self._one("SELECT coalesce(max(id), 0) + 1 FROM attempts")
        except BaseException:
            self._db.close()
            self._lock.release()
            raise
        self.scope = 0
        self.run = 0
        self._writer: Writer | None = None

    @property
    def writer(self) -> Writer:
        assert self._writer is not None, "start the journal first"
        return self._writer

    def start(self, on_failure: Callable[[StateError], None] | None = None) -> Self:
        """Start the writing thread, in the running loop."""
        try:
            with errors_of(self.path):
                self._writer = Writer(connect(self.path), self.path, on_failure)
        except BaseException:
            self._lock.release()
            raise
        return self

    async def close(self) -> None:
        """Write what is left, and let the next process in."""
        try:
            if self._writer is not None:
                await self._writer.close()
        finally:
            self._db.close()
            self._lock.release()

    # Runs

    def begin_run(
        self,
        run_id: str,
        endpoint: str,
        account: str,
        api: str,
        folder: Path,
        now: int,
        facts: Mapping[str, object] | None = None,
    ) -> None:
        """Make this run and its scope the current ones. ``facts``: what is known of it before it begins."""
        with self._transaction() as db:
            db.execute("INSERT OR IGNORE INTO scopes (endpoint, account) VALUES (?, ?)", (endpoint, account))
            scope = self._one("SELECT id FROM scopes WHERE endpoint = ? AND account = ?", endpoint, account)
            try:
                cursor = db.execute(
                    "INSERT INTO runs (run_id, scope, api, folder, state, started_at, facts)"
                    " VALUES (?, ?, ?, ?, 'running', ?, ?)",
                    (run_id, scope, api, str(folder), now, json.dumps(facts or {}, sort_keys=True)),
                )
            except sqlite3.IntegrityError:
                raise UsageError(f"run {run_id} exists already in {self.path}", "choose another --run-id") from None
        assert cursor.lastrowid is not None
        self.scope, self.run = scope, cursor.lastrowid

    def is_new_scope(self) -> bool:
        """Whether this is the first run of its scope in a journal that knows others. Embedded services do not count."""
        return bool(
            self._one(
                "SELECT NOT EXISTS (SELECT 1 FROM runs WHERE scope = ?1 AND id != ?2)"
                " AND EXISTS (SELECT 1 FROM scopes WHERE id != ?1 AND endpoint NOT LIKE 'sandbox:%')",
                self.scope,
                self.run,
            )
        )

    def set_files(self, files: Sequence[InventoryRecord]) -> None:
        """The input files of the current run."""
        with self._transaction() as db:
            db.execute("DELETE FROM files WHERE run = ?", (self.run,))
            db.executemany(
                "INSERT INTO files (run, file, path, sha256, rows, location) VALUES (?, ?, ?, ?, ?, ?)",
                [(self.run, index, f.path, f.sha256, f.rows, f.location) for index, f in enumerate(files)],
            )

    def learned(self) -> Learned | None:
        """The rate that the last run of this scope found, if one did."""
        rows = self.ask("SELECT rate, at FROM learned WHERE scope = ?", self.scope)
        return Learned(*rows[0]) if rows else None

    def learn(self, learned: Learned) -> None:
        """Keep this rate for the next run of this scope."""
        with self._transaction() as db:
            db.execute("INSERT OR REPLACE INTO learned VALUES (?, ?, ?)", (self.scope, learned.rate, learned.at_ms))

    def end_run(self, state: str, reason: str | None, exit_code: int, facts: Mapping[str, object], now: int) -> None:
        """Close the current run: rows without an outcome get the one that the attempts prove."""
        self._end(self.run, state, reason, exit_code, now, dict(facts))

    def end_killed_runs(self) -> list[str]:
        """Close the runs that never ended, now that nobody else can be writing: their run ids, oldest first."""
        sql = "SELECT id, run_id, started_at FROM runs WHERE ended_at IS NULL AND id != ? ORDER BY id"
        rows = self.ask(sql, self.run)
        for run, _, started_at in rows:
            last = self._one(
                "SELECT max(coalesce(max(ended_at), 0), coalesce(max(intended_at), 0), ?) FROM attempts WHERE run = ?",
                started_at,
                run,
            )
            self._end(run, "killed", "the process ended without closing its run", None, last, {})
        return [run_id for _, run_id, _ in rows]

    def runs_without_report(self) -> list[str]:
        """Runs that have ended, but whose report nobody has seen complete: their run ids, oldest first."""
        sql = "SELECT run_id FROM runs WHERE ended_at IS NOT NULL AND NOT reported ORDER BY id"
        return [run_id for (run_id,) in self.ask(sql)]

    def reported(self, run_id: str) -> None:
        """The report of this run is complete."""
        with self._transaction() as db:
            db.execute("UPDATE runs SET reported = 1 WHERE run_id = ?", (run_id,))

    def _end(
        self, run: int, state: str, reason: str | None, exit_code: int | None, now: int, facts: dict[str, object]
    ) -> None:
        with self._transaction() as db:
            db.execute(_CLOSE_ROWS, (run,))
            db.execute(
                "UPDATE runs SET state = ?, reason = ?, exit_code = ?, facts = json_patch(facts, ?), ended_at = ?"
                " WHERE id = ?",
                (state, reason, exit_code, json.dumps(facts, sort_keys=True), now, run),
            )

    # What the planner asks

    def open_attempts_elsewhere(self) -> list[OpenAttempt]:
        """Open attempts of this scope whose names the current run does not list (orphans)."""
        rows = self.ask(
            "SELECT a.id, a.name, a.kind FROM attempts a WHERE a.scope = ? AND a.closed = 0 AND NOT EXISTS"
            " (SELECT 1 FROM temp.wanted w WHERE w.name = a.name) ORDER BY a.id",
            self.scope,
        )
        with errors_of(self.path):
            return [OpenAttempt(attempt, name, _change(kind)) for attempt, name, kind in rows]

    def last_run_ended(self) -> int | None:
        """When the run before this one in this scope had sent its last; 0 if there was none, None if it was killed.

        The times of intents do not tell: an intent may wait long for its turn.
        """
        rows = self.ask(
            "SELECT CASE WHEN state = 'killed' THEN NULL ELSE ended_at END FROM runs WHERE scope = ? AND id != ?"
            " ORDER BY id DESC LIMIT 1",
            self.scope,
            self.run,
        )
        return rows[0][0] if rows else 0

    def remember_wanted(self) -> None:
        """Index the names of the current run, for this process only, anew. Comes before ``remember_listed``."""
        with errors_of(self.path):
            self._db.execute("CREATE TEMP TABLE IF NOT EXISTS wanted (name TEXT PRIMARY KEY) WITHOUT ROWID")
            self._db.execute(
                "CREATE TEMP TABLE IF NOT EXISTS listed"
                " (name TEXT, job_id TEXT, status TEXT, updated_date TEXT, PRIMARY KEY (name, job_id)) WITHOUT ROWID"
            )
            self._db.execute("DELETE FROM temp.wanted")
            self._db.execute("DELETE FROM temp.listed")
            self._db.execute("INSERT OR IGNORE INTO temp.wanted SELECT name FROM rows WHERE run = ?", (self.run,))

    def remember_listed(self, jobs: Sequence[ListedJob]) -> None:
        """Keep those jobs that are live and wanted beside the journal; what was kept stays."""
        with errors_of(self.path):
            self._db.executemany(
                "INSERT OR REPLACE INTO temp.listed SELECT ?1, ?2, ?3, ?4"
                " WHERE EXISTS (SELECT 1 FROM temp.wanted WHERE name = ?1)",
                [(job.name, job.job_id, job.status, job.updated_date) for job in jobs if job.is_live],
            )

    def unfinished(self, first: int, count: int) -> list[PlannedRow]:
        """Rows of the current run from ``first`` on, at most ``count``, that have no outcome yet."""
        rows = self.ask(
            "SELECT r.seq, r.name, r.digest, a.id, a.kind, j.job_id, j.status, j.updated_date, j.digest,"
            " CASE WHEN j.rules IS ?5 THEN j.relation END, j.seen_at FROM rows r"
            " LEFT JOIN attempts a ON a.scope = ?1 AND a.name = r.name AND a.closed = 0"
            " LEFT JOIN jobs j ON j.scope = ?1 AND j.name = r.name"
            " WHERE r.run = ?2 AND r.seq >= ?3 AND r.seq < ?4 AND r.outcome IS NULL ORDER BY r.seq",
            self.scope,
            self.run,
            first,
            first + count,
            self.rules,
        )
        listed = self._listed(first, count)
        with errors_of(self.path):
            return [_planned(row, tuple(listed.get(row[1], ()))) for row in rows]

    def _listed(self, first: int, count: int) -> dict[str, list[ListedJob]]:
        found: dict[str, list[ListedJob]] = {}
        for name, job_id, status, updated_date in self.ask(
            "SELECT l.name, l.job_id, l.status, l.updated_date FROM rows r JOIN temp.listed l ON l.name = r.name"
            " WHERE r.run = ? AND r.seq >= ? AND r.seq < ? AND r.outcome IS NULL",
            self.run,
            first,
            first + count,
        ):
            found.setdefault(name, []).append(ListedJob(job_id, name, status, updated_date))
        return found

    def rejected_before(self) -> set[str]:
        """Names of this scope whose create was rejected in some run."""
        sql = "SELECT DISTINCT name FROM attempts WHERE scope = ? AND verdict = 'rejected'"
        return {name for (name,) in self.ask(sql, self.scope)}

    def rows_between(self, first: int, count: int) -> list[int]:
        """The places of the rows of the current run that have no outcome yet."""
        sql = "SELECT seq FROM rows WHERE run = ? AND seq >= ? AND seq < ? AND outcome IS NULL"
        return [seq for (seq,) in self.ask(sql, self.run, first, first + count)]

    def unresolved_left(self) -> int:
        """Rows of the current run without an outcome whose name has an open attempt."""
        return self._one(
            "SELECT count(*) FROM attempts a JOIN rows r ON r.run = ? AND r.name = a.name AND r.outcome IS NULL"
            " WHERE a.scope = ? AND a.closed = 0",
            self.run,
            self.scope,
        )

    def new_attempt(self) -> int:
        """The id of the next attempt."""
        attempt = self._next_attempt
        self._next_attempt += 1
        return attempt

    def put(self, kind: Kind, *parameters: object) -> None:
        self.writer.put(kind, parameters)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with errors_of(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):  # SQLite may have rolled back itself: a full disk
                    self._db.execute("ROLLBACK")
                raise

    def _one(self, sql: str, *parameters: object) -> int:
        with errors_of(self.path):
            return int(self._db.execute(sql, parameters).fetchone()[0])

    def ask(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        """The rows of a question. Raises StateError."""
        with errors_of(self.path):
            return self._db.execute(sql, parameters).fetchall()


def _planned(row: tuple[Any, ...], listed: tuple[ListedJob, ...]) -> PlannedRow:
    seq, name, digest, attempt, kind, job_id, status, updated_date, known_digest, relation, seen_at = row
    known = None
    if job_id is not None:
        known = Known(job_id, status, updated_date, known_digest, Relation[relation] if relation else None, seen_at)
    return PlannedRow(seq, name, digest, attempt, known, listed, _change(kind))


def _change(kind: str | None) -> ChangeKind | None:
    return None if kind in (None, "create") else ChangeKind(kind)

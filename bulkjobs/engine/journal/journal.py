"""``Journal``: opened by one process, told by the runner; what the planner asks of it is in ``pending``."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from bulkjobs.engine.journal.lock import Lock
from bulkjobs.engine.journal.schema import PROVED, connect, errors_of, make_ready, prepare
from bulkjobs.engine.journal.statements import Kind
from bulkjobs.engine.journal.writer import Writer
from bulkjobs.engine.learned import Learned
from bulkjobs.engine.records import InventoryRecord
from bulkjobs.errors import StateError, UsageError

_CLOSE_ROWS = """
UPDATE rows SET outcome = {outcome}, attempts = {attempts}, first_sent_at = {first_sent_at}
WHERE run = ? AND outcome IS NULL
""".format_map(PROVED)
"""A row without an outcome: what its attempts prove."""


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
            self._next_attempt: int = self.one("SELECT coalesce(max(id), 0) + 1 FROM attempts")
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
            scope = self.one("SELECT id FROM scopes WHERE endpoint = ? AND account = ?", endpoint, account)
            try:
                cursor = db.execute(
                    "INSERT INTO runs (run_id, scope, api, folder, state, started_at, facts)"
                    " VALUES (?, ?, ?, ?, 'running', ?, ?)",
                    (run_id, scope, api, str(folder), now, json.dumps(facts or {}, sort_keys=True)),
                )
            except sqlite3.IntegrityError:
                raise UsageError(
                    f"run {run_id} exists already in {self.path}", "choose another --run-id, or leave it out"
                ) from None
        assert cursor.lastrowid is not None
        self.scope, self.run = scope, cursor.lastrowid

    def is_new_scope(self) -> bool:
        """Whether this is the first run of its scope in a journal that knows others. Embedded services do not count."""
        return bool(
            self.one(
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
        self.change("INSERT OR REPLACE INTO learned VALUES (?, ?, ?)", self.scope, learned.rate, learned.at_ms)

    def end_run(self, state: str, reason: str | None, exit_code: int, facts: Mapping[str, object], now: int) -> None:
        """Close the current run: rows without an outcome get the one that the attempts prove."""
        self._end(self.run, state, reason, exit_code, now, dict(facts))

    def end_killed_runs(self) -> list[str]:
        """Close the runs that never ended, now that nobody else can be writing: their run ids, oldest first."""
        sql = "SELECT id, run_id, started_at FROM runs WHERE ended_at IS NULL AND id != ? ORDER BY id"
        rows = self.ask(sql, self.run)
        for run, _, started_at in rows:
            last = self.one(
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
        self.change("UPDATE runs SET reported = 1 WHERE run_id = ?", run_id)

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

    # What all of it rests on

    def new_attempt(self) -> int:
        """The id of the next attempt."""
        attempt = self._next_attempt
        self._next_attempt += 1
        return attempt

    def put(self, kind: Kind, *parameters: object) -> None:
        self.writer.put(kind, parameters)

    def change(self, sql: str, *parameters: object) -> None:
        """Carry ``sql`` out, durable when this returns. Raises StateError."""
        with self._transaction() as db:
            db.execute(sql, parameters)

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

    def one(self, sql: str, *parameters: object) -> int:
        with errors_of(self.path):
            return int(self._db.execute(sql, parameters).fetchone()[0])

    def keep(self, sql: str, rows: Sequence[tuple[object, ...]] | None = None) -> None:
        """Carry ``sql`` out, for each of ``rows``, in temporary tables: this process's alone. Raises StateError."""
        with errors_of(self.path):
            if rows is None:
                self._db.execute(sql)
            else:
                self._db.executemany(sql, rows)

    def ask(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        """The rows of a question. Raises StateError."""
        with errors_of(self.path):
            return self._db.execute(sql, parameters).fetchall()

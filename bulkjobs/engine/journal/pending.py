"""What the planner asks of the journal: the rows of the current run beside all that is known of their names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from bulkjobs.dataflow.listing import ListedJob
from bulkjobs.engine.journal.journal import Journal
from bulkjobs.engine.journal.schema import errors_of
from bulkjobs.engine.planning import Known
from bulkjobs.engine.protocol import Relation
from bulkjobs.engine.records import ChangeKind


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


_TABLES = (
    "CREATE TEMP TABLE IF NOT EXISTS wanted (name TEXT PRIMARY KEY) WITHOUT ROWID",
    "CREATE TEMP TABLE IF NOT EXISTS listed"
    " (name TEXT, job_id TEXT, status TEXT, updated_date TEXT, PRIMARY KEY (name, job_id)) WITHOUT ROWID",
    "DELETE FROM temp.wanted",
    "DELETE FROM temp.listed",
)
"""What this process remembers, beside the journal."""


class Pending:
    """The rows of the current run of ``journal`` that have no outcome yet, and the attempts that are open.

    ``is_listed``: all that the service lists was remembered.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.is_listed = False

    def open_attempts_elsewhere(self) -> list[OpenAttempt]:
        """Open attempts of this scope whose names the current run does not list (orphans)."""
        rows = self._journal.ask(
            "SELECT a.id, a.name, a.kind FROM attempts a WHERE a.scope = ? AND a.closed = 0 AND NOT EXISTS"
            " (SELECT 1 FROM temp.wanted w WHERE w.name = a.name) ORDER BY a.id",
            self._journal.scope,
        )
        with errors_of(self._journal.path):
            return [OpenAttempt(attempt, name, _change(kind)) for attempt, name, kind in rows]

    def last_run_ended(self) -> int | None:
        """When the run before this one in this scope had sent its last; 0 if there was none, None if it was killed.

        The times of intents do not tell: an intent may wait long for its turn.
        """
        rows = self._journal.ask(
            "SELECT CASE WHEN state = 'killed' THEN NULL ELSE ended_at END FROM runs WHERE scope = ? AND id != ?"
            " ORDER BY id DESC LIMIT 1",
            self._journal.scope,
            self._journal.run,
        )
        return rows[0][0] if rows else 0

    def remember_wanted(self) -> None:
        """Index the names of the current run, for this process only, anew. Comes before ``remember_listed``."""
        for sql in _TABLES:
            self._journal.keep(sql)
        self._journal.keep(
            "INSERT OR IGNORE INTO temp.wanted SELECT name FROM rows WHERE run = ?", [(self._journal.run,)]
        )

    def remember_listed(self, jobs: Sequence[ListedJob]) -> None:
        """Keep those jobs that are live and wanted beside the journal; what was kept stays."""
        self._journal.keep(
            "INSERT OR REPLACE INTO temp.listed SELECT ?1, ?2, ?3, ?4"
            " WHERE EXISTS (SELECT 1 FROM temp.wanted WHERE name = ?1)",
            [(job.name, job.job_id, job.status, job.updated_date) for job in jobs if job.is_live],
        )

    def unfinished(self, first: int, count: int) -> list[PlannedRow]:
        """Rows of the current run from ``first`` on, at most ``count``, that have no outcome yet."""
        rows = self._journal.ask(
            "SELECT r.seq, r.name, r.digest, a.id, a.kind, j.job_id, j.status, j.updated_date, j.digest,"
            " CASE WHEN j.rules IS ?5 THEN j.relation END, j.seen_at FROM rows r"
            " LEFT JOIN attempts a ON a.scope = ?1 AND a.name = r.name AND a.closed = 0"
            " LEFT JOIN jobs j ON j.scope = ?1 AND j.name = r.name"
            " WHERE r.run = ?2 AND r.seq >= ?3 AND r.seq < ?4 AND r.outcome IS NULL ORDER BY r.seq",
            self._journal.scope,
            self._journal.run,
            first,
            first + count,
            self._journal.rules,
        )
        listed = self._listed(first, count)
        with errors_of(self._journal.path):
            return [_planned(row, tuple(listed.get(row[1], ()))) for row in rows]

    def _listed(self, first: int, count: int) -> dict[str, list[ListedJob]]:
        found: dict[str, list[ListedJob]] = {}
        for name, job_id, status, updated_date in self._journal.ask(
            "SELECT l.name, l.job_id, l.status, l.updated_date FROM rows r JOIN temp.listed l ON l.name = r.name"
            " WHERE r.run = ? AND r.seq >= ? AND r.seq < ? AND r.outcome IS NULL",
            self._journal.run,
            first,
            first + count,
        ):
            found.setdefault(name, []).append(ListedJob(job_id, name, status, updated_date))
        return found

    def refused(self) -> set[bytes]:
        """Digests of the definitions that this scope's service refused to create, in any run; each has its name in it.

        A row that was edited since has another.
        """
        sql = "SELECT DISTINCT digest FROM attempts WHERE scope = ? AND verdict = 'rejected' AND kind = 'create'"
        return {digest for (digest,) in self._journal.ask(sql, self._journal.scope)}

    def rows_between(self, first: int, count: int) -> list[int]:
        """The places of the rows of the current run that have no outcome yet."""
        sql = "SELECT seq FROM rows WHERE run = ? AND seq >= ? AND seq < ? AND outcome IS NULL"
        return [seq for (seq,) in self._journal.ask(sql, self._journal.run, first, first + count)]

    def unresolved_left(self) -> int:
        """Rows of the current run without an outcome whose name has an open attempt."""
        return self._journal.one(
            "SELECT count(*) FROM attempts a JOIN rows r ON r.run = ? AND r.name = a.name AND r.outcome IS NULL"
            " WHERE a.scope = ? AND a.closed = 0",
            self._journal.run,
            self._journal.scope,
        )

    def not_looked_at(self) -> int:
        """Rows of the current run that were not sent and may have their job all the same.

        All of them if the list was not read; else those of which it showed a job, or the journal knows one.
        """
        sql = (
            "SELECT count(*) FROM rows r WHERE r.run = ?1 AND (r.outcome = 'not_sent' OR (r.outcome IS NULL AND"
            " NOT EXISTS (SELECT 1 FROM attempts a WHERE a.scope = ?2 AND a.name = r.name AND a.closed = 0)))"
        )
        if self.is_listed:
            sql += (
                " AND (EXISTS (SELECT 1 FROM temp.listed l WHERE l.name = r.name)"
                " OR EXISTS (SELECT 1 FROM jobs j WHERE j.scope = ?2 AND j.name = r.name))"
            )
        return self._journal.one(sql, self._journal.run, self._journal.scope)


def _planned(row: tuple[Any, ...], listed: tuple[ListedJob, ...]) -> PlannedRow:
    seq, name, digest, attempt, kind, job_id, status, updated_date, known_digest, relation, seen_at = row
    known = None
    if job_id is not None:
        known = Known(job_id, status, updated_date, known_digest, Relation[relation] if relation else None, seen_at)
    return PlannedRow(seq, name, digest, attempt, known, listed, _change(kind))


def _change(kind: str | None) -> ChangeKind | None:
    return None if kind in (None, "create") else ChangeKind(kind)

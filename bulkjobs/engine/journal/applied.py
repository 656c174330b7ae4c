"""What the journal keeps of jobs that were made from here: asked by reconcile and rollback."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bulkjobs.engine.journal.journal import Journal
from bulkjobs.engine.journal.packs import UNREADABLE
from bulkjobs.engine.journal.schema import errors_of
from bulkjobs.engine.records import ChangeKind, Outcome

_APPLIED = "a.job_id, a.digest, definition(p.nodes, a.place), definition(a.coming, 0)"


@dataclass(frozen=True, slots=True)
class Applied:
    """What a job was last made to be from here. ``nodes`` as they were sent, None if that is not known.

    ``coming``: the nodes of an update whose end may not be known.
    """

    job_id: str
    digest: bytes | None
    nodes: bytes | None
    coming: bytes | None

    @property
    def bases(self) -> tuple[bytes, ...]:
        """The definitions that the job may have if nobody else changed it; none if that is not known."""
        return tuple(nodes for nodes in (self.nodes, self.coming) if nodes is not None)


@dataclass(frozen=True, slots=True)
class Owned:
    """A job of ours beside its open attempt, if there is one. ``seq``, ``line``: its row in the run that made it."""

    name: str
    job_id: str
    applied: Applied | None
    attempt: int | None = None
    change: ChangeKind | None = None
    seq: int = -1
    line: int | None = None
    digest: bytes | None = None


@dataclass(frozen=True, slots=True)
class DriftedRow:
    """A row of the current run whose job differs. ``updated_date``: as it was when that was found."""

    seq: int
    name: str
    digest: bytes
    job_id: str
    updated_date: str | None


@dataclass(frozen=True, slots=True)
class RowLine:
    """A row of the current run as a plan tells of it."""

    seq: int
    file: int
    line: int
    name: str
    digest: bytes
    outcome: Outcome | None
    job_id: str | None
    message: str | None


class AppliedJobs:
    """Questions to a journal that has begun a run."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def of(self, name: str) -> Applied | None:
        rows = self._journal.ask(
            f"SELECT {_APPLIED} FROM applied a LEFT JOIN packs p ON p.id = a.pack WHERE a.scope = ? AND a.name = ?",  # noqa: S608  # our own words
            self._journal.scope,
            name,
        )
        with errors_of(self._journal.path):
            return _applied(*rows[0]) if rows else None

    def prunable(self, namespace: str) -> list[Owned]:
        """Jobs that this namespace has made, no other one lists, and the current run's inventory does not either.

        Names with an open create are left out: which job is theirs only the service can tell (``created_open``).
        """
        scope = self._journal.scope
        rows = self._journal.ask(
            f"SELECT a.name, {_APPLIED} FROM applied a LEFT JOIN packs p ON p.id = a.pack"  # noqa: S608  # our own words
            " JOIN claims c ON c.scope = a.scope AND c.name = a.name AND c.namespace = ?2 WHERE a.scope = ?1"
            " AND NOT EXISTS (SELECT 1 FROM temp.wanted w WHERE w.name = a.name)"
            " AND NOT EXISTS (SELECT 1 FROM claims o WHERE o.scope = a.scope AND o.name = a.name AND o.namespace != ?2)"
            " AND NOT EXISTS (SELECT 1 FROM attempts t WHERE t.scope = a.scope AND t.name = a.name AND t.closed = 0"
            " AND t.kind = 'create') ORDER BY a.name",
            scope,
            namespace,
        )
        with errors_of(self._journal.path):
            return [Owned(name, job_id, _applied(job_id, *rest)) for name, job_id, *rest in rows]

    def created_open(self, namespace: str) -> list[str]:
        """Names as in ``prunable`` of which a create has no known end."""
        rows = self._journal.ask(
            "SELECT t.name FROM attempts t"
            " JOIN claims c ON c.scope = t.scope AND c.name = t.name AND c.namespace = ?2"
            " WHERE t.scope = ?1 AND t.closed = 0 AND t.kind = 'create'"
            " AND NOT EXISTS (SELECT 1 FROM temp.wanted w WHERE w.name = t.name)"
            " AND NOT EXISTS (SELECT 1 FROM claims o WHERE o.scope = t.scope AND o.name = t.name AND o.namespace != ?2)"
            " ORDER BY t.name",
            self._journal.scope,
            namespace,
        )
        return [name for (name,) in rows]

    def is_open(self, name: str) -> bool:
        """Whether an attempt of this name has no known end."""
        sql = "SELECT 1 FROM attempts WHERE scope = ? AND name = ? AND closed = 0"
        return bool(self._journal.ask(sql, self._journal.scope, name))

    def count(self, namespace: str) -> int:
        """How many jobs this namespace has made, those included of which that is not certain yet."""
        rows = self._journal.ask(
            "SELECT count(*) FROM claims c WHERE c.scope = ? AND c.namespace = ?"
            " AND (EXISTS (SELECT 1 FROM applied a WHERE a.scope = c.scope AND a.name = c.name)"
            " OR EXISTS (SELECT 1 FROM attempts t WHERE t.scope = c.scope AND t.name = c.name AND t.closed = 0))",
            self._journal.scope,
            namespace,
        )
        return int(rows[0][0])

    def made_by(self, run_id: str) -> list[Owned]:
        """The jobs that a run of this scope made, in the order of its rows, each with its name's open attempt."""
        rows = self._journal.ask(
            f"SELECT r.name, r.job_id, t.id, t.kind, r.seq, r.line, r.digest, {_APPLIED}"  # noqa: S608  # our own words
            " FROM runs u JOIN rows r ON r.run = u.id"
            " LEFT JOIN applied a ON a.scope = u.scope AND a.name = r.name LEFT JOIN packs p ON p.id = a.pack"
            " LEFT JOIN attempts t ON t.scope = u.scope AND t.name = r.name AND t.closed = 0"
            " WHERE u.run_id = ? AND u.scope = ? AND r.outcome IN ('created', 'adopted') AND r.job_id IS NOT NULL"
            " ORDER BY r.seq",
            run_id,
            self._journal.scope,
        )
        with errors_of(self._journal.path):
            return [_made(row) for row in rows]

    def drifted(self) -> list[DriftedRow]:
        """Rows of the current run whose job is ours and differs."""
        rows = self._journal.ask(
            "SELECT r.seq, r.name, r.digest, r.job_id, j.updated_date FROM rows r"
            " LEFT JOIN jobs j ON j.scope = ? AND j.name = r.name AND j.job_id = r.job_id"
            " WHERE r.run = ? AND r.outcome = 'drifted' AND r.job_id IS NOT NULL ORDER BY r.seq",
            self._journal.scope,
            self._journal.run,
        )
        return [DriftedRow(*row) for row in rows]

    def rows(self, first: int, count: int) -> list[RowLine]:
        """Rows of the current run from ``first`` on, at most ``count``, that have a definition, in inventory order."""
        rows = self._journal.ask(
            "SELECT seq, file, line, name, digest, outcome, job_id, error FROM rows"
            " WHERE run = ? AND seq >= ? AND seq < ? AND digest IS NOT NULL ORDER BY seq",
            self._journal.run,
            first,
            first + count,
        )
        with errors_of(self._journal.path):
            return [
                RowLine(seq, file, line, name, digest, Outcome(outcome) if outcome else None, job_id, message)
                for seq, file, line, name, digest, outcome, job_id, message in rows
            ]

    def has_run(self, run_id: str) -> bool:
        """Whether the journal knows this run, in this scope."""
        sql = "SELECT 1 FROM runs WHERE run_id = ? AND scope = ?"
        return bool(self._journal.ask(sql, run_id, self._journal.scope))


def _applied(job_id: str, digest: bytes | None, nodes: bytes | None, coming: bytes | None) -> Applied:
    return Applied(job_id, digest, _sound(nodes), _sound(coming))


def _sound(definition: bytes | None) -> bytes | None:
    if definition == UNREADABLE:
        raise ValueError("a definition in it cannot be read")
    return definition


def _made(row: tuple[Any, ...]) -> Owned:
    name, job_id, attempt, kind, seq, line, digest, applied_id, *applied = row
    known = _applied(applied_id, *applied) if applied_id == job_id else None
    change = ChangeKind(kind) if kind not in (None, "create") else None
    return Owned(name, job_id, known, attempt, change, seq, line, digest)

"""All that the journal keeps of one row of one run, for ``explain``. Read without the lock, also of a run at work."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bulkjobs.engine.journal.history import History, PastRun
from bulkjobs.engine.journal.packs import UNREADABLE
from bulkjobs.engine.journal.schema import PROVED, errors_of
from bulkjobs.engine.looks import How, decision_parts
from bulkjobs.engine.records import NO_FILE, Outcome, RowRecord
from bulkjobs.errors import UsageError
from bulkjobs.graph.suggest import nearest
from bulkjobs.plain import plain
from bulkjobs.settings import Shard

_ROW = """
SELECT seq, digest, outcome IS NOT NULL, file, line, name, coalesce(outcome, {outcome}), job_id, status, http_status,
    error_code, error, CASE WHEN outcome IS NULL THEN {attempts} ELSE coalesce(attempts, 0) END,
    CASE WHEN outcome IS NULL THEN {first_sent_at} ELSE first_sent_at END, finished_at, elapsed_ms
FROM rows WHERE run = ? AND seq = ?
""".format_map(PROVED)

_ATTEMPT = (
    "SELECT u.run_id, a.n, a.kind, a.job_id, a.intended_at, a.waited_ms, a.ended_at, a.verdict, a.http_status, a.code,"
    " a.message, a.trace_id, NOT a.closed FROM attempts a LEFT JOIN runs u ON u.id = a.run WHERE"
)
_EARLIER = 20
_NAMES = 5_000


@dataclass(frozen=True, slots=True)
class Attempt:
    """One send. Times are milliseconds since the epoch, of the intent and of the answer.

    ``run_id`` None: of a run that was deleted. ``kind``: ``create``, ``update`` or ``delete``; ``job_id`` of the job
    that is changed. ``waited_ms``: from the intent to the limiter's permission; None if no answer came to tell.
    ``verdict`` None: its end is not known. ``is_open``: it is not settled yet.
    """

    run_id: str | None
    n: int
    kind: str
    job_id: str | None
    intended_at: int
    waited_ms: int | None
    ended_at: int | None
    verdict: str | None
    http_status: int | None
    code: str | None
    message: str | None
    trace_id: str | None
    is_open: bool


@dataclass(frozen=True, slots=True)
class Lookup:
    """One look at the row's name or its job. ``how``: see ``engine.looks``.

    ``ids`` of the live jobs of that name, the first 20; ``seen`` of a single one: the name of a ``Relation``, or of a
    ``Sight`` where the job was read for its change. ``decision``: ``send``, ``look`` (again), an action of
    a plan, ``update`` or ``delete`` (now), or an outcome; ``reason``: why, where there is more to say.
    """

    at: int
    how: How
    complete: bool
    ids: tuple[str, ...]
    seen: str | None
    deleted: bool
    decision: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class SeenJob:
    """The job of the row's name, as the journal knows it. ``run_id``: which run saw it last; None: one now deleted."""

    job_id: str
    run_id: str | None


@dataclass(frozen=True, slots=True)
class Trail:
    """One row, or a job that no row of the run lists: then its record has NO_FILE, and its ``place`` says nothing.

    ``place``: the row's position in its file, from 0. ``is_over``: it has an outcome of its own.

    ``earlier``: sends of that name by runs before this one that made or changed the job, or whose end was not known.
    ``nodes``: the definition that was last applied under that name, if it is the row's. ``job``: if one is known.
    """

    row: RowRecord
    place: int
    digest: bytes | None
    is_over: bool
    earlier: Sequence[Attempt]
    attempts: Sequence[Attempt]
    lookups: Sequence[Lookup]
    nodes: bytes | None
    job: SeenJob | None = None


class Trails(History):
    """The journal, asked for single rows."""

    def trail(self, past: PastRun, row: str) -> Trail:
        """``row``: the job's name, the line on which it begins, or ``FILE:LINE``. UsageError if there is none."""
        seq = self._seq(past, row)
        if seq is None:
            return self._unlisted(past, row)
        with errors_of(self._path):
            found = self._db.execute(_ROW, (past.key, seq)).fetchone()
            _, digest, is_over, file, line, name, outcome, *rest = found
            record = RowRecord(file, line, name, Outcome(outcome), *rest)
            before = sum(inventory.rows for inventory in past.record.inventories[: max(file, 0)])
            return Trail(
                record,
                seq - before,
                digest,
                bool(is_over),
                self._earlier(past, name),
                self._attempts("a.run = ? AND a.seq = ? ORDER BY a.id", past.key, seq),
                self._lookups("run = ? AND seq = ?", past.key, seq),
                self._applied(past, name, digest),
                self._job(past, name),
            )

    def _unlisted(self, past: PastRun, name: str) -> Trail:
        """A job that was to be deleted, or a send of an earlier run that was settled: neither is a row of the run."""
        with errors_of(self._path):
            record = _unlisted(past, name)
        if record is None:
            message = f"{plain(name, 120)}: run {past.record.run_id} has no such row"
            raise UsageError(message, _of_another_shard(past, name) or self._hint(past, name))
        with errors_of(self._path):
            return Trail(
                record,
                -1,
                None,
                True,
                self._earlier(past, name),
                self._attempts("a.run = ? AND a.seq IS NULL AND a.name = ? ORDER BY a.id", past.key, name),
                self._lookups("run = ? AND seq = -1 AND name = ?", past.key, name),
                None,
            )

    def _earlier(self, past: PastRun, name: str | None) -> list[Attempt]:
        return self._attempts(
            "a.scope = (SELECT scope FROM runs WHERE id = ?1) AND a.name = ?2 AND a.run < ?1"
            " AND coalesce(a.verdict, 'unknown') IN ('unknown', 'created', 'accepted') ORDER BY a.id DESC LIMIT ?3",
            past.key,
            name,
            _EARLIER,
        )[::-1]

    def _lookups(self, where: str, *parameters: object) -> list[Lookup]:
        rows = self._db.execute(
            f"SELECT at, how, complete, ids, relation, deleted, decision FROM lookups WHERE {where} ORDER BY id",  # noqa: S608  # our own words
            parameters,
        )
        return [
            Lookup(at, How(how), bool(complete), tuple(ids.split()), seen, bool(deleted), *decision_parts(decision))
            for at, how, complete, ids, seen, deleted, decision in rows
        ]

    def _attempts(self, where: str, *parameters: object) -> list[Attempt]:
        rows = self._db.execute(f"{_ATTEMPT} {where}", parameters)
        values: list[list[Any]] = [[*row[:-1], bool(row[-1])] for row in rows]
        return [Attempt(*each) for each in values]

    def _applied(self, past: PastRun, name: str | None, digest: bytes | None) -> bytes | None:
        found = self._db.execute(
            "SELECT definition(p.nodes, a.place) FROM applied a LEFT JOIN packs p ON p.id = a.pack"
            " WHERE a.scope = (SELECT scope FROM runs WHERE id = ?) AND a.name = ? AND a.digest = ?",
            (past.key, name, digest),
        ).fetchone()
        if found is None:
            return None
        definition: bytes | None = found[0]
        if definition == UNREADABLE:
            raise sqlite3.DatabaseError(f"nodes of {name} cannot be read")
        return definition

    def _job(self, past: PastRun, name: str | None) -> SeenJob | None:
        found = self._db.execute(
            "SELECT j.job_id, u.run_id FROM jobs j LEFT JOIN runs u ON u.id = j.run"
            " WHERE j.scope = (SELECT scope FROM runs WHERE id = ?) AND j.name = ?",
            (past.key, name),
        ).fetchone()
        return None if found is None else SeenJob(*found)

    def _seq(self, past: PastRun, row: str) -> int | None:
        """The row's place in the run; None if there is none. Raises UsageError where there are several."""
        file, _, line = row.rpartition(":")
        numbers = [i for i, inventory in enumerate(past.record.inventories) if inventory.path == file]
        ways: list[tuple[str, tuple[Any, ...]]] = [("name = ?", (row,))]
        if line.isascii() and line.isdigit() and len(line) < 16:
            if not file:
                ways.append(("line = ?", (int(line),)))
            elif numbers:
                ways.append(("line = ? AND file = ?", (int(line), numbers[0])))
        for where, parameters in ways:
            found = self._places(past, where, parameters)
            if len(found) == 1:
                return found[0][0]
            if found:
                paths = [inventory.path for inventory in past.record.inventories]
                places = ", ".join(
                    f"{plain(paths[file]) if file < len(paths) else file + 1}:{line}" for _, file, line in found
                )
                raise UsageError(f"{plain(row, 120)}: several rows of run {past.record.run_id}: {places}", "name one")
        return None

    def _places(self, past: PastRun, where: str, parameters: tuple[Any, ...]) -> list[tuple[int, int, int]]:
        sql = f"SELECT seq, file, line FROM rows WHERE run = ? AND {where} ORDER BY seq LIMIT 10"  # noqa: S608  # our own words
        with errors_of(self._path):
            return self._db.execute(sql, (past.key, *parameters)).fetchall()

    def _hint(self, past: PastRun, row: str) -> str:
        with errors_of(self._path):
            names = self._db.execute(
                "SELECT name FROM rows WHERE run = ? AND name IS NOT NULL ORDER BY seq LIMIT ?", (past.key, _NAMES)
            ).fetchall()
        near = nearest(row, [name for (name,) in names])
        return f"did you mean {near}?" if near else "give the job's name, or the line on which the row begins"


def _of_another_shard(past: PastRun, row: str) -> str | None:
    """Where else to look, if the run had a shard that has no row of that name."""
    shard = past.record.facts.get("shard")
    if not isinstance(shard, str):
        return None
    ours = Shard.read(shard)
    if row.rpartition(":")[2].isdecimal():
        return f"the run had only shard {ours}, and that line may be in another: the job's name tells in which"
    if ours.holds(row):
        return None
    return f"the run had only shard {ours}; a job of that name is in shard {ours.having(row)}: explain that one's run"


def _unlisted(past: PastRun, name: str) -> RowRecord | None:
    """What became of a job that no row lists, as a row's record."""
    for removal in past.record.removals:
        if removal["name"] == name:
            return _record(name, removal, removal["code"])
    for orphan in past.record.orphans:
        if orphan["name"] == name:
            return _record(name, orphan, None)
    return None


def _record(name: str, ended: Mapping[str, object], code: object) -> RowRecord:
    job_id, detail = ended["job_id"], ended["detail"]
    return RowRecord(
        NO_FILE,
        0,
        name,
        Outcome(str(ended["outcome"])),
        None if job_id is None else str(job_id),
        error_code=None if code is None else str(code),
        error=None if detail is None else str(detail),
    )

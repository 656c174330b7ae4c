"""What the journal says of a run and of each of its rows: the report's only input beside the inventory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec


class Outcome(StrEnum):
    """How a row ended (a contract: reports and scripts use these words)."""

    CREATED = "created"
    ADOPTED = "adopted"
    EXISTING = "existing"
    DRIFTED = "drifted"
    UPDATED = "updated"
    DELETED = "deleted"
    CONFLICT = "conflict"
    REJECTED = "rejected"
    UNRESOLVED = "unresolved"
    NOT_SENT = "not_sent"
    INVALID = "invalid"


class ChangeKind(StrEnum):
    """What is done to a job that is there (words that the journal keeps)."""

    UPDATE = "update"
    DELETE = "delete"


SUCCEEDED = frozenset({Outcome.CREATED, Outcome.ADOPTED, Outcome.EXISTING, Outcome.UPDATED, Outcome.DELETED})
"""Outcomes after which the service holds what the row asks for. All others go to ``retry.csv``."""


NO_FILE = -1
"""In place of a file's position: of a row that stands in no inventory of its run, as those of a rollback."""


@dataclass(frozen=True, slots=True)
class InventoryRecord:
    """One input file of a run, as it was when it was validated.

    ``path`` as it was given, ``location`` the absolute path at which it was found.
    """

    path: str
    sha256: str
    rows: int
    location: str


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run. Times are milliseconds since the epoch, UTC; ``ended_at`` is None for a run that was killed.

    ``state`` is ``running``, ``finished``, ``interrupted``, ``halted`` or ``invalid``; ``reason`` says in
    people's words why it ended early. ``orphans`` are open intents of names that the inventory does not list,
    and what became of them; ``removals`` jobs that were to be deleted, likewise. ``facts`` are further plain figures
    of the run (retries, throttles, list lag).
    """

    run_id: str
    endpoint: str
    account: str
    api: str
    state: str
    reason: str | None
    started_at: int
    ended_at: int | None
    inventories: Sequence[InventoryRecord]
    facts: Mapping[str, object]
    orphans: Sequence[Mapping[str, object]] = ()
    removals: Sequence[Mapping[str, object]] = ()


class RowRecord(msgspec.Struct, frozen=True, gc=False):
    """One row of one run: a structure, since a report makes one a row and a dataclass takes ten times as long.

    ``file`` is the position in ``RunRecord.inventories``, or NO_FILE; times as in ``RunRecord``."""

    file: int
    line: int
    name: str | None
    outcome: Outcome
    job_id: str | None = None
    status: str | None = None
    http_status: int | None = None
    error_code: str | None = None
    error: str | None = None
    attempts: int = 0
    first_sent_at: int | None = None
    finished_at: int | None = None
    elapsed_ms: int | None = None


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One send of a row. ``again``: it was not the row's first; ``verdict``: what became of it, if it is known.

    Times as in ``RunRecord``: of the intent, and of the answer.
    """

    again: bool
    intended_at: int
    ended_at: int | None
    verdict: str | None

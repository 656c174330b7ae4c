"""What is to be done to one row, or to one job that no row lists. Data only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from bulkjobs.engine.three_way import FieldChange


class Action(StrEnum):
    """What is to be done (a contract: scripts use these words)."""

    CREATE = "create"
    UNCHANGED = "unchanged"
    UPDATE = "update"
    CONFLICT = "conflict"
    DELETE = "delete"
    KEEP = "keep"
    """A job that differs or that the inventory no longer lists, and that is left alone: it runs, or was edited."""


PENDING = frozenset({Action.CREATE, Action.UPDATE, Action.DELETE})
"""Actions that send something."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One row, or, without ``file`` and ``line``, one job that no row lists. ``digest``: of the row's definition.

    ``updated_date``: the job's, as it was when the plan was made.
    """

    file: str | None
    line: int | None
    name: str
    action: Action
    reason: str | None = None
    diff: Sequence[FieldChange] = ()
    digest: bytes | None = None
    job_id: str | None = None
    updated_date: str | None = None

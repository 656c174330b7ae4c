"""What a row needs, from what the list and the journal say of its name. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from bulkjobs.dataflow.listing import ListedJob
from bulkjobs.engine.protocol import Finish, Match, Relation, recognise, several


class Known(msgspec.Struct, frozen=True, gc=False):
    """What the journal keeps of a name in this scope: the job as it was last seen.

    ``digest`` is the row's definition that the job was compared with, ``relation`` how that went (None: never
    compared), ``seen_at`` milliseconds since the epoch.
    """

    job_id: str
    status: str | None
    updated_date: str | None
    digest: bytes | None
    relation: Relation | None
    seen_at: int


class Action(StrEnum):
    FINISH = "finish"
    SEND = "send"
    READ = "read"  # one live job of that name: read it and compare
    LOOK = "look"  # the journal knows a job that the list lacks: make sure, once settle has passed
    SETTLE = "settle"  # an attempt of unknown end is open: settle, then look


class Step(msgspec.Struct, frozen=True, gc=False):
    """The next thing to do for a row: ``finish`` with FINISH, ``listed`` with READ."""

    action: Action
    finish: Finish | None = None
    listed: ListedJob | None = None


class Moment(msgspec.Struct, frozen=True):
    """When the plan is made. ``settle`` in seconds; ``absence_proved``: two full passes of the list agree."""

    now_ms: int
    settle: float
    absence_proved: bool = False


def plan_row(digest: bytes, is_open: bool, known: Known | None, listed: Sequence[ListedJob], moment: Moment) -> Step:
    """``listed``: the live jobs of exactly this name in the list that was read before the first create."""
    if is_open:
        return Step(Action.SETTLE)
    if len(listed) > 1:
        return Step(Action.FINISH, several([job.job_id for job in listed]))
    if listed:
        return _plan_listed(digest, known, listed[0])
    if known is None or moment.absence_proved:
        return Step(Action.SEND)
    if known.relation is None or known.digest != digest:
        return Step(Action.LOOK)
    if 0 <= moment.now_ms - known.seen_at < moment.settle * 1000:
        return Step(Action.FINISH, _as_known(known, known.status))
    return Step(Action.LOOK)


def _plan_listed(digest: bytes, known: Known | None, job: ListedJob) -> Step:
    if (
        known is None
        or known.relation is None
        or known.job_id != job.job_id
        or known.digest != digest
        or known.updated_date is None
        or known.updated_date != job.updated_date
    ):
        return Step(Action.READ, listed=job)
    return Step(Action.FINISH, _as_known(known, job.status))


def _as_known(known: Known, status: str | None) -> Finish:
    return recognise(Match(known.job_id, status, known.updated_date, known.relation), unknown=False)

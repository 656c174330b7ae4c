"""The submit protocol as a pure state machine (``submit-protocol.md``, States).

A row's state and an event give its next state and a decision, as data; the runner carries it out. No I/O, no
clock, no log. The two rules that make it exactly-once:

* after an attempt of unknown end there is no ``Send`` that was not preceded by a clean ``Seen``;
* after a 2xx without a usable jobId there is no ``Send`` at all in this run.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, StrEnum
from typing import assert_never

import msgspec
from msgspec.structs import replace

from bulkjobs.dataflow.replies import Answer, Cause, Verdict
from bulkjobs.engine.records import ChangeKind, Outcome

ACCEPTED_LOOKS = 3
"""Lookups, one settle time apart, before a job that was accepted but is not to be found is UNRESOLVED."""


class Relation(Enum):
    """How a job on the service stands to the row: are its ids ours, is its definition equal?"""

    OURS_EQUAL = "ours, equal"
    OURS_DIFFERS = "ours, differs"
    FOREIGN_EQUAL = "not ours, equal"
    FOREIGN_DIFFERS = "not ours, differs"


class Match(msgspec.Struct, frozen=True, gc=False):
    """A live job of the row's exact name."""

    job_id: str
    status: str | None = None
    updated_date: str | None = None
    relation: Relation | None = None


class Seen(msgspec.Struct, frozen=True):
    """What a lookup found. ``complete``: every page was read, so an absence means something.

    ``matches``: the live jobs of the exact name; a single one has its relation. ``deleted``: a job of that name
    with status DELETED was there. ``too_soon``: the list lags more than was waited for, so an absence means nothing.
    """

    complete: bool
    matches: tuple[Match, ...] = ()
    deleted: bool = False
    too_soon: bool = False


class RowState(msgspec.Struct, frozen=True, gc=False):
    """What is known of one row. ``attempts`` counts sends of this run that may have reached the service.

    ``unknown``: an attempt of unknown end is open, of this run or an earlier one. ``doubted``: there was one, and a
    lookup did not find its job, which may yet show up. ``accepted``: a 2xx without a usable jobId was seen in this
    run. ``refusal``: a refusal that waits for its lookup. ``looks``: lookups since the last attempt. ``last``: the
    newest answer, for the report. ``change``: the open attempt is no create.
    """

    attempts: int = 0
    unknown: bool = False
    doubted: bool = False
    change: ChangeKind | None = None
    accepted: bool = False
    refusal: Answer | None = None
    looks: int = 0
    last: Answer | None = None


class Delay(StrEnum):
    """Why a send waits, which says how the runner spaces it."""

    THROTTLED = "throttled"
    NOT_SENT = "not_sent"
    ABSENT = "absent"


class Send(msgspec.Struct, frozen=True, gc=False):
    """Send again, after a back-off."""

    because: Delay


class Look(msgspec.Struct, frozen=True, gc=False):
    """Look the name up: after ``settle`` has passed, or (``settled``) as soon as the service can be asked."""

    settled: bool = False


class Finish(msgspec.Struct, frozen=True, gc=False):
    """The row has ended. ``is_open``: its attempt is not resolved, so the intent stays open for the next run."""

    outcome: Outcome
    job_id: str | None = None
    status: str | None = None
    updated_date: str | None = None
    http_status: int | None = None
    code: str | None = None
    message: str | None = None
    is_open: bool = False
    relation: Relation | None = None


class Halt(msgspec.Struct, frozen=True):
    """The run must stop sending; the row ends as ``finish`` says."""

    cause: Cause
    answer: Answer
    finish: Finish


AfterLook = Send | Look | Finish
Decision = AfterLook | Halt


def on_answer(row: RowState, answer: Answer) -> tuple[RowState, Decision]:
    """What follows a create's answer."""
    sent = replace(row, attempts=row.attempts + 1, looks=0, last=answer)
    match answer.verdict:
        case Verdict.CREATED:
            return sent, Finish(
                Outcome.CREATED,
                answer.job_id,
                answer.job_status,
                answer.updated_date,
                answer.http_status,
                relation=Relation.OURS_EQUAL,
            )
        case Verdict.REJECTED:
            if answer.about_name or row.unknown or row.doubted:
                return replace(sent, refusal=answer), Look()
            return sent, _finish(Outcome.REJECTED, answer)
        case Verdict.HALTED:
            assert answer.cause is not None
            state = replace(row, last=answer) if answer.cause is Cause.QUOTA else sent
            return state, Halt(answer.cause, answer, _finish(Outcome.NOT_SENT, answer))
        case Verdict.THROTTLED:
            return replace(row, last=answer), Send(Delay.THROTTLED)
        case Verdict.NOT_SENT:
            unsent = replace(row, last=answer)
            if answer.cause is not None:
                return unsent, Halt(answer.cause, answer, _finish(Outcome.NOT_SENT, answer))
            return unsent, Send(Delay.NOT_SENT)
        case Verdict.UNKNOWN:
            return replace(sent, unknown=True, accepted=row.accepted or answer.accepted), Look()
        case _:  # pragma: no cover
            assert_never(answer.verdict)


def on_lookup(row: RowState, seen: Seen, max_attempts: int) -> tuple[RowState, AfterLook]:
    """What follows a lookup of the row's name."""
    if not seen.complete:
        return row, Look(settled=True)
    row = replace(row, looks=row.looks + 1)
    if len(seen.matches) > 1:
        return row, several([match.job_id for match in seen.matches])
    if seen.matches:
        return row, recognise(seen.matches[0], unknown=row.unknown or row.doubted, change=row.change)
    return _absent(row, seen, max_attempts)


def orphan_without_job(change: ChangeKind | None) -> Finish:
    """How an attempt ends whose name the inventory does not list and whose job is not there."""
    if change is ChangeKind.DELETE:
        return Finish(Outcome.DELETED)
    return Finish(Outcome.NOT_SENT, message="no such job was made" if change is None else "the job is gone")


def unresolved(row: RowState) -> Finish:
    """How a row ends whose attempt cannot be resolved in this run."""
    return replace(_finish(Outcome.UNRESOLVED, row.last), is_open=True)


def recognise(match: Match, *, unknown: bool, change: ChangeKind | None = None) -> Finish:
    """The one live job of the name, compared. ``unknown``: an attempt of ours (``change``) has no known end."""
    outcome, code, message = Outcome.EXISTING, None, None
    match match.relation:
        case Relation.OURS_EQUAL:
            outcome = _MADE[change] if unknown else Outcome.EXISTING
        case Relation.FOREIGN_EQUAL:
            pass
        case Relation.OURS_DIFFERS:
            outcome, code = Outcome.DRIFTED, "differs"
            message = "the job of this name is ours and its definition differs"
        case Relation.FOREIGN_DIFFERS:
            outcome, code = Outcome.CONFLICT, "name-taken"
            message = f"the name belongs to another job: {match.job_id}"
        case None:
            raise ValueError("a single match is compared before it is judged")
        case _:  # pragma: no cover
            assert_never(match.relation)
    return Finish(outcome, match.job_id, match.status, match.updated_date, None, code, message, relation=match.relation)


_MADE = {None: Outcome.ADOPTED, ChangeKind.UPDATE: Outcome.UPDATED, ChangeKind.DELETE: Outcome.EXISTING}


def several(job_ids: Sequence[str]) -> Finish:
    """Several live jobs of one name: a person has to decide."""
    ids = ", ".join(job_id or "?" for job_id in job_ids)
    return Finish(Outcome.CONFLICT, code="several-jobs", message=f"{len(job_ids)} jobs of this name: {ids}")


def _absent(row: RowState, seen: Seen, max_attempts: int) -> tuple[RowState, AfterLook]:
    if row.accepted:
        return row, unresolved(row) if row.looks >= ACCEPTED_LOOKS else Look()
    clean = replace(row, unknown=False, doubted=row.doubted or row.unknown, change=None, refusal=None)
    if row.refusal is not None and not seen.deleted:
        return clean, _finish(Outcome.REJECTED, row.refusal)
    if row.attempts >= max_attempts:
        return clean, _finish(Outcome.NOT_SENT, row.last)
    return clean, Send(Delay.ABSENT)


def _finish(outcome: Outcome, answer: Answer | None) -> Finish:
    if answer is None:
        return Finish(outcome)
    return Finish(outcome, http_status=answer.http_status, code=answer.code, message=answer.message)

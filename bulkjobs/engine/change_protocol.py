"""How a job is updated or deleted, as a pure state machine: what follows an answer, and what follows a look.

The discipline is that of a create: durable intent, send, outcome, and after an unknown end a look, once settle has
passed, before anything else is written. Every write comes right after a look, so a job that somebody changed
meanwhile is left alone. No I/O, no clock, no log.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import assert_never

from bulkjobs.dataflow.replies import Answer, Cause, Verdict
from bulkjobs.engine.records import ChangeKind, Outcome

READ_BACKS = 3
"""Looks, one settle time apart, before an update that was accepted but does not show is called drifted."""

_WRONG_URL = "300"


class Sight(Enum):
    """What getJob shows of the job that is to be changed."""

    GONE = "gone"
    WANTED = "as the inventory wants it"
    SAME = "as it was when the change was decided"
    OTHER = "changed by somebody else"
    FOREIGN = "not ours"
    RUNNING = "running"
    EXECUTED = "has run"


@dataclass(frozen=True, slots=True)
class ChangeState:
    """What is known of one change. ``attempts``: writes of this run that may have reached the service.

    ``unknown``: a write of unknown end is open, of this run or an earlier one. ``accepted``: the last write got a
    2xx and is being read back. ``refusal``: one that waits for its look. ``looks``: looks since the last write.
    """

    kind: ChangeKind
    attempts: int = 0
    unknown: bool = False
    accepted: bool = False
    refusal: Answer | None = None
    looks: int = 0
    last: Answer | None = None


class After(Enum):
    """When to look."""

    NOW = "now"
    BACK_OFF = "back off"
    SETTLE = "settle"


@dataclass(frozen=True, slots=True)
class Write:
    """Send the update or the delete: what was just seen allows it."""


@dataclass(frozen=True, slots=True)
class Look:
    after: After


@dataclass(frozen=True, slots=True)
class Done:
    """The change has ended. ``is_open``: its attempt is not resolved and stays open for the next run."""

    outcome: Outcome
    code: str | None = None
    message: str | None = None
    http_status: int | None = None
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class Halt:
    """The run must stop sending; the change ends as ``done`` says."""

    cause: Cause
    answer: Answer
    done: Done


AfterLook = Write | Look | Done
Decision = AfterLook | Halt


def on_change_answer(state: ChangeState, answer: Answer | None) -> tuple[ChangeState, Decision]:
    """What follows a write's answer; None: it was accepted, with a whole 2xx."""
    sent = replace(state, attempts=state.attempts + 1, looks=0, last=answer, accepted=False)
    if answer is None:
        if state.kind is ChangeKind.DELETE:
            return sent, Done(Outcome.DELETED)
        return replace(sent, unknown=True, accepted=True), Look(After.NOW)
    unsent = replace(state, last=answer)
    match answer.verdict:
        case Verdict.HALTED if not _is_about_the_job(answer):
            assert answer.cause is not None
            return unsent if answer.cause is Cause.QUOTA else sent, _halt(answer.cause, answer)
        case Verdict.REJECTED | Verdict.HALTED:
            return replace(sent, refusal=answer), Look(After.SETTLE if state.unknown else After.NOW)
        case Verdict.THROTTLED:
            return unsent, Look(After.NOW)
        case Verdict.NOT_SENT:
            return unsent, Look(After.BACK_OFF) if answer.cause is None else _halt(answer.cause, answer)
        case Verdict.UNKNOWN | Verdict.CREATED:  # CREATED: a createJob's verdict, so no answer to this
            return replace(sent, unknown=True), Look(After.SETTLE)
        case _:  # pragma: no cover
            assert_never(answer.verdict)


def on_change_look(state: ChangeState, sight: Sight, max_attempts: int) -> tuple[ChangeState, AfterLook]:
    """What follows a look at the job. An open attempt is only looked at once settle has passed."""
    may_be_ours = state.unknown or state.attempts > 0
    state = replace(state, looks=state.looks + 1)
    is_update = state.kind is ChangeKind.UPDATE
    match sight:
        case Sight.GONE:
            if is_update:
                return state, Done(Outcome.NOT_SENT, "gone", "the job is gone; the next run creates it")
            return state, Done(Outcome.DELETED, message=None if may_be_ours else "it was gone already")
        case Sight.FOREIGN:
            return state, Done(Outcome.CONFLICT, "not-ours", "the job of this id is not ours")
        case Sight.WANTED:
            return state, Done(Outcome.UPDATED if may_be_ours else Outcome.EXISTING)
        case Sight.RUNNING:
            outcome = Outcome.DRIFTED if is_update else Outcome.EXISTING
            return state, Done(outcome, "running", "the job is running")
        case Sight.EXECUTED:
            return state, Done(Outcome.EXISTING, "executed", "the job has run since it was created")
        case Sight.OTHER:
            return state, _other(state)
        case Sight.SAME:
            return _same(state, max_attempts)
        case _:  # pragma: no cover
            assert_never(sight)


def unresolved_change(state: ChangeState) -> Done:
    """How a change ends whose attempt cannot be resolved in this run."""
    return replace(_said(Outcome.UNRESOLVED, state.last), is_open=True)


def not_sent_change(state: ChangeState) -> Done:
    """How a change ends that the run did not come to."""
    return _said(Outcome.NOT_SENT, state.last)


def _same(state: ChangeState, max_attempts: int) -> tuple[ChangeState, AfterLook]:
    if state.accepted:
        if state.looks < READ_BACKS:
            return state, Look(After.SETTLE)
        message = "the service accepted the update and still shows the job as it was"
        return state, Done(Outcome.DRIFTED, "not-applied", message)
    clean = replace(state, unknown=False)
    if state.refusal is not None:
        return clean, _said(Outcome.REJECTED, state.refusal)
    if state.attempts >= max_attempts:
        return clean, _said(Outcome.NOT_SENT, state.last)
    return clean, Write()


def _other(state: ChangeState) -> Done:
    if state.kind is ChangeKind.DELETE:
        return Done(Outcome.DRIFTED, "edited", "the job is not as it was last applied")
    if state.accepted:
        return Done(Outcome.DRIFTED, "differs-after-update", "read back after the update, the job differs")
    return Done(Outcome.DRIFTED, "changed-meanwhile", "the job was changed since it was compared; run again")


def _is_about_the_job(answer: Answer) -> bool:
    """A 404 that is not the gateway's "wrong URL": the job is gone, which a look tells."""
    return answer.cause is Cause.ENDPOINT and answer.code != _WRONG_URL


def _halt(cause: Cause, answer: Answer) -> Halt:
    return Halt(cause, answer, _said(Outcome.NOT_SENT, answer))


def _said(outcome: Outcome, answer: Answer | None) -> Done:
    if answer is None:
        return Done(outcome)
    return Done(outcome, answer.code, answer.message, answer.http_status)

"""Updates and deletes as a state machine: after an unknown end nothing is written without a look."""

from __future__ import annotations

import pytest

from bulkjobs.dataflow.replies import Answer, Cause, Verdict
from bulkjobs.engine.change_protocol import (
    READ_BACKS,
    After,
    ChangeState,
    Done,
    Halt,
    Look,
    Sight,
    Write,
    on_change_answer,
    on_change_look,
)
from bulkjobs.engine.records import ChangeKind, Outcome

UPDATE, DELETE = ChangeState(ChangeKind.UPDATE), ChangeState(ChangeKind.DELETE)
BOTH = pytest.mark.parametrize("fresh", [UPDATE, DELETE])
SILENT = Answer(Verdict.UNKNOWN, None, "timeout", "no answer")
REFUSED = Answer(Verdict.REJECTED, 400, "bad-parameter", "no")


@BOTH
def test_a_job_that_is_as_it_was_is_written(fresh: ChangeState) -> None:
    assert on_change_look(fresh, Sight.SAME, 8)[1] == Write()


@BOTH
@pytest.mark.parametrize("sight", [Sight.OTHER, Sight.FOREIGN, Sight.RUNNING])
def test_a_job_that_is_not_is_left_alone(fresh: ChangeState, sight: Sight) -> None:
    decision = on_change_look(fresh, sight, 8)[1]
    assert isinstance(decision, Done)
    assert decision.outcome not in (Outcome.UPDATED, Outcome.DELETED)


@BOTH
def test_an_unknown_end_is_looked_at_after_settle_and_only_then_written_again(fresh: ChangeState) -> None:
    state, decision = on_change_answer(fresh, SILENT)
    assert (state.unknown, state.attempts, decision) == (True, 1, Look(After.SETTLE))
    state, again = on_change_look(state, Sight.SAME, 8)
    assert (state.unknown, again) == (False, Write())


def test_an_update_whose_reply_was_lost_is_recognised() -> None:
    state, _ = on_change_answer(UPDATE, SILENT)
    assert on_change_look(state, Sight.WANTED, 8)[1] == Done(Outcome.UPDATED)


def test_a_delete_whose_reply_was_lost_is_recognised() -> None:
    state, _ = on_change_answer(DELETE, SILENT)
    assert on_change_look(state, Sight.GONE, 8)[1] == Done(Outcome.DELETED)


def test_after_an_unknown_update_something_else_is_drifted() -> None:
    state, _ = on_change_answer(UPDATE, SILENT)
    decision = on_change_look(state, Sight.OTHER, 8)[1]
    assert isinstance(decision, Done)
    assert decision.outcome is Outcome.DRIFTED


def test_an_accepted_update_is_read_back_and_believed_only_then() -> None:
    state, decision = on_change_answer(UPDATE, None)
    assert decision == Look(After.NOW)
    assert on_change_look(state, Sight.WANTED, 8)[1] == Done(Outcome.UPDATED)
    for _ in range(READ_BACKS - 1):
        state, decision = on_change_look(state, Sight.SAME, 8)
        assert decision == Look(After.SETTLE)
    decision = on_change_look(state, Sight.SAME, 8)[1]
    assert isinstance(decision, Done)
    assert decision.code == "not-applied"


def test_an_accepted_delete_is_done() -> None:
    assert on_change_answer(DELETE, None)[1] == Done(Outcome.DELETED)


@BOTH
def test_a_refusal_is_looked_at_before_it_counts(fresh: ChangeState) -> None:
    state, decision = on_change_answer(fresh, REFUSED)
    assert decision == Look(After.NOW)
    decision = on_change_look(state, Sight.SAME, 8)[1]
    assert decision == Done(Outcome.REJECTED, "bad-parameter", "no", 400)


@BOTH
def test_a_refusal_after_an_unknown_end_waits_for_settle(fresh: ChangeState) -> None:
    state, _ = on_change_answer(fresh, SILENT)
    assert on_change_answer(state, REFUSED)[1] == Look(After.SETTLE)


@BOTH
def test_throttles_and_what_never_left_are_no_attempts(fresh: ChangeState) -> None:
    for verdict in (Verdict.THROTTLED, Verdict.NOT_SENT):
        state, decision = on_change_answer(fresh, Answer(verdict))
        assert state.attempts == 0
        assert isinstance(decision, Look)


@BOTH
def test_attempts_run_out(fresh: ChangeState) -> None:
    state = fresh
    for _ in range(3):
        state, _ = on_change_answer(state, SILENT)
    decision = on_change_look(state, Sight.SAME, 3)[1]
    assert isinstance(decision, Done)
    assert decision.outcome is Outcome.NOT_SENT


@BOTH
def test_keys_that_are_refused_stop_the_run_but_a_job_that_is_gone_does_not(fresh: ChangeState) -> None:
    assert isinstance(on_change_answer(fresh, Answer(Verdict.HALTED, 401, "200", cause=Cause.CREDENTIALS))[1], Halt)
    assert isinstance(on_change_answer(fresh, Answer(Verdict.HALTED, 404, "300", cause=Cause.ENDPOINT))[1], Halt)
    missing = Answer(Verdict.HALTED, 404, "not-found", cause=Cause.ENDPOINT)
    assert on_change_answer(fresh, missing)[1] == Look(After.NOW)

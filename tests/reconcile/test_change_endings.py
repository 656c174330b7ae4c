"""How an update or a delete ends, word by word: what the report will say of a job that was or was not changed."""

from __future__ import annotations

from dataclasses import replace

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
    not_sent_change,
    on_change_answer,
    on_change_look,
    unresolved_change,
)
from bulkjobs.engine.records import ChangeKind, Outcome

UPDATE, DELETE = ChangeState(ChangeKind.UPDATE), ChangeState(ChangeKind.DELETE)
BOTH = pytest.mark.parametrize("fresh", [UPDATE, DELETE])
SILENT = Answer(Verdict.UNKNOWN, None, "timeout", "no answer")
REFUSED = Answer(Verdict.REJECTED, 400, "bad-parameter", "no")

RUNNING = "the job is running"
GONE = "the job is gone; the next run creates it"
CHANGED = "the job was changed since it was compared; run again"
EDITED = "the job is not as it was last applied"


@pytest.mark.parametrize(
    ("fresh", "sight", "done"),
    [
        (UPDATE, Sight.GONE, Done(Outcome.NOT_SENT, "gone", GONE)),
        (DELETE, Sight.GONE, Done(Outcome.DELETED, message="it was gone already")),
        (UPDATE, Sight.FOREIGN, Done(Outcome.CONFLICT, "not-ours", "the job of this id is not ours")),
        (DELETE, Sight.FOREIGN, Done(Outcome.CONFLICT, "not-ours", "the job of this id is not ours")),
        (UPDATE, Sight.WANTED, Done(Outcome.EXISTING)),
        (UPDATE, Sight.RUNNING, Done(Outcome.DRIFTED, "running", RUNNING)),
        (DELETE, Sight.RUNNING, Done(Outcome.EXISTING, "running", RUNNING)),
        (DELETE, Sight.EXECUTED, Done(Outcome.EXISTING, "executed", "the job has run since it was created")),
        (UPDATE, Sight.OTHER, Done(Outcome.DRIFTED, "changed-meanwhile", CHANGED)),
        (DELETE, Sight.OTHER, Done(Outcome.DRIFTED, "edited", EDITED)),
    ],
)
def test_a_job_that_is_not_to_be_written_ends_as_what_it_is(fresh: ChangeState, sight: Sight, done: Done) -> None:
    state, decision = on_change_look(fresh, sight, 8)
    assert decision == done
    assert state == replace(fresh, looks=1)


@pytest.mark.parametrize(("attempts", "unknown"), [(0, True), (1, False)])
def test_what_is_found_after_a_write_of_ours_was_done_by_it(attempts: int, unknown: bool) -> None:
    assert on_change_look(ChangeState(ChangeKind.UPDATE, attempts, unknown), Sight.WANTED, 8)[1] == Done(
        Outcome.UPDATED
    )
    assert on_change_look(ChangeState(ChangeKind.DELETE, attempts, unknown), Sight.GONE, 8)[1] == Done(Outcome.DELETED)


def test_an_update_that_reads_back_as_something_else_says_so() -> None:
    state, _ = on_change_answer(UPDATE, None)
    assert on_change_look(state, Sight.OTHER, 8)[1] == Done(
        Outcome.DRIFTED, "differs-after-update", "read back after the update, the job differs"
    )


def test_an_update_that_never_shows_is_called_drifted_after_its_last_look() -> None:
    state, _ = on_change_answer(UPDATE, None)
    for _ in range(READ_BACKS - 1):
        state, decision = on_change_look(state, Sight.SAME, 8)
        assert decision == Look(After.SETTLE)
        assert state.unknown, "it may still show: its attempt stays open until it is given up"
    assert on_change_look(state, Sight.SAME, 8)[1] == Done(
        Outcome.DRIFTED, "not-applied", "the service accepted the update and still shows the job as it was"
    )


def test_it_takes_three_looks() -> None:
    assert READ_BACKS == 3


def test_an_accepted_update_is_of_unknown_end_until_it_was_read_back() -> None:
    state, _ = on_change_answer(UPDATE, None)
    assert state == ChangeState(ChangeKind.UPDATE, attempts=1, unknown=True, accepted=True)


def test_a_later_write_of_unknown_end_is_no_longer_an_accepted_one() -> None:
    state, _ = on_change_answer(UPDATE, None)
    state, _ = on_change_answer(replace(state, looks=2), SILENT)
    assert state == ChangeState(ChangeKind.UPDATE, attempts=2, unknown=True, last=SILENT)


@BOTH
@pytest.mark.parametrize("verdict", [Verdict.UNKNOWN, Verdict.CREATED])
def test_whatever_is_no_answer_to_a_change_leaves_its_end_unknown(fresh: ChangeState, verdict: Verdict) -> None:
    answer = Answer(verdict, 201, job_id="j1")
    state, decision = on_change_answer(fresh, answer)
    assert decision == Look(After.SETTLE)
    assert state == replace(fresh, attempts=1, unknown=True, last=answer)


@BOTH
def test_a_throttle_looks_at_once_and_what_never_left_after_a_back_off(fresh: ChangeState) -> None:
    throttled, unsent = Answer(Verdict.THROTTLED, 429, "410"), Answer(Verdict.NOT_SENT, None, "connect", "refused")
    assert on_change_answer(fresh, throttled) == (replace(fresh, last=throttled), Look(After.NOW))
    assert on_change_answer(fresh, unsent) == (replace(fresh, last=unsent), Look(After.BACK_OFF))


@BOTH
def test_a_certificate_that_is_not_right_stops_the_run_and_is_no_attempt(fresh: ChangeState) -> None:
    answer = Answer(Verdict.NOT_SENT, None, "certificate", "expired", cause=Cause.CERTIFICATE)
    done = Done(Outcome.NOT_SENT, "certificate", "expired")
    assert on_change_answer(fresh, answer) == (replace(fresh, last=answer), Halt(Cause.CERTIFICATE, answer, done))


@BOTH
@pytest.mark.parametrize(
    ("answer", "attempts"),
    [
        (Answer(Verdict.HALTED, 429, "400", "used up", cause=Cause.QUOTA), 0),
        (Answer(Verdict.HALTED, 401, "200", "who are you", cause=Cause.CREDENTIALS), 1),
        (Answer(Verdict.HALTED, 403, None, "no", cause=Cause.PERMISSION), 1),
        (Answer(Verdict.HALTED, 404, "300", "no such URL", cause=Cause.ENDPOINT), 1),
    ],
)
def test_what_concerns_the_whole_run_stops_it_and_a_quota_burns_no_attempt(
    fresh: ChangeState, answer: Answer, attempts: int
) -> None:
    state, decision = on_change_answer(fresh, answer)
    done = Done(Outcome.NOT_SENT, answer.code, answer.message, answer.http_status)
    assert answer.cause is not None
    assert decision == Halt(answer.cause, answer, done)
    assert (state.attempts, state.last) == (attempts, answer)


@BOTH
def test_a_404_about_the_job_is_a_refusal_that_a_look_explains(fresh: ChangeState) -> None:
    missing = Answer(Verdict.HALTED, 404, "not-found", "no such job", cause=Cause.ENDPOINT)
    state, decision = on_change_answer(replace(fresh, unknown=True), missing)
    assert decision == Look(After.SETTLE)
    assert (state.refusal, state.attempts) == (missing, 1)
    assert on_change_look(state, Sight.SAME, 8)[1] == Done(Outcome.REJECTED, "not-found", "no such job", 404)


@BOTH
def test_a_refusal_counts_as_an_attempt_and_starts_the_looks_anew(fresh: ChangeState) -> None:
    state, _ = on_change_answer(replace(fresh, looks=2), REFUSED)
    assert state == replace(fresh, attempts=1, refusal=REFUSED, last=REFUSED)


@BOTH
def test_attempts_that_are_used_up_end_with_what_was_last_said(fresh: ChangeState) -> None:
    state = replace(fresh, attempts=3, unknown=True, last=SILENT)
    assert on_change_look(state, Sight.SAME, 4)[1] == Write()
    state, decision = on_change_look(state, Sight.SAME, 3)
    assert decision == Done(Outcome.NOT_SENT, "timeout", "no answer")
    assert not state.unknown, "the look has told that the last one did nothing"


def test_a_change_of_an_earlier_run_whose_attempts_are_used_up_has_nothing_that_was_said() -> None:
    assert on_change_look(UPDATE, Sight.SAME, 0)[1] == Done(Outcome.NOT_SENT)


@BOTH
def test_a_change_that_a_run_leaves_says_what_was_last_heard_and_whether_it_is_open(fresh: ChangeState) -> None:
    answer = Answer(Verdict.UNKNOWN, 503, "900", "busy")
    state, _ = on_change_answer(fresh, answer)
    assert unresolved_change(state) == Done(Outcome.UNRESOLVED, "900", "busy", 503, is_open=True)
    assert not_sent_change(state) == Done(Outcome.NOT_SENT, "900", "busy", 503)
    assert not_sent_change(fresh) == Done(Outcome.NOT_SENT)
    assert not Done(Outcome.NOT_SENT).is_open

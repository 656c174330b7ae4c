"""The state machine of submit-protocol.md, row by row of its tables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkjobs.dataflow.replies import Answer, Cause, Verdict
from bulkjobs.engine.protocol import (
    ACCEPTED_LOOKS,
    Decision,
    Delay,
    Finish,
    Halt,
    Look,
    Match,
    Relation,
    RowState,
    Seen,
    Send,
    on_answer,
    on_lookup,
    unresolved,
)
from bulkjobs.engine.records import Outcome

NEW = RowState()
CREATED = Answer(Verdict.CREATED, 201, job_id="j1", job_status="RUNNABLE", updated_date="d")
REJECTED = Answer(Verdict.REJECTED, 400, "bad-parameter", "no such bucket")
NAME_REFUSED = Answer(Verdict.REJECTED, 400, "bad-state", "taken", about_name=True)
THROTTLED = Answer(Verdict.THROTTLED, 429, "410", slow_down=True)
NOT_SENT = Answer(Verdict.NOT_SENT)
UNKNOWN = Answer(Verdict.UNKNOWN, 503)
ACCEPTED = Answer(Verdict.UNKNOWN, 201, accepted=True)
KEYS = Answer(Verdict.HALTED, 401, "200", cause=Cause.CREDENTIALS)
QUOTA = Answer(Verdict.HALTED, 429, "400", cause=Cause.QUOTA, slow_down=True)
ABSENT = Seen(True)
DELETED = Seen(True, deleted=True)
UNREAD = Seen(False)


def found(relation: Relation) -> Seen:
    return Seen(True, (Match("j1", "RUNNABLE", "d", relation),))


TWO = Seen(True, (Match("j1"), Match("j2")))


def outcome_of(decision: Decision) -> Outcome:
    assert isinstance(decision, Finish)
    return decision.outcome


class TestAnswers:
    def test_a_created_job_ends_the_row_with_its_id(self) -> None:
        row, decision = on_answer(NEW, CREATED)
        assert isinstance(decision, Finish)
        assert (decision.outcome, decision.job_id, decision.status) == (Outcome.CREATED, "j1", "RUNNABLE")
        assert row.attempts == 1

    def test_a_refusal_of_the_request_is_final(self) -> None:
        row, decision = on_answer(NEW, REJECTED)
        assert outcome_of(decision) is Outcome.REJECTED
        assert row.attempts == 1

    def test_a_throttle_sends_again_and_is_no_attempt(self) -> None:
        row, decision = on_answer(NEW, THROTTLED)
        assert (row.attempts, decision) == (0, Send(Delay.THROTTLED))

    def test_a_send_that_never_left_is_no_attempt(self) -> None:
        row, decision = on_answer(NEW, NOT_SENT)
        assert (row.attempts, decision) == (0, Send(Delay.NOT_SENT))

    def test_a_bad_certificate_stops_the_run(self) -> None:
        _, decision = on_answer(NEW, Answer(Verdict.NOT_SENT, cause=Cause.CERTIFICATE))
        assert isinstance(decision, Halt)

    def test_an_unknown_end_is_looked_up_after_settling_and_never_sent_at_once(self) -> None:
        row, decision = on_answer(NEW, UNKNOWN)
        assert decision == Look()
        assert row.unknown
        assert row.attempts == 1

    @pytest.mark.parametrize(("answer", "attempts"), [(KEYS, 1), (QUOTA, 0)])
    def test_what_halts_the_run_leaves_the_row_not_sent(self, answer: Answer, attempts: int) -> None:
        row, decision = on_answer(NEW, answer)
        assert isinstance(decision, Halt)
        assert decision.finish.outcome is Outcome.NOT_SENT
        assert row.attempts == attempts

    def test_a_refusal_that_may_be_about_the_name_is_looked_up_first(self) -> None:
        _, decision = on_answer(NEW, NAME_REFUSED)
        assert decision == Look()


class TestLookups:
    def test_our_equal_job_is_adopted_after_an_attempt_of_unknown_end(self) -> None:
        row, _ = on_answer(NEW, UNKNOWN)
        assert outcome_of(on_lookup(row, found(Relation.OURS_EQUAL), 8)[1]) is Outcome.ADOPTED

    def test_our_equal_job_that_was_there_before_is_existing(self) -> None:
        assert outcome_of(on_lookup(NEW, found(Relation.OURS_EQUAL), 8)[1]) is Outcome.EXISTING

    @pytest.mark.parametrize("row", [NEW, RowState(unknown=True)])
    @pytest.mark.parametrize(
        ("relation", "outcome"),
        [
            (Relation.OURS_DIFFERS, Outcome.DRIFTED),
            (Relation.FOREIGN_EQUAL, Outcome.EXISTING),
            (Relation.FOREIGN_DIFFERS, Outcome.CONFLICT),
        ],
    )
    def test_other_jobs_of_the_name_end_the_row(self, row: RowState, relation: Relation, outcome: Outcome) -> None:
        assert outcome_of(on_lookup(row, found(relation), 8)[1]) is outcome

    def test_several_jobs_of_the_name_are_a_conflict_that_names_them_all(self) -> None:
        _, decision = on_lookup(RowState(unknown=True), TWO, 8)
        assert isinstance(decision, Finish)
        assert decision.outcome is Outcome.CONFLICT
        assert decision.message == "2 jobs of this name: j1, j2"

    def test_a_clean_absence_sends_again(self) -> None:
        row, _ = on_answer(NEW, UNKNOWN)
        row, decision = on_lookup(row, ABSENT, 8)
        assert decision == Send(Delay.ABSENT)
        assert not row.unknown

    def test_an_incomplete_list_proves_nothing(self) -> None:
        row, _ = on_answer(NEW, UNKNOWN)
        assert on_lookup(row, UNREAD, 8) == (row, Look(settled=True))

    def test_attempts_used_up_and_a_clean_lookup_leave_the_row_for_the_next_run(self) -> None:
        row, _ = on_answer(RowState(attempts=7), UNKNOWN)
        _, decision = on_lookup(row, ABSENT, 8)
        assert outcome_of(decision) is Outcome.NOT_SENT

    def test_an_accepted_job_that_is_not_found_is_looked_for_and_then_unresolved_but_never_sent_again(self) -> None:
        row, decision = on_answer(NEW, ACCEPTED)
        for _ in range(ACCEPTED_LOOKS - 1):
            assert decision == Look()
            row, decision = on_lookup(row, ABSENT, 8)
        _, decision = on_lookup(row, ABSENT, 8)
        assert isinstance(decision, Finish)
        assert (decision.outcome, decision.is_open) == (Outcome.UNRESOLVED, True)

    def test_an_accepted_job_that_shows_up_is_adopted(self) -> None:
        row, _ = on_answer(NEW, ACCEPTED)
        row, _ = on_lookup(row, ABSENT, 8)
        assert outcome_of(on_lookup(row, found(Relation.OURS_EQUAL), 8)[1]) is Outcome.ADOPTED

    def test_a_refused_name_that_nobody_has_is_rejected_as_it_was(self) -> None:
        row, _ = on_answer(NEW, NAME_REFUSED)
        _, decision = on_lookup(row, ABSENT, 8)
        assert isinstance(decision, Finish)
        assert (decision.outcome, decision.message) == (Outcome.REJECTED, "taken")

    def test_a_refused_name_of_a_deleted_job_is_sent_again(self) -> None:
        row, _ = on_answer(NEW, NAME_REFUSED)
        assert on_lookup(row, DELETED, 8)[1] == Send(Delay.ABSENT)

    def test_a_refusal_after_an_unknown_end_is_most_likely_our_own_job(self) -> None:
        row = RowState(attempts=1, unknown=True)
        row, decision = on_answer(row, REJECTED)
        assert decision == Look()
        assert outcome_of(on_lookup(row, found(Relation.OURS_EQUAL), 8)[1]) is Outcome.ADOPTED

    def test_a_refusal_after_a_clean_lookup_may_still_be_our_own_job_that_came_late(self) -> None:
        row, _ = on_answer(NEW, UNKNOWN)
        row, next_step = on_lookup(row, ABSENT, 8)
        assert next_step == Send(Delay.ABSENT)
        row, decision = on_answer(row, REJECTED)
        assert decision == Look()
        assert outcome_of(on_lookup(row, found(Relation.OURS_EQUAL), 8)[1]) is Outcome.ADOPTED
        assert outcome_of(on_lookup(row, ABSENT, 8)[1]) is Outcome.REJECTED

    def test_an_unresolved_row_keeps_its_intent_open(self) -> None:
        row, _ = on_answer(NEW, UNKNOWN)
        assert unresolved(row).is_open


ANSWERS = st.sampled_from([CREATED, REJECTED, NAME_REFUSED, THROTTLED, NOT_SENT, UNKNOWN, ACCEPTED, KEYS, QUOTA])
SEEN = st.sampled_from([ABSENT, DELETED, UNREAD, TWO, *(found(relation) for relation in Relation)])


@given(st.lists(st.tuples(ANSWERS, SEEN), min_size=1, max_size=30), st.integers(1, 8))
def test_no_sequence_of_events_sends_after_an_unknown_end_without_a_clean_lookup(
    events: list[tuple[Answer, Seen]], max_attempts: int
) -> None:
    row: RowState = NEW
    decision: Decision = Send(Delay.ABSENT)
    is_uncertain = was_accepted = False
    for answer, seen in events:
        if isinstance(decision, Send):
            assert not is_uncertain
            assert not was_accepted
            assert row.attempts < max_attempts
            is_uncertain = answer.verdict is Verdict.UNKNOWN
            was_accepted |= answer.accepted
            row, decision = on_answer(row, answer)
        elif isinstance(decision, Look):
            if seen in (ABSENT, DELETED):
                is_uncertain = False
            row, decision = on_lookup(row, seen, max_attempts)
        else:
            break

"""How a row ends, word by word: what the report says of it, and what the protocol remembers from answer to answer."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from bulkjobs.dataflow.replies import Answer, Cause, Verdict
from bulkjobs.engine.protocol import (
    ACCEPTED_LOOKS,
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
    orphan_without_job,
    recognise,
    several,
    unresolved,
)
from bulkjobs.engine.records import ChangeKind, Outcome

NEW = RowState()
CREATED = Answer(Verdict.CREATED, 201, job_id="j1", job_status="RUNNABLE", updated_date="u1")
REJECTED = Answer(Verdict.REJECTED, 400, "bad-parameter", "no such bucket")
NAME_REFUSED = Answer(Verdict.REJECTED, 400, "bad-state", "taken", about_name=True)
SILENT = Answer(Verdict.UNKNOWN, None, "timeout", "no answer")
ACCEPTED = Answer(Verdict.UNKNOWN, 201, "no-job-id", "HTTP 201 without a usable jobId", accepted=True)
ABSENT = Seen(complete=True)
DELETED = Seen(complete=True, deleted=True)


def match(relation: Relation) -> Match:
    return Match("j1", "RUNNABLE", "u1", relation)


def found(relation: Relation) -> Seen:
    return Seen(complete=True, matches=(match(relation),))


class TestWhatTheReportSays:
    def test_a_created_row_has_all_that_the_service_said_of_its_job(self) -> None:
        assert on_answer(NEW, CREATED)[1] == Finish(
            Outcome.CREATED, "j1", "RUNNABLE", "u1", 201, relation=Relation.OURS_EQUAL
        )

    def test_a_rejected_row_has_the_services_words(self) -> None:
        assert on_answer(NEW, REJECTED)[1] == Finish(
            Outcome.REJECTED, http_status=400, code="bad-parameter", message="no such bucket"
        )

    @pytest.mark.parametrize(
        ("relation", "unknown", "finish"),
        [
            (Relation.OURS_EQUAL, False, Finish(Outcome.EXISTING)),
            (Relation.OURS_EQUAL, True, Finish(Outcome.ADOPTED)),
            (Relation.FOREIGN_EQUAL, False, Finish(Outcome.EXISTING)),
            (Relation.FOREIGN_EQUAL, True, Finish(Outcome.EXISTING)),
            (
                Relation.OURS_DIFFERS,
                True,
                Finish(
                    Outcome.DRIFTED, code="differs", message="the job of this name is ours and its definition differs"
                ),
            ),
            (
                Relation.FOREIGN_DIFFERS,
                True,
                Finish(Outcome.CONFLICT, code="name-taken", message="the name belongs to another job: j1"),
            ),
        ],
    )
    def test_a_row_whose_job_was_found_says_which_and_how_it_stands_to_the_row(
        self, relation: Relation, unknown: bool, finish: Finish
    ) -> None:
        of_the_job = {"job_id": "j1", "status": "RUNNABLE", "updated_date": "u1", "relation": relation}
        assert recognise(match(relation), unknown=unknown) == replace(finish, **of_the_job)

    def test_a_job_without_an_id_among_several_is_shown_as_such(self) -> None:
        assert several(["j1", ""]) == Finish(
            Outcome.CONFLICT, code="several-jobs", message="2 jobs of this name: j1, ?"
        )

    def test_an_unresolved_row_has_what_was_last_said_and_keeps_its_intent(self) -> None:
        row, _ = on_answer(NEW, replace(SILENT, http_status=503))
        assert unresolved(row) == Finish(
            Outcome.UNRESOLVED, http_status=503, code="timeout", message="no answer", is_open=True
        )
        assert unresolved(RowState(unknown=True)) == Finish(Outcome.UNRESOLVED, is_open=True)

    def test_a_refusal_that_may_be_about_the_name_is_no_rejection_before_it_was_looked_up(self) -> None:
        row, _ = on_answer(NEW, NAME_REFUSED)
        assert unresolved(row) == Finish(
            Outcome.UNRESOLVED, http_status=400, code="bad-state", message="taken", is_open=True
        )

    def test_what_ends_a_row_closes_its_intent_unless_it_says_otherwise(self) -> None:
        assert not Finish(Outcome.CREATED).is_open

    @pytest.mark.parametrize(
        ("answer", "state"),
        [
            (Answer(Verdict.HALTED, 401, "200", "who are you", cause=Cause.CREDENTIALS), RowState(attempts=1)),
            (Answer(Verdict.HALTED, 429, "400", "used up", cause=Cause.QUOTA), NEW),
            (Answer(Verdict.NOT_SENT, None, "certificate", "expired", cause=Cause.CERTIFICATE), NEW),
        ],
    )
    def test_what_stops_the_run_is_what_the_row_says(self, answer: Answer, state: RowState) -> None:
        assert answer.cause is not None
        row, decision = on_answer(NEW, answer)
        assert row == replace(state, last=answer)
        finish = Finish(Outcome.NOT_SENT, http_status=answer.http_status, code=answer.code, message=answer.message)
        assert decision == Halt(answer.cause, answer, finish)


class TestWhatIsRemembered:
    @pytest.mark.parametrize("answer", [CREATED, REJECTED, SILENT])
    def test_an_attempt_is_counted_kept_as_the_last_word_and_starts_the_looks_anew(self, answer: Answer) -> None:
        row, _ = on_answer(RowState(attempts=2, looks=2), answer)
        assert (row.attempts, row.looks, row.last) == (3, 0, answer)

    @pytest.mark.parametrize(
        ("answer", "delay"),
        [
            (Answer(Verdict.THROTTLED, 429, "410", "slow"), Delay.THROTTLED),
            (Answer(Verdict.NOT_SENT, None, "connect", "refused"), Delay.NOT_SENT),
        ],
    )
    def test_what_is_no_attempt_is_kept_as_the_last_word_only(self, answer: Answer, delay: Delay) -> None:
        before = RowState(attempts=2, looks=1, doubted=True)
        assert on_answer(before, answer) == (replace(before, last=answer), Send(delay))

    def test_an_acceptance_is_not_forgotten_by_a_later_silence(self) -> None:
        row, _ = on_answer(replace(NEW, accepted=True), SILENT)
        assert row.accepted
        assert not on_answer(NEW, SILENT)[0].accepted

    def test_an_absence_settles_all_that_was_open_and_leaves_a_doubt(self) -> None:
        row, decision = on_lookup(RowState(attempts=1, unknown=True, change=ChangeKind.UPDATE, last=SILENT), ABSENT, 8)
        assert decision == Send(Delay.ABSENT)
        assert row == RowState(attempts=1, doubted=True, looks=1, last=SILENT)

    def test_a_row_that_was_only_looked_at_first_has_no_doubt(self) -> None:
        row, _ = on_lookup(NEW, ABSENT, 8)
        assert row == RowState(looks=1)

    def test_a_doubt_outlives_further_absences(self) -> None:
        row, _ = on_lookup(RowState(doubted=True), ABSENT, 8)
        assert row.doubted

    def test_a_refusal_that_was_explained_by_a_deleted_job_does_not_end_a_later_attempt(self) -> None:
        row, _ = on_answer(NEW, NAME_REFUSED)
        row, decision = on_lookup(row, DELETED, 8)
        assert decision == Send(Delay.ABSENT)
        row, _ = on_answer(row, SILENT)
        assert on_lookup(row, ABSENT, 8)[1] == Send(Delay.ABSENT)

    def test_a_refusal_is_what_the_row_ends_with_even_if_something_else_was_said_last(self) -> None:
        row, _ = on_answer(NEW, NAME_REFUSED)
        finish = Finish(Outcome.REJECTED, http_status=400, code="bad-state", message="taken")
        assert on_lookup(replace(row, last=SILENT), ABSENT, 8)[1] == finish

    def test_an_incomplete_look_is_none(self) -> None:
        row = RowState(unknown=True, accepted=True, looks=2)
        assert on_lookup(row, Seen(complete=False, deleted=True), 8) == (row, Look(settled=True))


class TestAcceptedJobs:
    def test_they_are_looked_for_three_times(self) -> None:
        assert ACCEPTED_LOOKS == 3

    def test_no_absence_nor_a_deleted_job_nor_used_up_attempts_end_the_looking_early(self) -> None:
        row, decision = on_answer(NEW, ACCEPTED)
        for _ in range(ACCEPTED_LOOKS - 1):
            assert decision == Look()
            row, decision = on_lookup(row, DELETED, 1)
        assert decision == Look()
        finish = Finish(Outcome.UNRESOLVED, None, None, None, 201, ACCEPTED.code, ACCEPTED.message, is_open=True)
        assert on_lookup(row, DELETED, 1)[1] == finish


class TestAttemptsOfOtherKinds:
    @pytest.mark.parametrize(
        ("change", "outcome"),
        [
            (None, Outcome.ADOPTED),
            (ChangeKind.UPDATE, Outcome.UPDATED),
            (ChangeKind.DELETE, Outcome.EXISTING),
        ],
    )
    def test_a_job_that_is_as_wanted_tells_what_the_open_attempt_did(
        self, change: ChangeKind | None, outcome: Outcome
    ) -> None:
        _, decision = on_lookup(RowState(unknown=True, change=change), found(Relation.OURS_EQUAL), 8)
        assert isinstance(decision, Finish)
        assert decision.outcome is outcome

    @pytest.mark.parametrize(
        ("change", "finish"),
        [
            (None, Finish(Outcome.NOT_SENT, message="no such job was made")),
            (ChangeKind.UPDATE, Finish(Outcome.NOT_SENT, message="the job is gone")),
            (ChangeKind.DELETE, Finish(Outcome.DELETED)),
        ],
    )
    def test_an_orphan_without_a_job_ends_as_its_attempt_meant(self, change: ChangeKind | None, finish: Finish) -> None:
        assert orphan_without_job(change) == finish


@pytest.mark.parametrize(("attempts", "limit"), [(8, 8), (9, 8), (0, 0)])
def test_a_row_whose_attempts_are_used_up_ends_with_what_was_last_said(attempts: int, limit: int) -> None:
    row = RowState(attempts=attempts, unknown=True, last=SILENT)
    _, decision = on_lookup(row, ABSENT, limit)
    assert decision == Finish(Outcome.NOT_SENT, code="timeout", message="no answer")


def test_a_row_that_never_heard_anything_ends_without_words() -> None:
    assert on_lookup(RowState(attempts=8), ABSENT, 8)[1] == Finish(Outcome.NOT_SENT)


def test_a_look_is_not_too_soon_unless_it_says_so_and_the_next_one_waits_for_settle() -> None:
    assert not ABSENT.too_soon
    assert not Look().settled


def test_a_job_that_nobody_compared_is_not_judged() -> None:
    with pytest.raises(ValueError, match="compared before it is judged"):
        recognise(Match("j1"), unknown=False)

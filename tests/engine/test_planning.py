"""What a row needs, from the list and the journal."""

import pytest

from bulkjobs.dataflow.listing import ListedJob
from bulkjobs.engine.planning import Action, Known, Moment, plan_row
from bulkjobs.engine.protocol import Relation
from bulkjobs.engine.records import Outcome

DIGEST, OTHER = b"d" * 16, b"o" * 16
NOW = Moment(1_000_000, settle=15.0)
LISTED = ListedJob("j1", "n", "RUNNABLE", "u1")
KNOWN = Known("j1", "RUNNABLE", "u1", DIGEST, Relation.OURS_EQUAL, 0)


def test_a_name_that_nobody_knows_is_sent() -> None:
    assert plan_row(DIGEST, False, None, [], NOW).action is Action.SEND


@pytest.mark.parametrize("listed", [[], [LISTED], [LISTED, LISTED]])
def test_an_open_attempt_settles_first_whatever_else_is_known(listed: list[ListedJob]) -> None:
    assert plan_row(DIGEST, True, KNOWN, listed, NOW).action is Action.SETTLE


def test_an_unchanged_job_costs_no_request() -> None:
    step = plan_row(DIGEST, False, KNOWN, [LISTED], NOW)
    assert step.finish is not None
    assert step.finish.outcome is Outcome.EXISTING


@pytest.mark.parametrize(
    "known",
    [
        None,
        Known("j2", None, "u1", DIGEST, Relation.OURS_EQUAL, 0),
        Known("j1", None, "u0", DIGEST, Relation.OURS_EQUAL, 0),
        Known("j1", None, None, DIGEST, Relation.OURS_EQUAL, 0),
        Known("j1", None, "u1", OTHER, Relation.OURS_EQUAL, 0),
        Known("j1", None, "u1", DIGEST, None, 0),
    ],
    ids=["unknown", "another id", "edited there", "no date", "edited here", "never compared"],
)
def test_a_job_that_may_differ_is_read(known: Known | None) -> None:
    step = plan_row(DIGEST, False, known, [LISTED], NOW)
    assert (step.action, step.listed) == (Action.READ, LISTED)


@pytest.mark.parametrize(
    ("relation", "outcome"),
    [
        (Relation.OURS_DIFFERS, Outcome.DRIFTED),
        (Relation.FOREIGN_EQUAL, Outcome.EXISTING),
        (Relation.FOREIGN_DIFFERS, Outcome.CONFLICT),
    ],
)
def test_what_was_found_last_time_still_holds_while_nothing_changed(relation: Relation, outcome: Outcome) -> None:
    step = plan_row(DIGEST, False, Known("j1", None, "u1", DIGEST, relation, 0), [LISTED], NOW)
    assert step.finish is not None
    assert step.finish.outcome is outcome


def test_several_jobs_of_the_name_are_a_conflict() -> None:
    step = plan_row(DIGEST, False, None, [LISTED, ListedJob("j2", "n", None, None)], NOW)
    assert step.finish is not None
    assert step.finish.outcome is Outcome.CONFLICT


@pytest.mark.parametrize(
    ("seen_at", "digest", "action"),
    [
        (1_000_000 - 14_999, DIGEST, Action.FINISH),  # too young to show in the list
        (1_000_000 - 15_000, DIGEST, Action.LOOK),
        (1_000_001, DIGEST, Action.LOOK),  # the wall clock went back: no age is known
        (1_000_000 - 1, OTHER, Action.LOOK),  # edited since
    ],
)
def test_a_job_that_the_list_lacks_is_trusted_while_young_and_looked_up_after(
    seen_at: int, digest: bytes, action: Action
) -> None:
    known = Known("j1", None, "u1", DIGEST, Relation.OURS_EQUAL, seen_at)
    assert plan_row(digest, False, known, [], NOW).action is action


def test_two_full_passes_that_agree_prove_an_absence() -> None:
    assert plan_row(DIGEST, False, KNOWN, [], Moment(1_000_000, 15.0, absence_proved=True)).action is Action.SEND

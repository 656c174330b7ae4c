"""The sentences of report.html."""

from __future__ import annotations

import pytest

from bulkjobs.engine.records import InventoryRecord, Outcome
from bulkjobs.report.html_words import MEANING, advice, duration, headline, retries
from bulkjobs.report.unseen import unseen_said

from .made import run_of


@pytest.mark.parametrize(
    ("state", "counts", "text", "tone"),
    [
        ("finished", {"created": 10}, "All 10 rows have their job: 10 created, in 2.5 s.", "good"),
        ("finished", {"created": 1}, "The one row has its job: 1 created, in 2.5 s.", "good"),
        ("finished", {"created": 8, "existing": 2}, "All 10 rows have their job: 8 created, 2 existing, in 2.5 s.",
         "good"),
        ("finished", {"updated": 1, "deleted": 1}, "All 2 rows are as asked: 1 updated, 1 deleted, in 2.5 s.", "good"),
        ("finished", {"created": 1, "rejected": 1_200}, "1 of 1,201 rows has its job; 1,200 do not: 1,200 rejected.",
         "mixed"),
        ("halted", {"not_sent": 3}, "None of the 3 rows is known to have its job: 3 not sent.", "bad"),
        ("killed", {"created": 1, "not_sent": 2}, "1 of 3 rows is known to have its job; 2 are not: 2 not sent.",
         "mixed"),
        ("finished", {"existing": 2, "not_sent": 1}, "2 of 3 rows have their job; 1 does not: 1 not sent.", "mixed"),
        ("finished", {"created": 2, "unresolved": 1},
         "2 of 3 rows are known to have their job; 1 is not: 1 unresolved.", "mixed"),
        ("finished", {"rejected": 1}, "The one row is not done: 1 rejected.", "bad"),
        ("finished", {"created": 6, "rejected": 1, "conflict": 1, "drifted": 1, "unresolved": 1},
         "6 of 10 rows are known to have their job; 4 are not.", "mixed"),
        ("invalid", {"invalid": 1, "not_sent": 9}, "Nothing was sent: 1 of 10 rows has errors.", "bad"),
        ("invalid", {"invalid": 2, "not_sent": 8}, "Nothing was sent: 2 of 10 rows have errors.", "bad"),
        ("invalid", {}, "Nothing was sent: the inventory has errors.", "bad"),
        ("finished", {}, "The run has no rows.", "good"),
        ("killed", {}, "The run ended before it had read a row.", "bad"),
    ],
)  # fmt: skip
def test_the_headline_is_one_sentence(state: str, counts: dict[str, int], text: str, tone: str) -> None:
    said = headline(run_of(state=state), sum(counts.values()), counts)
    assert (said.text, said.tone) == (text, tone)


@pytest.mark.parametrize("reason", ["no", "no."])
def test_what_is_not_known_is_a_sentence_of_its_own(reason: str) -> None:
    said = headline(run_of(state="halted", reason=reason), 1, {"not_sent": 1})
    assert said.why is not None
    assert said.why.startswith("The run ended early: no. The row that was not sent may have its job already")


def test_rows_that_were_looked_for_and_not_found_have_no_job() -> None:
    said = headline(run_of(state="halted", reason="no", facts={"not_looked_at": 0}), 3, {"not_sent": 3})
    assert (said.text, said.why) == ("None of the 3 rows has its job: 3 not sent.", "The run ended early: no")


@pytest.mark.parametrize(
    ("state", "facts", "not_sent", "said"),
    [
        ("halted", {"not_looked_at": 3}, 3, "The 3 rows that were not sent may have their jobs already: the run ended"
         " before it looked."),
        ("halted", {"not_looked_at": 2}, 3, "2 of the 3 rows that were not sent may have their jobs already: the run"
         " ended before it looked."),
        ("killed", {}, 1, "The row that was not sent may have its job already: the run ended before it looked."),
        ("running", {}, 1, "The row that was not sent may have its job already: the run has not looked yet."),
        ("finished", {}, 3, None),
        ("invalid", {}, 3, None),
        ("halted", {"not_looked_at": 2}, 0, None),
    ],
)  # fmt: skip
def test_rows_that_were_not_looked_at_may_have_their_jobs(
    state: str, facts: dict[str, object], not_sent: int, said: str | None
) -> None:
    counts = {"rejected": 2, "not_sent": not_sent}
    assert unseen_said(state, facts, counts) == said
    why = headline(run_of(state=state, facts=facts), 2 + not_sent, counts).why or ""
    assert said is None or why.endswith(said)


def test_no_meaning_claims_that_a_row_that_was_not_sent_has_no_job() -> None:
    assert MEANING[Outcome.NOT_SENT] == "was not made by this run"


def test_a_shard_without_rows_is_no_run_of_an_empty_inventory() -> None:
    two = InventoryRecord("jobs.csv", "", 2, "/jobs.csv")
    assert headline(run_of(two, facts={"shard": "1/4"}), 0, {}).text == "Shard 1/4 has none of the 2 rows."


@pytest.mark.parametrize(
    ("state", "reason", "why"),
    [
        ("finished", None, None),
        ("halted", "the quota is used up", "The run ended early: the quota is used up"),
        ("halted", None, "The run ended early."),
        (
            "killed",
            "whatever",
            "The run was killed before its end. Run the same command again: it goes on where it was.",
        ),
        ("interrupted", "x", "The run was interrupted. Run the same command again: it goes on where it was."),
        ("running", None, "The run is still going on: this is how it stands."),
        ("invalid", "x", "An inventory is sent as a whole or not at all. Correct these rows and submit it again."),
    ],
)
def test_why_a_run_ended_early_is_said_in_a_sentence_of_its_own(state: str, reason: str | None, why: str) -> None:
    assert headline(run_of(state=state, reason=reason), 1, {"created": 1}).why == why


def test_a_run_that_ended_early_is_not_shown_as_good_though_all_its_rows_are() -> None:
    assert headline(run_of(state="interrupted"), 1, {"created": 1}).tone == "mixed"


@pytest.mark.parametrize(
    ("outcomes", "text", "tone"),
    [
        (["deleted", "deleted"], "All 2 jobs are deleted.", "good"),
        (["deleted"], "The one job is deleted.", "good"),
        (["deleted", "drifted"], "1 of 2 jobs is deleted.", "mixed"),
        (["not_sent"], "The one job is not deleted.", "bad"),
    ],
)
def test_a_run_that_only_deletes_speaks_of_jobs(outcomes: list[str], text: str, tone: str) -> None:
    said = headline(run_of(removals=[{"name": "x", "outcome": outcome} for outcome in outcomes]), 0, {})
    assert (said.text, said.tone) == (text, tone)


def test_every_outcome_has_a_meaning_and_every_failure_a_next_step() -> None:
    assert set(MEANING) == set(Outcome)
    for outcome in ("drifted", "conflict", "rejected", "unresolved", "not_sent", "invalid"):
        assert advice(Outcome(outcome), None, None).endswith(".")


@pytest.mark.parametrize(
    ("outcome", "http_status", "code", "word"),
    [
        ("not_sent", 401, "200", "secret key"),
        ("not_sent", 401, "210", "permission"),
        ("not_sent", 403, "whatever", "permission"),
        ("not_sent", 404, "300", "--endpoint"),
        ("not_sent", 429, "400", "quota"),
        ("not_sent", 429, "410", "goes on where it was"),
        ("not_sent", None, "connect", "network"),
        ("not_sent", None, "certificate", "certificate"),
        ("conflict", None, "several-jobs", "Keep one"),
        ("conflict", None, "name-taken", "another name"),
        ("rejected", 401, "200", "Correct the row"),
    ],
)
def test_what_to_do_fits_what_the_service_said(outcome: str, http_status: int | None, code: str, word: str) -> None:
    assert word in advice(Outcome(outcome), http_status, code)


def test_rows_that_waited_for_invalid_ones_are_not_called_wrong() -> None:
    assert advice(Outcome.NOT_SENT, None, None, "invalid").startswith("Nothing is wrong with these rows")


def test_rows_that_were_held_back_are_not_sent_again_before_the_reason_is_seen_to() -> None:
    assert advice(Outcome.NOT_SENT, None, None, "halted").startswith("See to the reason")
    assert "reconcile" in advice(Outcome.DRIFTED, None, None)


def test_nothing_is_said_of_throttles_when_a_killed_run_did_not_count_them() -> None:
    assert retries({}, {1: 3}, 0) == ["No row took a second attempt.", "No job had to be adopted."]
    assert retries({"throttles": 0}, {1: 3, 2: 2}, 0) == [
        "2 rows took more than one attempt.",
        "No job had to be adopted.",
        "The service never asked to slow down.",
    ]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 ms"), (0.0004, "0 ms"), (0.85, "850 ms"), (1, "1 s"), (12.44, "12.4 s"), (59.94, "59.9 s"),
        (59.97, "1 min"), (125, "2 min 5 s"), (3_599.6, "1 h"), (11_520, "3 h 12 min"), (360_000, "100 h"),
    ],
)  # fmt: skip
def test_durations_are_in_the_units_that_people_use(seconds: float, said: str) -> None:
    assert duration(seconds) == said

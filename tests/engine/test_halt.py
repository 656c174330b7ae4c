"""When refusals stop a run, and when they are only a few bad rows."""

from __future__ import annotations

from itertools import count

import pytest
from msgspec.structs import replace

from bulkjobs.dataflow.replies import Answer, Verdict
from bulkjobs.engine.halt import FIRST, HaltWatch
from bulkjobs.engine.protocol import RowState
from bulkjobs.engine.records import Outcome
from bulkjobs.engine.work import Work
from bulkjobs.settings import HaltRule

SEQ = count()


def ended(outcome: Outcome, answer: Answer | None) -> Work:
    return Work(next(SEQ), "n", None, RowState(1, last=answer), outcome=outcome)


def created() -> Work:
    return ended(Outcome.CREATED, Answer(Verdict.CREATED, 201))


def refused(code: str = "bad-parameter") -> Work:
    return ended(Outcome.REJECTED, Answer(Verdict.REJECTED, 400, code, "no such bucket"))


def doubtful(code: str = "bad-parameter") -> Work:
    """Refused, perhaps for its name."""
    answer = Answer(Verdict.REJECTED, 400, code, "no such bucket", about_name=True)
    return Work(next(SEQ), "n", None, RowState(1, last=answer, refusal=answer))


def told(rule: HaltRule, *works: Work) -> str | None:
    watch = HaltWatch(rule)
    for work in works:
        watch.told(work)
    return watch.stop.reason if watch.stop is not None else None


def many(make: object, times: int) -> list[Work]:
    assert callable(make)
    return [make() for _ in range(times)]


def test_a_number_of_rejected_rows_stops_at_that_number() -> None:
    rule = HaltRule(count=3, percent=None)
    assert told(rule, *[refused(f"c{i}") for i in range(2)], *many(created, 100)) is None
    reason = told(rule, *many(created, 100), *[refused(f"c{i}") for i in range(3)])
    assert reason == "3 rows were rejected (--halt 3), the last with HTTP 400 c2: no such bucket"


def test_a_percentage_counts_after_twenty_rows_and_only_beyond_it() -> None:
    rule = HaltRule()
    assert told(rule, *[refused(f"c{i}") for i in range(FIRST - 1)]) is None
    assert told(rule, *many(created, 90), *[refused(f"c{i}") for i in range(10)]) is None
    reason = told(rule, *many(created, 89), *[refused(f"c{i}") for i in range(11)])
    assert reason is not None
    assert reason.startswith("10 of 99 rows were rejected (--halt 10%)")


@pytest.mark.parametrize("rule", [HaltRule(percent=99.0), HaltRule(count=1_000, percent=None)])
def test_one_and_the_same_refusal_of_nearly_everything_stops_before_the_rule_does_unless_nothing_is_to_stop_it(
    rule: HaltRule,
) -> None:
    reason = told(rule, created(), *many(refused, FIRST))
    assert reason is not None
    assert "refused alike" in reason
    assert told(rule, *many(created, 3), *many(refused, 17)) is None
    assert told(HaltRule(percent=100.0), *many(refused, 500)) is None


def test_only_what_the_service_did_with_a_create_counts() -> None:
    others = [ended(outcome, None) for outcome in Outcome]
    others += [ended(outcome, Answer(Verdict.UNKNOWN, 503)) for outcome in Outcome if outcome is not Outcome.REJECTED]
    rule = HaltRule(percent=99.0)
    assert told(rule, *others, *many(refused, FIRST - 3)) is None  # two of the others count: created, adopted
    assert "18 of the first 20" in str(told(rule, *others, *many(refused, FIRST - 2)))


def test_a_row_that_an_earlier_run_saw_refused_tells_nothing_new() -> None:
    again = many(refused, 500)
    for work in again:
        work.refused_before = True
    for rule in (HaltRule(), HaltRule(percent=99.0), HaltRule(count=1, percent=None)):
        assert told(rule, *again) is None
        assert told(rule, *again, *many(refused, FIRST)) is not None


@pytest.mark.parametrize(
    ("rule", "way"),
    [
        (HaltRule(count=3, percent=None), ", raise --halt, or run again"),
        (HaltRule(), ", go on whatever is refused with --halt 100%, or run again"),
        (HaltRule(percent=90.0), ", go on whatever is refused with --halt 100%, or run again"),
    ],
)
def test_what_is_said_to_do_is_what_gets_on(rule: HaltRule, way: str) -> None:
    watch = HaltWatch(rule)
    for work in many(refused, FIRST):
        watch.told(work)
    assert watch.stop is not None
    assert watch.stop.hint is not None
    assert way in watch.stop.hint


class TestRefusalsThatMayBeAboutTheName:
    def test_they_stop_the_run_before_they_are_looked_up_if_they_are_nearly_everything(self) -> None:
        rule = HaltRule(percent=99.0)
        assert told(rule, *many(doubtful, FIRST - 1)) is None
        assert "20 of the first 20 rows were refused alike" in str(told(rule, *many(doubtful, FIRST)))
        assert "20 of the first 20 rows were refused alike" in str(
            told(rule, *many(doubtful, FIRST // 2), *many(refused, FIRST // 2))
        )

    def test_they_are_not_called_rejected_before(self) -> None:
        works = [*many(created, 80), *[doubtful(f"c{i}") for i in range(40)]]
        assert told(HaltRule(), *works) is None
        assert told(HaltRule(count=1, percent=None), *works) is None

    def test_each_counts_once_when_it_was_looked_up(self) -> None:
        watch = HaltWatch(HaltRule(percent=99.0))
        for work in many(doubtful, FIRST - 1):
            watch.told(work)
            work.row, work.outcome = replace(work.row, refusal=None, looks=1), Outcome.REJECTED
            watch.told(work)
        assert watch.stop is None
        watch.told(refused())
        assert watch.stop is not None
        assert "20 of the first 20 rows" in watch.stop.reason

    @pytest.mark.parametrize("outcome", [Outcome.CONFLICT, Outcome.EXISTING, None])
    def test_what_was_another_job_is_forgotten(self, outcome: Outcome | None) -> None:
        watch = HaltWatch(HaltRule(percent=99.0))
        for work in many(doubtful, 100):
            watch.told(work)
            work.row, work.outcome = replace(work.row, refusal=None if outcome is None else work.row.refusal), outcome
            watch.told(work)
        assert watch.stop is None

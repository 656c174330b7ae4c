"""When refusals stop a run, and when they are only a few bad rows."""

from __future__ import annotations

import pytest

from bulkjobs.dataflow.replies import Answer, Verdict
from bulkjobs.engine.halt import FIRST, HaltWatch
from bulkjobs.settings import HaltRule

CREATED = Answer(Verdict.CREATED, 201)


def refused(code: str = "bad-parameter") -> Answer:
    return Answer(Verdict.REJECTED, 400, code, "no such bucket")


def told(rule: HaltRule, *answers: Answer) -> str | None:
    watch = HaltWatch(rule)
    for answer in answers:
        watch.ended(answer, is_rejected=answer.verdict is Verdict.REJECTED)
    return watch.reason


def test_a_number_of_rejected_rows_stops_at_that_number() -> None:
    rule = HaltRule(count=3, percent=None)
    assert told(rule, *[refused(f"c{i}") for i in range(2)], *[CREATED] * 100) is None
    reason = told(rule, *[CREATED] * 100, *[refused(f"c{i}") for i in range(3)])
    assert reason == "3 rows were rejected (--halt 3), the last with HTTP 400 c2: no such bucket"


def test_a_percentage_counts_after_twenty_rows_and_only_beyond_it() -> None:
    rule = HaltRule()
    assert told(rule, *[refused(f"c{i}") for i in range(FIRST - 1)]) is None
    assert told(rule, *[CREATED] * 90, *[refused(f"c{i}") for i in range(10)]) is None
    reason = told(rule, *[CREATED] * 89, *[refused(f"c{i}") for i in range(11)])
    assert reason is not None
    assert reason.startswith("10 of 99 rows were rejected (--halt 10%)")


@pytest.mark.parametrize("rule", [HaltRule(percent=99.0), HaltRule(count=1_000, percent=None)])
def test_one_and_the_same_refusal_of_nearly_everything_stops_before_the_rule_does_unless_nothing_is_to_stop_it(
    rule: HaltRule,
) -> None:
    reason = told(rule, CREATED, *[refused()] * FIRST)
    assert reason is not None
    assert "refused alike" in reason
    assert told(rule, *[CREATED] * 3, *[refused()] * 17) is None
    assert told(HaltRule(percent=100.0), *[refused()] * 500) is None

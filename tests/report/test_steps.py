"""The order of a row's sends and looks, whatever their milliseconds say."""

from __future__ import annotations

import pytest

from bulkjobs.engine.journal.trail import Attempt, Lookup, Trail
from bulkjobs.engine.looks import How
from bulkjobs.engine.records import Outcome, RowRecord
from bulkjobs.report.steps import Event, steps

_SECOND = 1_000


def _attempt(n: int, *, intended: int, waited: int, ended: int, verdict: str = "created") -> Attempt:
    return Attempt("one", n, "create", None, intended, waited, ended, verdict, None, None, None, None, False)


def _steps(attempts: list[Attempt], lookups: list[Lookup] | None = None) -> list[Event]:
    row = RowRecord(0, 2, "alpha", Outcome.CREATED)
    return steps(Trail(row, 0, None, True, [], attempts, lookups or [], None))


def _words(events: list[Event]) -> list[str]:
    return [event.what for event in events]


@pytest.mark.parametrize("waited", [0, 1, 2])
def test_an_answer_within_the_millisecond_of_its_send_is_told_after_it(waited: int) -> None:
    """The intent's time is cut to milliseconds and the wait is rounded: their sum may be past the answer's time."""
    events = _steps([_attempt(1, intended=_SECOND, waited=waited, ended=_SECOND)])
    assert _words(events) == ["intent", "sent", "answer"]
    assert [event.at for event in events] == [_SECOND] * 3


def test_a_wait_is_told_where_it_ended() -> None:
    events = _steps([_attempt(1, intended=_SECOND, waited=40, ended=_SECOND + 60)])
    assert [event.at for event in events] == [_SECOND, _SECOND + 40, _SECOND + 60]


def test_a_wall_clock_that_is_set_back_during_a_send_leaves_its_order() -> None:
    events = _steps([_attempt(1, intended=_SECOND, waited=40, ended=_SECOND - 500)])
    assert _words(events) == ["intent", "sent", "answer"]


def test_a_look_within_a_millisecond_of_both_is_between_the_send_that_it_settled_and_the_next() -> None:
    attempts = [
        _attempt(1, intended=_SECOND - 1, waited=2, ended=_SECOND, verdict="unknown"),
        _attempt(2, intended=_SECOND, waited=1, ended=_SECOND + 1),
    ]
    look = Lookup(_SECOND, How.LOOK, True, (), None, False, "send", None)
    words = _words(_steps(attempts, [look]))
    assert words == ["intent", "sent", "answer", "lookup", "intent", "sent", "answer"]

"""A plan's rows come back as they were put, however many they are, to several readers at a time; its estimate."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from msgspec import UNSET

from bulkjobs.engine.plan import Plan, SavedPlan, Terms, what_changed
from bulkjobs.engine.plan_estimate import Measured, plan_estimate_s
from bulkjobs.engine.plan_rows import _BLOCK, _IN_MEMORY, PlanRows
from bulkjobs.engine.planned import Action, Planned
from bulkjobs.engine.stragglers import Lost
from bulkjobs.engine.three_way import FieldChange, Side

_DIFF = (
    FieldChange("filter.value", "nodes[1]", 'a\n한글"', "b", Side.HERE),
    FieldChange("node 3", "nodes[3]", {"type": "X"}, UNSET, Side.CONSOLE),
    FieldChange("target", "nodes[2]", UNSET, None, Side.UNKNOWN),
)
_TERMS = Terms("https://a", "default", "2025-03", "space", False, [("jobs.csv", "0" * 64)])


def _rows(*rows: Planned) -> PlanRows:
    made = PlanRows()
    for row in rows:
        made.add(row)
    return made


def _row(number: int, action: Action = Action.CREATE, **values: object) -> Planned:
    return Planned("jobs.csv", number, f"job{number}", action, **values)  # type: ignore[arg-type]  # the test's own


def test_every_value_comes_back() -> None:
    rows = [
        _row(
            2, Action.UPDATE, reason="changed here", diff=list(_DIFF), digest=b"\x00\xff", job_id="j", updated_date="d"
        ),
        Planned(None, None, "other", Action.DELETE, "no row lists it any more", []),
    ]
    assert list(_rows(*rows)) == rows


def test_rows_beyond_memory_are_all_there_in_order_for_two_readers_at_once() -> None:
    reason = "x" * 999
    count = (_IN_MEMORY + 3 * _BLOCK) // 1_000
    made = PlanRows()
    for number in range(count):
        made.add(_row(number, Action.CONFLICT if number % 7 else Action.KEEP, reason=reason))
    assert len(made) == count
    lines = [(one.line, two.line) for one, two in zip(made, made, strict=True)]
    assert lines == [(number, number) for number in range(count)]
    assert [row.line for row in made.of(Action.KEEP)] == list(range(0, count, 7))
    assert list(made.of(Action.CREATE)) == []


def test_a_name_that_looks_like_an_action_is_none() -> None:
    made = _rows(_row(1, reason='"action":"delete"'), _row(2, Action.DELETE))
    assert [row.line for row in made.of(Action.DELETE)] == [2]


def test_a_saved_plan_of_thousands_is_held_to_and_the_first_differences_are_named() -> None:
    rows = [_row(number, digest=b"d") for number in range(2_000)]
    saved = msgspec.convert(Plan(_TERMS, _rows(*rows)).as_document(), SavedPlan)
    assert what_changed(saved, Plan(_TERMS, _rows(*rows))) == []
    others = [_row(number, digest=b"e" if number % 2 else b"d") for number in range(1_999)]
    told = what_changed(saved, Plan(_TERMS, _rows(*others)))
    assert told[0] == "job1: its row is another (inventory or layout changed)"
    assert told[-1] == "and 995 more"


def test_one_that_is_missing_is_named_where_there_is_room() -> None:
    saved = msgspec.convert(Plan(_TERMS, _rows(_row(1), _row(2))).as_document(), SavedPlan)
    assert what_changed(saved, Plan(_TERMS, _rows(_row(1)))) == ["job2: is not planned any more"]
    assert what_changed(saved, Plan(_TERMS, _rows(_row(1), _row(2), _row(3)))) == ["job3: is new"]


class TestEstimate:
    measured = Measured(rate=20.0, concurrency=32, settle=15.0, latency=0.05)

    def test_each_change_takes_as_many_calls_as_it_makes(self) -> None:
        nothing = plan_estimate_s(0, 0, 0, self.measured)
        assert plan_estimate_s(200, 0, 0, self.measured) - nothing == pytest.approx(10, rel=0.1)
        assert plan_estimate_s(0, 200, 0, self.measured) - nothing == pytest.approx(30, rel=0.1)
        assert plan_estimate_s(0, 0, 200, self.measured) - nothing == pytest.approx(20, rel=0.1)

    def test_sends_of_unknown_end_wait_for_settle(self) -> None:
        lossy = Measured(20.0, 32, 15.0, 0.05, lost=Lost(0.1))
        for counts in ((200, 0, 0), (0, 200, 0), (0, 0, 200)):
            assert plan_estimate_s(*counts, lossy) > plan_estimate_s(*counts, self.measured) + 15

    def test_a_rate_that_is_not_known_has_to_be_found_first(self) -> None:
        unknown = Measured(None, 32, 15.0, 0.05)
        assert plan_estimate_s(500, 0, 0, unknown) > plan_estimate_s(500, 0, 0, Measured(400.0, 32, 15.0, 0.05))

    def test_only_after_a_run_that_was_killed_a_window_passes_first(self) -> None:
        quick = replace(self.measured, survey=0.2)
        calm, killed = (plan_estimate_s(20, 0, 0, replace(quick, window=window)) for window in (0.0, 1.0))
        assert killed - calm == pytest.approx(0.8)

"""Geometry of the charts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkjobs.report.html_charts import BOTTOM, TOP, Times, latency_chart, outcome_bar, rate_chart

NONE = np.array([], np.int64)


def ms(*times: float) -> Times:
    return np.array([1_764_000_000_000 + time for time in times], np.int64)


@pytest.mark.parametrize("rate", [0.5, 2.5, 5.0, 7.3, 200.0])
@pytest.mark.parametrize("sends", [3, 40, 3_000])
def test_a_run_that_keeps_its_rate_has_no_bar_above_the_permitted_one(rate: float, sends: int) -> None:
    times = ms(*np.arange(sends) * 1000 / rate * 1.0065)
    chart = rate_chart(times, NONE, NONE, rate, [(float(times[0]), rate)])
    assert chart is not None
    (line,) = chart.permitted
    assert (line.x1, line.x2) == (0, 100)
    assert all(bar.y >= line.y1 - 0.01 for bar in chart.first)


def test_bars_stand_for_the_sends_a_second_under_them() -> None:
    chart = rate_chart(ms(0, 100, 200, 1_500), ms(1_600), ms(1_700, 1_800), 4.0)
    assert chart is not None
    assert [bar.title for bar in chart.first] == [
        "0 ms after the first send: 3/s",
        "1 s after the first send: 2/s, 1 of them sent again",
    ]
    first, second = chart.first
    assert first.height == pytest.approx(3 * second.height, abs=0.01)
    (again,) = chart.again
    assert again.y + again.height == pytest.approx(second.y, abs=0.01), "it stands on the bar of the first sends"
    assert [bar.title for bar in chart.throttles] == ["1 s after the first send: throttled 2 times"]
    assert chart.throttled == 2


def test_the_permitted_rate_is_drawn_as_it_changed_and_one_that_nobody_used_does_not_press_the_bars_flat() -> None:
    start = ms(0)[0]
    course = [(start - 5_000.0, 2.0), (start + 2_000.0, 4.0), (start + 3_000.0, 400.0), (start + 90_000.0, 1.0)]
    chart = rate_chart(ms(*range(0, 2_000, 500), *range(2_000, 4_000, 250)), NONE, NONE, None, course)
    assert chart is not None
    low, up, high, on, top = chart.permitted
    assert (low.x1, low.x2, up.x1, up.x2, top.x2) == (0, 50, 50, 50, 100), "what comes after the last send is not drawn"
    assert [line.y1 for line in (low, high)] == [up.y1, up.y2]
    assert (BOTTOM - high.y1) == pytest.approx(2 * (BOTTOM - low.y1), abs=0.01)
    assert (on.x1, top.y1) == (75, TOP), "400 a second were permitted and 4 used"
    assert max(bar.height for bar in chart.first) > (BOTTOM - TOP) / 3


def test_without_a_send_there_is_no_chart() -> None:
    assert rate_chart(NONE, NONE, NONE, 5.0) is None
    assert latency_chart(NONE, {}) is None


def test_a_clock_that_was_set_back_breaks_nothing() -> None:
    chart = rate_chart(ms(5_000), NONE, ms(-9_000), None)
    assert chart is not None
    assert len(chart.throttles) == 1


@settings(max_examples=60, deadline=None)
@given(
    sends=st.lists(st.integers(0, 10**9), min_size=1, max_size=30),
    throttled=st.lists(st.integers(-1_000, 10**9), max_size=5),
    rate=st.one_of(st.none(), st.floats(0.01, 10_000)),
)
def test_whatever_the_times_all_that_is_drawn_is_within_the_chart(
    sends: list[int], throttled: list[int], rate: float | None
) -> None:
    course = [(float(at), rate or 3.0) for at in sorted(ms(*sends, *throttled).tolist())]
    chart = rate_chart(ms(*sends), ms(*sends[:3]), ms(*throttled), rate, course)
    assert chart is not None
    for line in chart.permitted:
        assert 0 <= line.x1 <= line.x2 <= 100
        assert all(TOP <= y <= BOTTOM for y in (line.y1, line.y2))
    for bar in [*chart.first, *chart.again]:
        assert bar.x >= 0
        assert bar.x + bar.width <= 100.01
        assert bar.y >= TOP - 0.01
        assert bar.y + bar.height <= BOTTOM + 0.01
    assert len(chart.first) <= 121
    assert 2 <= len(chart.up) <= 7
    assert 1 <= len(chart.across) <= 6
    assert all(0 <= tick.at <= 100 for tick in chart.across)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 10**8), min_size=1, max_size=40))
def test_whatever_the_latencies_every_row_is_in_one_bar(elapsed: list[int]) -> None:
    chart = latency_chart(np.array(elapsed, np.int64), {"p50": sorted(elapsed)[0], "p99": max(elapsed), "max": 1})
    assert chart is not None
    counts = [int(bar.title.rpartition(": ")[2].split()[0]) for bar in chart.bars]
    assert sum(counts) == len(elapsed)
    assert all(bar.x >= 0 and bar.x + bar.width <= 100 for bar in chart.bars)
    assert all(0 <= mark.at <= 100 for mark in chart.marks)
    assert len(chart.marks) == 2
    assert len(chart.across) <= 10


def test_the_outcomes_fill_the_bar_and_a_rare_one_can_be_seen() -> None:
    parts = outcome_bar({"created": 1_000_000, "rejected": 1, "conflict": 0})
    assert [part.outcome for part in parts] == ["created", "rejected"]
    assert parts[-1].width > 0.5
    assert parts[-1].x + parts[-1].width == pytest.approx(100, abs=0.01)
    assert outcome_bar({}) == []

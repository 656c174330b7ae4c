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
    chart = rate_chart(ms(*np.arange(sends) * 1000 / rate * 1.0065), NONE, NONE, rate)
    assert chart is not None
    assert chart.limit is not None
    assert all(bar.y >= chart.limit - 0.01 for bar in chart.first)


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
    chart = rate_chart(ms(*sends), ms(*sends[:3]), ms(*throttled), rate)
    assert chart is not None
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

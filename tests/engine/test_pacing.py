"""Pacing: at most N in any window of T, and nearly all of them used."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkjobs.engine.clock import Clock
from bulkjobs.engine.pacing import JITTER, LATENESS, bucket, window_limiter, window_of

from .conftest import virtually

RATES = [0.5, 1.0, 2.5, 10.0, 100.0, 1_000.0]
ANY_RATE = st.floats(0.001, 10_000, allow_nan=False)


async def _send_times(rate: float, count: int, held_up_after: int = 0, held_up: float = 0.0) -> list[float]:
    limiter, loop, times = window_limiter(rate), asyncio.get_running_loop(), []
    for index in range(count):
        await limiter.acquire()
        times.append(loop.time())
        if index + 1 == held_up_after:
            await asyncio.sleep(held_up)
    return times


def _most_in_any(window: float, times: Sequence[float]) -> int:
    most = first = 0
    for last, at in enumerate(times):
        while at - times[first] >= window:
            first += 1
        most = max(most, last - first + 1)
    return most


def _share_used(rate: float, times: Sequence[float]) -> float:
    return (len(times) - 1) / (times[-1] - times[0]) / rate


class TestBucket:
    @given(ANY_RATE)
    def test_one_send_more_than_allowed_spans_more_than_the_window_and_the_jitter(self, rate: float) -> None:
        size, leak = bucket(rate)
        sends = math.ceil(rate)
        assert (sends + 1 - size) / leak >= (sends / rate + JITTER) * (1 - 1e-12)

    @given(ANY_RATE, st.integers(0, 1_000))
    def test_the_same_holds_of_every_longer_window(self, rate: float, further: int) -> None:
        size, leak = bucket(rate)
        sends = math.ceil(rate) + further
        assert (sends + 1 - size) / leak >= (sends / rate + JITTER) * (1 - 1e-9)

    @given(ANY_RATE)
    def test_nearly_99_percent_of_the_rate_leak_out(self, rate: float) -> None:
        size, leak = bucket(rate)
        assert 0.989 * rate <= leak < rate
        assert size >= 1  # or nothing could ever pass

    @pytest.mark.parametrize(
        ("rate", "window"), [(1, 1.0), (10, 1.0), (1_000, 1.0), (2.5, 1.2), (0.5, 2.0), (0.006, 1 / 0.006)]
    )
    def test_a_rate_is_kept_exactly_however_odd(self, rate: float, window: float) -> None:
        assert window_of(rate) == pytest.approx(window)

    def test_lateness_and_jitter_are_settings(self) -> None:
        assert bucket(10, lateness=0, jitter=0) == (1.0, 10.0)
        assert bucket(10)[0] == 1 + 10 * LATENESS

    @pytest.mark.parametrize("rate", [0, -1, float("inf"), float("nan")])
    def test_a_rate_that_is_none_is_refused(self, rate: float) -> None:
        with pytest.raises(ValueError, match="more than 0"):
            window_limiter(rate)


class TestOnAVirtualClock:
    @pytest.mark.parametrize("rate", RATES)
    def test_the_rate_is_kept_and_used_from_the_first_send_on(self, rate: float) -> None:
        async def main(_clock: Clock) -> list[float]:
            return await _send_times(rate, 3 * math.ceil(rate) + 20)

        times = virtually(main)
        assert _most_in_any(window_of(rate), times) <= math.ceil(rate)
        assert 0.98 <= _share_used(rate, times) <= 1

    @settings(max_examples=40, deadline=None)
    @given(st.floats(0.1, 500), st.integers(1, 30), st.floats(0, 20))
    def test_after_a_pause_there_is_no_burst(self, rate: float, after: int, pause: float) -> None:
        async def main(_clock: Clock) -> list[float]:
            return await _send_times(rate, after + math.ceil(rate) + 5, after, pause)

        assert _most_in_any(window_of(rate), virtually(main)) <= math.ceil(rate)


async def _on_a_real_clock(rate: float, count: int, at_least: float) -> None:
    """The bound holds whatever the machine does; the share may take another try on a busy one."""
    shares = []
    for _ in range(12):
        times = await _send_times(rate, count)
        assert _most_in_any(window_of(rate), times) <= math.ceil(rate)
        shares.append(_share_used(rate, times))
        if shares[-1] >= at_least:
            return
    pytest.fail(f"{max(shares):.1%} of {rate}/s used at best")


class TestOnARealClock:
    @pytest.mark.parametrize(("rate", "count"), [(1.0, 2), (2.5, 3), (10.0, 6), (100.0, 40), (1_000.0, 500)])
    async def test_nearly_all_of_the_rate_is_used_and_never_more(self, rate: float, count: int) -> None:
        await _on_a_real_clock(rate, count, 0.9)  # other tests run beside it: the virtual clock holds it to 98 %

    @pytest.mark.sweep
    @pytest.mark.parametrize("rate", [1.0, 2.5, 10.0, 100.0, 1_000.0])
    async def test_98_percent_are_used_over_ten_seconds(self, rate: float) -> None:
        await _on_a_real_clock(rate, math.ceil(rate * 10), 0.98)

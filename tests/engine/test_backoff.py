"""Back-off and the retry budget."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkjobs.engine.backoff import BASE, CAP, RetryBudget, full_jitter


@pytest.mark.parametrize(
    ("failures", "ceiling"), [(1, BASE), (2, 1.0), (3, 2.0), (6, 16.0), (7, CAP), (8, CAP), (5_000, CAP)]
)
def test_full_jitter_is_uniform_up_to_a_ceiling_that_doubles(failures: int, ceiling: float) -> None:
    assert full_jitter(failures, lambda low, high: high) == ceiling
    assert full_jitter(failures, lambda low, high: low) == 0.0


@given(st.integers(1, 100), st.integers())
def test_full_jitter_stays_in_its_bounds(failures: int, seed: int) -> None:
    assert 0 <= full_jitter(failures, random.Random(seed).uniform) <= CAP


class TestRetryBudget:
    def test_it_starts_full_and_then_gives_what_time_brings(self) -> None:
        budget = RetryBudget(capacity=2, per_success=0.1, per_second=0.5)
        assert [budget.take(0.0) for _ in range(3)] == [0.0, 0.0, 2.0]
        assert budget.take(1.0) == 1.0
        assert budget.take(2.0) == 0.0

    def test_ten_successes_pay_for_one_retry(self) -> None:
        budget = RetryBudget(capacity=1, per_success=0.1, per_second=0.001)
        budget.take(0.0)
        for _ in range(10):
            assert budget.take(0.0) > 0
            budget.succeeded()
        assert budget.take(0.0) == 0.0

    def test_it_holds_no_more_than_its_capacity(self) -> None:
        budget = RetryBudget(capacity=3, per_success=0.1, per_second=1)
        for _ in range(1_000):
            budget.succeeded()
        budget.take(0.0)
        assert [budget.take(1e6) for _ in range(4)] == [0.0, 0.0, 0.0, 1.0]

    @pytest.mark.parametrize("rate", [0.5, 5.0, 1_000.0])
    def test_ten_minutes_of_outage_bring_a_fifth_of_the_rate_and_no_more(self, rate: float) -> None:
        budget, now, retries = RetryBudget.for_rate(rate), 0.0, 0
        while now < 600:
            wait = budget.take(now)
            retries += not wait
            now += wait
        assert retries <= max(10.0, 2 * rate) + 600 * max(0.5, rate / 5) + 1

    @given(st.floats(0, 1e9), st.floats(0.01, 1_000), st.integers(1, 20))
    def test_who_waits_as_long_as_told_gets_a_token(self, now: float, per_second: float, takes: int) -> None:
        budget = RetryBudget(capacity=1, per_success=0, per_second=per_second)
        budget.take(now)
        for _ in range(takes):
            wait = budget.take(now)
            assert wait > 0
            later = now + wait
            if later - now < wait * (1 - 1e-9):
                return  # the clock itself is too coarse to wait that long
            now = later
            assert budget.take(now) == 0.0

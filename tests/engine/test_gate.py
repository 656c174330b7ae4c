"""The pause after a throttle."""

from __future__ import annotations

import pytest

from bulkjobs.engine.gate import Gate


def longest(low: float, high: float) -> float:
    assert low == 0
    return high


def shortest(low: float, _high: float) -> float:
    return low


def test_the_first_throttle_pauses_for_half_a_second_to_a_second() -> None:
    for uniform, until in ((shortest, 10.5), (longest, 11.0)):
        gate = Gate(uniform)
        gate.throttled(10.0, None)
        assert gate.until == until


def test_throttles_of_one_burst_count_once() -> None:
    gate = Gate(shortest)
    for at in (10.0, 10.1, 10.4):
        gate.throttled(at, None)
    assert (gate.until, gate.throttles) == (10.5, 3)


def test_each_pause_that_did_not_help_doubles_the_next_up_to_a_minute() -> None:
    gate, pauses = Gate(shortest), []
    for _ in range(9):
        now = gate.until
        gate.throttled(now, None)
        pauses.append(gate.until - now)
    assert pauses == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]


def test_a_success_makes_the_next_pause_short_again_but_does_not_end_this_one() -> None:
    gate = Gate(shortest)
    gate.throttled(0.0, None)
    gate.throttled(0.5, None)
    until = gate.until
    gate.succeeded()
    assert gate.until == until
    gate.throttled(100.0, None)
    assert gate.until == 100.5


@pytest.mark.parametrize(("retry_after", "until"), [(7.0, 17.0), (0.1, 10.5)])
def test_retry_after_is_a_lower_bound(retry_after: float, until: float) -> None:
    gate = Gate(shortest)
    gate.throttled(10.0, retry_after)
    assert gate.until == until


def test_retry_after_of_a_later_throttle_of_the_burst_lengthens_the_pause() -> None:
    gate = Gate(shortest)
    gate.throttled(10.0, None)
    gate.throttled(10.2, 30.0)
    assert gate.until == 40.2


def test_days_of_throttling_do_not_overflow() -> None:
    gate = Gate(shortest)
    for _ in range(3_000):
        gate.throttled(gate.until, None)
    assert gate.until < 3_000 * 60

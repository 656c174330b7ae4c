"""A deadline: sending stops in time for what is on its way, and at the deadline nothing is waited for any more."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from bulkjobs.engine.clock import Clock
from bulkjobs.engine.deadline import keep_deadline, reserve_s
from bulkjobs.engine.work import Stop, Tally

from .conftest import virtually


class Kept:
    """When sending stopped and when the rest was given up, in seconds from the start, and what was said.

    ``answers``: seconds that an answer took, by when it came.
    """

    def __init__(
        self,
        deadline: float,
        timeout: float,
        answers: dict[float, float],
        late: float = 0.0,
        *,
        in_flight: int = 1,
        pause: float = 0.0,
    ) -> None:
        self.stopped = self.gave_up = -1.0
        self.reason = ""

        async def main(clock: Clock) -> None:
            begun = clock.monotonic() - late
            tally = Tally(in_flight=in_flight, paused_until=begun + pause)

            def stop(stop: Stop) -> None:
                self.stopped, self.reason = clock.monotonic() - begun, stop.reason

            def give_up() -> None:
                self.gave_up = clock.monotonic() - begun

            for at, latency in answers.items():
                asyncio.get_running_loop().call_later(at, partial(tally.answered, latency, is_known=True))
            await keep_deadline(deadline, begun, timeout, clock, tally, stop, give_up)

        virtually(main)


def test_answers_that_take_milliseconds_leave_nearly_all_of_the_time_to_send() -> None:
    kept = Kept(30.0, 30.0, {at / 10: 0.005 for at in range(290)})
    assert (kept.stopped, kept.gave_up) == pytest.approx((28.99, 30.0), abs=0.01)
    assert kept.reason == "sending stopped 1.01 s before --deadline 30s, to wait for what is on its way"


def test_an_answer_that_took_long_makes_sending_stop_earlier() -> None:
    kept = Kept(30.0, 30.0, {1.0: 0.005, 20.0: 4.0})
    assert kept.stopped == pytest.approx(21.0, abs=0.01)


@pytest.mark.parametrize(("timeout", "stopped"), [(5.0, 25.0), (30.0, 15.0)])
def test_of_a_service_that_never_answered_the_timeout_is_waited_for_but_half_of_the_time_at_most(
    timeout: float, stopped: float
) -> None:
    kept = Kept(30.0, timeout, {})
    assert (kept.stopped, kept.gave_up) == pytest.approx((stopped, 30.0), abs=0.01)
    assert kept.reason.startswith(f"sending stopped {30 - stopped:g} s before --deadline 30s")


def test_in_a_pause_that_the_service_asked_for_it_says_so_and_waits_for_nothing() -> None:
    kept = Kept(12.0, 30.0, {}, in_flight=0, pause=300.0)
    assert kept.reason == (
        "sending stopped 6 s before --deadline 12s, in a pause that the service asked for"
        " (refused for the rate: 294 s of it were left)"
    )
    assert "pause" not in Kept(12.0, 30.0, {}, in_flight=0, pause=5.0).reason


def test_a_deadline_that_is_over_before_the_first_send_says_so() -> None:
    kept = Kept(20.0, 30.0, {}, late=40.0)
    assert (kept.stopped, kept.reason) == (40.0, "--deadline 20s is over")


def test_the_reserve_is_never_longer_than_the_timeout_or_half_of_the_deadline() -> None:
    for slowest in (None, 0.0, 1.0, 1_000.0):
        assert reserve_s(10.0, 30.0, slowest) <= 5.0
        assert reserve_s(100.0, 3.0, slowest) <= 3.0

"""A rate that was learned some time ago is reached again when the estimate says so; ``rate_control`` is the judge."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from bulkjobs.engine.estimate import estimate_s
from bulkjobs.engine.plan_estimate import Measured, plan_estimate_s
from bulkjobs.engine.rate_control import RateControl
from bulkjobs.engine.regrowth import Regrowth

from .rate_model import SlidingWindow, World, simulate

_MARGIN = 0.97


@pytest.mark.parametrize("latency", [0.02, 0.2, 0.5, 1.0])
@pytest.mark.parametrize(("start", "rate"), [(4.3, 58.0), (7.8, 58.0), (5.3, 10.0), (30.0, 200.0)])
@pytest.mark.parametrize("seconds", [1, 5, 10])
def test_a_run_from_a_lower_start_takes_as_long_as_is_reckoned(
    latency: float, start: float, rate: float, seconds: int
) -> None:
    work, rng = int(rate * seconds), random.Random(1)
    world = World(latency=latency, jitter=0.0, concurrency=5_000)
    control = RateControl(rng.uniform, learned=start)
    took = max(simulate(control, SlidingWindow(rate / _MARGIN), world, rng, work=work).accepted)
    assert Regrowth(start, rate, latency).seconds_for(work - 1) == pytest.approx(
        took, rel=0.2 if latency > 0.2 else 0.13
    )


def test_more_sends_never_take_less_and_none_take_nothing() -> None:
    growth = Regrowth(7.8, 58.0, 0.5)
    times = [growth.seconds_for(sends) for sends in range(300)]
    assert times[0] == pytest.approx(0.0, abs=1e-6)
    assert all(before < after for before, after in pairwise(times))


def test_the_estimate_takes_the_start_for_a_start() -> None:
    aged = estimate_s(608, 58.0, 32, 0.02, start=7.8, listed_pages=1)
    assert aged == pytest.approx(14.0, rel=0.1)  # as seen; 78 s at 7.8/s for ever
    assert estimate_s(608, 58.0, 32, 0.02, start=80.0) == estimate_s(608, 58.0, 32, 0.02)


@pytest.mark.parametrize("counts", [(600, 0, 0), (3, 200, 0), (0, 3, 300)])
def test_the_rate_grows_once_in_a_run(counts: tuple[int, int, int]) -> None:
    fresh = Measured(58.0, 32, 15.0, 0.02)
    aged = Measured(58.0, 32, 15.0, 0.02, start=7.8)
    later = Regrowth(7.8, 58.0, 0.02)
    assert plan_estimate_s(*counts, aged) - plan_estimate_s(*counts, fresh) == pytest.approx(
        later.seconds() - later.sends_by(later.seconds()) / 58.0, rel=0.1
    )

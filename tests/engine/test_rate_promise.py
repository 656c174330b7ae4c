"""A sample of what issue 5 promises of the automatic rate; ``python -m tests.engine.rate_promise`` asks all of it."""

from __future__ import annotations

import pytest

from .rate_promise import GATEWAYS, World, judged, outgrown

WORLDS = [
    World("sliding", 2, 2, 0.1, 0.0),
    World("bucket", 2, 2, 0.1, 0.0),
    World("sliding", 15, 15, 0.1, 1 / 200),
    World("fixed", 15, 15, 0.1, 1 / 500),
    World("bucket", 15, 15, 0.02, 0.0),
    World("sliding", 40, 40, 0.1, 1 / 200),
    World("sliding", 2, 1, 0.02, 0.0),
    World("fixed", 2, 1, 0.1, 0.0),
    World("fixed", 40, 20, 0.02, 0.0),
    World("sliding", 15, 30, 0.1, 0.0),
    World("bucket", 40, 80, 0.02, 0.0),
    World("sliding", 15, 20, 0.02, 0.0),
    World("bucket", 40, 52, 0.1, 0.0),
]


@pytest.mark.parametrize("world", WORLDS, ids=str)
def test_the_promise_is_kept(world: World) -> None:
    _, missed = judged(world, 1)
    assert not missed


@pytest.mark.parametrize(
    ("world", "seed"),
    [
        (World("fixed", 15, 30, 0.1, 0.0), 42),  # a rate that is still too high looks as if refusals counted
        (World("fixed", 40, 80, 0.1, 0.0), 41),  # ten refusals are on their way when the limit is confirmed
    ],
    ids=str,
)
def test_what_finding_the_limit_cost_does_not_hide_that_it_rises_soon_after(world: World, seed: int) -> None:
    _, missed = judged(world, seed)
    assert not missed


@pytest.mark.parametrize("part", [0.5, 0.67, 0.8])
@pytest.mark.parametrize("gateway", GATEWAYS)
@pytest.mark.parametrize(("limit", "round_trip"), [(15, 0.02), (40, 0.1)])
def test_a_start_that_is_too_low_is_outgrown(gateway: str, limit: float, round_trip: float, part: float) -> None:
    assert outgrown(World(gateway, limit, limit, round_trip, 0.0), 1, part) >= 0.85


@pytest.mark.parametrize("ratio", [1.3, 1.5])
def test_a_limit_that_rises_by_less_than_double_is_found(ratio: float) -> None:
    _, missed = judged(World("sliding", 40, 40 * ratio, 0.02, 0.0), 3)
    assert not missed

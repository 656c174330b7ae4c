"""A sample of what issue 5 promises of the automatic rate; ``python -m tests.engine.rate_promise`` asks all of it."""

from __future__ import annotations

import pytest

from .rate_promise import World, judged

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

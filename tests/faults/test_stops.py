"""A run that is asked to end early: what is on its way is waited for, what never left is taken back (invariant 1)."""

from __future__ import annotations

import asyncio
import time

import pytest

from bulkjobs.engine.submit import Submit
from bulkjobs.engine.work import Stop

from .scene import Scene
from .server import Exchange
from .wire_faults import late, resetting, silent

INTERRUPTED = Stop("interrupted", "interrupted by the test")


class Runs:
    """Keeps hold of the run that has started."""

    def __init__(self) -> None:
        self.run: Submit | None = None

    def __call__(self, run: Submit, _run_id: str) -> None:
        self.run = run

    def stop(self) -> None:
        assert self.run is not None
        self.run.stop(INTERRUPTED)


@pytest.mark.parametrize("operation", ["list", "create"])
@pytest.mark.parametrize("nth", [1, 2, 4])
async def test_a_stop_at_any_request_leaves_no_intent_open_and_no_row_lost(
    scene: Scene, operation: str, nth: int
) -> None:
    runs = Runs()

    async def stop(exchange: Exchange) -> None:
        """Answered when the stop has had its effect."""
        runs.stop()
        for _ in range(20):  # turns of the loop that the run is in: all that a stop takes
            await asyncio.sleep(0)
        await exchange.ordinary()

    scene.server.on(operation, stop, skip=nth - 1)
    if operation == "list":
        scene.server.page_cap = 1
        for number in range(5):
            scene.server.truth.make(f"theirs{number}", [], ours=False)
    ended = await scene.run(concurrency=2, on_start=runs)
    assert set(ended.outcomes()) <= {"created", "not_sent"}
    assert ended.outcomes().count("created") == scene.server.creates()
    assert ended.exit_code == 5
    assert ended.reason == INTERRUPTED.reason
    await scene.again()


async def test_what_is_not_answered_by_the_deadline_is_waited_for_no_longer_and_settled_by_the_next_run(
    scene: Scene,
) -> None:
    scene.server.on("create", silent(made=True), name="bravo")
    scene.server.on("create", silent(made=False), name="delta")
    begun = time.monotonic()
    ended = await scene.run(deadline=1.0, timeout=25.0, settle=20)
    assert 1.0 <= time.monotonic() - begun < 10.0
    assert [ended[name]["outcome"] for name in ("alpha", "bravo", "delta")] == ["created", "unresolved", "unresolved"]
    assert ended["bravo"]["error_code"] == "timeout"
    assert ended.exit_code == 6
    assert ended.reason.endswith(" s before --deadline 1s, to wait for what is on its way")
    again = await scene.again()
    assert (again["bravo"]["outcome"], again["delta"]["outcome"]) == ("adopted", "created")
    assert (scene.server.creates("bravo"), scene.server.creates("delta")) == (1, 2)


async def test_a_stop_while_a_row_settles_leaves_it_unresolved_and_the_next_run_settles_it(scene: Scene) -> None:
    runs = Runs()

    async def stop(exchange: Exchange) -> None:
        exchange.commit()
        exchange.reset()
        scene.server.later(0.1, runs.stop)

    scene.server.on("create", stop, name="bravo")
    ended = await scene.run(settle=20, on_start=runs)
    assert ended["bravo"]["outcome"] == "unresolved"
    assert ended.exit_code == 6
    again = await scene.again()
    assert again["bravo"]["outcome"] == "adopted"


async def test_a_stop_while_a_lookup_fails_ends_the_run_without_waiting_for_it(scene: Scene) -> None:
    runs = Runs()

    async def stop(exchange: Exchange) -> None:
        runs.stop()
        exchange.reset()

    scene.server.on("create", resetting(made=True), name="bravo")
    scene.server.on("lookup", stop, times=None)
    ended = await scene.run(on_start=runs)
    assert ended["bravo"]["outcome"] == "unresolved"
    await scene.again()


async def test_a_run_that_follows_at_once_settles_from_its_own_start_before_it_looks(scene: Scene) -> None:
    runs, making = Runs(), late(0.5)

    async def stop(exchange: Exchange) -> None:
        scene.server.later(0.2, runs.stop)
        await making(exchange)

    scene.server.on("create", stop, name="bravo")
    ended = await scene.run(timeout=0.1, settle=20, on_start=runs)
    assert ended["bravo"]["outcome"] == "unresolved"
    assert not scene.server.truth.live("bravo")
    ended = await scene.run(settle=0.8)
    assert ended["bravo"]["outcome"] == "adopted"
    assert scene.server.creates("bravo") == 1
    await scene.again()

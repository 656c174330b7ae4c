"""The program as a process: killed at the worst moment, and looked at from outside."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from .scene import Scene
from .server import Exchange
from .wire_faults import silent


@pytest.mark.parametrize("made", [True, False], ids=["job made", "no job"])
async def test_a_process_that_is_killed_while_a_create_is_unanswered_is_resumed_without_a_second_job(
    scene: Scene, made: bool
) -> None:
    silence, came = silent(made=made), asyncio.Event()

    async def fault(exchange: Exchange) -> None:
        came.set()
        await silence(exchange)

    scene.server.on("create", fault, name="bravo")
    process = await scene.start()
    await asyncio.wait_for(came.wait(), 20)
    scene.texts["arguments"] = _arguments(process.pid)
    process.kill()
    await scene.finish(process)
    ended = await scene.again()
    assert ended["bravo"]["outcome"] == ("adopted" if made else "created")
    assert scene.server.creates("bravo") == (1 if made else 2)
    assert (scene.reports / "run1" / "summary.json").exists(), "the killed run has its report"


async def test_what_a_killed_process_learned_of_the_rate_is_where_the_next_one_starts(scene: Scene) -> None:
    scene.write([f"row{number}" for number in range(9)])
    came = asyncio.Event()

    async def fault(exchange: Exchange) -> None:
        came.set()
        await exchange.silence()

    scene.server.on("create", fault, name="row8")
    process = await scene.start()
    await asyncio.wait_for(came.wait(), 20)
    process.kill()
    await scene.finish(process)
    starts: list[float] = []
    scene.server.heal()
    await scene.run(rate=None, on_start=lambda run, _: starts.append(run.tally.rate))
    assert starts[0] == pytest.approx(5, rel=0.01), "a fifth answer in one second was more than was known before"


def _arguments(process_id: int) -> bytes:
    """What anybody on the machine can read of a process."""
    return Path(f"/proc/{process_id}/cmdline").read_bytes()

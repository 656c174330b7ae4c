"""SIGKILL in the middle of updates, deletes and a rollback, and the same command again."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from tests.waiting import until

from .stage import Stage, counts, serving

SIX = {f"job{number}": "1" for number in range(6)}
_LATENCY = "0.15"
"""Seconds that every reply takes after its work is done: long enough to kill whoever waits for it."""


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with serving(tmp_path, "--latency", _LATENCY) as service:
        yield Stage(tmp_path, service, ["--concurrency", "2"])


async def _killed(stage: Stage, seen: Callable[[], Awaitable[bool]], command: str, *words: str) -> None:
    """Start the command and kill it as soon as the service shows what is waited for."""
    process = await stage.start(command, *words)
    await until(seen)
    process.send_signal(signal.SIGKILL)
    await process.communicate()
    assert process.returncode == -signal.SIGKILL


async def test_a_reconcile_that_is_killed_among_its_updates_goes_on(stage: Stage) -> None:
    stage.write(SIX)
    await stage.reconciled()
    stage.write(dict.fromkeys(SIX, "2"))

    async def seen() -> bool:
        return list((await stage.service.values()).values()).count("2") >= 3

    await _killed(stage, seen, "reconcile", "--yes", "--run-id", "killed")
    assert set((await stage.service.values()).values()) == {"1", "2"}
    summary = await stage.reconciled()
    assert set(counts(summary)) <= {"existing", "updated"}
    assert await stage.service.values() == dict.fromkeys(SIX, "2")
    assert (stage.folder / "reports" / "killed" / "summary.json").is_file()
    assert counts(await stage.reconciled()) == {"existing": 6}


async def test_a_reconcile_that_is_killed_among_its_deletes_goes_on(stage: Stage) -> None:
    stage.write(SIX)
    await stage.reconciled()
    stage.write({"job0": "1"})
    words = ("--prune", "--max-delete", "5")

    async def seen() -> bool:
        return len(await stage.service.jobs()) <= 4

    await _killed(stage, seen, "reconcile", "--yes", *words)
    assert 1 < len(await stage.service.jobs()) < 6
    await stage.reconciled(*words)
    assert set(await stage.service.jobs()) == {"job0"}


async def test_a_rollback_that_is_killed_goes_on(stage: Stage) -> None:
    stage.write(SIX)
    run = (await stage.reconciled())["run"]

    async def seen() -> bool:
        return len(await stage.service.jobs()) <= 4

    await _killed(stage, seen, "rollback", run, "--yes")
    assert 0 < len(await stage.service.jobs()) < 6
    ran = await stage.run("rollback", run, "--yes", "--json")
    assert (ran.code, counts(ran.json)) == (0, {"deleted": 6})
    assert await stage.service.jobs() == {}


async def test_an_interrupt_waits_for_what_is_on_its_way_and_leaves_nothing_open(stage: Stage) -> None:
    stage.write(SIX)
    await stage.reconciled()
    stage.write(dict.fromkeys(SIX, "2"))
    process = await stage.start("reconcile", "--yes", "--json")

    async def begun() -> bool:
        return "2" in (await stage.service.values()).values()

    await until(begun)
    process.send_signal(signal.SIGINT)
    await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 5
    assert counts(await stage.reconciled())["existing"] >= 1
    assert await stage.service.values() == dict.fromkeys(SIX, "2")


async def test_after_a_run_that_was_killed_the_estimate_has_a_window_in_it(stage: Stage) -> None:
    stage.write({"alpha": "A", "bravo": "B"})

    async def is_quick() -> bool:
        return bool((await stage.plan("--rate", "50"))["eta_s"] < 1.0)

    await until(is_quick)  # on a busy machine the time of checking alone may be more: then it is planned again

    async def seen() -> bool:
        return bool(await stage.service.jobs())

    await _killed(stage, seen, "reconcile", "--yes")
    assert not await is_quick()

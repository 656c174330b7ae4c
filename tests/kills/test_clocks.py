"""Wall clocks that are wrong, or that jump in the middle of a run; and signatures that wait for their turn."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from .service import KEYS, Service, service
from .shim import Shim
from .stage import Ran, Stage

MINUTES = 60


async def _against(stage: Stage, made: Service, clock: dict[str, str], *arguments: str) -> Ran:
    """The command against a service that verifies signatures, and whose own clock is right."""
    return await stage.ran("--endpoint", made.endpoint, "--json", *arguments, **{**KEYS, **clock})


@pytest.mark.parametrize("off", [10 * MINUTES, -10 * MINUTES], ids=["fast", "slow"])
async def test_a_clock_that_is_ten_minutes_off_is_named_as_the_cause(
    stage: Stage, shim: Shim, tmp_path: Path, off: int
) -> None:
    async with service(stage.born_in, tmp_path / "jobs.data") as made:
        ran = await _against(stage, made, shim.clock(off))
        assert ran.code == 7, ran
        said = ran.said()
        assert "clock" in said
        assert f"{'ahead' if off > 0 else 'behind'}" in said
        assert "10 min" in said or "600 s" in said
        assert not made.jobs()
        assert (await _against(stage, made, {})).code == 0
        assert set(made.jobs().values()) == {1}


@pytest.mark.parametrize("step", [2 * MINUTES, -2 * MINUTES], ids=["forwards", "backwards"])
async def test_a_clock_that_jumps_within_reason_changes_nothing(
    stage: Stage, shim: Shim, tmp_path: Path, step: int
) -> None:
    async with service(stage.born_in, tmp_path / "jobs.data") as made:
        ran = await _against(stage, made, shim.clock(step, from_send=12), "--concurrency", "2")
        assert ran.code == 0, ran
        assert ran.summary["counts"]["created"] == 20
        assert ran.summary["duration_s"] >= 0
        assert (await _against(stage, made, {})).summary["counts"]["existing"] == 20
        assert list(made.jobs().values()) == [1] * 20


@pytest.mark.parametrize("step", [60 * MINUTES, -60 * MINUTES], ids=["forwards", "backwards"])
async def test_a_clock_that_jumps_by_an_hour_halts_the_run_and_the_next_one_goes_on(
    stage: Stage, shim: Shim, tmp_path: Path, step: int
) -> None:
    async with service(stage.born_in, tmp_path / "jobs.data") as made:
        ran = await _against(stage, made, shim.clock(step, from_send=12), "--concurrency", "2")
        assert ran.code == 7, ran
        assert "clock" in ran.said()
        assert 0 < len(made.jobs()) < 20
        assert (await _against(stage, made, {})).code == 0
        assert list(made.jobs().values()) == [1] * 20


async def test_a_signature_is_new_however_long_its_request_waited_for_its_turn(stage: Stage) -> None:
    ages = []

    def note(_name: str) -> None:
        ages.append(time.time() * 1000 - int(stage.server.requests[-1].headers["x-ncp-apigw-timestamp"]))

    stage.write(stage.names[:4])
    stage.server.on_create = note
    ran = await stage.ran("--rate", "0.5", "--concurrency", "4", "--json")
    assert ran.code == 0, ran
    assert ran.summary["duration_s"] >= 5, "they did wait"
    assert len(ages) == 4
    assert max(ages) < 1_000

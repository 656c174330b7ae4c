"""Minutes of outage burn neither attempts nor rows, and cause little traffic (invariant 11)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bulkjobs.settings import Settings

from .scaled_time import ScaledLoop, scaled_clock
from .scene import Scene
from .server import Exchange, Fault, FaultServer
from .wire_faults import gateway, resetting, silent, status

FACTOR = 100.0
OUTAGE = 150.0
"""Seconds of the scaled clock."""
ROWS = [f"job{i:02d}" for i in range(40)]
ORDINARY = Settings(rate=20, concurrency=8)
"""The defaults of the program but for the pace: timeout 30, settle 15, 8 attempts, patience 15 minutes."""

OUTAGES = {
    "503": status(503, gateway(500)),
    "reset": resetting(made=False),
    "silence": silent(made=False),
}


def scaled(scenario: object) -> None:
    """Carry a scenario out on a quick loop."""
    with asyncio.Runner(loop_factory=lambda: ScaledLoop(FACTOR)) as runner:
        runner.run(scenario)  # type: ignore[arg-type]  # a coroutine


@pytest.mark.parametrize("fault", OUTAGES.values(), ids=OUTAGES.keys())
def test_minutes_without_any_answer_end_no_row_and_cost_hardly_a_request(tmp_path: Path, fault: Fault) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        async with FaultServer(clock=loop.time) as server:
            scene = Scene(tmp_path, server, ROWS, limit=3_000)
            begun: list[float] = []

            async def fail_for_minutes(exchange: Exchange) -> None:
                begun.append(loop.time())
                await (fault(exchange) if loop.time() < begun[0] + OUTAGE else exchange.ordinary())

            server.on("any", fail_for_minutes, skip=12, times=None)
            ended = await scene.run(ORDINARY, clock=scaled_clock(loop))
            during = [at for at in begun if at < begun[0] + OUTAGE]
            assert ended.outcomes() == ["created"] * 40
            assert len(during) < 60
            assert max(int(row["attempts"]) for row in ended.rows.values()) <= 4
            assert begun[-1] > begun[0] + OUTAGE
            scene.has_no_leak()

    scaled(scenario())


def test_a_door_that_is_shut_for_minutes_costs_no_attempt_at_all(tmp_path: Path) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        async with FaultServer(clock=loop.time) as server:
            scene = Scene(tmp_path, server, ROWS, limit=3_000)

            async def shut(exchange: Exchange) -> None:
                await exchange.ordinary()
                exchange.keep = False
                await server.stop_others(exchange)
                server.later(OUTAGE, lambda: asyncio.ensure_future(server.start()))

            server.on("create", shut, skip=5)
            ended = await scene.run(ORDINARY, clock=scaled_clock(loop))
            assert ended.outcomes().count("created") + ended.outcomes().count("adopted") == 40
            assert max(int(row["attempts"]) for row in ended.rows.values()) <= 2
            scene.has_no_leak()

    scaled(scenario())


def test_an_outage_longer_than_our_patience_ends_the_run_and_the_next_one_goes_on(tmp_path: Path) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        async with FaultServer(clock=loop.time) as server:
            scene = Scene(tmp_path, server, ROWS, limit=3_000)
            server.on("any", status(503, gateway(500)), skip=12, times=None)
            begun = loop.time()
            ended = await scene.run(ORDINARY, clock=scaled_clock(loop), patience=120)
            assert 120 < loop.time() - begun < 400
            assert ended.exit_code in (5, 6)
            assert ended.outcomes().count("created") == 11
            server.heal()
            ended = await scene.run(ORDINARY, clock=scaled_clock(loop))
            assert set(ended.outcomes()) <= {"created", "existing"}
            assert server.truth.jobs.keys() == {row["job_id"] for row in ended.rows.values()}
            scene.has_no_leak()

    scaled(scenario())


def test_creates_that_fail_while_reads_work_are_tried_one_at_a_time(tmp_path: Path) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        async with FaultServer(clock=loop.time) as server:
            scene = Scene(tmp_path, server, ROWS, limit=3_000)
            begun: list[float] = []

            async def fail_for_minutes(exchange: Exchange) -> None:
                begun.append(loop.time())
                if loop.time() < begun[0] + OUTAGE:
                    await exchange.answer(503, gateway(500))
                else:
                    await exchange.ordinary()

            server.on("create", fail_for_minutes, skip=5, times=None)
            ended = await scene.run(ORDINARY, clock=scaled_clock(loop))
            during = [at for at in begun if at < begun[0] + OUTAGE]
            assert ended.outcomes() == ["created"] * 40
            assert len(during) < 80
            scene.has_no_leak()

    scaled(scenario())

"""A run of ``submit`` on a virtual clock: the real engine against a service whose latency and faults are given.

Made of the simulator's stand-ins (``tests.simulation``), for figures instead of promises: minutes of a run take a
second, and no load of the machine is in them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bulkjobs.dataflow.client import Job
from bulkjobs.dataflow.contract import Contract
from bulkjobs.dataflow.listing import PAGE_LIMIT, ListedJob, Page
from bulkjobs.dataflow.replies import Answer, Failure, FailureKind, Reply, Verdict, judge
from bulkjobs.engine import checking
from bulkjobs.engine.clock import Clock
from bulkjobs.engine.equipment import Equipment
from bulkjobs.engine.submit import Submit
from bulkjobs.engine.work import Tally
from bulkjobs.logs import SilentLog
from bulkjobs.settings import HaltRule, Settings
from tests.simulation.inventory import SimExpander, SimFile, SimSurvey, decoded
from tests.simulation.journal import SimJournal, SimWriter, connection
from tests.simulation.limiter import VirtualLimiter
from tests.simulation.loop import VirtualLoop


class Fault(StrEnum):
    """What becomes of a create that is spoilt."""

    BREAKS = "breaks"
    """The connection breaks: half of the creates on their way there, at once, half on their way back."""
    FAILS = "fails"
    """A 503, after the usual latency; half of the jobs are made all the same."""
    HANGS = "hangs"
    """No answer: given up after ``silence``; half of the jobs are made."""
    REFUSED = "refused"
    """A 400: the row has ended."""


_CANARIES = 2  # are let through: a run whose first jobs are refused ends there
_BROKEN = judge(Failure(FailureKind.DISCONNECTED, True, "connection lost"))
_SILENT = judge(Failure(FailureKind.TIMEOUT, True, "no answer in time"))
_FAILED = judge(Reply(503, {}, b"<html>Service Unavailable</html>"))
_REFUSED = judge(Reply(400, {}, b'{"error":{"errorCode":"bad-parameter","message":"no","details":"-"}}'))


@dataclass(frozen=True, slots=True)
class Scene:
    """A run as it is planned: ``count`` rows at ``rate``, of which ``odds`` are spoilt by ``fault``."""

    count: int
    rate: float
    odds: float = 0.0
    fault: Fault = Fault.BREAKS
    latency: float = 0.2
    concurrency: int = 32
    settle: float = 1.0
    silence: float = 2.0
    list_lag: float = 0.0


class _File(SimFile):
    chunk = 2_000


class _Service:
    """The same calls as DataFlowClient's."""

    def __init__(self, scene: Scene, random: Random, now: Callable[[], float]) -> None:
        self.contract = Contract()
        self._scene = scene
        self._random = random
        self._now = now
        self._jobs: dict[str, tuple[str, bytes, float]] = {}  # by name: id, nodes, when it shows
        self._names: dict[str, str] = {}
        self.sends = 0

    async def create_job(self, name: str, nodes: bytes) -> Answer:
        scene = self._scene
        self.sends += 1
        is_spoilt = self._random.random() < scene.odds and self.sends > _CANARIES
        is_made = not is_spoilt or (scene.fault is not Fault.REFUSED and self._random.random() < 0.5)
        if is_made:
            assert name not in self._jobs, "made twice"
            job_id = str(len(self._jobs))
            self._jobs[name] = job_id, nodes, self._now() + scene.list_lag
            self._names[job_id] = name
        if not is_spoilt:
            await asyncio.sleep(scene.latency)
            return Answer(Verdict.CREATED, 201, job_id=self._jobs[name][0], job_status="RUNNABLE", updated_date="d")
        match scene.fault:
            case Fault.BREAKS:
                await asyncio.sleep(scene.latency if is_made else 0.001)
                return _BROKEN
            case Fault.FAILS:
                await asyncio.sleep(scene.latency)
                return _FAILED
            case Fault.HANGS:
                await asyncio.sleep(scene.silence)
                return _SILENT
            case Fault.REFUSED:
                await asyncio.sleep(scene.latency)
                return _REFUSED

    async def list_page(
        self, page: int, name: str | None = None, seen_before: int = 0, limit: int = PAGE_LIMIT
    ) -> Page:
        await asyncio.sleep(self._scene.latency)
        if name is not None:
            found = [(name, self._jobs[name])] if name in self._jobs and self._jobs[name][2] <= self._now() else []
        else:
            found = [job for job in self._jobs.items() if job[1][2] <= self._now()][page * limit : (page + 1) * limit]
        jobs = tuple(ListedJob(job_id, of, "RUNNABLE", "d") for of, (job_id, _, _) in found)
        return Page(jobs, len(jobs), len(jobs) < limit)

    async def get_job(self, job_id: str) -> Job | None:
        await asyncio.sleep(self._scene.latency)
        name = self._names[job_id]
        return Job(job_id, name, "RUNNABLE", "d", decoded(self._jobs[name][1]))


@dataclass(frozen=True, slots=True)
class Imagined:
    """``seconds`` from the start to the last outcome; ``alarms``: how often the service was taken to be down."""

    seconds: float
    sends: int
    reads: int
    alarms: int


def imagine(scene: Scene, seed: int) -> Imagined:
    """The run, from its start to its last outcome."""
    random = Random(seed)
    database = connection()
    loop = VirtualLoop(100.0)  # type: ignore[abstract]  # the engine asks for no files, sockets, signals
    loop.enough = 10_000_000
    clock = Clock(loop.time, lambda: 1_790_000_000_000 + int(loop.time() * 1000), asyncio.sleep, random.uniform)
    service = _Service(scene, random, loop.time)
    ends: list[float] = []
    tally = Tally(on_outcome=lambda _: ends.append(loop.time()))
    settings = Settings(
        rate=scene.rate,
        concurrency=scene.concurrency,
        settle=scene.settle,
        timeout=scene.silence,
        max_attempts=1_000,
        halt=HaltRule(percent=100.0),
    )
    alarms: list[float] = []

    class Log(SilentLog):
        def warning(self, event: str, **values: object) -> None:
            if event == "service.down":
                alarms.append(loop.time())

    async def main() -> None:
        journal = SimJournal(database).start_with(SimWriter(database, loop, random, None, None, False))
        journal.begin_run("r", "imagined", "default", "2025-03", Path(), clock.wall_ms())
        client: Any = service
        files: Any = [_File([(f"job_{number:05d}", "1") for number in range(scene.count)])]
        expander: Any = SimExpander()
        equipment = Equipment(
            journal, client, settings, clock, tally, Log(), limiter=lambda rate: VirtualLimiter(rate, clock)
        )
        run = Submit(files, expander, equipment)
        result = await run.run()
        assert result.stop is None, result.stop
        await journal.close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checking, "Survey", SimSurvey)
        loop.run(main())
    database.close()
    assert not loop.complaints, loop.complaints
    assert len(ends) == scene.count
    return Imagined(ends[-1] - 100.0, service.sends, tally.reads, len(alarms))

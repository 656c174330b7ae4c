"""A service, an inventory and a journal in one process, for long stories: runs that are killed, replies that are lost.

The service is the sandbox's own operations without a network, the engine is the real one; loop, clock, limiter and
the journal's thread are those of ``tests.simulation``: time is virtual, so a story takes as long as its work, and the
same story always goes the same way. A killed process is one whose loop was cut off; of its journal a prefix is kept, at
least what was told to be durable.
"""

from __future__ import annotations

import asyncio
import csv
import heapq
import json
import random
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

import msgspec

from bulkjobs.dataflow.client import DataFlowClient
from bulkjobs.dataflow.replies import Failure, FailureKind, Reply
from bulkjobs.dataflow.signature import Credentials
from bulkjobs.engine.change import Leave
from bulkjobs.engine.clock import Clock
from bulkjobs.engine.consent import Approve, MaxDelete, Mode, approve_all
from bulkjobs.engine.equipment import Equipment
from bulkjobs.engine.journal import Journal
from bulkjobs.engine.plan import Plan, Terms
from bulkjobs.engine.reconcile import Reconcile
from bulkjobs.engine.rollback import Candidate, Rollback
from bulkjobs.engine.submit import Submit
from bulkjobs.engine.work import Tally
from bulkjobs.graph.expand import Expander
from bulkjobs.inventory.reader import InventoryFile
from bulkjobs.logs import SilentLog
from bulkjobs.sandbox import SandboxOptions
from bulkjobs.sandbox.errors import Refusal
from bulkjobs.sandbox.jobs import Job, edited_job
from bulkjobs.sandbox.operations import Operations
from bulkjobs.sandbox.store import Store
from bulkjobs.settings import Settings
from tests.simulation.journal import SimJournal, SimWriter, connection
from tests.simulation.limiter import VirtualLimiter
from tests.simulation.loop import Crashed, VirtualLoop

from .stage import HEADER

SETTLE = 4.0
LATE = SETTLE * 0.9
"""How much later than its answer a request may still be carried out: settle covers it, and nothing less does."""
_EPOCH = 1_764_000_000
_WAY = 0.01
T = TypeVar("T")


@dataclass
class Console:
    """The service over all processes: its jobs, and what it was asked for and has not carried out yet."""

    operations: Operations
    late: list[tuple[float, int, tuple[str, str, bytes | None]]] = field(default_factory=list)
    sent: list[tuple[float, str, str]] = field(default_factory=list)
    """When each write came in, its method and its job's name or id."""

    def later(self, at: float, *call: Any) -> None:
        heapq.heappush(self.late, (at, len(self.late), call))

    def advance(self, now: float) -> None:
        """Carry out what was due up to ``now``."""
        while self.late and self.late[0][0] <= now:
            at, _, call = heapq.heappop(self.late)
            self.do(*call, at)

    def do(self, method: str, target: str, body: bytes | None, now: float) -> Reply:
        url = urlsplit(target)
        job_id = url.path.rpartition("/")[2]
        try:
            match method:
                case "POST":
                    status, answer = self.operations.create(body or b"", _EPOCH + now)
                case "PUT":
                    status, answer = self.operations.update(job_id, body or b"", _EPOCH + now)
                case "DELETE":
                    status, answer = self.operations.delete(job_id)
                case _ if url.path.endswith("/jobs"):
                    status, answer = self.operations.list(dict(parse_qsl(url.query)), _EPOCH + now)
                case _:
                    status, answer = self.operations.get(job_id)
        except Refusal as refusal:
            status, answer = refusal.status, refusal.body
        return Reply(status, {}, answer)


@dataclass
class Wire:
    """One process's way to the service. ``fate`` says what becomes of its n-th call (from 0), or of a method's.

    ``""`` nothing; ``lost`` the reply, ``late`` the reply and the effect is made ``LATE`` seconds later, ``unsent``,
    ``throttled``, ``broken`` (a 503 without effect); ``kill-before`` and ``kill-after`` the effect, ``kill-late``
    before one that is made later.
    """

    console: Console
    loop: VirtualLoop
    fate: Callable[[int, str], str]
    calls: int = 0

    def scrub(self, text: str) -> str:
        return text

    async def call(self, method: str, target: str, body: bytes | None = None, **_: Any) -> Reply | Failure:
        fate = self.fate(self.calls, method)
        self.calls += 1
        if method != "GET":
            self.console.sent.append((self.loop.time(), method, target))
        await asyncio.sleep(_WAY)
        now = self.loop.time()
        self.console.advance(now)
        match fate:
            case "kill-before":
                await self._die()
            case "unsent":
                return Failure(FailureKind.CONNECT, False, "refused")
            case "throttled":
                return Reply(429, {}, b'{"error":{"errorCode":"410","message":"slow down"}}')
            case "broken":
                return Reply(503, {}, b"")
            case "kill-late":
                self.console.later(now + LATE, method, target, body)
                await self._die()
            case "late":
                self.console.later(now + LATE, method, target, body)
                return Failure(FailureKind.TIMEOUT, True, "no answer")
        reply = self.console.do(method, target, body, now)
        if fate == "kill-after":
            await self._die()
        await asyncio.sleep(_WAY)
        return Failure(FailureKind.DISCONNECTED, True, "lost") if fate == "lost" else reply

    async def _die(self) -> None:
        """The process is gone before the loop's next step."""
        self.loop.at_step[self.loop.steps + 1] = _crash
        self.loop.call_soon(_nothing)  # there is a next step, whatever the others wait for
        await self.loop.create_future()


def _crash() -> None:
    raise Crashed


def _nothing() -> None: ...


Fate = Callable[[int, str], str]


def fine(_number: int, _method: str) -> str:
    return ""


def first(method: str, fate: str) -> Fate:
    """``fate`` for the first call of ``method``."""
    left = [fate]
    return lambda _number, called: left.pop() if called == method and left else ""


_ALL = MaxDelete(percent=100)


@dataclass
class World:
    """``values``: the inventory, a filter's value by name. ``runs``: the ids of the runs that were begun.

    ``rest``: seconds between a process that ended by itself and the next. ``begun``: when the last one began,
    ``run``: its engine.
    """

    folder: Path
    seed: int = 0
    normalise: bool = True
    values: dict[str, str] = field(default_factory=dict)
    runs: list[str] = field(default_factory=list)
    plan: Plan | None = None
    rest: float = SETTLE
    begun: float = 0.0
    run: Any = None

    def __post_init__(self) -> None:
        self.store = Store()
        options = SandboxOptions(normalise=self.normalise)
        self.console = Console(Operations(options, self.store))
        self._database = connection()
        self._time = 0.0

    def close(self) -> None:
        self._database.close()

    # People

    def jobs(self) -> dict[str, Job]:
        jobs = self.store.all()
        found = {job.name: job for job in jobs}
        assert len(found) == len(jobs), f"two jobs of one name: {sorted(job.name for job in jobs)}"
        return found

    def edit(self, name: str, value: str) -> None:
        """By hand, in the console; nothing if there is no such job."""
        job = self.jobs().get(name)
        if job is not None:
            nodes = re.sub(rb'"value":"[^"]*"', b'"value":"%b"' % value.encode(), bytes(job.nodes))
            self.store.replace(edited_job(job, self.now(), nodes=msgspec.Raw(nodes)))

    def delete(self, name: str) -> None:
        job = self.jobs().get(name)
        if job is not None:
            self.store.remove(job.job_id)

    def run_job(self, name: str) -> None:
        """Somebody executes the job."""
        job = self.jobs().get(name)
        if job is not None:
            done = {"last_execution_status": "COMPLETED", "last_execution_date": "2026-11-24T10:00:00+09:00"}
            self.store.replace(edited_job(job, self.now(), **done))

    def add_stranger(self, name: str) -> None:
        """A job that somebody else made, with ids of their own."""
        if name in self.jobs():
            return
        node = {"name": "n", "regionNo": "1", "bucketName": "raw", "prefix": "p", "dataType": "CSV", "fieldList": []}
        nodes = [
            {"type": "SOURCE_OBS", "id": 1697776914576, "parentNodeIds": [], **node},
            {"type": "TARGET_OBS", "id": 1697776948956, "parentNodeIds": [1697776914576], **node},
        ]
        self.console.operations.create(json.dumps({"name": name, "nodes": nodes}).encode(), self.now())

    def seen(self) -> dict[str, str]:
        """The value of every job of ours by name."""
        found = {}
        for name, job in self.jobs().items():
            match = re.search(rb'"value":"([^"]*)"', bytes(job.nodes))
            if match is not None:
                found[name] = match[1].decode()
        return found

    def waited(self, method: str) -> list[float]:
        """Seconds from the beginning of the last process to each of its calls of ``method``."""
        return [at - self.begun for at, sent, _ in self.console.sent if sent == method and at >= self.begun]

    # Runs

    def now(self) -> float:
        return _EPOCH + self._time

    def submit(self, fate: Fate = fine) -> Any:
        async def work(journal: Journal, client: DataFlowClient, clock: Clock, run_id: str) -> Any:
            return await Submit(self._files(), Expander(), _equipment(journal, client, clock, _SETTINGS)).run()

        return self._process(work, fate)

    def reconcile(
        self,
        fate: Fate = fine,
        *,
        includes_edited: bool = False,
        max_delete: MaxDelete = _ALL,
        approve: Approve = approve_all,
        max_attempts: int = 20,
    ) -> Any:
        mode = Mode(True, max_delete, Leave(edited=includes_edited))
        settings = replace(_SETTINGS, max_attempts=max_attempts)

        def terms(namespace: str, prune: bool, files: Any) -> Terms:
            return Terms("world", "default", "2025-03", namespace, prune, files)

        async def work(journal: Journal, client: DataFlowClient, clock: Clock, run_id: str) -> Any:
            equipment = _equipment(journal, client, clock, settings)
            run = Reconcile(self._files(), Expander(), equipment, mode, approve, terms)
            self.run = run
            result = await run.run()
            self.plan = run.plan
            return result

        self.plan = None
        return self._process(work, fate)

    def rollback(
        self,
        of: str,
        fate: Fate = fine,
        *,
        max_delete: MaxDelete = _ALL,
        approve: Callable[[Sequence[Candidate]], Awaitable[Any]] = approve_all,
    ) -> Any:
        async def work(journal: Journal, client: DataFlowClient, clock: Clock, run_id: str) -> Any:
            run = Rollback(of, _equipment(journal, client, clock, _SETTINGS), max_delete, approve)
            self.run = run
            return await run.run()

        return self._process(work, fate)

    def _files(self) -> list[InventoryFile]:
        path = self.folder / "jobs.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            rows = [
                (name, "raw", f"in/{name}", "id:bigint, kind:string", f'kind EQ "{value}"', "clean", f"out/{name}")
                for name, value in self.values.items()
            ]
            csv.writer(file).writerows([HEADER, *rows])
        return [InventoryFile(path)]

    def _process(self, work: Callable[[Journal, DataFlowClient, Clock, str], Awaitable[T]], fate: Fate) -> T | None:
        """What a process returned; None if it was killed."""
        run_id = f"r{len(self.runs)}"
        self.runs.append(run_id)
        chance = random.Random(self.seed * 1009 + len(self.runs))
        self.begun = self._time
        loop = VirtualLoop(self._time)  # type: ignore[abstract]  # the engine asks for no files, sockets, signals
        writer = SimWriter(self._database, loop, chance, None, None, is_hasty=False)
        client = DataFlowClient(Credentials("a", "s", "tests"), "http://127.0.0.1:1")
        client._transport = Wire(self.console, loop, fate)  # type: ignore[assignment]  # one call in, one reply out
        clock = Clock(loop.time, lambda: int((_EPOCH + loop.time()) * 1000), asyncio.sleep, chance.uniform)

        async def process() -> T:
            journal = SimJournal(self._database).start_with(writer)
            journal.end_killed_runs()
            journal.begin_run(run_id, "https://world", "default", "2025-03", self.folder, clock.wall_ms())
            result = await work(journal, client, clock, run_id)
            await journal.close()
            return result

        try:
            result = loop.run(process())
        except Crashed:
            writer.crash()
            self._time = loop.time()
            return None
        self._time = loop.time() + self.rest
        self.console.advance(self._time)
        assert not loop.complaints, loop.complaints
        return result


def _equipment(journal: Journal, client: DataFlowClient, clock: Clock, settings: Settings) -> Equipment:
    def limiter(rate: float) -> VirtualLimiter:
        return VirtualLimiter(rate, clock)

    return Equipment(journal, client, settings, clock, Tally(), SilentLog(), limiter=limiter)


_SETTINGS = Settings(
    rate=1_000, concurrency=3, timeout=2.0, settle=SETTLE, max_attempts=20, patience=120.0, first_patience=60.0
)

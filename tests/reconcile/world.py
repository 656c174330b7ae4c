"""A service, an inventory and a journal in one process, for long stories: runs that are killed, replies that are lost.

The service is the sandbox's own operations without a network; the engine, its journal and its clock are real, the
clock a hundred times faster. A killed process is one whose durable state was kept at that moment, and nothing after.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import json
import random
import re
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

import msgspec

from bulkjobs.dataflow.client import DataFlowClient
from bulkjobs.dataflow.replies import Failure, FailureKind, Reply
from bulkjobs.dataflow.signature import Credentials
from bulkjobs.engine.changer import Leave
from bulkjobs.engine.clock import Clock
from bulkjobs.engine.journal import Journal
from bulkjobs.engine.plan import Plan, Terms
from bulkjobs.engine.reconcile import MaxDelete, Mode, Reconcile
from bulkjobs.engine.rollback import Rollback
from bulkjobs.engine.submit import Submit
from bulkjobs.engine.work import Tally
from bulkjobs.graph.expand import Expander
from bulkjobs.inventory.reader import InventoryFile
from bulkjobs.logs import SilentLog
from bulkjobs.reconciliation import approve_all
from bulkjobs.sandbox import SandboxOptions
from bulkjobs.sandbox.errors import Refusal
from bulkjobs.sandbox.jobs import Job, edited_job
from bulkjobs.sandbox.operations import Operations
from bulkjobs.sandbox.store import Store
from bulkjobs.settings import Settings
from tests.faults.scaled_time import ScaledLoop

from .stage import HEADER

FACTOR = 100
SETTLE = 4.0
T = TypeVar("T")


class Killed(Exception):
    """The process is gone."""


@dataclass
class Wire:
    """One process's way to the service. ``fate`` says what becomes of its n-th call (from 0).

    ``""`` nothing; ``lost`` the reply, ``late`` the reply and the effect is made a little later, ``unsent``,
    ``throttled``, ``broken`` (a 503 without effect); ``kill-before`` and ``kill-after`` the effect, ``kill-late``
    before one that is made a little later.
    """

    operations: Operations
    now: Callable[[], float]
    fate: Callable[[int], str]
    keep: Callable[[], None]
    calls: int = 0
    is_dead: bool = False

    def scrub(self, text: str) -> str:
        return text

    async def call(self, method: str, target: str, body: bytes | None = None, **_: Any) -> Reply | Failure:
        if self.is_dead:
            raise Killed
        fate = self.fate(self.calls)
        self.calls += 1
        await asyncio.sleep(0.01)
        match fate:
            case "kill-before":
                self._die()
            case "unsent":
                return Failure(FailureKind.CONNECT, False, "refused")
            case "throttled":
                return Reply(429, {}, b'{"error":{"errorCode":"410","message":"slow down"}}')
            case "broken":
                return Reply(503, {}, b"")
            case "kill-late":
                asyncio.get_running_loop().call_later(SETTLE / 2, self._do, method, target, body)
                self._die()
            case "late":
                asyncio.get_running_loop().call_later(SETTLE / 2, self._do, method, target, body)
                return Failure(FailureKind.TIMEOUT, True, "no answer")
        reply = self._do(method, target, body)
        if fate == "kill-after":
            self._die()
        await asyncio.sleep(0.01)
        if self.is_dead:
            raise Killed
        return Failure(FailureKind.DISCONNECTED, True, "lost") if fate == "lost" else reply

    def _die(self) -> None:
        if not self.is_dead:
            self.is_dead = True
            self.keep()
        raise Killed

    def _do(self, method: str, target: str, body: bytes | None) -> Reply:
        url = urlsplit(target)
        job_id = url.path.rpartition("/")[2]
        now = self.now()
        try:
            match method:
                case "POST":
                    status, answer = self.operations.create(body or b"", now)
                case "PUT":
                    status, answer = self.operations.update(job_id, body or b"", now)
                case "DELETE":
                    status, answer = self.operations.delete(job_id)
                case _ if url.path.endswith("/jobs"):
                    status, answer = self.operations.list(dict(parse_qsl(url.query)), now)
                case _:
                    status, answer = self.operations.get(job_id)
        except Refusal as refusal:
            status, answer = refusal.status, refusal.body
        return Reply(status, {}, answer)


def fine(_number: int) -> str:
    return ""


@dataclass
class World:
    """``values``: the inventory, a filter's value by name. ``runs``: the ids of the runs that were begun."""

    folder: Path
    seed: int = 0
    normalise: bool = True
    values: dict[str, str] = field(default_factory=dict)
    runs: list[str] = field(default_factory=list)
    plan: Plan | None = None

    def __post_init__(self) -> None:
        self.store = Store()
        options = SandboxOptions(normalise=self.normalise)
        self.operations = Operations(options, self.store)
        self.loop = ScaledLoop(FACTOR)
        self._begun = self.loop.time()

    def close(self) -> None:
        self.loop.close()

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
        self.operations.create(json.dumps({"name": name, "nodes": nodes}).encode(), self.now())

    def seen(self) -> dict[str, str]:
        """The value of every job of ours by name."""
        found = {}
        for name, job in self.jobs().items():
            match = re.search(rb'"value":"([^"]*)"', bytes(job.nodes))
            if match is not None:
                found[name] = match[1].decode()
        return found

    # Runs

    def now(self) -> float:
        return 1_764_000_000 + self.loop.time() - self._begun

    def submit(self, fate: Callable[[int], str] = fine) -> Any:
        async def work(journal: Journal, client: DataFlowClient, clock: Clock, run_id: str) -> Any:
            return await Submit(
                self._files(), Expander(), journal, client, _SETTINGS, clock, Tally(), SilentLog()
            ).run()

        return self._process(work, fate)

    def reconcile(self, fate: Callable[[int], str] = fine, *, includes_edited: bool = False) -> Any:
        mode = Mode(True, MaxDelete(percent=100), Leave(edited=includes_edited))

        def terms(namespace: str, prune: bool, files: Any) -> Terms:
            return Terms("world", "default", "2025-03", namespace, prune, files)

        async def work(journal: Journal, client: DataFlowClient, clock: Clock, run_id: str) -> Any:
            run = Reconcile(
                self._files(), Expander(), journal, client, _SETTINGS, clock, Tally(), SilentLog(), mode,
                approve_all, terms,
            )  # fmt: skip
            result = await run.run()
            self.plan = run.plan
            return result

        self.plan = None
        return self._process(work, fate)

    def rollback(self, of: str, fate: Callable[[int], str] = fine) -> Any:
        async def work(journal: Journal, client: DataFlowClient, clock: Clock, run_id: str) -> Any:
            return await Rollback(
                of, journal, client, _SETTINGS, clock, Tally(), SilentLog(), MaxDelete(percent=100), approve_all
            ).run()

        return self._process(work, fate)

    @property
    def _state(self) -> Path:
        return self.folder / "journal.db"

    def _files(self) -> list[InventoryFile]:
        path = self.folder / "jobs.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            rows = [
                (name, "raw", f"in/{name}", "id:bigint, kind:string", f'kind EQ "{value}"', "clean", f"out/{name}")
                for name, value in self.values.items()
            ]
            csv.writer(file).writerows([HEADER, *rows])
        return [InventoryFile(path)]

    def _process(
        self, work: Callable[[Journal, DataFlowClient, Clock, str], Awaitable[T]], fate: Callable[[int], str]
    ) -> T | None:
        """What a process returned; None if it was killed."""
        kept = self.folder / "kept.db"
        run_id = f"r{len(self.runs)}"
        self.runs.append(run_id)

        def keep() -> None:
            kept.unlink(missing_ok=True)
            source, copy = sqlite3.connect(self._state), sqlite3.connect(kept)
            with contextlib.closing(source), contextlib.closing(copy):
                source.backup(copy)

        wire = Wire(self.operations, self.now, fate, keep)
        client = DataFlowClient(Credentials("a", "s", "tests"), "http://127.0.0.1:1")
        client._transport = wire  # type: ignore[assignment]  # the seam: one call in, one reply out
        clock = Clock(self.loop.time, lambda: int(self.now() * 1000), asyncio.sleep, random.Random(self.seed).uniform)

        async def process() -> T | None:
            journal = Journal(self._state).start()
            try:
                journal.end_killed_runs()
                journal.begin_run(run_id, "https://world", "default", "2025-03", self.folder, clock.wall_ms())
                return await work(journal, client, clock, run_id)
            except Killed:
                return None
            finally:
                await journal.close()

        result = self.loop.run_until_complete(process())
        if not wire.is_dead:
            self.loop.run_until_complete(asyncio.sleep(SETTLE))  # what was late has come
        if wire.is_dead:
            for suffix in ("", "-wal", "-shm"):
                self._state.with_name(self._state.name + suffix).unlink(missing_ok=True)
            kept.rename(self._state)
            with contextlib.closing(sqlite3.connect(self._state)) as db:
                db.execute("PRAGMA journal_mode = WAL")
            return None
        return result


_SETTINGS = Settings(
    rate=1_000, concurrency=3, timeout=2.0, settle=SETTLE, max_attempts=20, patience=120.0, first_patience=60.0
)

"""A stage: a scene (``tests.faults``) in which the program is only ever run as a process, by one command."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults.agreement import Row
from tests.faults.canary import ENVIRONMENT
from tests.faults.scene import SUCCEEDED, Scene
from tests.faults.server import FaultServer
from tests.nursery import ROOT, Nursery, Process

NAMES = [f"job{number:02}" for number in range(20)]
LAG = 0.2
SETTLE = 0.5


@dataclass(frozen=True, slots=True)
class Ran:
    """How a process ended: its code (minus the signal, if one ended it) and what it said."""

    code: int
    out: str
    err: str

    @property
    def summary(self) -> dict[str, Any]:
        """What ``--json`` printed."""
        document: dict[str, Any] = json.loads(self.out)
        return document

    def said(self) -> str:
        """Standard error in one line, for words that may be wrapped."""
        return " ".join(self.err.split())


@dataclass
class Stage(Scene):
    """``names`` has 20 rows unless the test says otherwise."""

    settle: float = SETTLE

    @property
    def born_in(self) -> Nursery:
        """The nursery, where a test needs it."""
        assert self.nursery is not None
        return self.nursery

    def arguments(self) -> list[str]:
        """The command that is run, killed, and run again, without any run id."""
        return [
            "submit", str(self.inventory), "--endpoint", self.server.endpoint, "--state", str(self.state),
            "--report-dir", str(self.reports), "--rate", "500", "--settle", str(self.settle), "--log-level", "debug",
        ]  # fmt: skip

    async def start(self, *arguments: str, **environment: str) -> Process:
        self.runs += 1
        if self.nursery is not None:
            return await self.nursery.start([*self.arguments(), *arguments], environment_of(environment))
        return await asyncio.create_subprocess_exec(
            *program(*self.arguments(), *arguments),
            env=environment_of(environment),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def wrapped(self, wrapper: list[str]) -> Ran:
        """The command's arguments after ``wrapper``, which runs the program in its own way."""
        self.runs += 1
        process = await asyncio.create_subprocess_exec(
            *wrapper,
            *self.arguments(),
            env=environment_of(),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        return Ran(*await self.finish(process))

    async def ran(self, *arguments: str, **environment: str) -> Ran:
        """The command, run to its end."""
        return Ran(*await self.finish(await self.start(*arguments, **environment)))

    async def resumed(self) -> Ran:
        """The command once more, with nothing in its way: every row has its job, once, and every run its report."""
        before = len(self.server.requests)
        had = {name for name in self.names if self.server.truth.live(name)}
        ran = await self.ran("--json")
        assert ran.code == 0, ran
        rows = self.rows_of(ran.summary["run"])
        assert {row["outcome"] for row in rows.values()} <= SUCCEEDED
        for name in self.names:
            assert len(self.server.truth.live(name)) == len(self.server.truth.made_by_us(name)) == 1, name
        sent = {request.name for request in self.server.requests[before:] if request.operation == "create"}
        assert not sent & had, "a job that is there is not sent again"
        for run_id, folder, rows_kept in self.runs_kept():
            assert (folder / "summary.json").is_file(), f"run {run_id} has no report"
            lines = (folder / "results.csv").read_text(encoding="utf-8").splitlines()
            assert len(lines) == 1 + rows_kept, f"the report of {run_id} has every row that the run knew"
        return ran

    def rows_of(self, run_id: str) -> dict[str, Row]:
        """The rows of a run's report, once they agree with journal and truth."""
        return self.agreed(run_id)

    def runs_kept(self) -> list[tuple[str, Path, int]]:
        """The runs that the journal knows: id, folder of the report, rows."""
        with self.journal() as db:
            found = db.execute(
                "SELECT run_id, folder, (SELECT count(*) FROM rows WHERE rows.run = runs.id) FROM runs ORDER BY id"
            ).fetchall()
        return [(run_id, Path(folder), rows) for run_id, folder, rows in found]

    @contextlib.contextmanager
    def journal(self) -> Any:
        db = sqlite3.connect(f"{self.state.as_uri()}?mode=ro", uri=True)
        try:
            yield db
        finally:
            db.close()


def program(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "bulkjobs", *arguments]


def environment_of(more: dict[str, str] | None = None) -> dict[str, str]:
    """A child's whole environment: the canary's keys, none of the machine's settings, and no byte code written."""
    kept = {key: value for key, value in os.environ.items() if key in ("PATH", "HOME", "LANG", "TMPDIR")}
    return kept | ENVIRONMENT | {"PYTHONDONTWRITEBYTECODE": "1"} | (more or {})


def is_told(ran: Ran, *words: str) -> None:
    """It ended with exit code 9, and an error that says these words."""
    assert ran.code == 9, ran
    said = ran.said()
    for word in ("Error:", *words):
        assert word in said, said
    assert "Traceback" not in said


def bytes_of(folder: Path) -> dict[str, bytes]:
    """Everything that counts: the lock's text is for people, the index of the log is made anew."""
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if path.is_file() and not path.name.endswith((".lock", "-shm"))
    }


@asynccontextmanager
async def staged(folder: Path, nursery: Nursery | None = None) -> AsyncIterator[Stage]:
    """A stage that is searched for the canary when it ends: what the processes said is in its folder too."""
    async with FaultServer() as server:
        server.truth.lag = LAG
        stage = Stage(folder, server, NAMES, nursery=nursery)
        yield stage
        stage.has_no_leak()
        assert not server.defects, server.defects

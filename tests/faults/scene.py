"""A scene: one inventory, one journal, one fault server; runs of the program in it, each checked when it ends."""

from __future__ import annotations

import asyncio
import io
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bulkjobs.dataflow.contract import Contract
from bulkjobs.engine.clock import Clock
from bulkjobs.engine.submit import Submit
from bulkjobs.library import Places, Submitted, Target, submit
from bulkjobs.logs import make_log
from bulkjobs.settings import Settings
from tests.nursery import ROOT, Nursery, Process

from .agreement import Row, Wanted, agree
from .canary import ENVIRONMENT, leaks
from .server import FaultServer

QUICK = Settings(rate=500, concurrency=8, timeout=2.0, settle=0.1, max_attempts=4, patience=4.0, first_patience=1.0)
"""Small enough for a test; the real network is loopback, where a round trip takes a millisecond."""

SUCCEEDED = {"created", "adopted", "existing"}


def quick_clock(later_s: float = 0.0, monotonic: Callable[[], float] = time.monotonic) -> Clock:
    """Back-off with little jitter. ``later_s`` moves the wall clock, so that a run comes well after the one before."""
    return Clock(
        monotonic=monotonic,
        wall_ms=lambda: time.time_ns() // 1_000_000 + int(later_s * 1000),
        uniform=lambda low, high: low + (high - low) / 25,
    )


@dataclass(frozen=True, slots=True)
class Ended:
    """A run that has ended and agrees: its rows by name, its exit code, why it stopped, its summary."""

    rows: dict[str, Row]
    exit_code: int
    reason: str
    hint: str
    submitted: Submitted

    def outcomes(self) -> list[str]:
        return [row["outcome"] for row in self.rows.values()]

    def __getitem__(self, name: str) -> Row:
        return self.rows[name]


@dataclass
class Scene:
    """``nursery``: None makes every process from scratch."""

    folder: Path
    server: FaultServer
    names: Sequence[str] = ("alpha", "bravo", "charlie", "delta", "echo")
    host: str = "127.0.0.1"
    scheme: str = ""
    limit: float = 30.0
    runs: int = 0
    nursery: Nursery | None = None
    texts: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.inventory = self.folder / "inventory.csv"
        self.state = self.folder / "state" / "journal.db"
        self.reports = self.folder / "reports"
        self.server.on_create = self._must_have_an_intent
        self.write(self.names)

    def write(self, names: Sequence[str], extra: str = "") -> None:
        """Write the inventory: a row for each name, all of them sound. ``extra``: further lines."""
        self.names = names
        self.wanted = [Wanted(name, f"bucket-{i % 3}", f"in/{name}") for i, name in enumerate(names)]
        lines = ["name,bucket,prefix,fields,filter,target_bucket,target_prefix"]
        lines += [
            f'{want.name},{want.bucket},{want.prefix},"id:string,name:string","name EQ ""A""",target,out/{want.name}'
            for want in self.wanted
        ]
        self.inventory.write_text("\n".join(lines) + "\n" + extra, encoding="utf-8")

    def target(self) -> Target:
        endpoint = self.server.endpoint_of(self.host)
        if self.scheme:
            endpoint = self.scheme + endpoint[endpoint.index(":") :]
        return Target(endpoint, environment=ENVIRONMENT, contract=Contract())

    async def run(
        self,
        settings: Settings = QUICK,
        *,
        clock: Clock | None = None,
        on_start: Callable[[Submit, str], None] | None = None,
        check: bool = True,
        **changes: object,
    ) -> Ended:
        """``submit`` through the library, once, then the agreement of journal, report and truth."""
        self.runs += 1
        log, kind = io.StringIO(), "json" if self.runs % 2 else "console"
        try:
            submitted = await asyncio.wait_for(
                submit(
                    [self.inventory],
                    self.target(),
                    Places(self.state, self.reports, f"run{self.runs}"),
                    replace(settings, **changes),  # type: ignore[arg-type]  # each is what its setting takes
                    clock=clock or quick_clock(self.runs * 3),
                    log=make_log(log, kind, "debug", run=f"run{self.runs}"),
                    on_start=on_start,
                ),
                self.limit,
            )
        finally:
            self.texts[f"log {self.runs}"] = log.getvalue().encode()
        self.texts[f"result {self.runs}"] = repr(submitted).encode()
        return self._ended(submitted, check)

    def _ended(self, submitted: Submitted, check: bool) -> Ended:
        assert not self.server.defects, self.server.defects
        rows = agree(self.state, submitted.folder, self.server.truth, self.wanted) if check else {}
        stop = submitted.result.stop
        reason, hint = (stop.reason, stop.hint or "") if stop is not None else ("", "")
        return Ended(rows, int(submitted.result.exit_code), reason, hint, submitted)

    def agreed(self, run_id: str) -> dict[str, Row]:
        """The rows of a run that a process made, once they agree."""
        return agree(self.state, self.reports / run_id, self.server.truth, self.wanted)

    async def again(self, *, holds: bool = True) -> Ended:
        """A second run, with nothing going wrong: it makes nothing twice and ends as it should."""
        self.server.heal()
        had = {name for name in self.names if self.server.truth.live(name)}
        before = len(self.server.requests)
        ended = await self.run()
        sent = [r.name for r in self.server.requests[before:] if r.operation == "create"]
        assert not had & set(sent), "a job that is there is not sent again"
        assert len(sent) == len(set(sent)), "nothing is sent twice when nothing goes wrong"
        if holds:
            assert set(ended.outcomes()) <= SUCCEEDED, ended.rows
            assert ended.exit_code == 0
        return ended

    async def command(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        """``python -m bulkjobs submit`` as a process of its own: exit code, standard output, standard error."""
        process = await self.start(*arguments, **environment)
        return await self.finish(process)

    async def start(self, *arguments: str, **environment: str) -> Process:
        """The same, started."""
        self.runs += 1
        words = [
            "submit", str(self.inventory),
            "--endpoint", self.server.endpoint, "--state", str(self.state), "--report-dir", str(self.reports),
            "--run-id", f"run{self.runs}",
            "--rate", "500", "--settle", "0.1", "--log-level", "debug", *arguments,
        ]  # fmt: skip
        given = _environment() | ENVIRONMENT | environment
        if self.nursery is not None:
            return await self.nursery.start(words, given)
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bulkjobs",
            *words,
            env=given,
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def finish(self, process: Process) -> tuple[int, str, str]:
        """What a started process said, once it has ended."""
        try:
            out, err = await asyncio.wait_for(process.communicate(), 30)
        finally:
            if process.returncode is None:
                process.kill()
        self.texts |= {f"stdout {self.runs}": out, f"stderr {self.runs}": err}
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    def has_no_leak(self) -> None:
        """Neither keys nor signatures, anywhere in what the runs left behind."""
        assert self.runs
        found = leaks(self.texts, [self.folder], self.server.secrets)
        assert not found, found

    def _must_have_an_intent(self, name: str) -> None:
        """At the moment of a create: its intent is in the journal, and it is the only open one of that name."""
        db = sqlite3.connect(f"{self.state.as_uri()}?mode=ro", uri=True)
        try:
            (count,) = db.execute("SELECT count(*) FROM attempts WHERE name = ? AND closed = 0", (name,)).fetchone()
        finally:
            db.close()
        assert count == 1, f"{name}: {count} open intents when its create came"


def _environment() -> dict[str, str]:
    """What a child needs: no settings and no proxies of the machine's."""
    return {key: value for key, value in os.environ.items() if key in ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV")}

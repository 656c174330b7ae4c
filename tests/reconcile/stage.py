"""A folder with an inventory and a journal, a sandbox as a process of its own, and the program run over both."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.nursery import Child, shared

KEYS = {"NCLOUD_ACCESS_KEY_ID": "sandbox-access-key", "NCLOUD_SECRET_ACCESS_KEY": "sandbox-secret-key"}
HEADER = ("name", "bucket", "prefix", "fields", "filter", "target_bucket", "target_prefix")
SETTLE = 0.4
_TIMEOUT = 60


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def said(self) -> str:
        return " ".join(self.err.split())


def environment() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key in ("PATH", "HOME", "LANG", "TMPDIR")}
    return kept | KEYS


async def start(*words: str | Path, cwd: Path) -> Child:
    return await shared().start(words, environment(), cwd=cwd)


@dataclass
class Service:
    """A running sandbox, and the hands of a person in its console."""

    endpoint: str
    session: aiohttp.ClientSession

    async def jobs(self) -> dict[str, Any]:
        """Every live job by name. Two of one name are an error."""
        async with self.session.get(f"{self.endpoint}/control/jobs") as reply:
            jobs = await reply.json()
        found = {job["name"]: job for job in jobs}
        assert len(found) == len(jobs), "two jobs of one name"
        return found

    async def edit(self, name: str, **changes: Any) -> None:
        job = (await self.jobs())[name]
        async with self.session.post(f"{self.endpoint}/control/jobs/{job['jobId']}", json=changes) as reply:
            assert reply.status == 200, await reply.text()

    async def set_value(self, name: str, value: str) -> None:
        """Edit the filter's value by hand."""
        nodes = (await self.jobs())[name]["nodes"]
        (condition,) = next(n for n in nodes if n["type"] == "TRANSFORM_FILTER")["filterConditionList"]
        condition["value"] = value
        await self.edit(name, nodes=nodes)

    async def delete(self, name: str) -> None:
        job = (await self.jobs())[name]
        async with self.session.delete(f"{self.endpoint}/control/jobs/{job['jobId']}") as reply:
            assert reply.status == 200

    async def values(self) -> dict[str, str]:
        """The filter's value of every job."""
        return {
            name: node["filterConditionList"][0]["value"]
            for name, job in (await self.jobs()).items()
            for node in job["nodes"]
            if node["type"] == "TRANSFORM_FILTER"
        }


@dataclass
class Stage:
    folder: Path
    service: Service
    options: list[str] = field(default_factory=list)

    @property
    def inventory(self) -> Path:
        return self.folder / "jobs.csv"

    def write(self, values: dict[str, str], path: Path | None = None) -> Path:
        """An inventory with one row a name, each with a filter on this value."""
        rows = [
            (name, "raw", f"in/{name}", "id:bigint, kind:string", f'kind EQ "{value}"', "clean", f"out/{name}")
            for name, value in values.items()
        ]
        return self.write_rows(rows, path)

    def write_rows(self, rows: Sequence[Sequence[str]], path: Path | None = None) -> Path:
        path = path or self.inventory
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([HEADER, *rows])
        return path

    def words(self, command: str, *words: str | Path) -> list[str | Path]:
        own = [str(word) for word in words]
        where = [] if command == "rollback" or any(word.endswith(".csv") for word in own) else [self.inventory]
        return [
            command, *where, *words, "--endpoint", self.service.endpoint, "--rate", "300",
            "--settle", str(SETTLE), "--log-level", "warning", *self.options,
        ]  # fmt: skip

    async def start(self, command: str, *words: str | Path) -> Child:
        return await start(*self.words(command, *words), cwd=self.folder)

    async def run(self, command: str, *words: str | Path) -> Ran:
        process = await self.start(command, *words)
        out, err = await asyncio.wait_for(process.communicate(), _TIMEOUT)
        assert process.returncode is not None
        assert "Traceback" not in err.decode(), err.decode()
        return Ran(process.returncode, out.decode(), err.decode())

    async def plan(self, *words: str | Path) -> dict[str, Any]:
        ran = await self.run("plan", "--json", *words)
        assert ran.code == 0, ran
        document: dict[str, Any] = ran.json
        return document

    async def reconciled(self, *words: str | Path) -> dict[str, Any]:
        """An undisturbed reconcile; its summary."""
        ran = await self.run("reconcile", "--yes", "--json", *words)
        assert ran.code == 0, ran
        summary: dict[str, Any] = ran.json
        return summary


def actions(plan: dict[str, Any]) -> dict[str, str]:
    return {row["name"]: row["action"] for row in plan["rows"]}


def counts(summary: dict[str, Any]) -> dict[str, int]:
    return {outcome: count for outcome, count in summary["counts"].items() if count}


@asynccontextmanager
async def serving(folder: Path, *words: str) -> AsyncIterator[Service]:
    """``bulkjobs sandbox`` as a process of its own."""
    process = await start("sandbox", "--control", *words, cwd=folder)
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), _TIMEOUT)
    endpoint = line.decode().split()[-1]
    try:
        async with aiohttp.ClientSession() as session:
            yield Service(endpoint, session)
    finally:
        process.send_signal(signal.SIGTERM)
        await process.communicate()

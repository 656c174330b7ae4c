"""Whole runs of ``submit`` in-process against a real sandbox: fast, with everything real but the account."""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bulkjobs.dataflow.contract import Contract
from bulkjobs.library import Places, Submitted, Target, submit
from bulkjobs.sandbox import Sandbox, SandboxOptions
from bulkjobs.settings import Settings

COLUMNS = ["name", "bucket", "prefix", "fields", "filter", "data_type", "target_bucket", "target_prefix"]


def row(name: str, **cells: str) -> dict[str, str]:
    usual = {"bucket": "raw", "prefix": f"in/{name}", "fields": "id:string", "target_bucket": "out"}
    return {"name": name, "target_prefix": f"out/{name}", **usual, **cells}


def rows(count: int, **cells: str) -> list[dict[str, str]]:
    return [row(f"job_{number:04d}", **cells) for number in range(count)]


@dataclass
class World:
    """A sandbox and a folder. ``run`` submits rows; reports and journal are kept from run to run."""

    sandbox: Sandbox
    folder: Path

    def write(self, rows: Sequence[dict[str, str]], name: str = "jobs.csv") -> Path:
        path = self.folder / name
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
        return path

    async def run(
        self,
        rows: Sequence[dict[str, str]],
        *,
        state: str = "journal.db",
        contract: Contract | None = None,
        run_id: str | None = None,
        **settings: Any,
    ) -> Submitted:
        keys = {"NCLOUD_ACCESS_KEY": self.sandbox.access_key, "NCLOUD_SECRET_KEY": self.sandbox.secret_key}
        target = Target(self.sandbox.endpoint, contract=contract or Contract(), environment=keys)
        places = Places(self.folder / state, self.folder / "reports", run_id)
        chosen = Settings(**{"rate": 1_000.0, "settle": 0.2, "timeout": 2.0, **settings})
        return await submit([self.write(rows)], target, places, chosen)

    def names(self) -> list[str]:
        return sorted(job.name for job in self.sandbox.jobs())


def outcomes(submitted: Submitted) -> dict[str, str]:
    """The outcome of every row, by name, from the report."""
    with (submitted.folder / "results.csv").open(encoding="utf-8", newline="") as file:
        return {row["name"]: row["outcome"] for row in csv.DictReader(file)}


Begin = Callable[..., Any]


@pytest.fixture
async def begin(tmp_path: Path) -> AsyncIterator[Begin]:
    """Starts a sandbox with the given options and returns its World."""
    async with AsyncExitStack() as stack:

        async def begun(**options: Any) -> World:
            return World(await stack.enter_async_context(Sandbox(SandboxOptions(**options))), tmp_path)

        yield begun

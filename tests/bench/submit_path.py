"""Issue 5, "Engine": a full run against a bare aiohttp loop that posts the same bodies to the same minimal server."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

import aiohttp
import jinja2  # noqa: F401  # what imports cost is in the table of the start

from bulkjobs import library
from bulkjobs.cli.collector import collect_rarely
from bulkjobs.dataflow.contract import Contract
from bulkjobs.engine.records import Outcome
from bulkjobs.graph.expand import Expander
from bulkjobs.graph.validation import sendable_rows
from bulkjobs.inventory.reader import InventoryFile
from bulkjobs.settings import Settings

from .child import Turn, turn
from .figures import Cell, Table, median, median_ratio
from .inventories import write_csv
from .minimal import minimal_server

TURNS = 5
CONCURRENCY = 100
KEYS = {"NCLOUD_ACCESS_KEY_ID": "a-key-of-benchmarks", "NCLOUD_SECRET_ACCESS_KEY": "a-secret-of-benchmarks"}


def bare(path: str, endpoint: str) -> dict[str, float]:
    """Post the bodies, which were made before the clock starts; read each reply and look at nothing."""
    contract = Contract()
    rows = sendable_rows([InventoryFile(Path(path))], Expander())
    bodies = [contract.create_body(row.job.name, row.job.nodes) for row in rows]
    return asyncio.run(_post(bodies, f"{endpoint}/api/v1/jobs"))


async def _post(bodies: list[bytes], url: str) -> dict[str, float]:
    slots = asyncio.Semaphore(CONCURRENCY)
    headers = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def post(body: bytes) -> None:
            try:
                async with session.post(url, data=body, headers=headers) as response:
                    await response.read()
                    assert response.status == 200
            finally:
                slots.release()

        cpu, begun = time.process_time(), time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for body in bodies:
                await slots.acquire()
                group.create_task(post(body))
        return {"cpu": time.process_time() - cpu, "seconds": time.perf_counter() - begun}


def full_run(
    path: str, endpoint: str, folder: str, rate: float = 100_000, concurrency: int = CONCURRENCY
) -> dict[str, float]:
    """``bulkjobs submit``: check, plan, send, and the report. The window that a run waits at its start is left out."""
    place = Path(folder)
    collect_rarely()  # as the command does
    cpu, begun = time.process_time(), time.perf_counter()
    submitted = asyncio.run(
        library.submit(
            [Path(path)],
            library.Target(endpoint=endpoint, environment=KEYS),
            library.Places(place / "journal.db", place),
            Settings(rate=rate, concurrency=concurrency),
        )
    )
    counts = submitted.summary["counts"]
    assert isinstance(counts, dict)
    return {
        "cpu": time.process_time() - cpu,
        "seconds": time.perf_counter() - begun,
        "created": counts[Outcome.CREATED.value],
    }


def run(rows: int | None, full: bool) -> Table:
    count = rows or (100_000 if full else 20_000)
    turns: dict[str, list[Turn]] = {"bare aiohttp loop": [], "bulkjobs, whole run": []}
    sending: list[float] = []
    with tempfile.TemporaryDirectory() as folder, minimal_server() as server:
        path = str(write_csv(Path(folder) / "rows.csv", count))
        for number in range(TURNS):
            turns["bare aiohttp loop"].append(turn(bare, path=path, endpoint=server.endpoint))
            assert len(server.arrivals()) == count
            own = Path(folder) / str(number)
            own.mkdir()
            done = turn(full_run, path=path, endpoint=server.endpoint, folder=str(own))
            assert done.result["created"] == count
            turns["bulkjobs, whole run"].append(done)
            arrivals = server.arrivals()
            sending.append((len(arrivals) - 1) / (arrivals[-1] - arrivals[0]))
    base = [one.result["cpu"] for one in turns["bare aiohttp loop"]]
    speed = {
        "bare aiohttp loop": median([count / one.result["seconds"] for one in turns["bare aiohttp loop"]]),
        "bulkjobs, whole run": median(sending),
    }
    found: list[list[Cell]] = []
    for what, several in turns.items():
        cpu = [one.result["cpu"] for one in several]
        found.append(
            [
                what,
                median(cpu) / count * 1e6,
                min(cpu) / count * 1e6,
                median_ratio(cpu, base),
                speed[what],
                max(one.peak for one in several) / 1e6,
            ]
        )
    return Table(
        f"submit path: {count:,} rows, {CONCURRENCY} in flight, no limit, {TURNS} turns",
        ("", "µs of CPU a row", "best", "× bare", "sends/s", "peak MB"),
        found,
        (
            "aims: at most 1.5 × bare, better 1.35. CPU is the client process's, all threads.",
            "Whole run: read, check, expand, intent synced, sign, send, classify, outcome synced, report.",
        ),
    )

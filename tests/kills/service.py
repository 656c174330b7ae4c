"""``bulkjobs sandbox`` as a process of its own, and what its data file says of the jobs it made."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.nursery import Nursery
from tests.waiting import until

from .stage import environment_of

KEYS = {"NCLOUD_ACCESS_KEY_ID": "sandbox-access-key", "NCLOUD_SECRET_ACCESS_KEY": "sandbox-secret-key"}


@dataclass(frozen=True, slots=True)
class Service:
    endpoint: str
    data: Path

    def jobs(self) -> Counter[str]:
        """How many live jobs of each name were ever made, visible or not."""
        lines = self.data.read_bytes().split(b"\n")[1:-1]  # the last one is empty, or not yet whole
        return Counter(json.loads(line)["put"]["name"] for line in lines)

    async def has_made(self, jobs: int) -> None:
        """Returns as soon as so many jobs were made."""
        await until(lambda: self.jobs().total() >= jobs, longest_s=600)


@asynccontextmanager
async def service(nursery: Nursery, data: Path, *options: str) -> AsyncIterator[Service]:
    process = await nursery.start(
        ["sandbox", "--data", str(data), *options], environment_of(), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        assert process.stdout is not None
        first = (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
        found = re.search(r"http://127\.0\.0\.1:\d+", first)
        assert found is not None, first
        yield Service(found[0], data)
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 30)

"""The embedded service in a process of its own, that tells what reached it: one JSON document for each line asked."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bulkjobs.sandbox import Sandbox, SandboxOptions

from .child import ROOT

_LATENCY = 0.1
"""Seconds that a reply takes: of requests that are answered at once, a kill finds none on its way."""


@dataclass(frozen=True, slots=True)
class Seen:
    """``made``: live jobs; ``names``: how many different ones; ``refused``: requests that were answered with 429."""

    made: int
    names: int
    refused: int


class Service:
    """A running service, as its parent sees it. ``keys`` are the environment that a client needs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.endpoint, access, secret = self._read()
        self.keys = {"NCLOUD_ACCESS_KEY_ID": access, "NCLOUD_SECRET_ACCESS_KEY": secret}

    def seen(self) -> Seen:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return Seen(*self._read())

    def _read(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


@contextmanager
def service(rate: float) -> Iterator[Service]:
    words = [sys.executable, "-m", "tests.bench.sandbox", str(rate)]
    with subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Service(process)
        finally:
            process.kill()


async def _serve(rate: float) -> None:
    loop = asyncio.get_running_loop()
    async with Sandbox(SandboxOptions(rate=rate, latency=_LATENCY)) as sandbox:
        print(json.dumps([sandbox.endpoint, sandbox.access_key, sandbox.secret_key]), flush=True)

        def tell() -> None:
            jobs = sandbox.jobs()
            seen = [len(jobs), len({job.name for job in jobs}), sandbox.traffic.replies[429]]
            print(json.dumps(seen), flush=True)

        def listen() -> None:
            for _ in sys.stdin:
                loop.call_soon_threadsafe(tell)

        threading.Thread(target=listen, daemon=True).start()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1])))

"""A server that costs next to nothing: it reads a request, counts it, and answers what a client can go on with.

A raw asyncio protocol in a process of its own, some 20 µs a request: on its own core it is never the bottleneck of a
client that takes a hundred. createJob gets a jobId, getJobs an empty list. Lines on standard input ask for what was
seen: each gets one JSON document.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .child import ROOT

_LIST = b'{"count":0,"page":0,"limit":1000,"list":[]}'
_CREATED = b'{"jobId":"%d","status":"RUNNABLE","updatedDate":"2026-11-24T09:00:00.000Z"}'


class _Protocol(asyncio.Protocol):
    def __init__(self, creates: array[float]) -> None:
        self._creates = creates
        self._held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._held:
            data = self._held + data
        head = data.find(b"\r\n\r\n")
        if head < 0:
            self._held = data
            return
        body = _LIST
        if data.startswith(b"POST"):
            at = data.find(b"Content-Length: ", 0, head) + 16
            if len(data) < head + 4 + int(data[at : data.find(b"\r", at)]):
                self._held = data
                return
            self._creates.append(time.monotonic())
            body = _CREATED % len(self._creates)
        self._held = b""
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        )


class Minimal:
    """A running server, as its parent sees it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.endpoint = f"http://127.0.0.1:{self.ask()}"

    def ask(self) -> Any:
        """The next document."""
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def arrivals(self) -> list[float]:
        """When each create since the last call arrived, in seconds of the monotonic clock."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        times: list[float] = self.ask()
        return times


@contextmanager
def minimal_server() -> Iterator[Minimal]:
    words = [sys.executable, "-m", "tests.bench.minimal"]
    with subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Minimal(process)
        finally:
            process.kill()


async def _serve() -> None:
    creates = array("d")
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Protocol(creates), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)

    def tell() -> None:
        print(json.dumps(creates.tolist()), flush=True)
        del creates[:]

    def listen() -> None:
        for _ in sys.stdin:
            loop.call_soon_threadsafe(tell)

    threading.Thread(target=listen, daemon=True).start()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())

"""A Data Flow on a raw socket that can do what no well-behaved library would: the fault server.

It makes jobs (createJob, getJobs, getJob), keeps its own truth of them, checks at every create that a durable intent
is in the journal, and collects the keys and signatures that it sees. What goes wrong is a script of rules: the first
rule that fits a request, and is not used up, answers it. Without a rule the answer is an ordinary one.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Self

from .truth import Job, Truth
from .wire import Request, read_body, read_head, reply, reset


@dataclass(slots=True)
class Exchange:
    """One request with the means to answer it, well or badly. ``served``: requests before it on its connection."""

    server: FaultServer
    request: Request
    writer: asyncio.StreamWriter
    served: int
    keep: bool = False

    def commit(self) -> Job:
        """Make the job that the request asks for."""
        document = self.request.document
        return self.server.truth.make(document["name"], document["nodes"], ours=True)

    async def send(self, raw: bytes) -> None:
        self.writer.write(raw)
        await self.writer.drain()

    async def answer(self, status: int, body: object = None, **headers: str) -> None:
        """A well-made reply, after which the connection is kept."""
        await self.send(self.server.reply(status, body, **headers))
        self.keep = True

    async def ordinary(self) -> None:
        """What the service does when nothing is wrong."""
        status, body = self.server.ordinary(self)
        await self.answer(status, body)

    def reset(self) -> None:
        reset(self.writer)

    async def silence(self) -> None:
        """Say nothing until the client gives up, or the server ends."""
        await self.server.until_closed(self.writer)


Fault = Callable[[Exchange], Awaitable[None]]


@dataclass(slots=True)
class Rule:
    """``fault`` answers requests of ``operation`` (``any``: all), of ``name`` if given, after ``skip`` of them,
    ``times`` in number (None: all)."""

    operation: str
    fault: Fault
    name: str | None
    skip: int
    times: int | None
    used: int = 0

    def takes(self, request: Request) -> bool:
        if self.operation not in ("any", request.operation) or self.name not in (None, request.name):
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.times is not None and self.used >= self.times:
            return False
        self.used += 1
        return True


@dataclass
class FaultServer:
    """An async context manager. ``tls``: a server-side context, else plain http.

    ``clock``: seconds for list lag, ``page_cap``: items a page at most, ``partial_names``: ``name=`` finds names
    that contain it, ``unique``: a create of a live name is refused (else it makes a second job), ``clock_off``:
    seconds by which its ``Date`` differs from this machine's clock. ``on_create`` is called before each create.
    ``resets_on_accept``: so many connections are reset at once; ``cuts``: so many creates are reset between their
    head and their body.
    """

    tls: ssl.SSLContext | None = None
    clock: Callable[[], float] = time.monotonic
    page_cap: int = 1000
    partial_names: bool = True
    unique: bool = False
    clock_off: float = 0.0
    on_create: Callable[[str], None] = lambda _name: None
    rules: list[Rule] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set)
    connections: int = 0
    resets_on_accept: int = 0
    cuts: int = 0
    defects: list[BaseException] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.truth = Truth(self.clock)
        self._writers: set[asyncio.StreamWriter] = set()
        self._opened: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    @property
    def endpoint(self) -> str:
        return self.endpoint_of("127.0.0.1")

    def endpoint_of(self, host: str) -> str:
        """The endpoint under another name of this machine."""
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen; on the same port as before after a ``stop``."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]

    def shut(self) -> None:
        """Refuse connections from now on."""
        assert self._server is not None
        self._server.close()

    async def stop(self) -> None:
        """Close the door and every connection."""
        self.shut()
        for writer in list(self._writers):
            reset(writer)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*map(self.until_closed, self._opened), return_exceptions=True)
        self._opened.clear()
        await asyncio.sleep(0)  # a transport that was aborted closes its socket in the loop's next round

    async def stop_others(self, exchange: Exchange) -> None:
        """Refuse connections, and close all but this one."""
        self.shut()
        for writer in self._writers - {exchange.writer}:
            reset(writer)

    # The script

    def on(
        self, operation: str, fault: Fault, *, name: str | None = None, skip: int = 0, times: int | None = 1
    ) -> Rule:
        """Add a rule; see Rule. Returns it: ``used`` tells whether it ever took part."""
        rule = Rule(operation, fault, name, skip, times)
        self.rules.append(rule)
        return rule

    def heal(self) -> None:
        """From now on everything is ordinary."""
        self.rules.clear()
        self.resets_on_accept = self.cuts = 0
        self.truth.lag = 0.0

    def later(self, seconds: float, do: Callable[[], object]) -> None:
        asyncio.get_running_loop().call_later(seconds, do)

    def creates(self, name: str | None = None) -> int:
        """Creates that came whole, of this name if given."""
        return sum(r.operation == "create" and name in (None, r.name) for r in self.requests)

    def count(self, operation: str) -> int:
        return sum(r.operation == operation for r in self.requests)

    def reply(self, status: int, body: object = None, **headers: str) -> bytes:
        return reply(status, body, clock_off=self.clock_off, now=time.time(), **headers)

    async def until_closed(self, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    # The service

    def ordinary(self, exchange: Exchange) -> tuple[int, Any]:
        request = exchange.request
        match request.operation:
            case "create":
                if self.unique and request.name is not None and self.truth.live(request.name):
                    return 400, {"detail": "A job of this name already exists.", "errorType": "bad-state"}
                return 201, exchange.commit().whole()
            case "list" | "lookup":
                return 200, self.page(request)
            case "get":
                job = self.truth.jobs.get(request.job_id)
                if job is None:  # reading by id does not lag: only lists do
                    return 400, {"detail": "no such job", "errorType": "bad-parameter"}
                return 200, job.whole()
            case _:
                return 404, {"error": {"errorCode": "300", "message": "Not Found Exception"}}

    def page(self, request: Request) -> dict[str, Any]:
        jobs = list(self.truth.visible())
        if request.name is not None:
            jobs = [
                job for job in jobs if (request.name in job.name if self.partial_names else request.name == job.name)
            ]
        limit = min(int(request.query["limit"]), self.page_cap)
        first = int(request.query["page"]) * limit
        shown = [job.item() for job in jobs[first : first + limit]]
        return {"list": shown, "count": len(shown), "page": int(request.query["page"]), "limit": limit}

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        self._opened.append(writer)
        try:
            if self.resets_on_accept > 0:
                self.resets_on_accept -= 1
                reset(writer)
                return
            await self._serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client has gone, or the server is being stopped
        except Exception as error:  # a mistake of the test's own: the scenario must fail, not the client cope
            self.defects.append(error)
        finally:
            self._writers.discard(writer)
            self._tasks.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served = 0
        while True:
            head = await read_head(reader)
            if head.startswith("POST") and self.cuts > 0:
                self.cuts -= 1
                reset(writer)
                return
            request = await read_body(reader, head)
            self._note(request)
            exchange = Exchange(self, request, writer, served)
            rule = next((rule for rule in self.rules if rule.takes(request)), None)
            await (rule.fault(exchange) if rule is not None else exchange.ordinary())
            if not exchange.keep:
                return
            served += 1

    def _note(self, request: Request) -> None:
        self.requests.append(request)
        self.secrets.add(request.headers["x-ncp-apigw-signature-v2"])
        self.secrets.add(request.headers["x-ncp-iam-access-key"])
        if request.operation == "create":
            assert request.name is not None
            self.on_create(request.name)

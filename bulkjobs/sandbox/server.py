"""The embedded service on 127.0.0.1: gateway in front (throttle, URL, signature), operations behind.

The gateway looks at things in this order, the cheapest first as a gateway does: rate, URL, signature, size of
the body. Every reply carries trace headers and a ``Date`` by the sandbox's clock. No request is logged; what is
no HTTP at all is answered, and logged, by aiohttp.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from types import TracebackType
from typing import Self

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from bulkjobs.sandbox.auth import authenticate
from bulkjobs.sandbox.control import add_control
from bulkjobs.sandbox.datafile import DataFile
from bulkjobs.sandbox.errors import Refusal, bad_parameter, no_such_url, throttled, too_large, undefined
from bulkjobs.sandbox.jobs import Job
from bulkjobs.sandbox.operations import Answer, Operations
from bulkjobs.sandbox.options import SandboxOptions
from bulkjobs.sandbox.store import Store
from bulkjobs.sandbox.throttle import Throttle
from bulkjobs.sandbox.traffic import Traffic

_LARGEST_BODY = 1 << 20
_SHUTDOWN_S = 0.2
"""How long replies that are still waiting (``latency``) may take before they are cut off."""

_Operation = Callable[[web.Request, float], Awaitable[Answer]]


class Sandbox:
    """An async context manager; the service answers between enter and exit, in the caller's event loop.

    ``clock`` gives seconds since the epoch, and is the only clock: signatures, dates, the rate and the lag of
    lists go by it. ``admits`` stands for the options' ``rate`` where the limit is to be of another kind: it is asked
    with that time whether a request may pass. A Sandbox can be entered once. Entering raises OSError if the port or
    the data file is taken.
    """

    def __init__(
        self,
        options: SandboxOptions | None = None,
        *,
        clock: Callable[[], float] = time.time,
        admits: Callable[[float], bool] | None = None,
    ) -> None:
        self.access_key = "sandbox-access-key"
        self.secret_key = "sandbox-secret-key"  # noqa: S105  # guards nothing but a toy on loopback
        self.traffic = Traffic()
        self._options = options if options is not None else SandboxOptions()
        self._clock = clock
        self._admits = admits if admits is not None else Throttle(self._options.rate).admits
        self._trace, self._replies = secrets.token_hex(8), 0
        self._date, self._date_second = "", -1
        self._store: Store | None = None
        self._runner: web.AppRunner | None = None

    @property
    def endpoint(self) -> str:
        """``http://127.0.0.1:PORT``. Raises RuntimeError before the sandbox was entered."""
        if self._runner is None:
            raise RuntimeError("the sandbox has no endpoint yet: enter it with `async with`")
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    def jobs(self) -> list[Job]:
        """Every live job in the order they were made, also those that lists do not show yet."""
        return self._store.all() if self._store is not None else []

    async def __aenter__(self) -> Self:
        if self._store is not None:
            raise RuntimeError("a sandbox can be entered once: make another one")
        file = DataFile(self._options.data) if self._options.data is not None else None
        try:
            self._store = Store(list_lag=self._options.list_lag, file=file)
            runner = web.AppRunner(
                self._app(Operations(self._options, self._store)),
                access_log=None,
                shutdown_timeout=_SHUTDOWN_S,
                # Compressed bodies are not documented: such bytes are no JSON, and no bomb is unpacked.
                auto_decompress=False,
            )
            await runner.setup()
            try:
                await web.TCPSite(runner, "127.0.0.1", self._options.port, backlog=1024).start()
            except BaseException:
                await runner.cleanup()
                raise
        except BaseException:
            if file is not None:
                file.close()
            raise
        self._runner = runner
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        if self._store is not None:
            self._store.close()

    def _app(self, operations: Operations) -> web.Application:
        async def create(request: web.Request, now: float) -> Answer:
            return operations.create(await _body(request), now)

        async def verify(request: web.Request, now: float) -> Answer:
            return operations.verify(await _body(request))

        async def update(request: web.Request, now: float) -> Answer:
            return operations.update(request.match_info["jobId"], await _body(request), now)

        async def get(request: web.Request, now: float) -> Answer:
            return operations.get(request.match_info["jobId"])

        async def delete(request: web.Request, now: float) -> Answer:
            return operations.delete(request.match_info["jobId"])

        async def list_(request: web.Request, now: float) -> Answer:
            return operations.list(request.query, now)

        update_method = "PUT" if self._options.api == "2025-03" else "PATCH"
        job = "/api/v1/jobs/{jobId}"
        app = web.Application(client_max_size=_LARGEST_BODY, middlewares=[self._unknown_url()])
        app.router.add_post("/api/v1/jobs", self._gate("createJob", create))
        app.router.add_get("/api/v1/jobs", self._gate("getJobs", list_), allow_head=False)
        app.router.add_post("/api/v1/jobs/verify", self._gate("verifyJob", verify))
        app.router.add_get(job, self._gate("getJob", get), allow_head=False)
        app.router.add_route(update_method, job, self._gate("updateJob", update))
        app.router.add_delete(job, self._gate("deleteJob", delete))
        if self._options.control and self._store is not None:
            add_control(app, self._store, self._clock)
        return app

    def _gate(self, name: str, operation: _Operation) -> Callable[[web.Request], Awaitable[web.Response]]:
        """A route's handler: the gateway's checks, then ``operation``, then the reply."""

        async def answer(request: web.Request) -> web.Response:
            now = self._arrive(name)
            try:
                if not self._admits(now):
                    raise throttled()
                authenticate(
                    request.method,
                    request.raw_path,
                    request.headers,
                    access_key=self.access_key,
                    secret_key=self.secret_key,
                    now=now,
                )
                status, body = await operation(request, now)
            except Refusal as refusal:
                status, body = refusal.status, refusal.body
            except web.HTTPRequestEntityTooLarge:
                status, body = too_large().status, too_large().body
            except OSError:  # the data file is full or gone; the job was not made
                status, body = undefined().status, undefined().body
            return await self._reply(status, body, now)

        return answer

    def _unknown_url(self) -> Middleware:
        @web.middleware
        async def refuse(request: web.Request, handler: Handler) -> web.StreamResponse:
            # 405 too: to the gateway, a method it has no route for is a URL it does not know.
            if request.match_info.http_exception is None:
                return await handler(request)
            now = self._arrive("unknown")
            refusal = no_such_url() if self._admits(now) else throttled()
            return await self._reply(refusal.status, refusal.body, now)

        return refuse

    def _arrive(self, operation: str) -> float:
        now = self._clock()
        self.traffic.requests[operation] += 1
        if operation == "createJob":
            self.traffic.create_times.append(now)
        return now

    async def _reply(self, status: int, body: bytes, now: float) -> web.Response:
        self.traffic.replies[status] += 1
        self._replies += 1
        trace = f"{self._trace}{self._replies:016x}"
        if self._date_second != int(now):
            self._date, self._date_second = formatdate(int(now), usegmt=True), int(now)
        headers = {
            "Content-Type": "application/json;charset=UTF-8",
            "Date": self._date,
            "x-ncp-trace-id": trace,
            "x-ncp-apigw-request-id": trace,
        }
        if self._options.latency:
            await asyncio.sleep(self._options.latency)
        return web.Response(status=status, body=body, headers=headers)


async def _body(request: web.Request) -> bytes:
    """The body of a request that says it is JSON. No Content-Type says nothing, so it is refused like a wrong one."""
    if (request.content_length or 0) > _LARGEST_BODY:
        raise too_large()
    body = await request.read()
    if request.content_type != "application/json":
        raise bad_parameter("Content-Type: must be application/json")
    return body

"""A client that answers as a test says, and a limiter that needs no real time. Fakes at the two ports."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from bulkjobs.dataflow.client import CallFailed, DataFlowClient, Job
from bulkjobs.dataflow.listing import ListedJob, Page
from bulkjobs.dataflow.replies import Answer, Cause, Verdict
from bulkjobs.engine.journal.journal import Journal
from bulkjobs.engine.journal.statements import Kind
from bulkjobs.engine.journal.writer import Writer
from bulkjobs.engine.pacing import AdaptiveLimiter
from bulkjobs.engine.rate_control import RateControl

CREATED = Answer(Verdict.CREATED, 201, job_id="new", job_status="RUNNABLE")
THROTTLED = Answer(Verdict.THROTTLED, 429, "410", "slow down", slow_down=True)
RETRY_AFTER = Answer(Verdict.THROTTLED, 429, "410", "slow down", slow_down=True, retry_after=40.0)
UNAVAILABLE = Answer(Verdict.UNKNOWN, 503, None, "HTTP 503")
SILENT = Answer(Verdict.UNKNOWN, None, "timeout", "no answer")
NOT_SENT = Answer(Verdict.NOT_SENT, None, "connect", "refused")
REJECTED = Answer(Verdict.REJECTED, 400, "bad-parameter", "no such bucket")
KEYS = Answer(Verdict.HALTED, 401, "200", "who are you", cause=Cause.CREDENTIALS)


RATE = 100.0
"""Sends a second that the tests permit."""


def steady(control: RateControl) -> AdaptiveLimiter:
    """The real limiter over steps of virtual time: aiolimiter's own clock is another."""
    return AdaptiveLimiter(lambda: control.rate, _Steady)


class _Steady:
    """1/rate seconds between two sends."""

    max_rate = 1.0

    def __init__(self, rate: float) -> None:
        self._gap = 1 / rate
        self._next = 0.0

    async def acquire(self, amount: float = 1) -> None:
        now = asyncio.get_running_loop().time()
        self._next = max(now, self._next) + amount * self._gap
        await asyncio.sleep(max(0.0, self._next - self._gap - now))


class ScriptedClient(DataFlowClient):
    """Each call takes ``latency`` seconds. What it replies comes from the three functions; all calls are noted."""

    def __init__(
        self,
        create: Callable[[str, int], Answer] = lambda name, attempt: CREATED,
        pages: Callable[[int, str | None], Sequence[ListedJob] | Answer] = lambda page, name: [],
        job: Callable[[str], Job | Answer | None] = lambda job_id: None,
        *,
        page_size: int = 1_000,
        latency: float = 0.1,
    ) -> None:
        self._create, self._pages, self._job = create, pages, job
        self._page_size, self._latency = page_size, latency
        self.creates: list[tuple[float, str]] = []
        self.lists: list[tuple[float, int, str | None]] = []
        self.gets: list[str] = []
        self.most_in_flight = self._in_flight = 0

    async def create_job(self, name: str, nodes: bytes) -> Answer:
        self.creates.append((asyncio.get_running_loop().time(), name))
        attempt = sum(sent == name for _, sent in self.creates)
        self._in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self._in_flight)
        await asyncio.sleep(self._latency)
        self._in_flight -= 1
        return self._create(name, attempt)

    async def list_page(self, page: int, name: str | None = None, seen_before: int = 0, limit: int = 1_000) -> Page:
        self.lists.append((asyncio.get_running_loop().time(), page, name))
        await asyncio.sleep(self._latency)
        jobs = self._pages(page, name)
        if isinstance(jobs, Answer):
            raise CallFailed("getJobs", jobs)
        return Page(tuple(jobs), len(jobs), len(jobs) < self._page_size)

    async def get_job(self, job_id: str) -> Job | None:
        self.gets.append(job_id)
        await asyncio.sleep(self._latency)
        job = self._job(job_id)
        if isinstance(job, Answer):
            raise CallFailed("getJob", job)
        return job

    def sends_of(self, name: str) -> list[float]:
        """When a name was sent."""
        return [at for at, sent in self.creates if sent == name]


class NotedWriter(Writer):
    """Commits whatever has come in, ten milliseconds later."""

    def __init__(self) -> None:
        self.on_disk: list[tuple[Kind, tuple[object, ...]]] = []
        self.coming: list[tuple[Kind, tuple[object, ...]]] = []

    def put(self, kind: Kind, parameters: tuple[object, ...]) -> None:
        self.coming.append((kind, parameters))

    def put_all(self, kind: Kind, batch: list[tuple[object, ...]]) -> None:
        self.coming += [(kind, parameters) for parameters in batch]

    def durable(self) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        loop.call_later(0.01, self._commit, len(self.coming), future)
        return future

    def _commit(self, count: object, future: object = None) -> None:
        assert isinstance(count, int)
        assert isinstance(future, asyncio.Future)
        self.on_disk = self.coming[: max(count, len(self.on_disk))]
        if not future.done():
            future.set_result(None)


class NotedJournal(Journal):
    """A journal without a file: what was put, and what of it was on disk when."""

    def __init__(self) -> None:
        self.scope = self.run = 1
        self._next_attempt = 1
        self._writer: NotedWriter = NotedWriter()

    @property
    def writer(self) -> NotedWriter:
        return self._writer

    def open_attempts(self) -> dict[int, str]:
        """Ids and names of the attempts that are open."""
        found: dict[int, str] = {}
        for kind, parameters in self._writer.coming:
            if kind is Kind.INTENT:
                assert str(parameters[4]) not in found.values(), "two open attempts of one name"
                found[int(str(parameters[0]))] = str(parameters[4])
            elif kind is Kind.MADE:
                found.pop(int(str(parameters[6])))
            elif kind is Kind.WITHDRAWN or kind is Kind.CLOSED or (kind is Kind.ENDED and parameters[6]):
                found.pop(int(str(parameters[-1])), None)  # or it was an earlier run's
        return found

    def outcomes(self) -> dict[int, str]:
        """The outcome of each row; a second one is an error."""
        found: dict[int, str] = {}
        for kind, parameters in self._writer.coming:
            if kind is Kind.FINISHED or kind is Kind.MADE:
                seq = int(str(parameters[-1 if kind is Kind.FINISHED else 2]))
                assert seq not in found, "two outcomes of one row"
                found[seq] = str(parameters[0]) if kind is Kind.FINISHED else "created"
        return found

    def orphans(self) -> dict[str, str]:
        """The outcome of each orphan."""
        return {str(p[1]): str(p[2]) for kind, p in self._writer.coming if kind is Kind.ORPHAN}

"""Paced, patient reads: the one place that repeats a read. Lists to their end, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Self, TypeVar

from bulkjobs.dataflow.client import CallFailed, DataFlowClient, Job
from bulkjobs.dataflow.listing import ListedJob, Page
from bulkjobs.dataflow.replies import Answer, Cause, Verdict
from bulkjobs.engine.backoff import full_jitter
from bulkjobs.engine.clock import Clock
from bulkjobs.engine.health import Health
from bulkjobs.engine.pacing import AdaptiveLimiter, Limiter, window_limiter
from bulkjobs.engine.rate_control import RateControl
from bulkjobs.engine.work import NOTICED_S, Tally
from bulkjobs.logs import Log
from bulkjobs.settings import Settings

T = TypeVar("T")


class Unreadable(Exception):
    """A list that cannot be read to its end, or a read that is refused: it proves nothing."""


class Fatal(Exception):
    """The service will not answer this run: credentials, permission, endpoint, quota, certificate, silence, or
    refusals for the rate and nothing else."""

    def __init__(self, cause: Cause | None, answer: Answer) -> None:
        super().__init__(answer.message)
        self.cause = cause
        self.answer = answer


class Reader:
    """``patience``: seconds that a read is repeated when the service does not answer; then Fatal. ``health`` has that
    for a service that answers everything with a refusal for the rate.

    ``first_patience``: the same, as long as the service was never reached at all.
    """

    def __init__(
        self,
        client: DataFlowClient,
        limiter: AdaptiveLimiter,
        control: RateControl,
        health: Health,
        clock: Clock,
        tally: Tally,
        log: Log,
        patience: float,
        first_patience: float,
    ) -> None:
        self._client = client
        self._limiter = limiter
        self._turn = asyncio.Lock()  # one waiter at a time: the limiter's waiters overtake each other
        self._control = control
        self._health = health
        self._clock = clock
        self._tally = tally
        self._log = log
        self._patience = patience
        self._first_patience = first_patience
        self._reached = False

    @classmethod
    def under(
        cls,
        settings: Settings,
        client: DataFlowClient,
        control: RateControl,
        clock: Clock,
        tally: Tally,
        log: Log,
        limiter: Callable[[float], Limiter] = window_limiter,
        health: Health | None = None,
    ) -> Self:
        """With the patience of ``settings`` and a limiter that follows ``control``."""
        return cls(
            client,
            AdaptiveLimiter(lambda: control.rate, limiter),
            control,
            health or Health(settings.patience),
            clock,
            tally,
            log,
            settings.patience,
            min(settings.patience, settings.first_patience),
        )

    async def permission(self) -> float:
        """Wait for the turn of a write; the time at which it may leave. One waiter at a time, reads among them."""
        return await self._acquire()

    async def get_job(self, job_id: str) -> Job | None:
        return await self._patiently("getJob", lambda: self._client.get_job(job_id))

    async def live_jobs(self, name: str) -> tuple[list[ListedJob], bool]:
        """The live jobs of exactly this name, and whether a DELETED one of it was there. Raises Unreadable."""
        live, deleted = [], False
        async for page in self.pages(name):
            for job in page.jobs:
                if job.name == name:  # whether the service matches exactly or in part is not documented
                    if job.is_live:
                        live.append(job)
                    else:
                        deleted = True
        return list({job.job_id: job for job in live}.values()), deleted

    async def pages(self, name: str | None = None) -> AsyncIterator[Page]:
        """All pages, in order. Raises Unreadable when the service repeats a page instead of going on."""
        number = seen = 0
        previous: tuple[ListedJob, ...] = ()
        while True:
            page = await self._page(number, name, seen)
            if number and page.size and page.jobs == previous:  # also of pages on which no job has a name
                raise Unreadable(f"getJobs repeats page {number - 1} as page {number}")
            yield page
            if page.is_last:
                return
            previous = page.jobs
            seen += page.size
            number += 1

    async def _page(self, number: int, name: str | None, seen: int) -> Page:
        return await self._patiently("getJobs", lambda: self._client.list_page(number, name, seen))

    async def probe(self) -> bool:
        """One cheap read, once: does the service answer?"""
        sent_at = await self._acquire()
        self._tally.reads += 1
        try:
            await self._client.list_page(0, limit=1)
        except CallFailed as error:
            self._control.answered(error.answer, sent_at, self._clock.monotonic())
            if error.answer.cause is not None:
                raise Fatal(error.answer.cause, error.answer) from None
            self._tally.throttles += error.answer.slow_down
            return error.answer.verdict in (Verdict.THROTTLED, Verdict.REJECTED)
        return True

    async def _patiently(self, what: str, call: Callable[[], Awaitable[T]]) -> T:
        failures = 0
        failing_since: float | None = None
        while True:
            sent_at = await self._acquire()
            self._tally.reads += 1
            try:
                result = await call()
            except CallFailed as error:
                answer = error.answer
            else:
                self._reached = True
                self._control.accepted(sent_at, self._clock.monotonic())
                self._health.served()
                return result
            now = self._clock.monotonic()
            self._control.answered(answer, sent_at, now)
            if answer.http_status not in (None, 404):  # a 404 that is not the service's own: some other server
                self._reached = True
            if answer.cause is not None:
                raise Fatal(answer.cause, answer)
            if answer.verdict is Verdict.REJECTED:
                self._health.served()
                raise Unreadable(answer.message)
            if answer.slow_down:
                self._tally.throttles += 1
                if self._health.throttled(now):
                    raise Fatal(None, answer)
                continue
            failures += 1
            failing_since = now if failing_since is None else failing_since
            if now - failing_since > (self._patience if self._reached else self._first_patience):
                raise Fatal(None if self._reached else Cause.ENDPOINT, answer)
            delay = full_jitter(failures, self._clock.uniform)
            self._log.warning("read.retry", call=what, error=answer.message, failures=failures, wait_s=round(delay, 1))
            await self._clock.sleep(delay)

    async def _acquire(self) -> float:
        async with self._turn:
            at = await permission(self._control, self._limiter, self._clock, self._tally)
            self._tally.rate = self._control.rate
            return at


async def permission(control: RateControl, limiter: AdaptiveLimiter, clock: Clock, tally: Tally | None = None) -> float:
    """Wait until a send may leave; the time at which it does. The one way to a send, for creates and reads alike.

    ``tally`` is told of a pause that people notice.
    """
    while True:
        while (wait := control.until - clock.monotonic()) > 0:
            if tally is not None and wait >= NOTICED_S:
                tally.rate, tally.paused_until = control.rate, control.until
            await clock.sleep(wait)
        await limiter.acquire()
        now = clock.monotonic()
        if control.until <= now:  # a throttle that came meanwhile holds this one back, too
            control.sent(now)
            return now

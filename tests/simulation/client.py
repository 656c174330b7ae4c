"""Stands in for ``DataFlowClient``: the same calls, answered by the model and spoilt by the schedule's faults.

Answers are what ``dataflow.replies.judge`` makes of the documented replies, so classifier and model cannot drift
apart.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

from msgspec.structs import replace

from bulkjobs.dataflow.client import CallFailed, Job
from bulkjobs.dataflow.contract import Contract
from bulkjobs.dataflow.listing import PAGE_LIMIT, ListedJob, Page
from bulkjobs.dataflow.replies import Answer, Failure, FailureKind, Reply, Verdict, judge

from .inventory import decoded
from .schedule import CreateFault, Fate, Outage, ReadFate, ReadFault, Schedule
from .service import Request, Service, TrueJob
from .watch import Watch


def _refusal(status: int, code: str, message: str) -> Answer:
    body = f'{{"error":{{"errorCode":"{code}","message":"{message}","details":"-"}}}}'
    return judge(Reply(status, {}, body.encode()))


_ANSWERS = {
    "silent": judge(Failure(FailureKind.TIMEOUT, True, "no answer in time")),
    "refused": judge(Failure(FailureKind.CONNECT, False, "connection refused")),
    "certificate": judge(Failure(FailureKind.CERTIFICATE, False, "certificate verify failed")),
    "error": judge(Reply(503, {}, b"<html>Service Unavailable</html>")),
    "error-late": judge(Reply(502, {}, b"<html>Bad Gateway</html>")),
    "no-id": judge(Reply(201, {}, b"{}")),
    "conflict": judge(Reply(409, {}, b"{}")),
    "timeout": judge(Reply(408, {}, b"{}")),
    "throttled": _refusal(429, "410", "Throttle Limited"),
    "odd-throttle": judge(Reply(429, {}, b"slow down")),
    "rejected": _refusal(400, "bad-parameter", "no such bucket"),
    "rejected-name": _refusal(400, "bad-parameter", "the name may be taken already"),
    "taken": _refusal(400, "bad-state", "name exists already"),
    "taken-vaguely": _refusal(400, "bad-parameter", "invalid request"),
    "revoked": _refusal(401, "200", "Authentication Failed"),
    "quota": _refusal(429, "400", "Quota Exceeded"),
}


def _answer(kind: str, retry_after: float | None = None) -> Answer:
    answer = _ANSWERS[kind]
    return replace(answer, retry_after=retry_after) if answer.slow_down else answer


_SAID = {
    Fate.LOST: "silent",
    Fate.REPLY_LOST: "silent",
    Fate.LATE: "silent",
    Fate.ERROR: "error",
    Fate.ERROR_MADE: "error",
    Fate.ERROR_LATE: "error-late",
    Fate.NO_ID: "no-id",
    Fate.NO_ID_LATE: "no-id",
    Fate.NO_ID_LOST: "no-id",
    Fate.AMBIGUOUS: "conflict",
    Fate.AMBIGUOUS_MADE: "timeout",
    Fate.NOT_SENT: "refused",
    Fate.CERTIFICATE: "certificate",
    Fate.THROTTLED: "throttled",
    Fate.THROTTLED_ODDLY: "odd-throttle",
    Fate.REJECTED: "rejected",
    Fate.REJECTED_NAME: "rejected-name",
    Fate.REVOKED: "revoked",
    Fate.QUOTA: "quota",
}
_MADE = frozenset({Fate.REPLY_LOST, Fate.ERROR_MADE, Fate.NO_ID, Fate.AMBIGUOUS_MADE, Fate.THROTTLED_ODDLY})
_MADE_LATE = frozenset({Fate.LATE, Fate.ERROR_LATE, Fate.NO_ID_LATE})
_READ_SAID = {
    ReadFate.SILENT: "silent",
    ReadFate.ERROR: "error",
    ReadFate.THROTTLED: "throttled",
    ReadFate.NOT_SENT: "refused",
    ReadFate.REFUSED: "rejected",
    ReadFate.REVOKED: "revoked",
}
_OUTAGE_DELAY = {"refused": 0.01, "silent": 30.0, "error": 0.1, "lists": 0.1, "throttled": 0.1}


class Faults:
    """Those of a schedule, taken in order over all runs; ``is_calm`` ends them all."""

    def __init__(self, schedule: Schedule) -> None:
        self._creates = {fault.index: fault for fault in schedule.creates}
        self._reads = {fault.index: fault for fault in schedule.reads}
        self._outages = schedule.outages
        self._times = {outage: outage.begin for outage in schedule.outages if not outage.after}
        self._create = self._read = -1
        self.is_calm = False

    def of_create(self, now: float) -> CreateFault | None:
        self._create += 1
        for outage in self._outages:
            if outage.after == self._create + 1 and not self.is_calm:
                self._times[outage] = now + outage.begin
        return None if self.is_calm else self._creates.get(self._create)

    def of_read(self) -> ReadFault | None:
        self._read += 1
        return None if self.is_calm else self._reads.get(self._read)

    def outage(self, now: float) -> Outage | None:
        return next((o for o, begin in self._times.items() if begin <= now < begin + o.length), None)

    @property
    def over(self) -> float:
        """When the last of the outages that were begun is over."""
        return max((begin + outage.length for outage, begin in self._times.items()), default=0.0)


class SimClient:
    """One run's client. ``now`` is the loop's time; ``on_create`` is called as each createJob leaves."""

    def __init__(
        self,
        schedule: Schedule,
        service: Service,
        faults: Faults,
        watch: Watch,
        run: int,
        now: Callable[[], float],
        on_create: Callable[[], None],
    ) -> None:
        self.contract = Contract()
        self._schedule = schedule
        self._service = service
        self._faults = faults
        self._watch = watch
        self._run = run
        self._now = now
        self._on_create = on_create
        self._random = Random(schedule.seed * 31 + run)
        self._last: tuple[str | None, Page] = "", Page((), 0, True)

    async def create_job(self, name: str, nodes: bytes) -> Answer:
        now = self._now()
        request = Request(self._run, name, nodes)
        post = self._watch.posted(request, now)
        self._on_create()
        fault = self._faults.of_create(now)
        outage = self._faults.outage(now)
        if outage is not None and outage.kind != "lists":
            if outage.kind != "throttled":
                self._watch.unanswered(outage, now)
            answer = await self._create_in(outage, request, now)
        elif fault is not None:
            answer = await self._create_badly(fault, request, now)
        else:
            answer = await self._create_well(request, now)
        self._watch.answered(post, answer, self._now())
        return answer

    async def _create_well(self, request: Request, now: float) -> Answer:
        way = self._way()
        self._service.submit(request, now + way)
        await asyncio.sleep(way + self._way())
        self._service.advance(self._now())
        if request.job is not None:
            job = request.job
            return Answer(Verdict.CREATED, 201, job_id=job.job_id, job_status="RUNNABLE", updated_date=_date(job))
        assert request.is_refused
        return _answer("taken" if self._schedule.plainly else "taken-vaguely")

    async def _create_badly(self, fault: CreateFault, request: Request, now: float) -> Answer:
        if fault.fate in _MADE:
            self._service.submit(request, now + self._random.uniform(0, fault.delay))
        elif fault.fate in _MADE_LATE:
            self._service.submit(request, now + fault.delay + fault.late)
        self._watch.note(now, f"the createJob {fault.fate.value}")
        await asyncio.sleep(fault.delay)
        return _answer(_SAID[fault.fate], fault.retry_after)

    async def _create_in(self, outage: Outage, request: Request, now: float) -> Answer:
        delay = _OUTAGE_DELAY[outage.kind]
        if outage.kind not in ("refused", "throttled") and self._random.random() < 0.3:
            self._service.submit(request, now + self._random.uniform(0, delay + self._schedule.late))
        await asyncio.sleep(delay)
        return _answer(outage.kind)

    async def list_page(
        self, page: int, name: str | None = None, seen_before: int = 0, limit: int = PAGE_LIMIT
    ) -> Page:
        began = self._now()
        spoilt = await self._spoilt("getJobs")
        if spoilt is ReadFate.REPEATED and page and self._last[0] == name:
            return self._last[1]
        await asyncio.sleep(self._way())
        size = min(limit, self._schedule.page)
        items = self._service.listed(self._now(), name)[page * size : (page + 1) * size]
        found = Page(tuple(_listed(job, self._now()) for job in items), len(items), len(items) < size)
        if spoilt is not None:
            self._service.shift(items, self._now(), drops=spoilt is ReadFate.DROPS)
        await asyncio.sleep(self._way())
        if limit == PAGE_LIMIT:  # a probe looks at nothing
            self._watch.listed(name, page, began, found.is_last)
            self._last = name, found
        return found

    async def get_job(self, job_id: str) -> Job | None:
        await self._spoilt("getJob")
        await asyncio.sleep(2 * self._way())
        job = self._service.job(job_id, self._now())
        if job is None:
            return None
        return Job(job.job_id, job.name, _status(job, self._now()), _date(job), decoded(job.nodes))

    async def _spoilt(self, call: str) -> ReadFate | None:
        """Raises CallFailed if this read fails, else says what is odd about its page."""
        now = self._now()
        self._watch.read(now)
        outage, fault = self._faults.outage(now), self._faults.of_read()
        if outage is not None:
            await asyncio.sleep(_OUTAGE_DELAY[outage.kind])
            raise CallFailed(call, _answer("rejected" if outage.kind == "lists" else outage.kind))
        if fault is None:
            return None
        self._watch.note(now, f"the {call} {fault.fate.value}")
        if fault.fate not in _READ_SAID:
            return fault.fate
        await asyncio.sleep(fault.delay)
        raise CallFailed(call, _answer(_READ_SAID[fault.fate], fault.retry_after))

    def _way(self) -> float:
        return self._schedule.latency * self._random.uniform(0.2, 0.5)


def _listed(job: TrueJob, now: float) -> ListedJob:
    return ListedJob(job.job_id, job.name, _status(job, now), _date(job))


def _status(job: TrueJob, now: float) -> str:
    return "RUNNABLE" if job.is_live(now) else "DELETED"


def _date(job: TrueJob) -> str:
    return f"2026-01-01T00:00:{job.job_id}"

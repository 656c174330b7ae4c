"""A model of Data Flow with its own truth: jobs, when each was made, became visible, and was deleted.

Pure but for its state: the time comes in with every call and never runs backwards. What was asked for earlier and
takes effect later (a late commit, what strangers do) happens when the time has come, whether or not the process
that asked still lives.

Not modelled: a list that still shows a deleted job as live; replies that lie; jobs that change by themselves.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from random import Random

from .schedule import OTHERS, Deed, Event, Schedule


@dataclass(slots=True, eq=False)
class TrueJob:
    """``run``: which run's request made it, -1 for strangers. ``due``: when it should be visible at the latest."""

    job_id: str
    name: str
    nodes: bytes
    run: int
    made_at: float
    visible_at: float
    deleted_at: float = inf
    gone_at: float = inf

    def is_live(self, now: float) -> bool:
        return self.made_at <= now < self.deleted_at

    def lived_since(self, begin: float) -> bool:
        return self.deleted_at > begin


@dataclass(slots=True, eq=False)
class Request:
    """A createJob on the server: what has become of it so far. ``due``: when it is carried out, inf if never."""

    run: int
    name: str
    nodes: bytes
    job: TrueJob | None = None
    is_refused: bool = False
    due: float = inf

    @property
    def visible_at(self) -> float:
        """When its effect shows in a list, at the latest."""
        return self.job.visible_at if self.job is not None else self.due


class Service:
    """``on_made`` is told of every job as it is made, before the next thing happens."""

    def __init__(self, schedule: Schedule, foreign: Callable[[str, bool], bytes]) -> None:
        self._schedule = schedule
        self._foreign = foreign
        self._random = Random(schedule.seed ^ 0x5EED)
        self._pending: list[tuple[float, int, Request | Event]] = []
        self._numbers = 0
        self.jobs: list[TrueJob] = []
        self.on_made: Callable[[TrueJob], None] = lambda job: None
        for number in range(schedule.crowd):
            self._make(OTHERS[number % len(OTHERS)], foreign(OTHERS[0], False), -1, 0.0, 0.0)
        for event in schedule.events:
            self._push(event.at, event)

    def submit(self, request: Request, at: float) -> None:
        """Carry the request out at ``at``."""
        request.due = at
        self._push(at, request)

    def cut(self, run: int, now: float) -> None:
        """The process that asked is gone: what is under way ends within ``late``, or never arrived."""
        self.advance(now)
        kept: list[tuple[float, int, Request | Event]] = []
        for at, number, item in self._pending:
            if isinstance(item, Request) and item.run == run and at > now:
                if self._random.random() < 0.3:
                    item.due = inf
                    continue
                item.due = min(at, now + self._schedule.late)
                kept.append((item.due, number, item))
            else:
                kept.append((at, number, item))
        heapq.heapify(kept)
        self._pending = kept

    def is_pending(self, name: str, run: int) -> bool:
        return any(isinstance(i, Request) and i.name == name and i.run == run for _, _, i in self._pending)

    def advance(self, now: float) -> None:
        """Let happen what was due up to ``now``."""
        while self._pending and self._pending[0][0] <= now:
            at, _, item = heapq.heappop(self._pending)
            if isinstance(item, Request):
                self._carry_out(item, at)
            else:
                self._do(item, at)

    def listed(self, now: float, name: str | None) -> Sequence[TrueJob]:
        """What getJobs has to show, in its order, DELETED jobs among them."""
        self.advance(now)
        part = self._schedule.part
        found = [
            job
            for job in self.jobs
            if job.visible_at <= now < job.gone_at and (name is None or job.name == name or (part and name in job.name))
        ]
        return found[::-1] if self._schedule.newest_first else found

    def job(self, job_id: str, now: float) -> TrueJob | None:
        """What getJob has to show."""
        self.advance(now)
        return next((job for job in self.jobs if job.job_id == job_id and job.made_at <= now < job.gone_at), None)

    def named(self, name: str) -> list[TrueJob]:
        """Every job that ever had this name."""
        return [job for job in self.jobs if job.name == name]

    def _push(self, at: float, item: Request | Event) -> None:
        self._numbers += 1
        heapq.heappush(self._pending, (at, self._numbers, item))

    def _carry_out(self, request: Request, at: float) -> None:
        if self._schedule.refuses and any(
            job.name == request.name
            and (job.is_live(at) or job.deleted_at <= at < job.deleted_at + self._reserved(job))
            for job in self.jobs
        ):
            request.is_refused = True
            return
        request.job = self._make(request.name, request.nodes, request.run, at, self._schedule.lag)

    def _reserved(self, job: TrueJob) -> float:
        return self._schedule.reserved if job.gone_at > job.deleted_at else 0.0

    def _make(self, name: str, nodes: bytes, run: int, at: float, lag: float) -> TrueJob:
        visible = at + (lag if self._random.random() < 0.5 else self._random.uniform(0, lag))
        job = TrueJob(f"j{len(self.jobs) + 1}", name, nodes, run, at, visible)
        self.jobs.append(job)
        self.on_made(job)
        return job

    def _do(self, event: Event, at: float) -> None:
        match event.deed:
            case Deed.TAKES_NAME | Deed.TAKES_NAME_ALIKE | Deed.ADDS:
                nodes = self._foreign(event.name, event.deed is Deed.TAKES_NAME_ALIKE)
                self._make(event.name, nodes, -1, at, 0.0)
            case Deed.REMOVES_ALL:
                self._delete(self.jobs, at, leaves_trace=False)
            case Deed.DELETES | Deed.REMOVES | Deed.DROPS:
                self._delete(self.named(event.name), at, leaves_trace=event.deed is Deed.DELETES)

    def shift(self, page: Sequence[TrueJob], now: float, *, drops: bool) -> None:
        """Somebody changes the list while it is paged: a job of ``page`` that nobody asks for goes, or one comes."""
        if drops:
            self._delete([job for job in page if job.name in OTHERS][:1], now, leaves_trace=False)
        else:
            self._make(OTHERS[0], self._foreign(OTHERS[0], False), -1, now, 0.0)

    @staticmethod
    def _delete(jobs: Sequence[TrueJob], at: float, *, leaves_trace: bool) -> None:
        for job in jobs:
            if job.is_live(at) and job.visible_at <= at:
                job.deleted_at = at
                job.gone_at = inf if leaves_trace else at

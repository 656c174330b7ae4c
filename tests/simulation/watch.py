"""Watches a schedule as it is played and judges it: every invariant that is checked stands here.

It sees what the service sees (each request, as it leaves), what is durable in the journal, and what each run
reports; it knows the truth from the model. It never looks into the engine.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import ceil, inf

from bulkjobs.dataflow.replies import Answer, Cause, Verdict
from bulkjobs.engine.health import THRESHOLD
from bulkjobs.engine.records import Outcome, RowRecord
from bulkjobs.graph.spec import fingerprint

from .inventory import foreign, spec_of
from .schedule import Outage, Schedule
from .service import Request, Service, TrueJob

_EPSILON = 1e-6


class Broken(StrEnum):
    """Which promise was broken."""

    DUPLICATE = "a name has two jobs of ours"
    OVERRUN = "a job was made although a stranger's of that name was there before the run"
    NO_INTENT = "a request left without a durable intent"
    TOO_SOON = "a request left while an earlier one of that name was not settled and looked up"
    AGAIN = "a name that was accepted without a jobId was sent again in the same run"
    STOPPED = "a request left after the run was told to stop"
    STORM = "a run went on sending while the service did not answer"
    RATE = "more requests than permitted in a sliding window"
    UNTRUE = "a row's outcome is not the truth"
    LOST = "a row has no job although nothing disturbed the last run"
    JOURNAL = "journal and report do not hold every row exactly once"
    NOT_IDLE = "a run with nothing to do sent something"
    HANGS = "a run does not end"
    DEFECT = "a run failed with a mistake of its own"


_CONSEQUENCES = frozenset({Broken.DUPLICATE, Broken.UNTRUE, Broken.LOST, Broken.NOT_IDLE})
"""What may follow, beyond the promise, for a name whose job became visible after settle. Nothing else may."""


@dataclass(frozen=True, slots=True)
class Violation:
    broken: Broken
    name: str | None
    text: str


@dataclass(slots=True, eq=False)
class Post:
    """A createJob as it left. ``since``: from when settle counts if its end is not known for certain."""

    request: Request
    began: float
    ended: float | None = None
    verdict: Verdict | None = None
    cause: Cause | None = None
    since: float = inf

    @property
    def may_count(self) -> bool:
        """Whether it may have reached the service: what ``attempts`` in the report counts."""
        return self.verdict not in (Verdict.THROTTLED, Verdict.NOT_SENT) and self.cause is not Cause.QUOTA


class Watch:
    """``trace`` collects what happens as text, if it is a list."""

    def __init__(
        self, schedule: Schedule, service: Service, database: sqlite3.Connection, trace: list[str] | None
    ) -> None:
        self._schedule = schedule
        self._service = service
        self._database = database
        self.trace = trace
        self.violations: list[Violation] = []
        self.posts: list[Post] = []
        self._open: dict[str, list[Post]] = {}
        self._begun: list[float] = []
        self._stopped = inf
        self._accepted: set[str] = set()
        self._into_outage: Counter[Outage] = Counter()
        self._sends: list[float] = []
        self._reads: list[float] = []
        self._paging: dict[str | None, float] = {}
        self._looked: dict[str, float] = {}
        self._passes: list[float] = []
        service.on_made = self._made

    def note(self, now: float, text: str) -> None:
        if self.trace is not None:
            self.trace.append(f"{now:9.3f}  {text}")

    def broke(self, broken: Broken, name: str | None, now: float, text: str) -> None:
        self.violations.append(Violation(broken, name, text))
        self.note(now, f"!! {broken.value}: {name or ''} {text}")

    # A process begins and ends

    def begins(self, now: float, is_elsewhere: bool) -> None:
        """After a crash the end of what was on its way is not known: settle counts from here."""
        self._begun.append(now)
        self._stopped = inf
        self._accepted.clear()
        self._into_outage.clear()
        self._reads.clear()
        self._paging.clear()
        if is_elsewhere:  # nothing is known here, and settle has passed
            self._open.clear()
            self._sends.clear()
        for posts in self._open.values():
            for post in posts:
                if post.since == inf:
                    post.since = now

    def stopped(self, now: float) -> None:
        """The run was told to stop."""
        self._stopped = now

    def crashed(self, run: int, now: float) -> None:
        """Requests on their way have no end that anybody knows."""
        for post in self.posts:
            if post.request.run == run and post.ended is None:
                post.ended = now

    # Requests, as they leave

    def posted(self, request: Request, now: float) -> Post:
        name, run = request.name, request.run
        self.note(now, f"createJob {name}")
        intents = self._database.execute(
            "SELECT digest FROM attempts WHERE name = ? AND closed = 0", (name,)
        ).fetchall()
        if intents != [(fingerprint(request.nodes),)]:
            self.broke(Broken.NO_INTENT, name, now, f"run {run}: {len(intents)} intents")
        for earlier in self._open.pop(name, ()):
            if not self._is_settled(name, earlier.since + self._schedule.settle - _EPSILON):
                self.broke(Broken.TOO_SOON, name, now, f"run {run}, after the attempt at {earlier.began:.3f}")
        if name in self._accepted:
            self.broke(Broken.AGAIN, name, now, f"run {run}")
        if now > self._stopped:
            self.broke(Broken.STOPPED, name, now, f"run {run}, told at {self._stopped:.3f}")
        self._paced(self._sends, now)
        post = Post(request, now)
        self.posts.append(post)
        self._open[name] = [post]
        return post

    def answered(self, post: Post, answer: Answer, now: float) -> None:
        post.ended, post.verdict, post.cause = now, answer.verdict, answer.cause
        said = answer.job_id or answer.code or answer.http_status or answer.message
        self.note(now, f"  {post.request.name}: {answer.verdict.value} ({said})")
        if answer.accepted:
            self._accepted.add(post.request.name)
        if answer.verdict is Verdict.UNKNOWN:
            post.since = now
        else:
            self._open[post.request.name].remove(post)

    def unanswered(self, outage: Outage, now: float) -> None:
        """A createJob left into an outage: it takes a few to tell that it is one."""
        self._into_outage[outage] += 1
        at_once = min(self._schedule.concurrency, len(self._schedule.rows))
        # Each answer to a request from before the outage starts the count of failures anew.
        if self._into_outage[outage] == THRESHOLD * (1 + at_once) + at_once + 2:
            self.broke(Broken.STORM, None, now, f"{self._into_outage[outage]} in an outage ({outage.kind})")

    def read(self, now: float) -> None:
        self._paced(self._reads, now)

    def listed(self, name: str | None, page: int, began: float, is_last: bool) -> None:
        """A page was delivered; a lookup is as old as the request for its first page."""
        if page == 0:
            self._paging[name] = began
        if is_last and name in self._paging:
            begin = self._paging.pop(name)
            if name is None:
                self._passes.append(begin)
            else:
                self._looked[name] = begin

    def _is_settled(self, name: str, since: float) -> bool:
        return self._looked.get(name, -1.0) >= since or sum(begin >= since for begin in self._passes) > 1

    def _paced(self, times: list[float], now: float) -> None:
        rate = self._schedule.rate
        if rate is None:  # found by the run itself
            return
        times.append(now)
        allowed = ceil(rate)
        span = now - times[-1 - allowed] if len(times) > allowed else inf
        if span < allowed / rate - _EPSILON:
            self.broke(Broken.RATE, None, now, f"{allowed + 1} in {span:.3f} s at {rate}/s")

    # Jobs, as they are made

    def _made(self, job: TrueJob) -> None:
        at = job.made_at
        self.note(at, f"  * {job.job_id} {job.name} is made{'' if job.run >= 0 else ' by somebody else'}")
        if job.run < 0:
            return
        for other in self._service.named(job.name):
            if other is job or not other.is_live(at):
                continue
            if other.run >= 0:
                self.broke(Broken.DUPLICATE, job.name, at, f"{other.job_id} and {job.job_id}")
            elif other.visible_at < self._begun[job.run]:
                self.broke(Broken.OVERRUN, job.name, at, f"{other.job_id} and {job.job_id}")

    # Reports, when a run is closed

    def judge(
        self, run: int, rows: Sequence[tuple[str, str]], records: Sequence[RowRecord], now: float, was_killed: bool
    ) -> None:
        """Hold the report of a run against the truth."""
        if [(record.line, record.name) for record in records] != [(i + 2, name) for i, (name, _) in enumerate(rows)]:
            if not (was_killed and len(records) < len(rows)):
                self.broke(Broken.JOURNAL, None, now, f"run {run}: {[(r.line, r.name) for r in records]}")
            return
        for (name, version), record in zip(rows, records, strict=True):
            self.note(
                now, f"  report of run {run}: {name}: {record.outcome.value} {record.job_id or record.error or ''}"
            )
            if (lie := self._lie(run, name, version, record, now)) is not None:
                self.broke(Broken.UNTRUE, name, now, f"run {run}: {record.outcome.value}, but {lie}")
            sent = sum(post.may_count for post in self.posts if post.request.run == run and post.request.name == name)
            if sent > self._schedule.max_attempts:
                self.broke(Broken.UNTRUE, name, now, f"run {run}: {sent} attempts are more than permitted")
            if record.attempts != sent and not was_killed:
                self.broke(Broken.UNTRUE, name, now, f"run {run}: {record.attempts} attempts, but {sent}")

    def judge_last(self, run: int, records: Sequence[RowRecord], now: float) -> None:
        """Nothing disturbed this run: every row has its job, or somebody has to decide."""
        for record in records:
            assert record.name is not None
            if record.outcome in (Outcome.CREATED, Outcome.ADOPTED, Outcome.EXISTING):
                job = next(job for job in self._service.named(record.name) if job.job_id == record.job_id)
                if not job.is_live(now):
                    self.broke(Broken.LOST, record.name, now, f"run {run}: {record.outcome.value}, but it is gone")
            elif record.outcome not in (Outcome.DRIFTED, Outcome.CONFLICT):
                self.broke(Broken.LOST, record.name, now, f"run {run}: {record.outcome.value} {record.error or ''}")

    def judge_idle(self, run: int, now: float) -> None:
        """This run came after one that nothing disturbed."""
        for post in self.posts:
            if post.request.run == run:
                self.broke(Broken.NOT_IDLE, post.request.name, now, f"run {run}")

    def _lie(self, run: int, name: str, version: str, record: RowRecord, now: float) -> str | None:
        begun = self._begun[run] - self._schedule.settle
        nodes = spec_of(name, version).nodes
        jobs = [job for job in self._service.named(name) if job.lived_since(begun)]
        job = next((job for job in self._service.named(name) if job.job_id == record.job_id), None)
        mine = [post for post in self.posts if post.request.run == run and post.request.name == name]
        match record.outcome:
            case Outcome.CREATED:
                is_true = job is not None and job.run == run and job.nodes == nodes
                return None if is_true else "this run did not make that job so"
            case Outcome.ADOPTED:
                return None if job in jobs and job.run >= 0 and job.nodes == nodes else "there is no such job of ours"
            case Outcome.EXISTING:
                alike = (nodes, foreign(name, True)) if version == "1" else (nodes,)
                return None if job in jobs and job.nodes in alike else "there is no such job"
            case Outcome.DRIFTED:
                return None if job in jobs and job.run >= 0 and job.nodes != nodes else "no job of ours differs"
            case Outcome.CONFLICT:
                is_true = len(jobs) > 1 or any(job.run < 0 for job in jobs)
                return None if is_true else "no two jobs, and no stranger's, have that name"
            case Outcome.REJECTED if all(post.verdict is not Verdict.REJECTED for post in mine):
                return "nothing was rejected"
            case Outcome.REJECTED | Outcome.NOT_SENT:
                made = [post.request.job for post in mine if post.request.job is not None]
                if any(job.is_live(now) for job in made) or self._service.is_pending(name, run):
                    return "it was sent, and its job exists or will"
                return None
            case Outcome.UNRESOLVED:
                sql = "SELECT count(*) FROM attempts WHERE name = ? AND closed = 0"
                (intents,) = self._database.execute(sql, (name,)).fetchone()
                return None if intents else "the journal has no open attempt"
            case _:
                return "no row can end so"

    def forgiven(self, violation: Violation) -> bool:
        """Whether this is what the stated limit allows: a job of that name became visible after settle."""
        return violation.broken in _CONSEQUENCES and any(
            post.ended is not None and post.ended + self._schedule.settle < post.request.visible_at < inf
            for post in self.posts
            if post.request.name == violation.name
        )

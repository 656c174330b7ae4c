"""Settling and looking up: what becomes of rows whose last attempt, or whose existing job, is not understood."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from bulkjobs.dataflow.listing import ListedJob
from bulkjobs.engine.clock import Clock
from bulkjobs.engine.protocol import Match, Relation, Seen
from bulkjobs.engine.reader import Reader, Unreadable
from bulkjobs.engine.work import Tally, Work
from bulkjobs.graph.comparison import BUILT_IN, Comparison
from bulkjobs.graph.definition import remote_ids
from bulkjobs.graph.ids import is_ours
from bulkjobs.graph.spec import JobSpec

READERS = 16
"""Lookups in flight at a time; the limiter paces them."""

_RECENT = 5_000
"""Confirmed creates whose appearance in a listing is watched, to learn the list's lag."""

_LONGEST_LAG = 600.0
"""Seconds of lag that a run waits for, at most: a list that never shows a job must not hold it up for ever."""

_CHECKED = 5
"""Jobs that a listing lacks and that are read at most, to tell a lag from a deletion."""


class Resolver:
    """Looks up rows that are due and tells ``on_seen``; the caller keeps the queue and decides what follows.

    ``settle_s``: seconds between an attempt's end and its lookup. What is learned of the list's lag lengthens it.
    ``created``: name, job id and time (monotonic) of confirmed creates.
    """

    def __init__(
        self,
        reader: Reader,
        tally: Tally,
        clock: Clock,
        on_seen: Callable[[Work, Seen], None],
        settle_s: float,
        comparison: Comparison = BUILT_IN,
    ) -> None:
        self.settle_s = settle_s
        self._reader = reader
        self._tally = tally
        self._clock = clock
        self._on_seen = on_seen
        self._comparison = comparison
        self.pages = 1
        self.created: deque[tuple[str, str, float]] = deque(maxlen=_RECENT)

    async def resolve(self, batch: Sequence[Work]) -> None:
        """Look up every row of ``batch``. Raises Fatal when the service will not answer any more."""
        lookups = [work for work in batch if work.listed is None]
        slots = asyncio.Semaphore(READERS)
        if len(lookups) > 2 * self.pages:
            found = await self._two_passes({work.name for work in lookups})
        else:
            found = None

        async def one(work: Work) -> None:
            async with slots:
                self._on_seen(work, await self._see(work, found))

        # Not a TaskGroup: a caller that is told to stop wants the first error itself, not a group of them.
        tasks = [asyncio.ensure_future(one(work)) for work in batch]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _see(self, work: Work, found: dict[str, _Found] | None) -> Seen:
        self._tally.lookups += 1
        try:
            if work.listed is not None:
                live, deleted = [work.listed], False
            elif found is not None and found[work.name].too_soon:
                return Seen(complete=False, too_soon=True)
            elif found is not None:
                live, deleted = found[work.name].live, found[work.name].deleted
            else:
                live, deleted = await self._reader.live_jobs(work.name)
            return await self._compare(work, live, deleted)
        except Unreadable:
            return Seen(complete=False)

    async def _compare(self, work: Work, live: Sequence[ListedJob], deleted: bool) -> Seen:
        if len(live) != 1:
            return Seen(True, tuple(Match(job.job_id, job.status, job.updated_date) for job in live), deleted)
        job = await self._reader.get_job(live[0].job_id) if live[0].job_id else None
        if job is None or not job.is_live:
            work.listed = None  # it went away between list and read: the next look starts from the list
            return Seen(complete=False)
        match = Match(
            live[0].job_id,
            job.status or live[0].status,
            live[0].updated_date or job.updated_date,
            relation(work.name, work.spec, job.nodes, self._comparison),
        )
        return Seen(True, (match,), deleted)

    async def _two_passes(self, names: set[str]) -> dict[str, _Found]:
        """One listing for many names: two full passes that agree on every absence (invariant 5).

        A pass that shows the list to lag more than ``settle_s`` allowed for proves no absence.
        """
        settle_s = self.settle_s
        try:
            first = await self._one_pass(names)
            second = await self._one_pass(names)
        except Unreadable:
            return {name: _Found(readable=False) for name in names}
        for name, found in second.items():
            first[name].merge(found)
        if self.settle_s > settle_s:
            return {name: found if found.live else _Found(too_soon=True) for name, found in first.items()}
        return first

    async def _one_pass(self, names: set[str]) -> dict[str, _Found]:
        found = {name: _Found() for name in names}
        begun = self._clock.monotonic()
        missing = {name: (job_id, at) for name, job_id, at in self.created if at < begun}
        pages = 0
        async for page in self._reader.pages():
            pages += 1
            for job in page.jobs:
                missing.pop(job.name, None)
                if job.name in found:
                    found[job.name].add(job)
        self.pages = pages
        # What was seen once has nothing more to tell; should it go missing later, somebody deleted it.
        self.created = deque((entry for entry in self.created if entry[0] in missing or entry[2] >= begun), _RECENT)
        await self._learn_lag(begun, missing)
        return found

    async def _learn_lag(self, begun: float, missing: Mapping[str, tuple[str, float]]) -> None:
        """The oldest create that is alive and not in the list says how far the list lags (invariant 4)."""
        oldest = sorted(missing.values(), key=lambda entry: entry[1])
        for job_id, at in oldest[:_CHECKED]:
            if begun - at <= self._tally.list_lag:
                return
            job = await self._reader.get_job(job_id)
            if job is not None and job.is_live:
                self._tally.list_lag = begun - at
                self.settle_s = max(self.settle_s, 2 * min(self._tally.list_lag, _LONGEST_LAG))
                return


class _Found:
    """The jobs of one name, over several passes."""

    def __init__(self, *, readable: bool = True, too_soon: bool = False) -> None:
        self._jobs: dict[str, ListedJob] = {}
        self._readable = readable
        self.too_soon = too_soon

    def add(self, job: ListedJob) -> None:
        self._jobs[job.job_id] = job

    def merge(self, other: _Found) -> None:
        self._jobs |= other._jobs

    @property
    def live(self) -> list[ListedJob]:
        if not self._readable:
            raise Unreadable("the list cannot be read to its end")
        return [job for job in self._jobs.values() if job.is_live]

    @property
    def deleted(self) -> bool:
        return any(not job.is_live for job in self._jobs.values())


def relation(name: str, spec: JobSpec | None, nodes: object, comparison: Comparison = BUILT_IN) -> Relation:
    """How a job on the service stands to a row. An orphan's definition is not kept, so its ids have to do."""
    ours = is_ours(name, remote_ids(nodes))
    equal = ours if spec is None else comparison.same(spec.nodes, nodes)
    if ours:
        return Relation.OURS_EQUAL if equal else Relation.OURS_DIFFERS
    return Relation.FOREIGN_EQUAL if equal else Relation.FOREIGN_DIFFERS

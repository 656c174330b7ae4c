"""Reads live jobs, paced and patiently: a whole listing, then each wanted job. Changes nothing anywhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from bulkjobs.dataflow.client import DataFlowClient, Job
from bulkjobs.dataflow.replies import Cause
from bulkjobs.engine.clock import Clock
from bulkjobs.engine.rate_control import RateControl
from bulkjobs.engine.reader import Fatal, Reader, Unreadable
from bulkjobs.engine.stops import stop_of
from bulkjobs.engine.together import together
from bulkjobs.engine.work import AGAIN, Tally
from bulkjobs.errors import AccessError, NotFinished
from bulkjobs.graph.exported import Refused, Shown
from bulkjobs.logs import Log
from bulkjobs.settings import Settings

_BATCH = 200
_ACCESS = frozenset({Cause.CREDENTIALS, Cause.PERMISSION, Cause.ENDPOINT, Cause.CERTIFICATE})


@dataclass(slots=True)
class Live:
    """Some live jobs in the order of the list, and those of them that no inventory can hold or that went away."""

    jobs: list[Shown] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


async def live_jobs(
    client: DataFlowClient,
    settings: Settings,
    clock: Clock,
    tally: Tally,
    log: Log,
    is_wanted: Callable[[str], bool],
) -> AsyncIterator[Live]:
    """Every live job whose name is wanted, in batches.

    At most ``settings.concurrency`` reads are open. A list of several pages is read twice, for a deletion between two
    pages hides a job from one pass. Raises AccessError and NotFinished when the service will not answer.
    """
    control = RateControl(clock.uniform, ceiling=settings.rate)
    reader = Reader.under(settings, client, control, clock, tally, log)
    try:
        listed = await _listed(reader, tally, is_wanted)
        slots = asyncio.Semaphore(settings.concurrency)
        names = list(listed)
        for first in range(0, len(names), _BATCH):
            yield await _read(reader, slots, {name: listed[name] for name in names[first : first + _BATCH]})
    except Fatal as error:
        stop = stop_of(error.cause, error.answer, clock.wall_ms())
        failure = AccessError if stop.cause in _ACCESS else NotFinished
        raise failure(f"export: {stop.reason}", stop.hint or AGAIN) from None
    except Unreadable as error:
        raise NotFinished(f"export: the jobs cannot be read: {error}", "run the same command again") from None


async def _listed(reader: Reader, tally: Tally, is_wanted: Callable[[str], bool]) -> dict[str, list[str]]:
    """Ids of the live jobs by name."""
    found: dict[str, dict[str, None]] = {}
    pages = 0
    for _ in range(2):
        pages = 0
        async for page in reader.pages():
            pages += 1
            tally.listed += page.size
            for job in page.jobs:
                if job.is_live and is_wanted(job.name):
                    found.setdefault(job.name, {})[job.job_id] = None
        if pages <= 1:
            break
    return {name: list(ids) for name, ids in found.items()}


async def _read(reader: Reader, slots: asyncio.Semaphore, listed: dict[str, list[str]]) -> Live:
    async def one(job_id: str) -> Job | None:
        async with slots:
            return await reader.get_job(job_id)

    live = Live()
    single: list[tuple[str, str]] = []
    for name, ids in listed.items():
        if len(ids) > 1:
            live.refused.append(Refused(name, tuple(ids), f"{len(ids)} jobs of one name: an inventory holds one"))
        elif not ids[0]:
            live.refused.append(Refused(name, (), "the list gives no id that can be used"))
        else:
            single.append((name, ids[0]))
    jobs = await together(one(job_id) for _, job_id in single)
    # A job that went away between list and read is none that lives.
    live.jobs = [
        Shown(name, job_id, job.nodes)
        for (name, job_id), job in zip(single, jobs, strict=True)
        if job is not None and job.is_live
    ]
    return live

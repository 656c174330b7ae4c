"""verifyJob for some rows or all of them: paced as every other send, repeated only where the reader repeats.

Asking creates nothing, so nothing is journalled, and a question may be asked again.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field

from bulkjobs.dataflow.client import DataFlowClient
from bulkjobs.dataflow.replies import Answer
from bulkjobs.engine.clock import Clock
from bulkjobs.engine.rate_control import RateControl
from bulkjobs.engine.reader import Fatal, Reader
from bulkjobs.engine.stops import stop_of
from bulkjobs.engine.work import Stop, Tally
from bulkjobs.errors import BulkJobsError
from bulkjobs.graph.sample import SampledRow
from bulkjobs.graph.spec import JobSpec
from bulkjobs.inventory.problems import Problem
from bulkjobs.logs import Log
from bulkjobs.plain import plain
from bulkjobs.settings import Settings

__all__ = ["Verified", "verify_rows"]


@dataclass(slots=True)
class Verified:
    """What the service said so far, in the order of its answers. ``stop``: why not every row was asked.

    ``problems`` are the first ``max_problems`` refusals; ``refused`` counts all.
    """

    asked: int = 0
    refused: int = 0
    problems: list[Problem] = field(default_factory=list)
    stop: Stop | None = None


async def verify_rows(
    rows: Iterator[SampledRow],
    client: DataFlowClient,
    settings: Settings,
    clock: Clock,
    tally: Tally,
    log: Log,
    verified: Verified,
) -> None:
    """Ask about every one of ``rows``, a blocking iterator, and note what comes back in ``verified``.

    At most ``settings.concurrency`` questions are open. The service's silence beyond ``settings.patience``, or a
    refusal of the caller himself, ends it with ``verified.stop``. Raises what ``rows`` raises.
    """
    control = RateControl(clock.uniform, ceiling=settings.rate)
    reader = _Verifier.under(settings, client, control, clock, tally, log)
    turn = asyncio.Lock()  # one thread at a time reads the inventory

    async def ask() -> None:
        while True:
            async with turn:
                row = await asyncio.to_thread(next, rows, None)
            if row is None:
                return
            answer = await reader.verify(row.job)
            verified.asked += 1
            if answer is not None:
                verified.refused += 1
                if len(verified.problems) < settings.max_problems:
                    verified.problems.append(_refusal(row, answer))

    unreadable: BaseException | None = None
    try:
        async with asyncio.TaskGroup() as askers:
            for _ in range(settings.concurrency):
                askers.create_task(ask())
    except* Fatal as fatal:
        first = fatal.exceptions[0]
        assert isinstance(first, Fatal)
        verified.stop = stop_of(first.cause, first.answer, clock.wall_ms())
    except* BulkJobsError as failed:
        unreadable = failed.exceptions[0]
    if unreadable is not None:
        raise unreadable


class _Verifier(Reader):
    """The reader's patience for one more call that changes nothing."""

    async def verify(self, job: JobSpec) -> Answer | None:
        """None if the service takes the job, else its refusal. Raises Fatal."""
        return await self._patiently("verifyJob", lambda: self._client.verify_job(job.name, job.nodes))


def _refusal(row: SampledRow, answer: Answer) -> Problem:
    code = f" {answer.code}" if answer.code else ""
    status = f"HTTP {answer.http_status}{code}" if answer.http_status else answer.code or "no status"
    return Problem(
        row.file,
        row.line,
        None,
        None,
        "server-refused",
        "error",
        plain(f"the service refuses the job ({status}): {answer.message}", 600),
        f"`bulkjobs expand {shlex.quote(row.file)} --row {row.job.name}` shows what it was asked",
    )

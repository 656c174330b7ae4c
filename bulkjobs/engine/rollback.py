"""``rollback``: delete what one run created and nobody has touched since.

Untouched: our node ids, the very definition that the run made, under the name that it had, never executed. Whatever
else is left alone, and the report says why. A rollback that was killed goes on when it is run again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

from bulkjobs.dataflow.listing import ListedJob
from bulkjobs.engine.change import Change
from bulkjobs.engine.change_protocol import Done, Sight
from bulkjobs.engine.consent import MaxDelete, Refusal
from bulkjobs.engine.ending import CODE_OF
from bulkjobs.engine.equipment import Equipment
from bulkjobs.engine.journal.applied import AppliedJobs, Owned
from bulkjobs.engine.journal.pending import Pending
from bulkjobs.engine.journal.statements import Kind
from bulkjobs.engine.looks import How
from bulkjobs.engine.protocol import Finish
from bulkjobs.engine.reader import Fatal, Unreadable
from bulkjobs.engine.records import ChangeKind, Outcome
from bulkjobs.engine.sights import sight_of_delete
from bulkjobs.engine.stops import stop_of
from bulkjobs.engine.together import together
from bulkjobs.engine.work import Stop
from bulkjobs.errors import BulkJobsError, ExitCode, NotFinished, UsageError, worst

_READERS = 16

_KEPT = {
    Sight.FOREIGN: Done(Outcome.CONFLICT, "not-ours", "the job of this id is not ours any more"),
    Sight.RUNNING: Done(Outcome.EXISTING, "running", "the job is running"),
    Sight.EXECUTED: Done(Outcome.EXISTING, "executed", "the job has run since it was created"),
    Sight.OTHER: Done(Outcome.DRIFTED, "edited", "the job is not as this run made it"),
}
_UPDATED = Done(Outcome.DRIFTED, "updated-since", "a later run has updated the job")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A job that the run made. ``kept``: how and why it is left alone, None if it is to be deleted."""

    owned: Owned
    kept: Done | None = None


@dataclass(frozen=True, slots=True)
class RolledBack:
    """How a rollback ended. ``candidates`` are all jobs that the run made and that are still there."""

    exit_code: ExitCode
    stop: Stop | None
    candidates: Sequence[Candidate]


class Rollback:
    """One run. ``journal`` is started and has begun the run; ``client`` is entered by the caller.

    ``approve`` is asked once, with all candidates, before anything is sent.
    """

    def __init__(
        self,
        of: str,
        equipment: Equipment,
        max_delete: MaxDelete,
        approve: Callable[[Sequence[Candidate]], Awaitable[Refusal | None]],
    ) -> None:
        self._of = of
        self._journal = equipment.journal
        self._pending = Pending(self._journal)
        self._settings = equipment.settings
        self._clock = equipment.clock
        self.tally = equipment.tally
        self._max_delete = max_delete
        self._approve = approve
        self._comparison = equipment.comparison
        self._applied = AppliedJobs(equipment.journal)
        self._recorder = equipment.recorder()
        self._control = control = equipment.rate_control()
        self._reader = equipment.reader(control)
        self._changer = equipment.changer(self._reader, self._recorder, control, equipment.clock.monotonic())
        self._executed: dict[str, ListedJob] = {}
        self._candidates: list[Candidate] = []
        self._stopped = asyncio.Event()
        self._drains_itself = False

    def stop(self, stop: Stop) -> None:
        """End the run early: nothing more is sent, what is on its way is waited for."""
        self._changer.stop(stop)
        self._stopped.set()

    def fail(self, error: BulkJobsError) -> None:
        """The journal cannot be written: send nothing more."""
        self.stop(Stop("failed", error.message, error.hint))

    async def run(self) -> RolledBack:
        """Carry it out and close it in the journal. Raises UsageError for a run that is not known."""
        if not self._applied.has_run(self._of):
            hint = "check --state, --endpoint and --account; `bulkjobs runs` lists them"
            raise UsageError(f"no run {self._of!r} in this journal for this service and account", hint)
        made = self._applied.made_by(self._of)
        self._put_rows(made)
        refusal: Refusal | None = None
        work = asyncio.create_task(self._work(made))
        watch = asyncio.create_task(self._stopped.wait())
        try:
            await asyncio.wait([work, watch], return_when=asyncio.FIRST_COMPLETED)
            if self._drains_itself or work.done():
                refusal = await work
        except Fatal as error:
            self.stop(stop_of(error.cause, error.answer, self._clock.wall_ms()))
        except Unreadable as error:
            self.stop(Stop("halted", f"the list of jobs cannot be read to its end: {error}", "run the same again"))
        finally:
            for task in (work, watch):
                task.cancel()
            await asyncio.gather(work, watch, return_exceptions=True)
        return await self._close(refusal)

    def _put_rows(self, made: Sequence[Owned]) -> None:
        """A row for each job, so that the report has them all; they belong to no file."""
        for seq, owned in enumerate(made):
            self._journal.put(
                Kind.ROW, self._journal.run, seq, -1, owned.line or 0, owned.name, owned.digest, None, None, None
            )
        self.tally.rows = len(made)

    async def _work(self, made: Sequence[Owned]) -> Refusal | None:
        await self._recorder.durable()
        self.tally.phase = "listing"
        ids = {owned.job_id for owned in made}
        async for page in self._reader.pages():
            self.tally.listed += page.size
            self._executed |= {
                job.job_id: job
                for job in page.jobs
                if job.job_id in ids and (job.last_execution_status or job.last_execution_date)
            }
        self.tally.phase = "comparing"
        await self._look(made)
        await self._recorder.durable()
        deletes = [candidate for candidate in self._candidates if candidate.kept is None]
        refusal = self._max_delete.refuses(len(deletes), len(made), "that run")
        if refusal is None and deletes:
            refusal = await self._approve(self._candidates)
        if refusal is not None:
            self.stop(refusal.stop)
            return refusal
        self._drains_itself = True
        self.tally.changing("deleting", len(deletes))
        await self._changer.run(self._deletes(made))
        return None

    async def _look(self, made: Sequence[Owned]) -> None:
        slots = asyncio.Semaphore(_READERS)
        found: dict[int, Candidate] = {}

        async def one(seq: int, owned: Owned) -> None:
            async with slots:
                candidate = await self._candidate(seq, owned)
            if candidate is not None:
                found[seq] = candidate

        await together(one(seq, owned) for seq, owned in enumerate(made))
        self._candidates = [found[seq] for seq in sorted(found)]

    async def _candidate(self, seq: int, owned: Owned) -> Candidate | None:
        """None: it is gone, and its row has ended. A job with an open attempt is judged once that has settled."""
        kept = None
        if owned.job_id in self._executed:
            kept = _KEPT[Sight.EXECUTED]
        elif owned.applied is not None and owned.applied.digest not in (None, owned.digest):
            kept = _UPDATED
        if owned.attempt is not None:
            return Candidate(owned, kept)
        job = await self._reader.get_job(owned.job_id)
        sight = sight_of_delete(
            owned.name,
            job,
            _bases(owned),
            self._comparison,
            spares_executed=True,
            takes_running=False,
            takes_edited=False,
        )
        if sight is Sight.GONE:
            if owned.applied is not None:
                self._recorder.forgotten(owned.name)
            gone = Finish(Outcome.DELETED, owned.job_id, message="it was gone already")
            self._recorder.looks.note(seq, owned.name, How.PLAN, (), gone.outcome.value, gone.message)
            self._recorder.row(seq, gone)
            return None
        kept = _KEPT.get(sight) or kept
        word, reason = ("delete", None) if kept is None else (kept.outcome.value, kept.message)
        self._recorder.looks.note(seq, owned.name, How.PLAN, (owned.job_id,), word, reason)
        if kept is not None:
            status = job.status if job is not None else None
            self._recorder.row(seq, Finish(kept.outcome, owned.job_id, status, None, None, kept.code, kept.message))
        return Candidate(owned, kept)

    async def _deletes(self, made: Sequence[Owned]) -> AsyncIterator[Change]:
        """What is to be deleted, and what only has an open attempt that is to be settled."""
        places = {owned.job_id: seq for seq, owned in enumerate(made)}
        for candidate in self._candidates:
            owned = candidate.owned
            if candidate.kept is not None and owned.attempt is None:
                continue
            yield Change(
                ChangeKind.DELETE,
                owned.name,
                owned.job_id,
                places[owned.job_id],
                bases=_bases(owned),
                attempt=owned.attempt,
                spares_executed=True,
                spared=candidate.kept,
            )

    async def _close(self, refusal: Refusal | None) -> RolledBack:
        await self._recorder.durable()
        left = self.tally.rows - self.tally.done
        if left:
            unresolved = self._pending.unresolved_left()
            self.tally.outcomes[Outcome.UNRESOLVED] += unresolved
            self.tally.outcomes[Outcome.NOT_SENT] += left - unresolved
        stop = self._changer.stopped
        codes = {CODE_OF.get(outcome, ExitCode.OK) for outcome, count in self.tally.outcomes.items() if count}
        if stop is not None:
            codes.add(NotFinished.exit_code if stop.cause is None else ExitCode.ACCESS)
        exit_code = refusal.exit_code if refusal is not None else worst(codes)
        facts = {
            "command": "rollback",
            "of": self._of,
            "sends": self.tally.sends,
            "throttles": self.tally.throttles,
            "reads": self.tally.reads,
            "listed": self.tally.listed,
            "rate_permitted": self._settings.rate if self._settings.rate is not None else round(self._control.rate, 3),
            "settle_s": self._settings.settle,
        }
        state, reason = ("finished", None) if stop is None else (stop.state, stop.reason)
        self._journal.end_run(state, reason, exit_code, facts, self._clock.wall_ms())
        return RolledBack(exit_code, stop, self._candidates)


def _bases(owned: Owned) -> tuple[bytes, ...]:
    """The definition that the run made, if it is known: what a later update may have made of it is another."""
    return (owned.applied.nodes,) if owned.applied is not None and owned.applied.nodes is not None else ()

"""``plan`` and ``reconcile``: make the service equal to the inventory: create, update, and on request delete.

The phases are those of ``submit``, with a plan between listing and sending: every row and every job that no row lists
any more is looked at, the caller says whether to go on, then rows are created as ``submit`` does, jobs that differ
are updated, and last, jobs are deleted. ``submit-protocol.md``, invariant 14.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace

from bulkjobs.dataflow.client import DataFlowClient
from bulkjobs.engine.change import Change
from bulkjobs.engine.change_recorder import ChangeRecorder
from bulkjobs.engine.changer import Changer
from bulkjobs.engine.clock import Clock
from bulkjobs.engine.consent import Approve, Mode, Refusal
from bulkjobs.engine.examine import Examiner
from bulkjobs.engine.journal.applied import AppliedJobs, Owned, RowLine
from bulkjobs.engine.journal.journal import Journal, PlannedRow
from bulkjobs.engine.pacing import Limiter, window_limiter
from bulkjobs.engine.plan import Action, Plan, Planned, Terms, estimate
from bulkjobs.engine.planning import Moment
from bulkjobs.engine.protocol import Finish
from bulkjobs.engine.records import ChangeKind, Outcome
from bulkjobs.engine.submit import CODE_OF, Submit, in_thread, step_of
from bulkjobs.engine.work import Stop, Tally
from bulkjobs.errors import ExitCode, worst
from bulkjobs.graph.comparison import BUILT_IN, Comparison
from bulkjobs.graph.expand import Expander
from bulkjobs.graph.spec import JobSpec
from bulkjobs.inventory.reader import InventoryFile
from bulkjobs.logs import Log
from bulkjobs.settings import Settings

_READERS = 16

_OUTCOMES = {
    Outcome.EXISTING: Action.UNCHANGED,
    Outcome.CONFLICT: Action.CONFLICT,
    Outcome.DRIFTED: Action.CONFLICT,  # of rows that were looked at, the plan says more
}


class Reconcile(Submit):
    """One run. ``plan`` is there once everything was looked at."""

    plan: Plan | None = None

    def __init__(
        self,
        files: Sequence[InventoryFile],
        expander: Expander,
        journal: Journal,
        client: DataFlowClient,
        settings: Settings,
        clock: Clock,
        tally: Tally,
        log: Log,
        mode: Mode,
        approve: Approve,
        terms: Callable[[str, bool, Sequence[tuple[str, str]]], Terms],
        limiter: Callable[[float], Limiter] = window_limiter,
        comparison: Comparison = BUILT_IN,
    ) -> None:
        super().__init__(files, expander, journal, client, settings, clock, tally, log, limiter, comparison)
        self._mode = mode
        self._approve = approve
        self._terms = terms
        self._refusal: Refusal | None = None
        self._applied = AppliedJobs(journal)
        self._examiner = Examiner(self._reader, self._recorder, self._applied, comparison, mode.include)
        self._changer = Changer(
            client,
            self._reader,
            ChangeRecorder(journal, self._recorder, clock, tally, log),
            self._control,
            clock,
            tally,
            log,
            concurrency=settings.concurrency,
            settle_s=settings.settle,
            max_attempts=settings.max_attempts,
            patience=settings.patience,
            begun=self._begun,
            comparison=comparison,
            include=mode.include,
        )
        self._found: dict[int, Planned] = {}
        self._listing_s = 0.0

    def stop(self, stop: Stop) -> None:
        """End the run early: nothing more is sent, what is on its way is waited for."""
        self._changer.stop(stop)
        super().stop(stop)

    def _is_final(self, finish: Finish) -> bool:
        return finish.outcome is not Outcome.DRIFTED  # its job is read again: a plan says what differs

    async def _send_all(self) -> None:
        moment = await self._prepare()
        await self._examine_rows(moment)
        removals = await self._examine_jobs() if self._mode.prune else []
        await self._recorder.durable()
        self.plan = plan = self._planned(removals)
        too_many = self._mode.max_delete.refuses(len(plan.of(Action.DELETE)), plan.owned, "this namespace")
        self._refusal = too_many or await self._approve(plan)
        if self._refusal is not None:
            if self._refusal.stop.state != "finished":  # else nobody wanted more than the plan
                self.stop(self._refusal.stop)
            return
        await self._send(moment)
        if self._sender.stopped is None:
            await self._change(plan)

    async def _list(self, phase: str) -> None:
        begun = self._clock.monotonic()
        await super()._list(phase)
        self._listing_s = (self._clock.monotonic() - begun) / max(1, self._sender.settling.resolver.pages)

    # Look

    async def _examine_rows(self, moment: Moment) -> None:
        self.tally.phase = "comparing"
        first = 0
        slots = asyncio.Semaphore(_READERS)
        async for jobs in in_thread(self._expanded_again()):
            works = []
            for row in self._journal.unfinished(first, len(jobs)):
                spec = jobs[row.seq - first]
                if spec is None or spec.digest != row.digest:
                    self._changed()
                    return
                works.append(self._examine_row(row, spec, moment, slots))
            await _all(works)
            await self._recorder.durable()
            first += len(jobs)

    async def _examine_row(self, row: PlannedRow, spec: JobSpec, moment: Moment, slots: asyncio.Semaphore) -> None:
        async with slots:
            self._found[row.seq] = await self._examiner.row(row, spec, step_of(row, moment))

    async def _examine_jobs(self) -> list[Planned]:
        self.tally.phase = "looking for jobs to delete"
        slots = asyncio.Semaphore(_READERS)
        found: dict[str, Planned] = {}

        async def one(owned: Owned) -> None:
            async with slots:
                planned = await self._examiner.job(owned)
            if planned is None:
                self._recorder.forgotten(owned.name)
            else:
                found[owned.name] = planned

        async def orphan(name: str) -> None:
            async with slots:
                planned = await self._examiner.orphan(name)
            if planned is not None:
                found[name] = planned

        await _all([one(owned) for owned in self._applied.prunable(self.namespace)])
        await _all([orphan(name) for name in self._applied.created_open(self.namespace)])
        return [found[name] for name in sorted(found)]

    def _planned(self, removals: Sequence[Planned]) -> Plan:
        rows = [*map(self._of_row, self._applied.rows()), *removals]
        counted = {action: sum(row.action is action for row in rows) for action in Action}
        updates, deletes = counted[Action.UPDATE], counted[Action.DELETE]
        calls = {
            "createJob": counted[Action.CREATE],
            "updateJob": updates,
            "deleteJob": deletes,
            "getJob": 2 * updates + deletes,
        }
        rate = self._control.rate
        inventories = [(file.path, file.sha256 or "") for file in self._files]
        return Plan(
            self._terms(self.namespace, self._mode.prune, inventories),
            rows,
            calls,
            estimate(calls, rate, self._listing_s, self._settings.concurrency, self._settings.settle),
            rate,
            self._listing_s,
            self._applied.count(self.namespace),
        )

    def _of_row(self, row: RowLine) -> Planned:
        path = self._files[row.file].path
        found = self._found.get(row.seq)
        if found is not None:
            return replace(found, file=path, line=row.line)
        action = _OUTCOMES.get(row.outcome, Action.CONFLICT) if row.outcome is not None else Action.CREATE
        return Planned(path, row.line, row.name, action, row.message, (), row.digest, row.job_id)

    # Change

    async def _change(self, plan: Plan) -> None:
        for kept in plan.of(Action.KEEP):
            if kept.line is None:
                self._recorder.removed(kept.name, kept.job_id, Outcome.DRIFTED, "kept", kept.reason)
        await self._recorder.durable()  # what the sender found is asked of the journal
        await self._changer.run(self._updates())
        if self._changer.stopped is None:
            self.tally.changing("deleting", len(plan.of(Action.DELETE)))
            await self._changer.run(self._deletes(plan))
        if self._changer.stopped is not None:
            super().stop(self._changer.stopped)

    async def _updates(self) -> AsyncIterator[Change]:
        """Every row that is drifted now, also those of which the plan could not know."""
        kept = {seq for seq, planned in self._found.items() if planned.action is not Action.UPDATE and planned.diff}
        wanted = {row.seq: row for row in self._applied.drifted() if row.seq not in kept}
        self.tally.changing("updating", len(wanted))
        first = 0
        if not wanted:
            return
        async for jobs in in_thread(self._expanded_again()):
            for seq in range(first, first + len(jobs)):
                row, spec = wanted.get(seq), jobs[seq - first]
                if row is not None and spec is not None and spec.name == row.name:
                    yield Change(ChangeKind.UPDATE, row.name, row.job_id, seq, spec, planned=row.updated_date)
            first += len(jobs)

    async def _deletes(self, plan: Plan) -> AsyncIterator[Change]:
        for planned in plan.of(Action.DELETE):
            applied = self._applied.of(planned.name)  # as it is now that earlier attempts are settled
            if applied is None or applied.job_id != planned.job_id or self._applied.is_open(planned.name):
                self._not_deleted(planned)
            else:
                yield Change(ChangeKind.DELETE, planned.name, applied.job_id, bases=applied.bases)

    def _not_deleted(self, planned: Planned) -> None:
        """What became of its earlier attempt is not known, or it is another job now: the next run will see."""
        outcome = Outcome.UNRESOLVED if self._applied.is_open(planned.name) else Outcome.NOT_SENT
        self._changer.ended[ChangeKind.DELETE, outcome] += 1
        self.tally.changed += 1
        self._recorder.removed(planned.name, planned.job_id, outcome, "open", "run again")

    # Close

    def _exit_code(self, stop: Stop | None) -> ExitCode:
        if self._refusal is not None:
            return self._refusal.exit_code
        codes = {super()._exit_code(stop)}
        for (kind, outcome), count in self._changer.ended.items():
            if kind is ChangeKind.DELETE and count:
                is_kept = outcome in (Outcome.EXISTING, Outcome.DRIFTED, Outcome.CONFLICT)
                codes.add(ExitCode.NEEDS_DECISION if is_kept else CODE_OF.get(outcome, ExitCode.OK))
        if self.plan is not None and any(row.line is None for row in self.plan.of(Action.KEEP)):
            codes.add(ExitCode.NEEDS_DECISION)
        return worst(codes)

    def _facts(self) -> dict[str, object]:
        facts = super()._facts() | {"command": "reconcile", "prune": self._mode.prune}
        for (kind, outcome), count in sorted(self._changer.ended.items()):
            facts[f"{kind.value}_{outcome.value}"] = count
        return facts


async def _all(works: Sequence[Awaitable[None]]) -> None:
    """Wait for all; the first error ends the others. Not a TaskGroup: a caller wants the error itself."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

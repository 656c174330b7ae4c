"""``plan`` and ``reconcile``: make the service equal to the inventory: create, update, and on request delete.

The phases are those of ``submit``, with a plan between listing and sending: every row and every job that no row lists
any more is looked at, the caller says whether to go on, then rows are created as ``submit`` does, jobs that differ
are updated, and last, jobs are deleted. ``submit-protocol.md``, invariant 14.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace

from bulkjobs.engine import planning
from bulkjobs.engine.change import Change
from bulkjobs.engine.checked_rows import CheckedRows
from bulkjobs.engine.consent import Approve, Mode, Refusal
from bulkjobs.engine.ending import CODE_OF
from bulkjobs.engine.equipment import Equipment
from bulkjobs.engine.examine import Examiner
from bulkjobs.engine.feeding import expanded_again, inventory_changed, step_of
from bulkjobs.engine.in_thread import in_thread
from bulkjobs.engine.journal.applied import AppliedJobs, Owned, RowLine
from bulkjobs.engine.journal.experience import expected_of, lost_before
from bulkjobs.engine.journal.pending import PlannedRow
from bulkjobs.engine.pacing import window_of
from bulkjobs.engine.plan import Plan, Terms
from bulkjobs.engine.plan_estimate import Measured, narrow_in, plan_estimate_s
from bulkjobs.engine.plan_rows import PlanRows
from bulkjobs.engine.planned import Action, Planned
from bulkjobs.engine.planning import Moment, Step
from bulkjobs.engine.protocol import Finish
from bulkjobs.engine.records import ChangeKind, Outcome
from bulkjobs.engine.submit import Submit
from bulkjobs.engine.together import together
from bulkjobs.engine.traffic import WINDOW
from bulkjobs.engine.work import Stop
from bulkjobs.errors import ExitCode, NotFinished, UsageError, worst
from bulkjobs.graph.expand import Expander
from bulkjobs.graph.spec import JobSpec
from bulkjobs.inventory.reader import InventoryFile

_READERS = 16
_LOOKED_AT_AGAIN = (planning.Action.LOOK, planning.Action.SETTLE)
_CHUNK = 2_000

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
        equipment: Equipment,
        mode: Mode,
        approve: Approve,
        terms: Callable[[str, bool, Sequence[tuple[str, str]]], Terms],
        *,
        checked: CheckedRows | None = None,
    ) -> None:
        super().__init__(files, expander, equipment, checked=checked)
        self._mode = mode
        self._approve = approve
        self._terms = terms
        self._refusal: Refusal | None = None
        self._applied = AppliedJobs(equipment.journal)
        self._examiner = Examiner(self._reader, self._recorder, self._applied, equipment.comparison, mode.include)
        self._changer = equipment.changer(self._reader, self._recorder, self._control, self._begun, mode.include)
        self._found: dict[int, Planned] = {}
        self._removals: Sequence[Planned] = ()
        self._survey_s = self._listing_s = 0.0
        self._not_known = 0  # jobs in the list that are read since the journal does not know them as they are

    def stop(self, stop: Stop) -> None:
        """End the run early: nothing more is sent, what is on its way is waited for."""
        self._changer.stop(stop)
        super().stop(stop)

    def _is_final(self, finish: Finish) -> bool:
        return finish.outcome is not Outcome.DRIFTED  # its job is read again: a plan says what differs

    async def _send_all(self) -> None:
        self._survey_s = self._clock.monotonic() - self._begun
        moment = await self._prepare()
        await self._examine_rows(moment)
        if self._mode.prune:
            self._removals = await self._examine_jobs()
        await self._recorder.durable()
        self.plan = plan = await self._planned()
        too_many = self._mode.max_delete.refuses(plan.rows.counts[Action.DELETE], plan.owned, "this namespace")
        self._refusal = too_many or await self._approve(plan)
        if self._refusal is not None:
            if self._refusal.stop.state != "finished":  # else nobody wanted more than the plan
                self.stop(self._refusal.stop)
            return
        if not self._mode.only_checks:
            self._claim()  # not sooner: a plan that is refused, of a mistyped namespace, must not hold names for ever
        await self._send(moment)
        if self._sender.stopped is None:
            await self._change()

    async def _list(self, phase: str) -> None:
        begun = self._clock.monotonic()
        await super()._list(phase)
        self._listing_s = (self._clock.monotonic() - begun) / max(1, self._sender.settling.resolver.pages)

    # Look

    async def _examine_rows(self, moment: Moment) -> None:
        self.tally.phase = "comparing"
        try:
            await self._examine_expanded(moment)
        except (UsageError, NotFinished) as error:  # it cannot be read any more, or its bytes are others
            self.stop(inventory_changed(error.message))

    async def _examine_expanded(self, moment: Moment) -> None:
        first = 0
        slots = asyncio.Semaphore(_READERS)
        async for jobs in in_thread(expanded_again(self._files, self._expander)):
            works = []
            for row in self._pending.unfinished(first, len(jobs)):
                spec = jobs[row.seq - first]
                if spec is None or spec.digest != row.digest:
                    self.stop(inventory_changed())
                    return
                step = step_of(row, moment)
                if step.action is not planning.Action.SEND:  # there is nothing to look at
                    works.append(self._examine_row(row, spec, step, slots))
            await together(works)
            await self._recorder.durable()
            first += len(jobs)

    async def _examine_row(self, row: PlannedRow, spec: JobSpec, step: Step, slots: asyncio.Semaphore) -> None:
        async with slots:
            planned = await self._examiner.row(row, spec, step)
        self._not_known += step.action is planning.Action.READ
        has_ended = planned.action is Action.UNCHANGED and step.action not in _LOOKED_AT_AGAIN
        if not has_ended:  # else the journal has all that a plan tells
            self._found[row.seq] = planned

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

        await together([one(owned) for owned in self._applied.prunable(self.namespace)])
        await together([orphan(name) for name in self._applied.created_open(self.namespace)])
        return [found[name] for name in sorted(found)]

    async def _planned(self) -> Plan:
        rows = PlanRows()
        for first in range(0, self._checking.positions, _CHUNK):
            for row in self._applied.rows(first, _CHUNK):
                rows.add(self._of_row(row))
            await asyncio.sleep(0)  # the loop goes on
        for removal in self._removals:
            rows.add(removal)
        creates, updates = rows.counts[Action.CREATE], rows.counts[Action.UPDATE]
        deletes = rows.counts[Action.DELETE]
        calls = {
            "createJob": creates,
            "updateJob": updates,
            "deleteJob": deletes,
            "getJob": 2 * updates + deletes,
        }
        given = self._settings.rate
        expected = expected_of(self._journal, given, self._clock.wall_ms())
        was_killed = self._pending.last_run_ended() is None
        pages = self._sender.settling.resolver.pages
        measured = Measured(
            expected.rate,
            self._settings.concurrency,
            self._settings.settle,
            self._listing_s,
            self._survey_s,
            pages,
            max(0, self.tally.reads - pages),
            lost_before(self._journal),
            (window_of(given) if given is not None else WINDOW) if was_killed else 0.0,
            expected.start,
        )
        return Plan(
            self._terms(self.namespace, self._mode.prune, [(file.path, file.sha256 or "") for file in self._files]),
            rows,
            calls,
            plan_estimate_s(creates, updates, deletes, measured),
            expected,
            self._listing_s,
            self._applied.count(self.namespace),
            self._settings.concurrency if narrow_in(measured) else None,
            self._not_known,
        )

    def _of_row(self, row: RowLine) -> Planned:
        path = self._files[row.file].path
        found = self._found.get(row.seq)
        if found is not None:
            return replace(found, file=path, line=row.line)
        action = _OUTCOMES.get(row.outcome, Action.CONFLICT) if row.outcome is not None else Action.CREATE
        return Planned(path, row.line, row.name, action, row.message, (), row.digest, row.job_id)

    # Change

    async def _change(self) -> None:
        for kept in self._removals:
            if kept.action is Action.KEEP:
                self._recorder.removed(kept.name, kept.job_id, Outcome.DRIFTED, "kept", kept.reason)
        await self._recorder.durable()  # what the sender found is asked of the journal
        await self._changer.run(self._updates())
        if self._changer.stopped is None:
            deletes = [planned for planned in self._removals if planned.action is Action.DELETE]
            self.tally.changing("deleting", len(deletes))
            await self._changer.run(self._deletes(deletes))
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
        try:
            async for jobs in in_thread(expanded_again(self._files, self._expander)):
                for seq in range(first, first + len(jobs)):
                    row, spec = wanted.get(seq), jobs[seq - first]
                    if row is None:
                        continue
                    if spec is None or spec.digest != row.digest:
                        self.stop(inventory_changed())
                        return
                    yield Change(ChangeKind.UPDATE, row.name, row.job_id, seq, spec, planned=row.updated_date)
                first += len(jobs)
        except (UsageError, NotFinished) as error:  # as above
            self.stop(inventory_changed(error.message))

    async def _deletes(self, deletes: Sequence[Planned]) -> AsyncIterator[Change]:
        for planned in deletes:
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

    def _is_complete(self) -> bool:
        counts = self.plan.rows.counts if self.plan is not None else None
        return counts is not None and not (counts[Action.UPDATE] or counts[Action.DELETE]) and super()._is_complete()

    def _exit_code(self, stop: Stop | None) -> ExitCode:
        if self._refusal is not None:
            return self._refusal.exit_code
        codes = {super()._exit_code(stop)}
        for (kind, outcome), count in self._changer.ended.items():
            if kind is ChangeKind.DELETE and count:
                is_kept = outcome in (Outcome.EXISTING, Outcome.DRIFTED, Outcome.CONFLICT)
                codes.add(ExitCode.NEEDS_DECISION if is_kept else CODE_OF.get(outcome, ExitCode.OK))
        if any(planned.action is Action.KEEP for planned in self._removals):
            codes.add(ExitCode.NEEDS_DECISION)
        return worst(codes)

    def _facts(self) -> dict[str, object]:
        facts = super()._facts() | {"command": "reconcile", "prune": self._mode.prune}
        for (kind, outcome), count in sorted(self._changer.ended.items()):
            facts[f"{kind.value}_{outcome.value}"] = count
        return facts

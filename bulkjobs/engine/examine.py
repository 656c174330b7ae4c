"""Looks at the jobs that a plan is about: what each is, beside what was last applied and what is wanted.

Reads only, paced as all reads are. A row that turns out to need nothing ends here. Every look is recorded.
"""

from __future__ import annotations

from bulkjobs.dataflow.client import Job
from bulkjobs.dataflow.listing import ListedJob
from bulkjobs.engine import planning
from bulkjobs.engine.change import Leave
from bulkjobs.engine.change_protocol import Sight
from bulkjobs.engine.journal.applied import AppliedJobs, Owned
from bulkjobs.engine.journal.pending import PlannedRow
from bulkjobs.engine.looks import How, difference_text
from bulkjobs.engine.planned import Action, Planned
from bulkjobs.engine.planning import Step
from bulkjobs.engine.protocol import Finish, Match, Relation, recognise, several
from bulkjobs.engine.reader import Reader, Unreadable
from bulkjobs.engine.recorder import Recorder
from bulkjobs.engine.records import Outcome
from bulkjobs.engine.resolver import relation
from bulkjobs.engine.sights import is_running, sight_of_delete
from bulkjobs.engine.three_way import Side, compare_three, side_of
from bulkjobs.graph.comparison import Comparison
from bulkjobs.graph.definition import remote_ids
from bulkjobs.graph.ids import is_ours
from bulkjobs.graph.spec import JobSpec

_GONE = "the journal knows a job of this name that is gone"
_SETTLES = "an earlier attempt is settled first"
_REASONS = {
    Side.HERE: "changed here",
    Side.CONSOLE: "changed in the console",
    Side.BOTH: "changed here and in the console",
    Side.UNKNOWN: "differs; it was never applied from here",
}


class Examiner:
    def __init__(
        self, reader: Reader, recorder: Recorder, applied: AppliedJobs, comparison: Comparison, include: Leave
    ) -> None:
        self._reader = reader
        self._recorder = recorder
        self._applied = applied
        self._comparison = comparison
        self._include = include

    async def row(self, row: PlannedRow, spec: JobSpec, step: Step) -> Planned:
        """What is to be done for a row that needs a look. Its file and line are the caller's to add.

        A row whose job cannot be read is left alone. Raises Fatal when the service will not answer.
        """
        try:
            planned = await self._looked(row, spec, step)
        except Unreadable as error:
            planned = self._planned(row, Action.CONFLICT, f"its job cannot be read: {error}")
            self._note(row.seq, planned, complete=False)
            return planned
        self._note(row.seq, planned)
        return planned

    async def _looked(self, row: PlannedRow, spec: JobSpec, step: Step) -> Planned:
        match step.action:
            case planning.Action.READ | planning.Action.FINISH:
                listed = step.listed or (row.listed[0] if row.listed else None)
                if listed is None:  # only believed: too young for the list
                    assert step.finish is not None
                    listed = ListedJob(step.finish.job_id or "", row.name, None, None)
                return await self._listed(row, spec, listed)
            case planning.Action.LOOK | planning.Action.SETTLE:
                return await self._named(row, spec, _GONE if step.action is planning.Action.LOOK else _SETTLES)
            case _:  # pragma: no cover  # SEND is no look
                raise AssertionError(step.action)

    async def job(self, owned: Owned) -> Planned | None:
        """What is to be done with a job that no row lists any more; None if it is gone."""
        planned = await self._unlisted(owned)
        if planned is None:
            self._recorder.looks.note(
                -1, owned.name, How.PLAN, (), "nothing", "no row lists it any more, and it is gone"
            )
        else:
            self._note(-1, planned)
        return planned

    async def _unlisted(self, owned: Owned) -> Planned | None:
        applied = owned.applied
        job = await self._reader.get_job(owned.job_id)
        sight = sight_of_delete(
            owned.name,
            job,
            applied.bases if applied is not None else (),
            self._comparison,
            spares_executed=False,
            takes_running=self._include.running,
            takes_edited=self._include.edited,
        )
        updated = job.updated_date if job is not None else None
        match sight:
            case Sight.GONE:
                return None
            case Sight.SAME:
                reason = "no row lists it any more"
                return Planned(None, None, owned.name, Action.DELETE, reason, job_id=owned.job_id, updated_date=updated)
            case Sight.RUNNING:
                reason = "no row lists it any more, but it is running (--include-running deletes it)"
            case Sight.FOREIGN:
                reason = "no row lists it any more, but its nodes are not ours"
            case _:
                reason = "no row lists it any more, but it was edited by hand (--include-edited deletes it)"
        return Planned(None, None, owned.name, Action.KEEP, reason, job_id=owned.job_id, updated_date=updated)

    async def orphan(self, name: str) -> Planned | None:
        """The same for a name that no row lists, and of which a create has no known end; None if no job is there."""
        live, _ = await self._reader.live_jobs(name)
        jobs = [await self._reader.get_job(job.job_id) for job in live if job.job_id]
        ours = [job for job in jobs if job is not None and job.is_live and is_ours(name, remote_ids(job.nodes))]
        if len(ours) != 1:
            return None
        return await self.job(Owned(name, ours[0].job_id, None))

    async def _named(self, row: PlannedRow, spec: JobSpec, why: str) -> Planned:
        """A look that ends nothing: the row is looked up again once settle has passed."""
        live, _ = await self._reader.live_jobs(row.name)
        if not live:
            return self._planned(row, Action.CREATE, why)
        if len(live) > 1:
            return self._planned(row, Action.CONFLICT, several([job.job_id for job in live]).message)
        job = await self._reader.get_job(live[0].job_id) if live[0].job_id else None
        if job is None or not job.is_live:
            return self._planned(row, Action.CREATE, why)
        return self._compared(row, spec, job, live[0], relation(row.name, spec, job.nodes, self._comparison))

    async def _listed(self, row: PlannedRow, spec: JobSpec, listed: ListedJob) -> Planned:
        job = await self._reader.get_job(listed.job_id) if listed.job_id else None
        if job is None or not job.is_live:
            return self._planned(row, Action.CREATE, "its job went away while it was read")
        found = relation(row.name, spec, job.nodes, self._comparison)
        planned = self._compared(row, spec, job, listed, found)
        match = Match(job.job_id, job.status or listed.status, listed.updated_date or job.updated_date, found)
        finish = recognise(match, unknown=False)
        if planned.action is Action.KEEP:
            finish = Finish(
                finish.outcome, job.job_id, match.status, match.updated_date, None, "running", planned.reason,
                relation=found,
            )  # fmt: skip
        self._recorder.row(row.seq, finish)
        self._recorder.known(row.name, row.digest, finish)
        if finish.outcome is Outcome.EXISTING and found is Relation.OURS_EQUAL:
            self._recorder.applied(row.name, job.job_id, spec.digest, spec.nodes)
        return planned

    def _compared(self, row: PlannedRow, spec: JobSpec, job: Job, listed: ListedJob, found: Relation) -> Planned:
        updated = listed.updated_date or job.updated_date
        match found:
            case Relation.OURS_EQUAL | Relation.FOREIGN_EQUAL:
                return self._planned(row, Action.UNCHANGED, job_id=job.job_id)
            case Relation.FOREIGN_DIFFERS:
                reason = f"the name belongs to another job: {job.job_id}"
                return self._planned(row, Action.CONFLICT, reason, job_id=job.job_id)
            case Relation.OURS_DIFFERS:
                applied = self._applied.of(row.name)
                base = applied.nodes if applied is not None and applied.job_id == job.job_id else None
                diff = compare_three(base, spec.nodes, job.nodes, self._comparison)
                side = side_of(diff)
                if is_running(job) and not self._include.running:
                    reason = f"{_REASONS[side]}, but it is running (--include-running updates it)"
                    return Planned(
                        None, None, row.name, Action.KEEP, reason, diff, row.digest, job.job_id, updated
                    )  # fmt: skip
                return Planned(
                    None, None, row.name, Action.UPDATE, _REASONS[side], diff, row.digest, job.job_id, updated
                )  # fmt: skip

    def _note(self, seq: int, planned: Planned, *, complete: bool = True) -> None:
        """The look behind ``planned``. ``seq`` -1: of a job that no row lists."""
        ids = () if planned.job_id is None else (planned.job_id,)
        reason = planned.reason
        if planned.diff:
            reason = f"{reason}; {difference_text(planned.diff)}"
        self._recorder.looks.note(seq, planned.name, How.PLAN, ids, planned.action.value, reason, complete=complete)

    @staticmethod
    def _planned(row: PlannedRow, action: Action, reason: str | None = None, job_id: str | None = None) -> Planned:
        return Planned(None, None, row.name, action, reason, (), row.digest, job_id)

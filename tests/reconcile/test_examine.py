"""A look at every row and job that a plan is about: what is to be done with each, and what its row ends as."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import msgspec
import pytest

from bulkjobs.dataflow.client import Job
from bulkjobs.dataflow.listing import ListedJob
from bulkjobs.dataflow.replies import Answer
from bulkjobs.engine.change import NOTHING_MORE, Leave
from bulkjobs.engine.clock import Clock
from bulkjobs.engine.examine import Examiner
from bulkjobs.engine.health import Health
from bulkjobs.engine.journal.applied import Applied, AppliedJobs, Owned
from bulkjobs.engine.journal.pending import PlannedRow
from bulkjobs.engine.journal.statements import Kind
from bulkjobs.engine.planned import Action, Planned
from bulkjobs.engine.planning import Action as Next
from bulkjobs.engine.planning import Step
from bulkjobs.engine.protocol import Finish, Relation
from bulkjobs.engine.rate_control import RateControl
from bulkjobs.engine.reader import Reader
from bulkjobs.engine.recorder import Recorder
from bulkjobs.engine.records import Outcome
from bulkjobs.engine.work import Tally
from bulkjobs.graph.comparison import BUILT_IN
from bulkjobs.logs import SilentLog
from tests.engine.conftest import virtually
from tests.engine.scripted import RATE, REJECTED, NotedJournal, ScriptedClient, steady
from tests.engine.test_resolver import listed, nodes_of, spec_of

T = TypeVar("T")
NAME = "n1"
SPEC = spec_of(NAME)
ROW = PlannedRow(1, NAME, SPEC.digest, None, None, ())
EQUAL = Job("job-n1", NAME, "RUNNABLE", "u1", nodes_of(NAME), "u1")
DIFFERS = replace(EQUAL, nodes=nodes_of(NAME, prefix="old"))
FOREIGN_EQUAL = replace(EQUAL, nodes=nodes_of(NAME, ours=False))
FOREIGN_DIFFERS = replace(EQUAL, nodes=nodes_of(NAME, prefix="old", ours=False))
BASE = msgspec.json.encode(nodes_of(NAME, prefix="old"))
READ = Step(Next.READ, listed=listed(NAME))
LOOK, SETTLE = Step(Next.LOOK), Step(Next.SETTLE)


class Remembered(AppliedJobs):
    """What the journal knows of one name."""

    def __init__(self, applied: Applied | None) -> None:
        self._applied = applied

    def of(self, name: str) -> Applied | None:
        return self._applied


class Look:
    """One examiner beside a service that holds ``job``, and lists ``live`` (by default that job)."""

    def __init__(
        self,
        job: Job | Answer | None,
        live: Sequence[ListedJob] | None = None,
        *,
        applied: Applied | None = None,
        include: Leave = NOTHING_MORE,
    ) -> None:
        self.journal = NotedJournal()
        shown = [listed(NAME)] if live is None else list(live)
        self.client = ScriptedClient(pages=lambda page, name: shown, job=lambda job_id: job)
        self._applied, self._include = applied, include

    def row(self, step: Step, row: PlannedRow = ROW) -> Planned:
        return self._ask(lambda examiner: examiner.row(row, SPEC, step))

    def job(self) -> Planned | None:
        owned = Owned(NAME, "job-n1", self._applied)
        return self._ask(lambda examiner: examiner.job(owned))

    def orphan(self) -> Planned | None:
        return self._ask(lambda examiner: examiner.orphan(NAME))

    def _ask(self, question: Callable[[Examiner], Awaitable[T]]) -> T:
        async def main(clock: Clock) -> T:
            control, log, tally = RateControl(clock.uniform, ceiling=RATE), SilentLog(), Tally()
            reader = Reader(self.client, steady(control), control, Health(900), clock, tally, log, 900, 60)
            recorder = Recorder(self.journal, tally, clock, log)
            examiner = Examiner(reader, recorder, Remembered(self._applied), BUILT_IN, self._include)
            return await question(examiner)

        return virtually(main)

    def put(self, *kinds: Kind) -> list[tuple[object, ...]]:
        return [parameters for kind, parameters in self.journal.writer.coming if kind in kinds]


def planned(action: Action, reason: str | None = None, job_id: str | None = None) -> Planned:
    return Planned(None, None, NAME, action, reason, (), SPEC.digest, job_id)


class TestRows:
    def test_a_row_whose_job_is_equal_ends_here_and_its_definition_is_taken_for_applied(self) -> None:
        look = Look(EQUAL)
        assert look.row(READ) == planned(Action.UNCHANGED, job_id="job-n1")
        assert look.journal.outcomes() == {1: "existing"}
        assert look.put(Kind.APPLIED) == [(1, NAME, "job-n1", SPEC.digest, SPEC.nodes)]
        (job,) = look.put(Kind.JOB)
        assert job[:7] == (1, NAME, "job-n1", "RUNNABLE", "u1", SPEC.digest, "OURS_EQUAL")

    def test_a_strangers_equal_job_is_left_alone_and_never_taken_for_ours(self) -> None:
        look = Look(FOREIGN_EQUAL)
        assert look.row(READ) == planned(Action.UNCHANGED, job_id="job-n1")
        assert look.journal.outcomes() == {1: "existing"}
        assert look.put(Kind.APPLIED) == []

    def test_a_strangers_other_job_is_a_conflict(self) -> None:
        look = Look(FOREIGN_DIFFERS)
        assert look.row(READ) == planned(Action.CONFLICT, "the name belongs to another job: job-n1", "job-n1")
        assert look.journal.outcomes() == {1: "conflict"}

    @pytest.mark.parametrize(
        ("applied", "reason"),
        [
            (Applied("job-n1", b"d", BASE, None), "changed here"),
            (Applied("job-n1", SPEC.digest, SPEC.nodes, None), "changed in the console"),
            (Applied("job-n1", b"d", BASE.replace(b'"old"', b'"older"'), None), "changed here and in the console"),
            (Applied("another", b"d", BASE, None), "differs; it was never applied from here"),
            (Applied("job-n1", None, None, BASE), "differs; it was never applied from here"),
            (None, "differs; it was never applied from here"),
        ],
    )
    def test_a_job_of_ours_that_differs_is_updated_and_the_plan_says_who_changed_it(
        self, applied: Applied | None, reason: str
    ) -> None:
        look = Look(DIFFERS, applied=applied)
        found = look.row(READ)
        assert (found.action, found.reason, found.job_id, found.updated_date) == (
            Action.UPDATE,
            reason,
            "job-n1",
            "u1",
        )
        assert {change.label for change in found.diff} == {"source.prefix", "target.prefix"}
        assert look.journal.outcomes() == {1: "drifted"}

    def test_one_that_runs_is_kept_and_its_row_says_why(self) -> None:
        look = Look(replace(DIFFERS, status="RUNNING"))
        found = look.row(READ)
        reason = "differs; it was never applied from here, but it is running (--include-running updates it)"
        assert (found.action, found.reason, len(found.diff)) == (Action.KEEP, reason, 2)
        ((outcome, job_id, status, _, code, message, *_),) = look.put(Kind.FINISHED)
        assert (outcome, job_id, status, code, message) == ("drifted", "job-n1", "RUNNING", "running", reason)

    def test_one_that_runs_is_updated_where_that_was_asked_for(self) -> None:
        look = Look(replace(DIFFERS, status="RUNNING"), include=Leave(running=True))
        assert look.row(READ).action is Action.UPDATE

    @pytest.mark.parametrize("job", [None, replace(EQUAL, status="DELETED")])
    def test_a_job_that_went_away_since_the_list_is_created(self, job: Job | None) -> None:
        look = Look(job)
        assert look.row(READ) == planned(Action.CREATE, "its job went away while it was read")
        assert look.journal.outcomes() == {}

    def test_a_listed_job_without_an_id_cannot_be_read(self) -> None:
        look = Look(EQUAL)
        look.row(Step(Next.READ, listed=ListedJob("", NAME, None, None)))
        assert (look.client.gets, look.journal.outcomes()) == ([], {})

    def test_what_the_journal_believes_is_read_all_the_same_under_the_id_that_it_has(self) -> None:
        believed = Step(Next.FINISH, Finish(Outcome.EXISTING, "job-n1", relation=Relation.OURS_EQUAL))
        look = Look(DIFFERS)
        assert look.row(believed).action is Action.UPDATE
        look = Look(DIFFERS)
        of_the_list = listed(NAME, "from the list")
        assert look.row(believed, PlannedRow(1, NAME, SPEC.digest, None, None, (of_the_list,))).action is Action.UPDATE
        assert look.client.gets == ["from the list"]

    def test_the_date_of_the_list_counts_before_the_jobs_own(self) -> None:
        later = Step(Next.READ, listed=ListedJob("job-n1", NAME, None, "u2"))
        assert Look(DIFFERS).row(later).updated_date == "u2"
        undated = Step(Next.READ, listed=ListedJob("job-n1", NAME, None, None))
        assert Look(DIFFERS).row(undated).updated_date == "u1"


class TestRowsThatAreSettledFirst:
    @pytest.mark.parametrize(
        ("step", "reason"),
        [
            (LOOK, "the journal knows a job of this name that is gone"),
            (SETTLE, "an earlier attempt is settled first"),
        ],
    )
    def test_one_without_a_job_is_created_and_says_what_comes_first(self, step: Step, reason: str) -> None:
        assert Look(None, []).row(step) == planned(Action.CREATE, reason)
        assert Look(None).row(step) == planned(Action.CREATE, reason)
        assert Look(replace(EQUAL, status="DELETED")).row(step) == planned(Action.CREATE, reason)
        assert Look(EQUAL, [ListedJob("", NAME, None, None)]).row(step) == planned(Action.CREATE, reason)

    def test_one_whose_job_is_there_is_compared_but_does_not_end_here(self) -> None:
        look = Look(EQUAL)
        assert look.row(SETTLE) == planned(Action.UNCHANGED, job_id="job-n1")
        assert {kind for kind, _ in look.journal.writer.coming} == {Kind.LOOKUP}
        assert Look(DIFFERS).row(SETTLE).action is Action.UPDATE

    def test_several_jobs_of_its_name_are_a_conflict_with_all_ids(self) -> None:
        look = Look(EQUAL, [listed(NAME, "a"), listed(NAME, "b")])
        assert look.row(SETTLE) == planned(Action.CONFLICT, "2 jobs of this name: a, b")


class TestJobsThatNoRowLists:
    APPLIED = Applied("job-n1", b"d", BASE, None)

    def test_one_that_is_as_it_was_applied_is_deleted(self) -> None:
        found = Look(DIFFERS, applied=self.APPLIED).job()
        reason = "no row lists it any more"
        assert found == Planned(None, None, NAME, Action.DELETE, reason, job_id="job-n1", updated_date="u1")

    def test_one_that_is_gone_needs_nothing(self) -> None:
        assert Look(None, applied=self.APPLIED).job() is None

    @pytest.mark.parametrize(
        ("job", "why", "include"),
        [
            (
                replace(DIFFERS, status="RUNNING"),
                "but it is running (--include-running deletes it)",
                Leave(running=True),
            ),
            (EQUAL, "but it was edited by hand (--include-edited deletes it)", Leave(edited=True)),
            (FOREIGN_DIFFERS, "but its nodes are not ours", None),
        ],
    )
    def test_others_are_kept_with_the_reason_and_the_option_that_deletes_them(
        self, job: Job, why: str, include: Leave | None
    ) -> None:
        found = Look(job, applied=self.APPLIED).job()
        reason = f"no row lists it any more, {why}"
        assert found == Planned(None, None, NAME, Action.KEEP, reason, job_id="job-n1", updated_date="u1")
        again = Look(job, applied=self.APPLIED, include=include or Leave(running=True, edited=True)).job()
        assert again is not None
        assert again.action is (Action.KEEP if include is None else Action.DELETE)

    def test_where_nothing_is_known_its_dates_must_say_that_nobody_edited_it(self) -> None:
        found = [Look(replace(EQUAL, updated_date=date)).job() for date in ("u1", "u2")]
        assert [each and each.action for each in found] == [Action.DELETE, Action.KEEP]


class TestNamesWithAnOpenCreate:
    def test_the_one_job_of_ours_is_judged(self) -> None:
        found = Look(EQUAL).orphan()
        assert found is not None
        assert (found.action, found.job_id) == (Action.DELETE, "job-n1")

    @pytest.mark.parametrize(
        ("job", "live"),
        [
            (None, []),
            (None, None),
            (EQUAL, [ListedJob("", NAME, None, None)]),
            (EQUAL, [listed(NAME, "a"), listed(NAME, "b")]),
            (FOREIGN_EQUAL, None),
            (replace(EQUAL, status="DELETED"), None),
        ],
    )
    def test_none_or_a_strangers_or_several_are_left_to_the_run(
        self, job: Job | None, live: list[ListedJob] | None
    ) -> None:
        assert Look(job, live).orphan() is None


def test_a_row_whose_job_cannot_be_read_is_left_alone() -> None:
    look = Look(REJECTED)
    assert look.row(READ) == planned(Action.CONFLICT, "its job cannot be read: no such bucket")
    assert look.journal.outcomes() == {}

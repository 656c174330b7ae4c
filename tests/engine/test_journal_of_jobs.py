"""What the journal says of jobs that were made from here: what may be pruned, rolled back or updated, and what not."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from bulkjobs.engine.journal.applied import Applied, AppliedJobs, DriftedRow, Owned, RowLine
from bulkjobs.engine.journal.journal import Journal
from bulkjobs.engine.journal.lock import is_held
from bulkjobs.engine.journal.pending import Pending
from bulkjobs.engine.journal.schema import connect
from bulkjobs.engine.journal.statements import Kind
from bulkjobs.engine.journal.trail import Trails
from bulkjobs.engine.records import ChangeKind, Outcome
from bulkjobs.errors import StateError, UsageError

from .conftest import DIGEST, durable, opened, put_end, put_intent, put_job, put_row

NODES = b'[{"type":"SOURCE_OBS"}]'
COMING = b'[{"type":"TARGET_OBS"}]'


def put_applied(journal: Journal, name: str, job_id: str = "j1", nodes: bytes | None = NODES) -> None:
    journal.put(Kind.APPLIED, journal.scope, name, job_id, None if nodes is None else DIGEST, nodes)


def put_change(
    journal: Journal, name: str, kind: ChangeKind = ChangeKind.UPDATE, seq: int | None = None, job_id: str = "j1"
) -> int:
    attempt = journal.new_attempt()
    journal.put(Kind.CHANGE, attempt, journal.scope, journal.run, seq, name, 1, DIGEST, 2_000, kind.value, job_id)
    return attempt


async def claim(journal: Journal, namespace: str, *names: str) -> None:
    """A run of this namespace that lists these names, each with a definition."""
    for seq, name in enumerate(names):
        put_row(journal, seq, name)
    await durable(journal)
    journal.put(Kind.CLAIM, journal.scope, namespace, journal.run)
    await durable(journal)


def names_of(owned: list[Owned]) -> list[str]:
    return [each.name for each in owned]


class TestWhatWasLastApplied:
    async def test_is_kept_by_name_and_scope(self, state: Path) -> None:
        async with opened(state) as journal:
            put_applied(journal, "n1")
            await durable(journal)
            assert AppliedJobs(journal).of("n1") == Applied("j1", DIGEST, NODES, None)
            assert AppliedJobs(journal).of("n2") is None
        async with opened(state, run="r2", account="another") as journal:
            assert AppliedJobs(journal).of("n1") is None

    async def test_what_is_coming_stands_beside_it_until_it_is_applied(self, state: Path) -> None:
        async with opened(state) as journal:
            put_applied(journal, "n1")
            await durable(journal)
            journal.put(Kind.COMING, COMING, journal.scope, "n1", "j1")
            await durable(journal)
            applied = AppliedJobs(journal).of("n1")
            assert applied == Applied("j1", DIGEST, NODES, COMING)
            assert applied.bases == (NODES, COMING)
            put_applied(journal, "n1", nodes=COMING)
            await durable(journal)
            assert AppliedJobs(journal).of("n1") == Applied("j1", DIGEST, COMING, None)

    async def test_what_is_coming_to_a_job_that_was_never_applied_is_its_only_base(self, state: Path) -> None:
        async with opened(state) as journal:
            journal.put(Kind.COMING, COMING, journal.scope, "n1", "j1")
            await durable(journal)
            applied = AppliedJobs(journal).of("n1")
            assert applied == Applied("j1", None, None, COMING)
            assert applied.bases == (COMING,)

    async def test_a_job_that_is_ours_and_of_which_nobody_knows_more_has_no_base(self, state: Path) -> None:
        async with opened(state) as journal:
            put_applied(journal, "n1", nodes=None)
            await durable(journal)
            applied = AppliedJobs(journal).of("n1")
            assert applied == Applied("j1", None, None, None)
            assert applied.bases == ()

    async def test_a_job_that_was_deleted_by_us_is_forgotten(self, state: Path) -> None:
        async with opened(state) as journal:
            for name in ("n1", "n2"):
                put_applied(journal, name)
                put_job(journal, name)
            await durable(journal)
            for kind in (Kind.FORGOTTEN, Kind.DISOWNED):
                journal.put(kind, journal.scope, "n1")
            await durable(journal)
            assert AppliedJobs(journal).of("n1") is None
            assert AppliedJobs(journal).of("n2") is not None
            assert journal.ask("SELECT name FROM jobs") == [("n2",)]

    @pytest.mark.parametrize("blob", [b"", b"not packed", NODES])
    async def test_a_definition_that_cannot_be_unpacked_is_damage(self, state: Path, blob: bytes) -> None:
        async with opened(state) as journal:
            await claim(journal, "jobs.csv", "n1")
            journal.put(Kind.FINISHED, "created", "j1", None, 201, None, None, 1, 1, 1, 1, journal.run, 0)
            put_applied(journal, "n1")
            await durable(journal)
            with contextlib.closing(connect(state)) as other:
                other.execute("UPDATE packs SET nodes = ?", (blob,))
            jobs = AppliedJobs(journal)
            with pytest.raises(StateError, match="is damaged: a definition in it cannot be read"):
                jobs.of("n1")
            with pytest.raises(StateError, match="is damaged"):
                jobs.made_by("r1")
            with Trails(state) as trails, pytest.raises(StateError, match="is damaged: nodes of n1"):
                trails.trail(trails.run("r1"), "n1")
        async with opened(state, run="r2") as journal:
            await claim(journal, "jobs.csv")
            Pending(journal).remember_wanted()
            with pytest.raises(StateError, match="is damaged"):
                AppliedJobs(journal).prunable("jobs.csv")


class TestWhatMayBePruned:
    async def test_jobs_of_this_namespace_that_nobody_lists_any_more_by_name(self, state: Path) -> None:
        async with opened(state) as journal:
            await claim(journal, "jobs.csv", "n3", "n1", "kept", "never made")
            for name in ("n3", "n1", "kept"):
                put_applied(journal, name, f"job-{name}")
        async with opened(state, run="r2") as journal:
            await claim(journal, "jobs.csv", "kept")
            Pending(journal).remember_wanted()
            jobs = AppliedJobs(journal)
            found = jobs.prunable("jobs.csv")
            assert found == [
                Owned(name, f"job-{name}", Applied(f"job-{name}", DIGEST, NODES, None)) for name in ("n1", "n3")
            ]
            assert (jobs.prunable("other.csv"), jobs.count("jobs.csv"), jobs.count("other.csv")) == ([], 3, 0)

    async def test_a_job_that_another_namespace_lists_too_stays(self, state: Path) -> None:
        async with opened(state) as journal:
            await claim(journal, "jobs.csv", "n1", "shared")
            put_applied(journal, "n1")
            put_applied(journal, "shared")
        async with opened(state, run="r2") as journal:
            await claim(journal, "other.csv", "shared")
        async with opened(state, run="r3") as journal:
            await claim(journal, "jobs.csv")
            Pending(journal).remember_wanted()
            assert names_of(AppliedJobs(journal).prunable("jobs.csv")) == ["n1"]

    async def test_a_row_without_a_definition_claims_nothing(self, state: Path) -> None:
        async with opened(state) as journal:
            journal.put(Kind.ROW, journal.run, 0, 0, 2, "n1", None, "invalid", None, None)
            put_applied(journal, "n1")
            await durable(journal)
            journal.put(Kind.CLAIM, journal.scope, "jobs.csv", journal.run)
            await durable(journal)
            Pending(journal).remember_wanted()
            assert journal.ask("SELECT * FROM claims") == []

    async def test_nothing_of_another_scope_is_touched(self, state: Path) -> None:
        async with opened(state) as journal:
            await claim(journal, "jobs.csv", "n1", "n2")
            put_applied(journal, "n1")
            put_intent(journal, "n2")
        async with opened(state, run="r2", account="another") as journal:
            await claim(journal, "jobs.csv")
            Pending(journal).remember_wanted()
            jobs = AppliedJobs(journal)
            assert (jobs.prunable("jobs.csv"), jobs.created_open("jobs.csv"), jobs.count("jobs.csv")) == ([], [], 0)
            assert not jobs.is_open("n2")

    async def test_a_name_with_an_open_create_is_for_the_service_to_tell_and_one_with_an_open_change_is_not(
        self, state: Path
    ) -> None:
        async with opened(state) as journal:
            await claim(journal, "jobs.csv", "made", "open", "both", "update", "closed", "kept", "nothing")
            for name in ("made", "both", "update", "closed"):
                put_applied(journal, name)
            for name in ("open", "both", "kept"):
                put_intent(journal, name)
            closed = put_intent(journal, "closed")
            put_change(journal, "update")
            await durable(journal)
            put_end(journal, closed, "created", closed=True)
        async with opened(state, run="r2") as journal:
            await claim(journal, "jobs.csv", "kept")
            Pending(journal).remember_wanted()
            jobs = AppliedJobs(journal)
            assert names_of(jobs.prunable("jobs.csv")) == ["closed", "made", "update"]
            assert jobs.created_open("jobs.csv") == ["both", "open"]
            assert jobs.created_open("other.csv") == []
            assert jobs.count("jobs.csv") == 6
            assert [name for name in ("made", "open", "update", "closed") if jobs.is_open(name)] == ["open", "update"]

    async def test_an_open_create_of_a_name_that_another_namespace_lists_stays(self, state: Path) -> None:
        async with opened(state) as journal:
            await claim(journal, "jobs.csv", "n1", "n2")
            put_intent(journal, "n1")
            put_intent(journal, "n2")
        async with opened(state, run="r2") as journal:
            await claim(journal, "other.csv", "n1")
        async with opened(state, run="r3") as journal:
            await claim(journal, "jobs.csv")
            Pending(journal).remember_wanted()
            assert AppliedJobs(journal).created_open("jobs.csv") == ["n2"]


class TestWhatARunMade:
    async def test_created_and_adopted_rows_with_their_open_attempts_in_order(self, state: Path) -> None:
        async with opened(state) as journal:
            outcomes = ["created", "existing", "adopted", "rejected", "created", "created", "created"]
            for seq, outcome in enumerate(outcomes):
                put_row(journal, seq)
                job_id = None if outcome == "rejected" or seq == 6 else f"job{seq}"
                journal.put(Kind.FINISHED, outcome, job_id, None, 201, None, None, 1, 1, 1, 1, journal.run, seq)
            put_applied(journal, "n0", "job0")
            put_applied(journal, "n2", "another")
            create = put_intent(journal, "n4", 4)
            change = put_change(journal, "n5", ChangeKind.DELETE, job_id="job5")
            await durable(journal)
            jobs = AppliedJobs(journal)
            assert jobs.made_by("r1") == [
                Owned("n0", "job0", Applied("job0", DIGEST, NODES, None), None, None, 0, 2, DIGEST),
                Owned("n2", "job2", None, None, None, 2, 4, DIGEST),
                Owned("n4", "job4", None, create, None, 4, 6, DIGEST),
                Owned("n5", "job5", None, change, ChangeKind.DELETE, 5, 7, DIGEST),
            ]
            assert (jobs.has_run("r1"), jobs.has_run("r2"), jobs.made_by("r2")) == (True, False, [])
        async with opened(state, run="r2", account="another") as journal:
            jobs = AppliedJobs(journal)
            assert (jobs.has_run("r1"), jobs.made_by("r1")) == (False, [])


class TestRowsOfTheCurrentRun:
    async def test_drifted_ones_come_with_the_date_at_which_that_was_found(self, state: Path) -> None:
        async with opened(state) as journal:
            for seq, (outcome, job_id) in enumerate(
                [("drifted", "j1"), ("drifted", "j9"), ("drifted", None), ("existing", "j1"), ("drifted", "j4")]
            ):
                put_row(journal, seq)
                journal.put(Kind.FINISHED, outcome, job_id, None, None, None, None, 0, None, 1, None, journal.run, seq)
            for name in ("n0", "n1", "n3"):
                put_job(journal, name)
            await durable(journal)
            assert AppliedJobs(journal).drifted() == [
                DriftedRow(0, "n0", DIGEST, "j1", "u1"),
                DriftedRow(1, "n1", DIGEST, "j9", None),
                DriftedRow(4, "n4", DIGEST, "j4", None),
            ]

    async def test_all_that_have_a_definition_come_in_order(self, state: Path) -> None:
        async with opened(state) as journal:
            put_row(journal, 1)
            put_row(journal, 0)
            journal.put(Kind.ROW, journal.run, 2, 0, 4, "bad", None, "invalid", "code", "why")
            await durable(journal)
            finished = ("conflict", "j1", None, None, None, "taken", 0, None, 1, None)
            journal.put(Kind.FINISHED, *finished, journal.run, 1)
            await durable(journal)
            assert AppliedJobs(journal).rows(0, 9) == [
                RowLine(0, 0, 2, "n0", DIGEST, None, None, None),
                RowLine(1, 0, 3, "n1", DIGEST, Outcome.CONFLICT, "j1", "taken"),
            ]
        async with opened(state, run="r2") as journal:
            assert AppliedJobs(journal).rows(0, 9) == []
            assert AppliedJobs(journal).drifted() == []


class TestOpening:
    def test_a_journal_that_goes_away_before_it_is_started_lets_go_of_its_lock(self, state: Path) -> None:
        journal = Journal(state)
        state.unlink()
        with pytest.raises(StateError):
            journal.start()
        assert not is_held(state)

    async def test_a_journal_that_was_not_started_cannot_be_written(self, state: Path) -> None:
        journal = Journal(state)
        try:
            with pytest.raises(AssertionError, match="start the journal first"):
                put_row(journal, 0)
        finally:
            await journal.close()


class TestNamesThatAreNoRow:
    async def test_one_that_was_settled_has_a_story_though_no_row_lists_it(self, state: Path) -> None:
        async with opened(state) as journal:
            for name in ("other", "old"):
                journal.put(Kind.ORPHAN, journal.run, name, "not_sent", None, f"no {name} was made")
            await durable(journal)
            with Trails(state) as trails:
                row = trails.trail(trails.run("r1"), "old").row
            assert (row.name, row.outcome, row.error) == ("old", Outcome.NOT_SENT, "no old was made")

    @pytest.mark.parametrize(
        ("name", "hint"),
        [
            ("n00", "did you mean n0?"),
            ("nothing like it", "give the job's name, or the line on which the row begins"),
        ],
    )
    async def test_one_that_is_not_there_is_refused_with_what_is_near(self, state: Path, name: str, hint: str) -> None:
        async with opened(state) as journal:
            put_row(journal, 0)
            journal.put(Kind.ORPHAN, journal.run, "old", "adopted", "j1", None)
            await durable(journal)
            with Trails(state) as trails, pytest.raises(UsageError, match="run r1 has no such row") as raised:
                trails.trail(trails.run("r1"), name)
            assert raised.value.hint == hint

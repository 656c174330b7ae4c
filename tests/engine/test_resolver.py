"""Looking up: by name or by listing, whichever takes fewer requests, and how a job found stands to its row."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import pytest

from bulkjobs.dataflow.client import Job
from bulkjobs.dataflow.listing import ListedJob
from bulkjobs.dataflow.replies import Answer
from bulkjobs.engine.clock import Clock
from bulkjobs.engine.health import Health
from bulkjobs.engine.protocol import Match, Relation, Seen
from bulkjobs.engine.rate_control import RateControl
from bulkjobs.engine.reader import Fatal, Reader
from bulkjobs.engine.resolver import Resolver, relation
from bulkjobs.engine.work import Tally, Work
from bulkjobs.graph.ids import node_id, owner_part
from bulkjobs.graph.spec import JobSpec, fingerprint
from bulkjobs.logs import SilentLog

from .conftest import virtually
from .scripted import KEYS, RATE, REJECTED, ScriptedClient, steady


def nodes_of(name: str, *, prefix: str = "p", ours: bool = True) -> list[dict[str, object]]:
    """A source and a target, under our ids or a stranger's."""
    first = node_id(owner_part(name), 1) if ours else 1_697_776_914_576
    place = {"regionNo": "1", "bucketName": "bucket", "prefix": prefix, "dataType": "CSV", "fieldList": []}
    return [
        {"type": "SOURCE_OBS", "id": first, "name": "in", "parentNodeIds": [], **place},
        {"type": "TARGET_OBS", "id": first + 1, "name": "out", "parentNodeIds": [first], **place},
    ]


def spec_of(name: str) -> JobSpec:
    body = json.dumps(nodes_of(name)).encode()
    return JobSpec(name, body, fingerprint(body))


def work_of(name: str, listed: ListedJob | None = None) -> Work:
    return Work(int(name.strip("n") or 0), name, spec_of(name), listed=listed)


def listed(name: str, job_id: str = "", status: str = "RUNNABLE") -> ListedJob:
    return ListedJob(job_id or f"job-{name}", name, status, "u1")


def job_of(job_id: str) -> Job:
    name = job_id.removeprefix("job-")
    return Job(job_id, name, "RUNNABLE", "u1", nodes_of(name))


class Resolving:
    """One resolve of these rows, and all there is to see of it."""

    def __init__(
        self,
        works: Sequence[Work],
        pages: Callable[[int, str | None], Sequence[ListedJob] | Answer],
        job: Callable[[str], Job | Answer | None] = job_of,
        created: Sequence[tuple[str, str, float]] = (),
    ) -> None:
        self.client = ScriptedClient(pages=pages, job=job)
        self.tally = Tally()
        self.seen: dict[str, Seen] = {}
        virtually(lambda clock: self._main(clock, works, created))

    async def _main(self, clock: Clock, works: Sequence[Work], created: Sequence[tuple[str, str, float]]) -> None:
        control, health = RateControl(clock.uniform, ceiling=RATE), Health(900)
        reader = Reader(self.client, steady(control), control, health, clock, self.tally, SilentLog(), 900, 60)
        resolver = Resolver(reader, self.tally, clock, lambda work, seen: self.seen.update({work.name: seen}), 1.0)
        resolver.created.extend(created)
        await resolver.resolve(works)
        self.settle_s = resolver.settle_s


MANY = [work_of(f"n{index}") for index in range(5)]


class TestWhichWay:
    def test_a_few_rows_are_looked_up_by_name(self) -> None:
        run = Resolving(MANY[:2], lambda page, name: [listed(name or "")])
        assert sorted(str(name) for _, _, name in run.client.lists) == ["n0", "n1"]
        assert run.seen["n1"] == Seen(True, (Match("job-n1", "RUNNABLE", "u1", Relation.OURS_EQUAL),))

    def test_many_rows_are_looked_up_by_two_passes_of_the_list(self) -> None:
        run = Resolving(MANY, lambda page, name: [listed("n0"), listed("n1", status="DELETED"), listed("n00")])
        assert [name for _, _, name in run.client.lists] == [None, None]
        assert run.seen["n0"].matches
        assert (run.seen["n1"], run.seen["n2"]) == (Seen(True, deleted=True), Seen(True))
        assert run.tally.lookups == 5

    def test_an_absence_counts_only_if_both_passes_agree(self) -> None:
        passes = iter([[], [listed("n3")]])
        assert Resolving(MANY, lambda page, name: next(passes)).seen["n3"].matches
        passes = iter([[listed("n3")], []])
        assert Resolving(MANY, lambda page, name: next(passes)).seen["n3"].matches

    @pytest.mark.parametrize("works", [MANY, MANY[:2]])
    def test_a_list_that_cannot_be_read_proves_nothing(self, works: list[Work]) -> None:
        assert set(Resolving(works, lambda page, name: REJECTED).seen.values()) == {Seen(False)}

    def test_a_listed_job_is_only_read(self) -> None:
        run = Resolving([work_of(f"n{index}", listed(f"n{index}")) for index in range(9)], lambda page, name: [])
        assert (len(run.client.gets), run.client.lists) == (9, [])
        assert all(seen.matches for seen in run.seen.values())

    def test_what_concerns_the_whole_run_is_raised_as_it_is(self) -> None:
        with pytest.raises(Fatal):
            Resolving(MANY[:2], lambda page, name: KEYS)


class TestWhatWasFound:
    def test_several_jobs_are_not_read_but_all_named(self) -> None:
        run = Resolving(MANY[:1], lambda page, name: [listed("n0", "a"), listed("n0", "b")])
        assert [match.job_id for match in run.seen["n0"].matches] == ["a", "b"]
        assert run.client.gets == []

    @pytest.mark.parametrize("job", [None, Job("job-n0", "n0", "DELETED", None, None)])
    def test_a_job_that_goes_between_list_and_read_is_looked_for_again(self, job: Job | None) -> None:
        work = work_of("n0", listed("n0"))
        run = Resolving([work], lambda page, name: [], lambda job_id: job)
        assert run.seen["n0"] == Seen(False)
        assert work.listed is None

    def test_a_job_without_an_id_that_can_be_used_proves_nothing(self) -> None:
        run = Resolving(MANY[:1], lambda page, name: [ListedJob("", "n0", None, None)])
        assert (run.seen["n0"], run.client.gets) == (Seen(False), [])

    def test_what_the_job_itself_says_fills_in_what_the_list_left_out(self) -> None:
        run = Resolving(MANY[:1], lambda page, name: [ListedJob("job-n0", "n0", None, None)])
        assert run.seen["n0"].matches[0].updated_date == "u1"


class TestRelation:
    @pytest.mark.parametrize(
        ("ours", "prefix", "expected"),
        [
            (True, "p", Relation.OURS_EQUAL),
            (True, "q", Relation.OURS_DIFFERS),
            (False, "p", Relation.FOREIGN_EQUAL),
            (False, "q", Relation.FOREIGN_DIFFERS),
        ],
    )
    def test_ids_tell_whose_it_is_and_the_definition_whether_it_is_equal(
        self, ours: bool, prefix: str, expected: Relation
    ) -> None:
        assert relation("n0", spec_of("n0"), nodes_of("n0", ours=ours, prefix=prefix)) is expected

    def test_an_orphan_is_known_by_its_ids_alone(self) -> None:
        assert relation("n0", None, nodes_of("n0")) is Relation.OURS_EQUAL
        assert relation("n0", None, nodes_of("n0", ours=False)) is Relation.FOREIGN_DIFFERS

    @pytest.mark.parametrize("nodes", [None, 7, "x", [], [None], [{"id": "x"}], {"id": 1}])
    def test_anything_else_is_a_strangers(self, nodes: object) -> None:
        assert relation("n0", spec_of("n0"), nodes) is Relation.FOREIGN_DIFFERS


class TestListLag:
    def test_a_created_job_that_a_listing_lacks_tells_the_lag_at_least_and_lengthens_settle(self) -> None:
        created = [("late", "job-late", 993.0), ("seen", "job-seen", 900.0)]
        run = Resolving(MANY, lambda page, name: [listed("seen")], created=created)
        assert run.tally.list_lag == pytest.approx(7.0, abs=0.5)
        assert run.settle_s == 2 * run.tally.list_lag

    def test_nothing_is_learned_when_all_that_was_created_is_there(self) -> None:
        created = [("seen", "job-seen", 900.0), ("future", "job-future", 2_000.0)]
        run = Resolving(MANY, lambda page, name: [listed("seen")], created=created)
        assert (run.tally.list_lag, run.settle_s) == (0, 1.0)

    def test_a_created_job_that_somebody_deleted_is_no_lag(self) -> None:
        created = [("gone", "job-gone", 900.0)]
        run = Resolving(
            MANY,
            lambda page, name: [listed("n0")],
            job=lambda job_id: None if "gone" in job_id else job_of(job_id),
            created=created,
        )
        assert (run.tally.list_lag, run.settle_s) == (0, 1.0)

    def test_a_listing_that_lags_more_than_settle_allowed_for_proves_no_absence(self) -> None:
        run = Resolving(MANY, lambda page, name: [listed("n0")], created=[("late", "job-late", 993.0)])
        assert run.seen["n0"].matches
        assert run.seen["n1"] == Seen(False, too_soon=True)

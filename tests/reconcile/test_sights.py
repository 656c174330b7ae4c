"""What a look at a job tells: an update or a delete goes on only from a sight that nobody else has changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from bulkjobs.dataflow.client import Job
from bulkjobs.engine.change_protocol import Sight
from bulkjobs.engine.sights import has_run, is_running, sight_of_delete, sight_of_update
from bulkjobs.graph.comparison import BUILT_IN
from bulkjobs.graph.ids import node_id, owner_part
from bulkjobs.graph.spec import JobSpec

NAME = "alpha"
RAN = {"last_execution_status": "COMPLETED", "last_execution_date": "2026-11-24T10:00:00+09:00"}


def nodes(prefix: str, owner: int = owner_part(NAME)) -> list[dict[str, Any]]:
    place = {"regionNo": "1", "bucketName": "raw", "prefix": prefix, "dataType": "CSV", "fieldList": []}
    first = node_id(owner, 1)
    return [
        {"type": "SOURCE_OBS", "id": first, "name": "in", "parentNodeIds": [], **place},
        {"type": "TARGET_OBS", "id": first + 1, "name": "out", "parentNodeIds": [first], **place},
    ]


def job(prefix: str = "old", **more: Any) -> Job:
    known: dict[str, Any] = {"updated_date": "u1", "created_date": "u1", "nodes": nodes(prefix), **more}
    return Job("j1", known.pop("name", NAME), known.pop("status", "RUNNABLE"), **known)


FOREIGN = nodes("old", owner=1_697_776_914)
GONE = pytest.mark.parametrize("gone", [None, job(status="DELETED"), job(status="deleted")])
RUNNING = pytest.mark.parametrize(
    "running",
    [
        job(status="RUNNING"),
        job(status="running"),
        job(last_execution_status="RUNNING"),
        job(last_execution_status="ready"),
    ],
)


def of_update(
    seen: Job | None, before: object = None, planned: str | None = "u1", *, takes_running: bool = False
) -> Sight:
    spec = JobSpec(NAME, msgspec.json.encode(nodes("new")))
    return sight_of_update(spec, seen, before, planned, BUILT_IN, takes_running=takes_running)


def of_delete(
    seen: Job | None,
    *bases: str,
    spares_executed: bool = False,
    takes_running: bool = False,
    takes_edited: bool = False,
) -> Sight:
    return sight_of_delete(
        NAME,
        seen,
        [msgspec.json.encode(nodes(prefix)) for prefix in bases],
        BUILT_IN,
        spares_executed=spares_executed,
        takes_running=takes_running,
        takes_edited=takes_edited,
    )


class TestOfAnUpdate:
    @GONE
    def test_a_job_that_is_deleted_is_gone_even_if_it_is_still_shown(self, gone: Job | None) -> None:
        assert of_update(gone) is Sight.GONE

    def test_another_job_under_this_id_is_not_ours(self) -> None:
        assert of_update(job(nodes=FOREIGN)) is Sight.FOREIGN

    @pytest.mark.parametrize("junk", [None, 7, "nodes", [], [None], [{"id": "1"}]])
    def test_nodes_that_say_nothing_are_not_ours(self, junk: object) -> None:
        assert of_update(job(nodes=junk)) is Sight.FOREIGN

    def test_a_job_that_was_renamed_belongs_to_somebody_even_if_its_nodes_are_as_wanted(self) -> None:
        assert of_update(job("new", name="other")) is Sight.OTHER

    def test_a_job_whose_name_is_not_shown_is_judged_by_its_nodes(self) -> None:
        assert of_update(job("new", name=None)) is Sight.WANTED

    def test_a_job_that_is_as_wanted_is_so_whatever_its_date_and_though_it_runs(self) -> None:
        assert of_update(job("new", updated_date="u2", status="RUNNING")) is Sight.WANTED

    def test_before_the_first_write_the_date_must_be_the_one_that_was_compared(self) -> None:
        assert of_update(job()) is Sight.SAME
        assert of_update(job(updated_date="u2")) is Sight.OTHER

    @pytest.mark.parametrize(("planned", "shown"), [(None, "u2"), ("u1", None), (None, None)])
    def test_a_date_that_one_side_lacks_tells_nothing(self, planned: str | None, shown: str | None) -> None:
        assert of_update(job(updated_date=shown), planned=planned) is Sight.SAME

    def test_after_a_write_the_nodes_must_be_those_from_before_it_and_dates_do_not_count(self) -> None:
        assert of_update(job(updated_date="u2"), before=nodes("old")) is Sight.SAME
        assert of_update(job("third"), before=nodes("old")) is Sight.OTHER

    def test_a_service_that_shows_the_same_nodes_in_another_order_has_not_changed_the_job(self) -> None:
        assert of_update(job(nodes=nodes("old")[::-1]), before=nodes("old")) is Sight.SAME

    @RUNNING
    def test_a_job_that_runs_is_left_alone_unless_it_may_be_changed(self, running: Job) -> None:
        assert of_update(running) is Sight.RUNNING
        assert of_update(running, takes_running=True) is Sight.SAME


class TestOfADelete:
    @GONE
    def test_a_job_that_is_deleted_is_gone_even_if_it_is_still_shown(self, gone: Job | None) -> None:
        assert of_delete(gone, "old", takes_edited=True) is Sight.GONE

    def test_a_job_that_is_not_ours_is_never_deleted_whatever_may_be(self) -> None:
        assert of_delete(job(nodes=FOREIGN), "old", takes_running=True, takes_edited=True) is Sight.FOREIGN

    @RUNNING
    def test_a_job_that_runs_is_left_alone_unless_it_may_be_deleted(self, running: Job) -> None:
        assert of_delete(running, "old") is Sight.RUNNING
        assert of_delete(running, "old", takes_running=True) is Sight.SAME

    @pytest.mark.parametrize("ran", [{"last_execution_status": "FAILED"}, {"last_execution_date": "2026"}])
    def test_a_job_that_has_run_is_spared_where_that_was_asked_for(self, ran: dict[str, str]) -> None:
        assert of_delete(job(**ran), "old", spares_executed=True) is Sight.EXECUTED
        assert of_delete(job(**ran), "old") is Sight.SAME

    def test_it_must_be_one_of_the_definitions_that_it_may_have(self) -> None:
        assert of_delete(job("coming"), "old", "coming") is Sight.SAME
        assert of_delete(job("by hand"), "old", "coming") is Sight.OTHER
        assert of_delete(job("by hand"), "old", "coming", takes_edited=True) is Sight.SAME

    def test_a_job_that_was_renamed_is_not_as_it_was_made(self) -> None:
        assert of_delete(job(name="other"), "old") is Sight.OTHER

    def test_where_no_definition_is_known_its_dates_must_say_that_nobody_edited_it(self) -> None:
        assert of_delete(job()) is Sight.SAME
        assert of_delete(job(updated_date="u2")) is Sight.OTHER
        assert of_delete(job(created_date=None, updated_date=None)) is Sight.OTHER
        assert of_delete(job(updated_date="u2"), takes_edited=True) is Sight.SAME


def test_a_job_that_is_ready_only_could_run() -> None:
    assert not is_running(job(status="READY"))
    assert not is_running(job(status=None))


def test_a_job_has_run_if_it_says_how_or_when() -> None:
    assert has_run(job(**RAN))
    assert not has_run(job())
    assert not has_run(replace(job(), last_execution_status=""))

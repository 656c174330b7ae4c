"""Reconcile beside people who edit, stop and say no: what is sent, what the run ends as, and what its journal says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bulkjobs.engine.consent import MaxDelete, Refusal, expect_nothing, hold_to
from bulkjobs.engine.plan import Plan
from bulkjobs.engine.planned import Action
from bulkjobs.engine.work import Stop
from bulkjobs.errors import ExitCode, UsageError
from bulkjobs.sandbox.errors import Refusal as Refused
from bulkjobs.sandbox.errors import bad_parameter, gateway, unauthenticated
from bulkjobs.sandbox.jobs import edited_job
from bulkjobs.settings import HaltRule

from .world import _SETTINGS, World, first

INTERRUPT = Stop("interrupted", "Ctrl-C")
THREE = {"alpha": "1", "bravo": "1", "charlie": "1"}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    made.values = dict(THREE)
    try:
        yield made
    finally:
        made.close()


def actions(plan: Plan | None) -> dict[str, str]:
    assert plan is not None
    return {row.name: row.action.value for row in plan.rows}


def told(world: World, sql: str) -> list[tuple[Any, ...]]:
    return world._database.execute(sql).fetchall()


def removals(world: World) -> list[tuple[Any, ...]]:
    """What the last run says of jobs that no row lists."""
    sql = "SELECT name, outcome, code FROM removals WHERE run = (SELECT max(id) FROM runs) ORDER BY name"
    return told(world, sql)


def outcomes(world: World) -> dict[str, str]:
    """Of the last run's rows."""
    return dict(told(world, "SELECT name, outcome FROM rows WHERE run = (SELECT max(id) FROM runs)"))


def open_names(world: World) -> list[str]:
    return [name for (name,) in told(world, "SELECT name FROM attempts WHERE closed = 0 ORDER BY name")]


def replying(world: World, monkeypatch: pytest.MonkeyPatch, call: str, name: str, refusal: Refused) -> None:
    """From now on the service refuses this operation for this name's job."""
    operations: Any = world.console.operations
    real = getattr(operations, call)
    job_id = world.jobs()[name].job_id

    def refuses(which: str, *rest: Any) -> Any:
        if which == job_id:
            raise refusal
        return real(which, *rest)

    monkeypatch.setattr(operations, call, refuses)


@pytest.mark.parametrize("change", [None, "update", "delete"])
def test_a_halt_with_the_last_create_ends_a_run_early_only_if_there_was_something_to_change(
    world: World, monkeypatch: pytest.MonkeyPatch, change: str | None
) -> None:
    world.reconcile()
    if change == "update":
        world.values["alpha"] = "2"
    elif change == "delete":
        del world.values["alpha"]
    world.values["delta"] = "1"

    def refuses(*_: Any) -> Any:
        raise bad_parameter("no such bucket")

    monkeypatch.setattr(world.console.operations, "create", refuses)
    monkeypatch.setattr("tests.reconcile.world._SETTINGS", replace(_SETTINGS, halt=HaltRule(count=1, percent=None)))
    ended = world.reconcile()
    assert outcomes(world)["delta"] == "rejected"
    assert (ended.stop is None) is (change is None)
    assert ended.exit_code is (ExitCode.NEEDS_DECISION if change is None else ExitCode.NOT_FINISHED)
    assert world.seen() == THREE


class TestConsent:
    @pytest.mark.parametrize("state", ["refused", "finished"])
    def test_a_plan_that_is_refused_sends_nothing_and_the_run_ends_as_was_said(self, world: World, state: str) -> None:
        async def no(_plan: Plan) -> Refusal | None:
            return Refusal(Stop(state, "somebody said no"), ExitCode.PENDING)

        ended = world.reconcile(approve=no)
        assert (ended.exit_code, world.seen()) == (ExitCode.PENDING, {})
        assert (ended.stop is None) is (state == "finished"), "nobody wanted more than the plan"
        assert actions(world.plan) == dict.fromkeys(THREE, "create")

    def test_where_no_change_is_expected_a_pending_one_is_refused_and_none_is_fine(self, world: World) -> None:
        refused = world.reconcile(approve=expect_nothing)
        assert (refused.exit_code, world.seen()) == (ExitCode.PENDING, {})
        assert refused.stop.reason == "3 changes are pending, and none were expected"
        assert world.reconcile().exit_code is ExitCode.OK
        assert world.reconcile(approve=expect_nothing).exit_code is ExitCode.OK
        world.values["alpha"] = "2"
        assert world.reconcile(approve=expect_nothing).stop.reason == "1 change is pending, and none were expected"

    def test_a_saved_plan_is_carried_out_as_it_is_or_not_at_all(self, world: World) -> None:
        world.reconcile(approve=expect_nothing)
        assert world.plan is not None
        saved = json.loads(json.dumps(world.plan.as_document()))
        world.values["alpha"] = "2"
        refused = world.reconcile(approve=hold_to(saved))
        assert (refused.exit_code, world.seen()) == (ExitCode.NEEDS_DECISION, {})
        assert refused.stop.reason.startswith("this is not what was planned: ")
        world.values["alpha"] = "1"
        world.reconcile(approve=expect_nothing)
        assert world.plan is not None
        saved = json.loads(json.dumps(world.plan.as_document()))
        assert world.reconcile(approve=hold_to(saved)).exit_code is ExitCode.OK
        assert world.seen() == THREE

    def test_a_job_that_differs_and_may_not_be_touched_stays_drifted_from_run_to_run(self, world: World) -> None:
        world.reconcile()
        world.store.replace(edited_job(world.jobs()["alpha"], world.now(), status="RUNNING"))
        world.values["alpha"] = "2"
        for _ in range(2):
            assert world.reconcile().exit_code is ExitCode.NEEDS_DECISION
            assert outcomes(world)["alpha"] == "drifted"
            assert world.seen()["alpha"] == "1"

    def test_a_job_that_differed_and_goes_away_while_it_is_looked_at_is_created_anew(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.reconcile()
        world.store.replace(edited_job(world.jobs()["alpha"], world.now(), status="RUNNING"))
        world.values["alpha"] = "2"
        world.reconcile()
        operations: Any = world.console.operations
        real = operations.get

        def goes_away(job_id: str) -> Any:
            world.delete("alpha")
            return real(job_id)

        monkeypatch.setattr(operations, "get", goes_away)
        world.reconcile()
        assert outcomes(world)["alpha"] == "created"
        assert world.seen()["alpha"] == "2"

    def test_what_was_agreed_to_is_asked_once_before_anything_is_sent(self, world: World) -> None:
        asked: list[int] = []

        async def yes(plan: Plan) -> Refusal | None:
            asked.append(plan.pending)
            assert world.console.sent == []
            return None

        assert world.reconcile(approve=yes).exit_code is ExitCode.OK
        assert (asked, world.seen()) == ([3], THREE)

    def test_more_deletes_than_allowed_are_refused_before_anybody_is_asked(self, world: World) -> None:
        async def never(_plan: Plan) -> Refusal | None:
            raise AssertionError("nobody is to be asked")

        world.reconcile()
        world.values = {"alpha": "2"}
        ended = world.reconcile(max_delete=MaxDelete(), approve=never)
        assert ended.exit_code is ExitCode.NEEDS_DECISION
        assert "2 jobs would be deleted, more than --max-delete 10% of the 3 that " in ended.stop.reason
        assert "--max-delete 2" in ended.stop.hint
        assert world.seen() == THREE
        ended = world.reconcile(max_delete=MaxDelete(count=1), approve=never)
        assert ended.stop.reason == "2 jobs would be deleted, more than --max-delete 1"
        assert world.reconcile(max_delete=MaxDelete(count=2)).exit_code is ExitCode.OK
        assert world.seen() == {"alpha": "2"}


class TestStops:
    def test_a_stop_while_somebody_thinks_about_the_plan_sends_nothing(self, world: World) -> None:
        async def thinks(_plan: Plan) -> Refusal | None:
            world.run.stop(INTERRUPT)
            return None

        ended = world.reconcile(approve=thinks)
        assert (ended.stop, world.seen(), world.console.sent) == (INTERRUPT, {}, [])
        assert ended.exit_code is ExitCode.NOT_FINISHED
        assert open_names(world) == []

    def test_keys_that_are_refused_at_an_update_stop_the_run_before_its_deletes(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.reconcile()
        world.values = {"alpha": "2", "bravo": "1"}
        replying(world, monkeypatch, "update", "alpha", unauthenticated("no"))
        ended = world.reconcile()
        assert ended.exit_code is ExitCode.ACCESS
        assert (ended.stop.state, world.seen(), open_names(world)) == ("halted", THREE, [])
        assert outcomes(world)["alpha"] == "not_sent"
        assert world.waited("DELETE") == []

    def test_an_inventory_that_changes_after_it_was_checked_ends_the_run_before_the_plan(self, world: World) -> None:
        def rewrites(call: int, method: str) -> str:
            if call == 0:
                world.values["bravo"] = "other"
                world._files()
            return ""

        world.reconcile()
        world.values["alpha"] = "2"
        ended = world.reconcile(rewrites)
        assert ended.exit_code is ExitCode.NOT_FINISHED
        assert "changed while" in ended.stop.reason
        assert (world.plan, world.seen()) == (None, THREE)

    def test_an_inventory_that_changes_after_the_plan_updates_nothing_to_what_nobody_agreed_to(
        self, world: World
    ) -> None:
        async def meanwhile(_plan: Plan) -> Refusal | None:
            world.values["alpha"] = "unseen"
            world._files()
            return None

        world.reconcile()
        world.values["alpha"] = "2"
        ended = world.reconcile(approve=meanwhile)
        assert ended.exit_code is ExitCode.NOT_FINISHED
        assert "changed while" in ended.stop.reason
        assert (world.seen(), world.waited("PUT")) == (THREE, [])

    def test_an_inventory_that_changes_while_jobs_are_created_updates_nothing_to_what_nobody_agreed_to(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = {f"job{number}": "1" for number in range(9)}  # more than are updated at a time
        world.values = dict(before)
        world.reconcile()
        world.values = {**dict.fromkeys(before, "2"), "new": "1"}
        operations: Any = world.console.operations
        create = operations.create

        def rewrites(*asked: Any) -> Any:
            world.values = dict.fromkeys(world.values, "unseen")
            world._files()
            return create(*asked)

        monkeypatch.setattr(operations, "create", rewrites)
        ended = world.reconcile()
        assert (world.seen(), world.waited("PUT")) == ({**before, "new": "1"}, [])
        assert ended.exit_code is ExitCode.NOT_FINISHED
        assert "changed while" in ended.stop.reason


class TestWhatIsLeftAlone:
    def test_a_job_that_no_row_lists_and_somebody_edited_needs_a_decision(self, world: World) -> None:
        world.reconcile()
        world.edit("charlie", "by hand")
        world.values = {"alpha": "1", "bravo": "1"}
        ended = world.reconcile()
        assert ended.exit_code is ExitCode.NEEDS_DECISION
        assert actions(world.plan) == {"alpha": "unchanged", "bravo": "unchanged", "charlie": "keep"}
        assert removals(world) == [("charlie", "drifted", "kept")]
        assert world.seen()["charlie"] == "by hand"

    def test_a_job_that_no_row_lists_and_that_is_gone_is_forgotten(self, world: World) -> None:
        world.reconcile()
        world.delete("charlie")
        world.values = {"alpha": "1", "bravo": "1"}
        assert world.reconcile().exit_code is ExitCode.OK
        assert actions(world.plan) == {"alpha": "unchanged", "bravo": "unchanged"}
        assert (removals(world), world.waited("DELETE")) == ([], [])
        assert told(world, "SELECT name FROM applied ORDER BY name") == [("alpha",), ("bravo",)]

    def test_a_row_whose_job_cannot_be_read_is_a_conflict_and_the_others_go_on(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.reconcile()
        world.edit("bravo", "by hand")
        world.values["alpha"] = "2"
        replying(world, monkeypatch, "get", "bravo", gateway(422, "100", "no", "no"))
        world.reconcile(max_attempts=2)
        assert actions(world.plan) == {"alpha": "update", "bravo": "conflict", "charlie": "unchanged"}
        assert world.seen() == {**THREE, "alpha": "2", "bravo": "by hand"}

    def test_a_job_that_somebody_edits_after_the_plan_is_neither_updated_nor_deleted(self, world: World) -> None:
        async def meanwhile(_plan: Plan) -> Refusal | None:
            for name in ("alpha", "charlie"):
                world.edit(name, "by hand")
            return None

        world.reconcile()
        world._time += 10  # its dates have no fractions
        world.values = {"alpha": "2", "bravo": "1"}
        ended = world.reconcile(approve=meanwhile)
        assert ended.exit_code is ExitCode.NEEDS_DECISION
        assert world.seen() == {"alpha": "by hand", "bravo": "1", "charlie": "by hand"}
        assert outcomes(world)["alpha"] == "drifted"
        assert removals(world) == [("charlie", "drifted", "edited")]


class TestDeletesAfterAnOpenCreate:
    """charlie's create has no known end when its row is taken out."""

    @pytest.fixture
    def opened(self, world: World) -> World:
        del world.values["charlie"]
        world.reconcile()
        world.values["charlie"] = "1"
        world.reconcile(first("POST", "kill-after"))
        del world.values["charlie"]
        assert open_names(world) == ["charlie"]
        return world

    def test_its_job_is_deleted_once_it_has_settled(self, opened: World) -> None:
        assert opened.reconcile().exit_code is ExitCode.OK
        assert removals(opened) == [("charlie", "deleted", None)]
        assert "charlie" not in opened.seen()
        assert open_names(opened) == []

    def test_if_somebody_deletes_it_after_the_plan_there_is_nothing_to_do(self, opened: World) -> None:
        async def deletes(plan: Plan) -> Refusal | None:
            assert [row.name for row in plan.rows.of(Action.DELETE)] == ["charlie"]
            opened.delete("charlie")
            return None

        opened.reconcile(approve=deletes)
        assert removals(opened) == [("charlie", "not_sent", "open")]
        assert opened.waited("DELETE") == []

    def test_if_what_became_of_it_cannot_be_found_out_it_stays_open_and_is_not_deleted(
        self, opened: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def blinds(_plan: Plan) -> Refusal | None:
            replying(opened, monkeypatch, "get", "charlie", gateway(422, "100", "no", "no"))
            return None

        ended = opened.reconcile(approve=blinds, max_attempts=2)
        assert removals(opened) == [("charlie", "unresolved", "open")]
        assert ended.exit_code is ExitCode.UNRESOLVED
        assert (open_names(opened), "charlie" in opened.seen()) == (["charlie"], True)


class TestDeletesAfterAnOpenUpdate:
    def test_a_job_whose_update_has_no_known_end_is_not_deleted_however_well_it_is_known(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.reconcile()
        world.values["charlie"] = "2"
        world.reconcile(first("PUT", "kill-before"))
        del world.values["charlie"]
        assert open_names(world) == ["charlie"]

        async def blinds(_plan: Plan) -> Refusal | None:
            replying(world, monkeypatch, "get", "charlie", gateway(422, "100", "no", "no"))
            return None

        ended = world.reconcile(approve=blinds, max_attempts=2)
        assert removals(world) == [("charlie", "unresolved", "open")]
        assert ended.exit_code is ExitCode.UNRESOLVED
        assert open_names(world) == ["charlie"]
        assert world.waited("DELETE") == []

    def test_an_update_overwrites_what_was_edited_by_hand_before_the_plan(self, world: World) -> None:
        world.reconcile()
        world._time += 10  # its dates have no fractions
        world.edit("alpha", "by hand")
        assert world.reconcile().exit_code is ExitCode.OK
        assert world.seen() == THREE


class TestRollback:
    def test_one_that_is_refused_deletes_nothing(self, world: World) -> None:
        async def no(_candidates: object) -> Refusal | None:
            return Refusal(Stop("refused", "somebody said no"), ExitCode.USAGE)

        world.submit()
        ended = world.rollback("r0", approve=no)
        assert (ended.exit_code, world.seen()) == (ExitCode.USAGE, THREE)
        assert set(outcomes(world).values()) == {"not_sent"}

    def test_a_stop_while_somebody_thinks_about_it_deletes_nothing(self, world: World) -> None:
        async def thinks(_candidates: object) -> Refusal | None:
            world.run.stop(INTERRUPT)
            return None

        world.submit()
        ended = world.rollback("r0", approve=thinks)
        assert (ended.exit_code, ended.stop, world.seen()) == (ExitCode.NOT_FINISHED, INTERRUPT, THREE)
        assert world.waited("DELETE") == []

    def test_more_than_it_may_delete_is_refused(self, world: World) -> None:
        world.submit()
        ended = world.rollback("r0", max_delete=MaxDelete(count=2))
        assert ended.exit_code is ExitCode.NEEDS_DECISION
        assert "3 jobs would be deleted, more than --max-delete 2" in ended.stop.reason
        assert world.seen() == THREE

    def test_keys_that_are_refused_end_it_before_anything_is_deleted(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.submit()
        replying(world, monkeypatch, "get", "alpha", unauthenticated("no"))
        ended = world.rollback("r0")
        assert ended.exit_code is ExitCode.ACCESS
        assert world.seen() == THREE

    def test_a_job_that_cannot_be_read_ends_it_before_anything_is_deleted(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.submit()
        replying(world, monkeypatch, "get", "alpha", gateway(422, "100", "no", "no"))
        ended = world.rollback("r0")
        assert ended.exit_code is ExitCode.NOT_FINISHED
        assert "cannot be read" in ended.stop.reason
        assert world.seen() == THREE

    def test_a_job_whose_delete_is_refused_keeps_its_row_in_need_of_a_decision(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.submit()
        replying(world, monkeypatch, "delete", "alpha", gateway(400, "100", "no", "no"))
        ended = world.rollback("r0")
        assert ended.exit_code is ExitCode.NEEDS_DECISION
        assert outcomes(world) == {"alpha": "rejected", "bravo": "deleted", "charlie": "deleted"}

    def test_every_kind_of_touch_leaves_a_job_alone_and_is_said(self, world: World) -> None:
        world.values = dict.fromkeys(("updated", "edited", "executed", "gone", "stranger", "alpha"), "1")
        world.submit()
        world._time += 10
        world.values["updated"] = "2"
        world.reconcile()
        world.edit("edited", "by hand")
        world.run_job("executed")
        world.delete("gone")
        ended = world.rollback("r0")
        assert ended.exit_code is ExitCode.NEEDS_DECISION
        assert outcomes(world) == {
            "updated": "drifted", "edited": "drifted", "executed": "existing", "gone": "deleted",
            "stranger": "deleted", "alpha": "deleted",
        }  # fmt: skip
        assert set(world.seen()) == {"updated", "edited", "executed"}

    def test_a_run_that_is_not_known_is_a_mistake_of_usage(self, world: World) -> None:
        world.submit()
        with pytest.raises(UsageError, match="no run 'r9' in this journal"):
            world.rollback("r9")

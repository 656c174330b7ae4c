"""A write of unknown end settles before anything else is written to that job, in its run and in the next one.

``LATE`` seconds after it was given up, a request is still carried out. Virtual time: each test fails at once where a
look comes sooner than settle.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .world import SETTLE, World, first


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Alpha and keeper exist, both ``1``; the next process follows at once."""
    made = World(tmp_path, rest=0.0)
    made.values = {"keeper": "1", "alpha": "1"}
    made.reconcile()
    yield made
    made.close()


def test_an_update_of_unknown_end_is_looked_at_after_settle_and_only_then_written_again(world: World) -> None:
    world.values["alpha"] = "2"
    world.reconcile(first("PUT", "broken"))
    one, two = world.waited("PUT")
    assert two - one >= SETTLE
    assert world.seen() == world.values


def test_a_run_does_not_end_before_its_update_is_settled(world: World) -> None:
    world.values["alpha"] = "2"
    world.reconcile(first("PUT", "late"))
    world.values["alpha"] = "3"
    world.reconcile()
    world.rest = SETTLE
    world.reconcile()
    assert world.seen() == world.values


def test_another_definition_waits_until_the_open_update_is_settled(world: World) -> None:
    world.values["alpha"] = "2"
    world.reconcile(first("PUT", "kill-late"))
    world.values["alpha"] = "3"
    ended = world.reconcile()
    assert [wait >= SETTLE for wait in world.waited("PUT")] == [True]
    assert ended.exit_code == 0
    world.console.advance(1_000)
    assert world.seen() == {"keeper": "1", "alpha": "3"}


def test_the_old_definition_again_waits_for_the_open_update_as_well(world: World) -> None:
    """The job looks as it is wanted: only settle shows that it is about to change."""
    world.values["alpha"] = "2"
    world.reconcile(first("PUT", "kill-late"))
    world.values["alpha"] = "1"
    world.reconcile()
    world.console.advance(1_000)
    assert world.seen() == {"keeper": "1", "alpha": "1"}


def test_a_plan_says_what_is_there_while_an_update_is_open(world: World) -> None:
    world.values["alpha"] = "2"
    world.reconcile(first("PUT", "kill-after"))
    world.reconcile()
    assert world.plan is not None
    assert {row.name: row.action.value for row in world.plan.rows} == {"keeper": "unchanged", "alpha": "unchanged"}


def test_submit_says_what_became_of_an_open_update_once_it_has_settled(world: World) -> None:
    world.values["alpha"] = "2"
    world.reconcile(first("PUT", "kill-late"))
    ended = world.submit()
    assert ended.exit_code == 0, "the late update is what the row wants"
    assert world.seen() == world.values


@pytest.mark.parametrize("fate", ["kill-late", "kill-before"])
def test_a_row_that_is_gone_has_its_open_update_settled_before_its_job_is_deleted(world: World, fate: str) -> None:
    world.values["alpha"] = "2"
    world.reconcile(first("PUT", fate))
    del world.values["alpha"]
    world.reconcile()
    assert [wait >= SETTLE for wait in world.waited("DELETE")] == [True]
    assert world.seen() == world.values


def test_a_row_that_is_gone_has_its_open_create_settled_and_what_it_made_is_deleted(world: World) -> None:
    world.values["bravo"] = "1"
    world.reconcile(first("POST", "kill-late"))
    del world.values["bravo"]
    world.reconcile()
    world.reconcile()
    world.console.advance(1_000)
    assert world.seen() == world.values


def test_a_delete_of_unknown_end_is_settled_before_the_row_is_made_anew(world: World) -> None:
    del world.values["alpha"]
    world.reconcile(first("DELETE", "kill-late"))
    world.values["alpha"] = "1"
    world.reconcile()
    world.console.advance(1_000)
    assert world.seen() == world.values


class TestRollback:
    @pytest.mark.parametrize("fate", ["late", "broken"])
    def test_a_delete_of_unknown_end_is_looked_at_after_settle(self, world: World, fate: str) -> None:
        world.rollback("r0", first("DELETE", fate))
        one, *_, last = world.waited("DELETE")
        assert last - one >= SETTLE or fate == "late"
        assert world.seen() == {}

    def test_a_delete_that_was_killed_is_settled_by_the_next(self, world: World) -> None:
        world.rollback("r0", first("DELETE", "kill-before"))
        ended = world.rollback("r0")
        assert max(world.waited("DELETE")) >= SETTLE
        assert (world.seen(), ended.exit_code) == ({}, 0)

    def test_a_job_that_a_later_run_may_have_updated_is_left_alone_if_it_did(self, world: World) -> None:
        world.values["alpha"] = "2"
        world.reconcile(first("PUT", "kill-late"))
        ended = world.rollback("r0")
        world.console.advance(1_000)
        assert (world.seen(), ended.exit_code) == ({"alpha": "2"}, 4)

    def test_and_is_deleted_if_it_did_not(self, world: World) -> None:
        world.values["alpha"] = "2"
        world.reconcile(first("PUT", "kill-before"))
        ended = world.rollback("r0")
        assert (world.seen(), ended.exit_code) == ({}, 0)

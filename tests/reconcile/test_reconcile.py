"""``reconcile``: the service equals the inventory afterwards, and nothing else is touched."""

from __future__ import annotations

import pytest

from .stage import Stage, actions, counts

THREE = {"alpha": "A", "bravo": "B", "charlie": "C"}


async def test_missing_is_created_drifted_is_updated_and_then_nothing_is_pending(stage: Stage) -> None:
    stage.write(THREE)
    assert counts(await stage.reconciled()) == {"created": 3}
    stage.write({"alpha": "A2", "bravo": "B", "delta": "D"})
    await stage.service.set_value("bravo", "by hand")
    assert counts(await stage.reconciled()) == {"created": 1, "updated": 2}
    assert await stage.service.values() == {"alpha": "A2", "bravo": "B", "charlie": "C", "delta": "D"}
    assert counts(await stage.reconciled("--expect-no-changes")) == {"existing": 3}


async def test_an_update_keeps_the_job_and_its_id(stage: Stage) -> None:
    stage.write(THREE)
    await stage.reconciled()
    before = {name: job["jobId"] for name, job in (await stage.service.jobs()).items()}
    stage.write({name: value + "2" for name, value in THREE.items()})
    await stage.reconciled()
    assert {name: job["jobId"] for name, job in (await stage.service.jobs()).items()} == before


async def test_a_dry_run_is_a_plan(stage: Stage) -> None:
    stage.write(THREE)
    ran = await stage.run("reconcile", "--dry-run", "--json")
    assert (ran.code, actions(ran.json)) == (0, dict.fromkeys(THREE, "create"))
    assert await stage.service.jobs() == {}


async def test_unexpected_changes_are_told_and_not_made(stage: Stage) -> None:
    stage.write(THREE)
    await stage.reconciled()
    await stage.service.set_value("alpha", "by hand")
    ran = await stage.run("reconcile", "--yes", "--expect-no-changes")
    assert ran.code == 10
    assert (await stage.service.values())["alpha"] == "by hand"


async def test_a_job_that_runs_is_not_updated_unless_told(stage: Stage) -> None:
    stage.write(THREE)
    await stage.reconciled()
    await stage.service.edit("alpha", status="RUNNING")
    stage.write({name: value + "2" for name, value in THREE.items()})
    ran = await stage.run("reconcile", "--yes", "--json")
    assert (ran.code, counts(ran.json)) == (4, {"updated": 2, "drifted": 1})
    assert (await stage.service.values())["alpha"] == "A"
    assert counts(await stage.reconciled("--include-running")) == {"updated": 1, "existing": 2}


class TestPrune:
    @pytest.fixture(autouse=True)
    async def _applied(self, stage: Stage) -> None:
        stage.write(THREE)
        await stage.reconciled()

    async def test_deletes_what_no_row_lists_any_more(self, stage: Stage) -> None:
        stage.write({"alpha": "A"})
        summary = await stage.reconciled("--prune", "--max-delete", "2")
        assert [(job["name"], job["outcome"]) for job in summary["deleted"]] == [
            ("bravo", "deleted"),
            ("charlie", "deleted"),
        ]
        assert set(await stage.service.jobs()) == {"alpha"}
        assert (await stage.plan("--prune", "--max-delete", "9"))["counts"]["delete"] == 0

    async def test_never_deletes_more_than_it_may_and_then_nothing_at_all(self, stage: Stage) -> None:
        stage.write({"alpha": "A2"})
        for limit in ((), ("--max-delete", "1"), ("--max-delete", "50%")):
            ran = await stage.run("reconcile", "--prune", "--yes", *limit)
            assert ran.code == 4
            assert "2 jobs would be deleted" in ran.said()
        assert await stage.service.values() == THREE

    async def test_leaves_jobs_that_run_or_were_edited_by_hand_unless_told(self, stage: Stage) -> None:
        await stage.service.set_value("bravo", "by hand")
        await stage.service.edit("charlie", lastExecutionStatus="RUNNING")
        stage.write({"alpha": "A"})
        words = ("--prune", "--max-delete", "2")
        ran = await stage.run("reconcile", "--yes", "--json", *words)
        assert ran.code == 4
        assert {job["name"]: job["outcome"] for job in ran.json["deleted"]} == dict.fromkeys(
            ("bravo", "charlie"), "drifted"
        )
        assert set(await stage.service.jobs()) == set(THREE)
        await stage.reconciled(*words, "--include-running", "--include-edited")
        assert set(await stage.service.jobs()) == {"alpha"}

    async def test_never_touches_what_another_namespace_lists_or_made(self, stage: Stage) -> None:
        other = stage.write({"delta": "D", "bravo": "B"}, stage.folder / "other.csv")
        await stage.reconciled(other)
        stage.write({"alpha": "A"})
        await stage.reconciled("--prune", "--max-delete", "9")
        assert set(await stage.service.jobs()) == {"alpha", "bravo", "delta"}
        stage.write({"delta": "D"}, other)
        await stage.reconciled(other, "--prune", "--max-delete", "9", "--namespace", "a new one")
        assert set(await stage.service.jobs()) == {"alpha", "bravo", "delta"}

    @pytest.mark.parametrize(("more", "code"), [({"delta": "D"}, 10), ({}, 0)], ids=["refused", "nothing pending"])
    async def test_a_check_of_a_mistyped_namespace_holds_no_names(
        self, stage: Stage, more: dict[str, str], code: int
    ) -> None:
        stage.write({**THREE, **more})
        ran = await stage.run("reconcile", "--yes", "--namespace", "typo", "--expect-no-changes")
        assert ran.code == code
        stage.write({"alpha": "A"})
        said = (await stage.run("plan", "--prune")).said()
        assert "reconcile would refuse it: 2 jobs would be deleted, more than --max-delete 10%" in said

    async def test_knows_only_what_its_own_journal_has_made(self, stage: Stage) -> None:
        stage.write({"alpha": "A"})
        await stage.reconciled("--prune", "--max-delete", "9", "--state", "elsewhere.db")
        assert set(await stage.service.jobs()) == set(THREE)

    async def test_a_job_that_was_deleted_by_hand_is_forgotten(self, stage: Stage) -> None:
        await stage.service.delete("bravo")
        stage.write({"alpha": "A", "charlie": "C"})
        summary = await stage.reconciled("--prune")
        assert summary["deleted"] == []


async def test_two_hosts_with_one_inventory_make_and_change_nothing_twice(stage: Stage) -> None:
    here, there = ("--state", "here.db"), ("--state", "there.db")
    stage.write(THREE)
    assert counts(await stage.reconciled(*here)) == {"created": 3}
    assert counts(await stage.reconciled(*there)) == {"existing": 3}
    stage.write({name: value + "2" for name, value in THREE.items()})
    assert counts(await stage.reconciled(*there)) == {"updated": 3}
    assert counts(await stage.reconciled(*here)) == {"existing": 3}
    stage.write({"alpha": "A2"})
    await stage.reconciled("--prune", "--max-delete", "9", *here)
    assert (await stage.reconciled("--prune", "--max-delete", "9", *there))["deleted"] == []
    assert set(await stage.service.jobs()) == {"alpha"}

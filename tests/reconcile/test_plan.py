"""``plan``: what would be done, with readable differences and who made them; nothing is changed."""

from __future__ import annotations

import fcntl
import json
import re

from .stage import Stage, actions

THREE = {"alpha": "A", "bravo": "B", "charlie": "C"}


async def test_every_row_has_its_action_and_nothing_is_changed(stage: Stage) -> None:
    stage.write(THREE)
    plan = await stage.plan()
    assert actions(plan) == dict.fromkeys(THREE, "create")
    assert plan["counts"] == {"create": 3, "unchanged": 0, "update": 0, "conflict": 0, "delete": 0, "keep": 0}
    assert [row["line"] for row in plan["rows"]] == [2, 3, 4]
    assert await stage.service.jobs() == {}
    assert not (stage.folder / "reports").exists()

    await stage.reconciled()
    assert actions(await stage.plan()) == dict.fromkeys(THREE, "unchanged")


async def test_a_difference_is_readable_and_says_which_side_changed(stage: Stage) -> None:
    stage.write(THREE)
    await stage.reconciled()
    stage.write({"alpha": "A2", "bravo": "B", "charlie": "C2"})
    await stage.service.set_value("bravo", "by hand")
    await stage.service.set_value("charlie", "by hand")
    rows = {row["name"]: row for row in (await stage.plan())["rows"]}
    assert [rows[name]["reason"] for name in THREE] == [
        "changed here",
        "changed in the console",
        "changed here and in the console",
    ]
    assert rows["alpha"]["diff"] == [
        {
            "field": "filter.value",
            "path": "nodes[1].filterConditionList[0].value",
            "side": "changed here",
            "there": "A",
            "wanted": "A2",
        }
    ]
    said = (await stage.run("plan")).said()
    assert '~ alpha changed here filter.value: "A" → "A2" ~ bravo' in said
    assert "Plan: 3 to update" in said
    assert "3 updateJob" in said


async def test_jobs_that_the_journal_does_not_know_are_read_by_the_run_to_come(stage: Stage) -> None:
    stage.write(THREE)
    await stage.reconciled()
    assert (await stage.plan())["calls"]["getJob"] == 0
    plan = await stage.plan("--state", "another.db")
    assert actions(plan) == dict.fromkeys(THREE, "unchanged")
    assert plan["calls"]["getJob"] == 3
    said = (await stage.run("plan", "--state", "another.db")).said()
    assert re.search(r"Plan: 3 unchanged Calls: 3 getJob; (less than a second|about \d+ s) at 300\.0/s", said)


async def test_exit_code_tells_whether_something_is_pending(stage: Stage) -> None:
    stage.write(THREE)
    assert (await stage.run("plan", "--exit-code")).code == 10
    await stage.reconciled()
    assert (await stage.run("plan", "--exit-code")).code == 0


async def test_a_plan_takes_no_lock_and_leaves_the_journal_as_it_is(stage: Stage) -> None:
    stage.write(THREE)
    await stage.reconciled()
    stage.write({"alpha": "other"})
    state = stage.folder / "reports" / "journal.db"
    before = state.read_bytes()
    holder = stage.folder / "reports" / "journal.db.lock"
    with holder.open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert actions(await stage.plan("--prune", "--max-delete", "5")) == {
            "alpha": "update",
            "bravo": "delete",
            "charlie": "delete",
        }
    assert state.read_bytes() == before


async def test_the_name_of_a_stranger_is_a_conflict(stage: Stage) -> None:
    other = Stage(stage.folder / "other", stage.service)
    other.folder.mkdir()
    other.write({"alpha": "A"})
    await other.reconciled()
    nodes = (await stage.service.jobs())["alpha"]["nodes"]
    renumbered = json.loads(json.dumps(nodes).replace(str(nodes[0]["id"])[:10], "1697776914"))
    renumbered[1]["filterConditionList"][0]["value"] = "theirs"
    await stage.service.edit("alpha", nodes=renumbered)
    stage.write(THREE)
    assert actions(await stage.plan()) == {"alpha": "conflict", "bravo": "create", "charlie": "create"}
    ran = await stage.run("reconcile", "--yes")
    assert ran.code == 4
    assert (await stage.service.values())["alpha"] == "theirs"


async def test_an_invalid_inventory_has_no_plan(stage: Stage) -> None:
    stage.write({"a!": "x"})
    ran = await stage.run("plan")
    assert ran.code == 3
    assert "jobs.csv:2" in ran.err


class TestASavedPlan:
    async def test_is_carried_out_exactly(self, stage: Stage) -> None:
        stage.write(THREE)
        assert (await stage.run("plan", "--out", "plan.json")).code == 0
        assert (stage.folder / "plan.json").stat().st_mode & 0o777 == 0o600
        await stage.reconciled("--plan", "plan.json")
        assert await stage.service.values() == THREE

    async def test_is_refused_when_the_inventory_is_another(self, stage: Stage) -> None:
        stage.write(THREE)
        await stage.run("plan", "--out", "plan.json")
        stage.write({**THREE, "alpha": "A2"})
        ran = await stage.run("reconcile", "--plan", "plan.json", "--yes")
        assert ran.code == 4
        assert "inventory: its bytes are others" in ran.said()
        assert await stage.service.jobs() == {}

    async def test_is_refused_when_the_service_changed(self, stage: Stage) -> None:
        stage.write(THREE)
        await stage.reconciled()
        stage.write({**THREE, "alpha": "A2"})
        await stage.run("plan", "--out", "plan.json")
        await stage.service.set_value("alpha", "by hand")
        ran = await stage.run("reconcile", "--plan", "plan.json", "--yes")
        assert ran.code == 4
        assert "alpha: its job was changed on the service since" in ran.said()
        assert (await stage.service.values())["alpha"] == "by hand"

    async def test_is_carried_out_by_submit_if_it_only_creates(self, stage: Stage) -> None:
        stage.write(THREE)
        await stage.run("plan", "--out", "plan.json")
        assert (await stage.run("submit", "--plan", "plan.json")).code == 0
        assert await stage.service.values() == THREE
        ran = await stage.run("submit", "--plan", "plan.json")
        assert ran.code == 4
        assert "alpha: it was to create, now it is to unchanged" in ran.said()
        stage.write({**THREE, "alpha": "A2"})
        await stage.run("plan", "--out", "plan.json")
        ran = await stage.run("submit", "--plan", "plan.json")
        assert ran.code == 4
        assert "submit only creates" in ran.said()

    async def test_that_is_none_is_a_mistake_of_usage(self, stage: Stage) -> None:
        stage.write(THREE)
        (stage.folder / "plan.json").write_text("[]", encoding="utf-8")
        assert (await stage.run("reconcile", "--plan", "plan.json", "--yes")).code == 2

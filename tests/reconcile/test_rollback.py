"""``rollback``: what one run created and nobody has touched since is gone; everything else stays."""

from __future__ import annotations

from .stage import Stage, counts

THREE = {"alpha": "A", "bravo": "B", "charlie": "C"}


async def test_what_the_run_created_is_deleted_and_only_that(stage: Stage) -> None:
    stage.write({"alpha": "A"})
    await stage.reconciled()
    stage.write(THREE)
    run = (await stage.reconciled())["run"]
    ran = await stage.run("rollback", run, "--yes", "--json")
    assert (ran.code, counts(ran.json)) == (0, {"deleted": 2})
    assert ran.json["facts"]["of"] == run
    assert set(await stage.service.jobs()) == {"alpha"}
    results = (stage.folder / "reports" / ran.json["run"] / "results.csv").read_text(encoding="utf-8").splitlines()
    assert [line.replace('"', "").split(",")[2:4] for line in results[1:]] == [
        ["bravo", "deleted"],
        ["charlie", "deleted"],
    ]
    assert counts(await stage.reconciled()) == {"existing": 1, "created": 2}


async def test_what_was_touched_since_is_left_alone(stage: Stage) -> None:
    stage.write({**THREE, "delta": "D"})
    run = (await stage.reconciled())["run"]
    await stage.service.set_value("alpha", "by hand")
    await stage.service.edit("bravo", lastExecutionStatus="COMPLETED", lastExecutionDate="2026-11-24T10:00:00+09:00")
    stage.write({"delta": "D2"})
    await stage.reconciled()
    ran = await stage.run("rollback", run, "--yes")
    assert ran.code == 4
    assert "alpha" in ran.err
    assert set(await stage.service.jobs()) == {"alpha", "bravo", "delta"}


async def test_the_list_is_shown_first_and_nobody_is_asked_where_nobody_is(stage: Stage) -> None:
    stage.write(THREE)
    run = (await stage.reconciled())["run"]
    ran = await stage.run("rollback", run)
    assert ran.code == 2
    for name in THREE:
        assert f"- {name} " in ran.said()
    assert (await stage.run("rollback", run, "--dry-run")).code == 0
    assert set(await stage.service.jobs()) == set(THREE)


async def test_more_than_it_may_delete_is_refused(stage: Stage) -> None:
    stage.write(THREE)
    run = (await stage.reconciled())["run"]
    assert (await stage.run("rollback", run, "--yes", "--max-delete", "2")).code == 4
    assert set(await stage.service.jobs()) == set(THREE)


async def test_a_second_time_there_is_nothing_left_to_do(stage: Stage) -> None:
    stage.write(THREE)
    run = (await stage.reconciled())["run"]
    for _ in range(2):
        ran = await stage.run("rollback", run, "--yes", "--json")
        assert (ran.code, counts(ran.json)) == (0, {"deleted": 3})


async def test_an_unknown_run_is_a_mistake_of_usage(stage: Stage) -> None:
    stage.write(THREE)
    await stage.reconciled()
    assert (await stage.run("rollback", "nonsense", "--yes")).code == 2

"""Faults of what is known of existing jobs: lists that lag, shift or fail, and names that others hold."""

from __future__ import annotations

import pytest

from .scene import Scene
from .server import Exchange, Fault
from .wire_faults import closing, gateway, half, raw, resetting, service, status

LOOKUP_FAULTS = {
    "reset": resetting(made=False),
    "closed": closing(made=False),
    "503": status(503, gateway(500)),
    "HTML with status 200": status(200, b"<html>maintenance</html>"),
    "no list in it": status(200, {"count": 0}),
    "half a reply": half(),
    "deep nesting": status(200, b'{"list":' + b"[" * 100_000),
    "a 400 that is no error reply": status(400, b"?"),
}


def stranger(scene: Scene, name: str, *, like_row: bool = False, state: str = "RUNNABLE") -> str:
    """Somebody else makes a job of this name. ``like_row``: with the row's own definition, under other ids."""
    nodes: list[object] = [{"type": "SOURCE_OBS", "id": 1697776914576, "bucketName": "theirs", "prefix": "p"}]
    if like_row:
        ours = next(job for job in scene.server.truth.jobs.values() if job.name == name)
        nodes = [_renumbered(node) for node in ours.nodes]
    return scene.server.truth.make(name, nodes, ours=False, status=state).job_id


def _renumbered(node: dict[str, object]) -> dict[str, object]:
    number = node["id"]
    parents = node["parentNodeIds"]
    assert isinstance(number, int)
    assert isinstance(parents, list)
    return node | {"id": 10**12 + number % 1000, "parentNodeIds": [10**12 + parent % 1000 for parent in parents]}


def lose_the_journal(scene: Scene) -> None:
    for path in scene.state.parent.iterdir():
        path.unlink()


class TestListsThatLag:
    async def test_a_job_that_the_list_shows_late_is_adopted_when_settle_covers_the_lag(self, scene: Scene) -> None:
        scene.server.truth.lag = 0.4
        scene.server.on("create", resetting(made=True), name="bravo")
        scene.server.on("create", half(), name="delta")
        ended = await scene.run(settle=0.7)
        assert ended.outcomes() == ["created", "adopted", "created", "adopted", "created"]
        assert scene.server.creates() == 5
        await scene.again()

    async def test_jobs_that_the_list_does_not_show_yet_are_not_made_again_by_a_run_that_follows_at_once(
        self, scene: Scene
    ) -> None:
        scene.server.truth.lag = 60
        await scene.run()
        ended = await scene.run(settle=30)
        assert ended.outcomes() == ["existing"] * 5
        assert scene.server.creates() == 5

    async def test_a_server_that_refuses_duplicates_keeps_the_promise_even_beyond_settle(self, scene: Scene) -> None:
        scene.server.unique = True
        scene.server.truth.lag = 0.45
        scene.server.on("create", resetting(made=True), name="bravo")
        ended = await scene.run(settle=0.25)
        assert ended["bravo"]["outcome"] in ("adopted", "existing")
        assert ended["bravo"]["attempts"] == "2"
        await scene.again()


class TestListsThatChangeWhileTheyAreRead:
    @pytest.mark.parametrize("fresh", [0, 6], ids=["few rows to send", "many rows to send"])
    async def test_an_item_that_slips_to_an_earlier_page_is_not_made_again_without_a_journal(
        self, scene: Scene, fresh: int
    ) -> None:
        theirs = [stranger(scene, f"theirs{i}") for i in range(2)]
        await scene.run()
        lose_the_journal(scene)
        scene.write([*scene.names, *(f"fresh{number}" for number in range(fresh))])
        scene.server.page_cap = 2

        async def shift(exchange: Exchange) -> None:
            scene.server.truth.remove(theirs.pop())
            await exchange.ordinary()

        rule = scene.server.on("list", shift, skip=1)
        ended = await scene.run()
        assert rule.used
        assert ended.outcomes() == ["existing"] * 5 + ["created"] * fresh
        assert scene.server.creates() == 5 + fresh
        await scene.again()

    async def test_many_rows_of_unknown_end_are_not_made_again_when_the_list_shifts_under_them(
        self, scene: Scene
    ) -> None:
        theirs = [stranger(scene, f"theirs{i}") for i in range(2)]
        scene.server.on("create", resetting(made=True), times=None)
        scene.server.on("any", status(400, gateway(100)), skip=1, times=None)
        ended = await scene.run(max_attempts=1)
        assert ended.outcomes() == ["unresolved"] * 5
        scene.server.heal()

        async def short_pages_from_now_on(exchange: Exchange) -> None:
            await exchange.ordinary()
            scene.server.page_cap = 2

        async def shift(exchange: Exchange) -> None:
            scene.server.truth.remove(theirs.pop())
            await exchange.ordinary()

        scene.server.on("list", short_pages_from_now_on)
        shifted = scene.server.on("list", shift, skip=1)
        ended = await scene.run()
        assert shifted.used
        assert ended.outcomes() == ["adopted"] * 5
        assert scene.server.creates() == 5
        await scene.again()

    async def test_a_list_that_repeats_its_pages_for_ever_proves_nothing_and_sends_nothing(self, scene: Scene) -> None:
        page = {"list": [{"jobId": f"x{i}", "name": f"x{i}"} for i in range(1000)], "count": 1000, "limit": 1000}
        scene.server.on("list", status(200, page), times=None)
        ended = await scene.run()
        assert ended.outcomes() == ["not_sent"] * 5
        assert ended.exit_code == 5
        assert scene.server.creates() == 0
        await scene.again()


class TestLookupsThatFail:
    @pytest.mark.parametrize("fault", LOOKUP_FAULTS.values(), ids=LOOKUP_FAULTS.keys())
    async def test_a_lookup_that_fails_is_repeated_and_proves_nothing_before(self, scene: Scene, fault: Fault) -> None:
        scene.server.on("create", resetting(made=True), name="bravo")
        scene.server.on("lookup", fault, name="bravo", times=2)
        ended = await scene.run()
        assert ended["bravo"]["outcome"] == "adopted"
        assert scene.server.creates("bravo") == 1
        await scene.again()

    @pytest.mark.parametrize(
        "fault",
        [status(400, gateway(100)), raw(b"garbage\r\n\r\n", made=False)],
        ids=["refused", "garbled"],
    )
    async def test_a_lookup_that_never_works_leaves_the_row_unresolved_for_the_next_run(
        self, scene: Scene, fault: Fault
    ) -> None:
        scene.server.on("create", resetting(made=True), name="bravo")
        scene.server.on("lookup", fault, times=None)
        ended = await scene.run(patience=0.4, max_attempts=2)
        assert ended.outcomes() == ["created", "unresolved", "created", "created", "created"]
        assert ended.exit_code == 6
        assert scene.server.creates("bravo") == 1
        again = await scene.again()
        assert again["bravo"]["outcome"] == "adopted"

    async def test_a_list_that_fails_before_the_first_create_sends_nothing(self, scene: Scene) -> None:
        scene.server.on("list", status(200, b"<html>login</html>"), times=None)
        ended = await scene.run(patience=0.3)
        assert ended.outcomes() == ["not_sent"] * 5
        assert scene.server.creates() == 0
        await scene.again()

    async def test_a_job_that_goes_away_between_list_and_read_is_made_again(self, scene: Scene) -> None:
        await scene.run()
        job = scene.server.truth.live("bravo")[0]
        lose_the_journal(scene)

        async def go(exchange: Exchange) -> None:
            if exchange.request.job_id == job.job_id:
                scene.server.truth.remove(job.job_id)
            await exchange.ordinary()

        scene.server.on("get", go, times=None)
        ended = await scene.run()
        assert ended.outcomes() == ["existing", "created", "existing", "existing", "existing"]


class TestNamesThatOthersHold:
    async def test_a_stranger_with_another_definition_is_a_conflict_and_nothing_is_sent(self, scene: Scene) -> None:
        theirs = stranger(scene, "bravo")
        ended = await scene.run()
        assert (ended["bravo"]["outcome"], ended["bravo"]["job_id"]) == ("conflict", theirs)
        assert ended.exit_code == 4
        assert scene.server.creates("bravo") == 0
        assert (await scene.again(holds=False)).exit_code == 4

    async def test_a_stranger_with_the_very_same_definition_is_existing(self, scene: Scene) -> None:
        await scene.run()
        theirs = stranger(scene, "bravo", like_row=True)
        ours = next(job for job in scene.server.truth.live("bravo") if job.ours)
        scene.server.truth.remove(ours.job_id)
        lose_the_journal(scene)
        ended = await scene.run()
        assert (ended["bravo"]["outcome"], ended["bravo"]["job_id"]) == ("existing", theirs)
        await scene.again()

    async def test_two_strangers_of_one_name_are_a_conflict_that_names_both(self, scene: Scene) -> None:
        stranger(scene, "bravo")
        stranger(scene, "bravo")
        ended = await scene.run()
        assert ended["bravo"]["outcome"] == "conflict"
        assert ended["bravo"]["error_code"] == "several-jobs"
        assert scene.server.creates("bravo") == 0
        await scene.again(holds=False)

    async def test_a_stranger_who_comes_between_list_and_create_is_found_when_the_name_is_refused(
        self, scene: Scene
    ) -> None:
        scene.server.unique = True

        async def first(exchange: Exchange) -> None:
            stranger(scene, "bravo")
            await exchange.ordinary()

        scene.server.on("create", first, name="bravo")
        ended = await scene.run()
        assert ended["bravo"]["outcome"] == "conflict"
        await scene.again(holds=False)

    async def test_names_that_contain_other_names_are_not_taken_for_them(self, scene: Scene) -> None:
        scene.write(["job", "job1", "job10", "a_job1", "JOB1"])
        scene.server.on("create", resetting(made=True), name="job1")
        scene.server.on("create", resetting(made=False), name="job")
        ended = await scene.run()
        assert ended.outcomes() == ["created", "adopted", "created", "created", "created"]
        await scene.again()

    async def test_deleted_jobs_in_the_list_do_not_count_as_existing(self, scene: Scene) -> None:
        stranger(scene, "bravo", state="DELETED")
        scene.server.on("create", resetting(made=False), name="bravo")
        ended = await scene.run()
        assert ended.outcomes() == ["created"] * 5
        await scene.again()

    async def test_a_name_that_a_deleted_job_still_blocks_is_tried_again_after_settling(self, scene: Scene) -> None:
        stranger(scene, "bravo", state="DELETED")
        scene.server.on("create", status(400, service("bad-state", "the name is taken")), name="bravo")
        ended = await scene.run()
        assert ended["bravo"]["outcome"] == "created"
        assert ended["bravo"]["attempts"] == "2"
        await scene.again()

    async def test_a_refused_name_that_nobody_holds_is_rejected_as_the_service_said(self, scene: Scene) -> None:
        scene.server.on("create", status(400, service("bad-state", "the name is taken")), name="bravo")
        ended = await scene.run()
        assert (ended["bravo"]["outcome"], ended["bravo"]["error"]) == ("rejected", "the name is taken")
        assert ended.exit_code == 4
        await scene.again()

    async def test_a_refusal_after_an_attempt_of_unknown_end_is_most_likely_our_own_job(self, scene: Scene) -> None:
        scene.server.unique = True
        scene.server.truth.lag = 0.45
        scene.server.on("create", half(), name="bravo")
        ended = await scene.run(settle=0.25)
        assert ended["bravo"]["outcome"] in ("adopted", "unresolved")
        assert len(scene.server.truth.live("bravo")) == 1
        await scene.again()

    async def test_a_row_that_was_edited_while_its_attempt_is_open_is_drifted_not_sent(self, scene: Scene) -> None:
        scene.server.on("create", resetting(made=True), name="bravo")
        scene.server.on("lookup", status(400, gateway(100)), times=None)
        ended = await scene.run(max_attempts=1)
        assert ended["bravo"]["outcome"] == "unresolved"
        scene.server.heal()
        scene.inventory.write_text(scene.inventory.read_text().replace("in/bravo", "in/other"))
        ended = await scene.run()
        assert ended["bravo"]["outcome"] == "drifted"
        assert scene.server.creates("bravo") == 1

    async def test_an_open_attempt_of_a_name_that_is_no_longer_listed_is_settled_and_reported(
        self, scene: Scene
    ) -> None:
        scene.server.on("create", resetting(made=True), name="bravo")
        scene.server.on("lookup", status(400, gateway(100)), times=None)
        await scene.run(max_attempts=1)
        job = scene.server.truth.live("bravo")[0]
        scene.server.heal()
        scene.write(["alpha", "charlie", "delta", "echo"])
        ended = await scene.run(check=False)
        orphans = ended.submitted.summary["orphans"]
        assert isinstance(orphans, list)
        assert [(o["name"], o["outcome"], o["job_id"]) for o in orphans] == [("bravo", "adopted", job.job_id)]

"""What the service refuses: throttles, quotas, keys, permissions, clocks, redirects."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from bulkjobs.settings import HaltRule

from .scene import Scene
from .server import FaultServer
from .wire_faults import gateway, service, status

THROTTLED = gateway(410, "Throttled")
TAKEN = service("bad-parameter", "name already exists")
REFUSED = status(400, service("bad-parameter", "no such bucket"))
CROWD = [f"n{i:03}" for i in range(400)]


class TestThrottles:
    @pytest.mark.parametrize("code", [410, 420])
    async def test_a_throttled_create_is_sent_again_and_is_no_attempt(self, scene: Scene, code: int) -> None:
        scene.server.on("create", status(429, gateway(code)), times=2)
        ended = await scene.run()
        assert ended.outcomes() == ["created"] * 5
        assert {row["attempts"] for row in ended.rows.values()} == {"1"}
        await scene.again()

    async def test_a_throttled_list_is_read_again(self, scene: Scene) -> None:
        scene.server.on("list", status(429, THROTTLED))
        ended = await scene.run()
        assert ended.outcomes() == ["created"] * 5
        await scene.again()

    async def test_a_sane_retry_after_is_waited_for_by_everybody(self, scene: Scene) -> None:
        arrivals: list[float] = []
        scene.server.on_create = lambda _name: arrivals.append(time.monotonic())
        scene.server.on("create", status(429, THROTTLED, Retry_After="1"))
        await scene.run(concurrency=1)
        assert arrivals[1] - arrivals[0] >= 1.0
        await scene.again()

    @pytest.mark.parametrize("absurd", ["86400", "-5", "soon", "Thu, 01 Jan 2099 00:00:00 GMT"])
    async def test_an_absurd_retry_after_is_not_believed(self, scene: Scene, absurd: str) -> None:
        scene.server.on("create", status(429, THROTTLED, Retry_After=absurd))
        begun = time.monotonic()
        ended = await scene.run()
        assert time.monotonic() - begun < 30
        assert ended.outcomes() == ["created"] * 5
        await scene.again()


class TestTheRunStops:
    async def test_a_quota_that_is_used_up_ends_the_run_and_burns_no_attempts(self, scene: Scene) -> None:
        scene.server.on("create", status(429, gateway(400, "Quota Exceeded")), skip=2, times=None)
        ended = await scene.run(concurrency=1)
        assert ended.outcomes().count("created") == 2
        assert ended.outcomes().count("not_sent") == 3
        assert {row["attempts"] for row in ended.rows.values() if row["outcome"] == "not_sent"} == {"0"}
        assert ended.exit_code == 5
        assert "quota" in ended.reason
        assert scene.server.creates() <= 4
        await scene.again()

    @pytest.mark.parametrize(
        ("refusal", "word"),
        [
            ((401, gateway(200, "Authentication Failed")), "credentials"),
            ((401, b"<html>no</html>"), "credentials"),
            ((401, gateway(210, "Permission Denied")), "may not"),
            ((403, gateway(210, "Permission Denied")), "may not"),
            ((403, b""), "may not"),
            ((404, gateway(300, "Not Found Exception")), "not there"),
        ],
        ids=["401/200", "401 HTML", "401/210", "403", "403 empty", "404/300"],
    )
    async def test_a_key_that_is_revoked_in_mid_run_stops_it_at_once(
        self, scene: Scene, refusal: tuple[int, object], word: str
    ) -> None:
        scene.server.on("create", status(*refusal), skip=2, times=None)
        ended = await scene.run(concurrency=1)
        assert ended.outcomes().count("created") == 2
        assert ended.outcomes().count("not_sent") == 3
        assert ended.exit_code == 7
        assert word in ended.reason
        assert scene.server.creates() <= 4
        await scene.again()

    async def test_a_key_that_is_revoked_while_a_row_is_unknown_leaves_it_unresolved(self, scene: Scene) -> None:
        scene.server.on("create", status(500, gateway(900), made=True), name="bravo")
        scene.server.on("lookup", status(401, gateway(200)), times=None)
        ended = await scene.run()
        assert ended["bravo"]["outcome"] == "unresolved"
        assert ended.exit_code == 7
        again = await scene.again()
        assert again["bravo"]["outcome"] == "adopted"

    @pytest.mark.parametrize("operation", ["list", "create", "lookup", "get"])
    @pytest.mark.parametrize(("off", "said"), [(600, "10 minutes behind"), (-600, "10 minutes ahead of")])
    async def test_a_clock_that_is_ten_minutes_off_is_named_as_the_cause(
        self, scene: Scene, operation: str, off: float, said: str
    ) -> None:
        scene.server.clock_off = off
        if operation in ("lookup", "get"):
            scene.server.on("create", status(500, gateway(900), made=True), name="bravo")
        scene.server.on(operation, status(401, gateway(200, "Authentication Failed")), times=None)
        ended = await scene.run()
        assert said in ended.reason
        assert "clock" in ended.hint
        assert ended.exit_code == 7
        scene.server.clock_off = 0
        await scene.again()

    async def test_a_clock_that_is_right_is_not_blamed(self, scene: Scene) -> None:
        scene.server.on("list", status(401, gateway(200, "Authentication Failed")), times=None)
        ended = await scene.run()
        assert "minutes" not in ended.reason
        await scene.again()


class TestRowsThatAreRefused:
    @pytest.mark.parametrize(
        ("code", "body"),
        [
            (400, gateway(100, "Bad Request Exception")),
            (400, service("bad-parameter", "no such bucket")),
            (413, gateway(430, "Request Entity Too Large")),
            (400, {"timestamp": 1, "status": 400, "error": "Bad Request", "path": "/api/v1/jobs"}),
        ],
        ids=["gateway", "service", "too large", "generic"],
    )
    async def test_a_refused_row_is_rejected_and_the_others_go_on(
        self, scene: Scene, code: int, body: dict[str, object]
    ) -> None:
        scene.server.on("create", status(code, body), name="bravo", times=None)
        ended = await scene.run()
        assert ended.outcomes() == ["created", "rejected", "created", "created", "created"]
        assert ended["bravo"]["http_status"] == str(code)
        assert scene.server.creates("bravo") == 1
        assert ended.exit_code == 4
        await scene.again()


class TestRunningAgainAfterAHalt:
    """Every fifth of 200 rows is refused, again and again."""

    ROWS, BAD = CROWD[:200], CROWD[4:200:5]

    @pytest.fixture
    def refusing(self, scene: Scene) -> Scene:
        scene.write(self.ROWS)
        for name in self.BAD:
            scene.server.on("create", REFUSED, name=name, times=None)
        return scene

    async def test_it_goes_on_until_every_row_has_its_end(self, refusing: Scene) -> None:
        made = []
        for _ in range(3):
            ended = await refusing.run(halt=HaltRule(count=20, percent=None), concurrency=1)
            made.append(sum(refusing.server.truth.live(name) != [] for name in self.ROWS))
        assert ended.exit_code == 4
        assert Counter(ended.outcomes()) == {"existing": made[1], "created": 160 - made[1], "rejected": 40}
        assert made[0] < made[1] < made[2] == 160
        await refusing.again()

    @pytest.mark.parametrize("rule", [HaltRule(), HaltRule(percent=50.0), HaltRule(count=50, percent=None)])
    async def test_rows_that_were_refused_before_stop_no_run(self, refusing: Scene, rule: HaltRule) -> None:
        await refusing.run(halt=HaltRule(percent=100.0))
        ended = await refusing.run(halt=rule)
        assert (ended.exit_code, ended.reason) == (4, "")
        assert Counter(ended.outcomes()) == {"existing": 160, "rejected": 40}
        await refusing.again()


class TestAHaltWithAttemptsThatAreStillOpen:
    """With all rows ended such a run would be finished; so it ends early, and the next one settles them."""

    ONE = HaltRule(count=1, percent=None)

    async def test_of_a_row(self, scene: Scene) -> None:
        scene.write(["alpha", "bravo"])
        scene.server.on("create", status(500, gateway(900), made=True), name="alpha")
        scene.server.on("create", REFUSED, name="bravo")
        ended = await scene.run(settle=20.0, halt=self.ONE, concurrency=1)
        assert (ended.outcomes(), ended.exit_code) == (["unresolved", "rejected"], 6)
        assert ended.reason.startswith("1 row was rejected")
        await scene.again()

    async def test_of_a_name_that_is_listed_no_more(self, scene: Scene) -> None:
        scene.write(["alpha"])
        scene.server.on("create", status(500, gateway(900), made=True), name="alpha")
        scene.server.on("lookup", status(401, gateway(200)), times=None)
        await scene.run()
        scene.server.heal()
        scene.write(["bravo"])
        scene.server.on("create", REFUSED, name="bravo")
        ended = await scene.run(settle=20.0, halt=self.ONE, check=False)  # there is a job that no row asked for
        assert ended.exit_code == 5
        assert ended.reason.startswith("1 row was rejected")


class TestRefusalsThatMayBeAboutTheName:
    """What a taken name gets is documented nowhere: such a refusal is looked up, and stops a crowd all the same."""

    async def test_if_it_meets_the_first_jobs_and_nobody_has_their_names_the_rest_is_not_sent(
        self, scene: Scene
    ) -> None:
        scene.write(CROWD)
        scene.server.on("create", status(400, TAKEN), times=None)
        ended = await scene.run(settle=0.5)
        assert scene.server.creates() == 2
        assert Counter(ended.outcomes()) == {"rejected": 2, "not_sent": 398}
        assert ended.reason.startswith("2 of 2 first jobs were refused: bad-parameter: name already exists: 398 rows")
        assert ended.exit_code == 5
        await scene.again()

    async def test_if_the_first_jobs_names_are_taken_the_rest_goes_on_once_that_is_known(self, scene: Scene) -> None:
        scene.write(CROWD)
        firsts = {CROWD[0], CROWD[-1]}
        for name in firsts:
            scene.server.on("create", status(400, TAKEN, made=True), name=name)
        ended = await scene.run()
        assert {name for name, row in ended.rows.items() if row["outcome"] == "existing"} == firsts
        assert Counter(ended.outcomes()) == {"existing": 2, "created": 398}
        await scene.again()

    async def test_if_it_meets_the_crowd_it_stops_before_it_was_looked_up_and_the_next_run_looks(
        self, scene: Scene
    ) -> None:
        scene.write(CROWD)
        scene.server.on("create", status(400, TAKEN), skip=2, times=None)
        ended = await scene.run(settle=20.0, concurrency=4)
        assert "rows were refused alike: HTTP 400 bad-parameter: name already exists" in ended.reason
        counts = Counter(ended.outcomes())
        assert counts["unresolved"] == scene.server.creates() - 2 < 40
        assert counts["created"] == 2
        assert counts["not_sent"] == 400 - counts["unresolved"] - 2
        assert ended.exit_code == 6
        assert ended["n001"]["error"] == "name already exists"
        await scene.again()

    async def test_one_row_of_which_it_is_not_known_is_rejected_once_nobody_has_its_name(self, scene: Scene) -> None:
        scene.server.on("create", status(400, TAKEN), name="bravo", times=None)
        ended = await scene.run()
        assert ended.outcomes() == ["created", "rejected", "created", "created", "created"]
        assert ended["bravo"]["error"] == "name already exists"
        assert ended.exit_code == 4
        await scene.again()

    @pytest.mark.parametrize(
        "said", ["bucketName is not valid", "connection does not exist", "duplicate field in fieldList"]
    )
    async def test_what_only_mentions_a_name_stops_the_rest_at_once(self, scene: Scene, said: str) -> None:
        scene.write(CROWD)
        scene.server.on("create", status(400, service("bad-parameter", said)), times=None)
        ended = await scene.run(settle=20.0)
        assert scene.server.creates() == 2
        assert Counter(ended.outcomes()) == {"rejected": 2, "not_sent": 398}


class TestRedirects:
    @pytest.mark.parametrize("made", [False, True], ids=["no job", "job made"])
    @pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
    async def test_a_redirected_create_is_of_unknown_end_and_the_other_server_sees_nothing(
        self, scene: Scene, code: int, made: bool
    ) -> None:
        async with FaultServer() as elsewhere:
            target = f"{elsewhere.endpoint}/api/v1/jobs"
            scene.server.on("create", status(code, made=made, Location=target), name="bravo")
            ended = await scene.run()
            assert elsewhere.connections == 0
        assert ended["bravo"]["outcome"] == ("adopted" if made else "created")
        await scene.again()

    @pytest.mark.parametrize("code", [302, 307])
    async def test_a_redirected_list_is_read_again_and_never_followed(self, scene: Scene, code: int) -> None:
        async with FaultServer() as elsewhere:
            scene.server.on("list", status(code, Location=f"{elsewhere.endpoint}/api/v1/jobs"), times=2)
            ended = await scene.run()
            assert elsewhere.connections == 0
        assert ended.outcomes() == ["created"] * 5
        await scene.again()

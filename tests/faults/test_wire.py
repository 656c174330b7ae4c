"""Faults of the wire: a create that never left, one that made a job nobody was told of, one that made none."""

from __future__ import annotations

import asyncio
import socket

import pytest

from .scene import Scene
from .server import Exchange, Fault
from .wire_faults import (
    closing,
    dripping,
    endless,
    gateway,
    gzip_bomb,
    half,
    late,
    raw,
    resetting,
    silent,
    stale,
    status,
    twice_a_moment_apart,
    two_lengths,
)

CHUNKED = b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"

MADE = {
    "reset": resetting(made=True),
    "closed": closing(made=True),
    "silence": silent(made=True),
    "half a reply": half(),
    "half a reply and a reset": half(then_reset=True),
    "half a status line": raw(b"HTTP/1.1 20"),
    "garbage for a status line": raw(b"\x16\x03\x01\x02garbage\r\n\r\n"),
    "two lengths": two_lengths(),
    "a negative length": raw(b"HTTP/1.1 201 Created\r\nContent-Length: -1\r\n\r\n{}"),
    "a broken chunk": raw(CHUNKED + b"zz\r\nhello\r\n"),
    "an endless chunk": raw(CHUNKED + b"ffffffffffffffff\r\nhello"),
    "an endless header": endless(b"X-Filler: " + b"a" * 4000 + b"\r\n"),
    "an endless body": endless(b" " * 65_536, b"HTTP/1.1 201 Created\r\n\r\n"),
    "continue for ever": endless(b"HTTP/1.1 100 Continue\r\n\r\n", b""),
    "dripping bytes": dripping(0.02),
    "a gzip bomb": gzip_bomb(),
    "an oversized body": status(201, b'{"jobId":"' + b"x" * (2 << 20) + b'"}', made=True),
    "an unknown encoding": raw(b"HTTP/1.1 201 Created\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\n{}"),
    "accepted without an id": status(201, {"name": "x"}, made=True),
    "accepted with an id of another type": status(201, {"jobId": 17}, made=True),
    "accepted with an id that leads elsewhere": status(201, {"jobId": "../../x y"}, made=True),
    "accepted with nothing": status(204, made=True),
    "accepted with HTML": status(200, b"<html>Service is fine</html>", made=True),
    "accepted with deep nesting": status(201, b'{"jobId":' + b"[" * 100_000 + b"]" * 100_000 + b"}", made=True),
    "accepted with a number of 5,000 digits": status(201, b'{"jobId":' + b"7" * 5_000 + b"}", made=True),
    "accepted with a lone surrogate": status(201, b'{"jobId":"\\ud800"}', made=True),
    "accepted with broken UTF-8": status(201, b'{"jobId":"\xff\xfe"}', made=True),
    "500": status(500, gateway(900), made=True),
    "502 with HTML": status(502, b"<html>Bad Gateway</html>", made=True),
    "503": status(503, gateway(500), made=True),
    "504": status(504, gateway(510), made=True),
    "408": status(408, gateway(100), made=True),
    "409": status(409, gateway(100), made=True),
    "425": status(425, gateway(100), made=True),
    "a 400 that is no error reply": status(400, b"Bad Request", made=True),
    "a 400 of a megabyte": status(400, gateway(100, "x" * 1_000_000), made=True),
    "a 429 that is no error reply": status(429, b"slow down", made=True),
}
"""The job is made; the client cannot know."""

NOT_MADE = {
    "reset": resetting(made=False),
    "closed": closing(made=False),
    "silence": silent(made=False),
    "garbage": raw(b"\0\0\0\0\r\n\r\n", made=False),
    "500": status(500, gateway(900)),
    "502 with HTML": status(502, b"<html>Bad Gateway</html>"),
    "503": status(503, gateway(500)),
    "504": status(504, gateway(510)),
    "408": status(408, gateway(100)),
    "a 400 that is no error reply": status(400, b"<html>Bad Request</html>"),
}
"""No job is made; the client cannot know that either."""


WAITED_FOR = {"silence", "an endless header", "an endless body", "continue for ever", "dripping bytes"}
"""Faults that last as long as the client waits."""


def patience(case: str) -> float:
    """Seconds that the client waits for a reply: few only where nothing else ends it, since the machine may be busy."""
    return 0.3 if case in WAITED_FOR else 2.0


class TestNothingLeft:
    async def test_a_service_that_refuses_connections_and_then_is_up_costs_no_attempt(self, scene: Scene) -> None:
        await _with_the_door_shut_for(0.3, scene)
        ended = await scene.run()
        assert ended.outcomes() == ["created"] * 5
        assert {row["attempts"] for row in ended.rows.values()} == {"1"}
        await scene.again()

    async def test_a_service_that_is_not_there_at_all_stops_the_run_as_an_access_fault(self, scene: Scene) -> None:
        await scene.server.stop()
        ended = await scene.run(first_patience=0.2)
        assert ended.outcomes() == ["not_sent"] * 5
        assert ended.exit_code == 7
        await scene.server.start()
        await scene.again()

    async def test_a_name_that_does_not_resolve_for_a_while_costs_no_attempt(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        failures = 3

        def lookup(*_: object, **__: object) -> list[tuple[object, ...]]:
            nonlocal failures
            failures -= 1
            if failures >= 0:
                raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", scene.server.port))]

        monkeypatch.setattr(socket, "getaddrinfo", lookup)
        scene.host = "localhost"
        ended = await scene.run(first_patience=5)
        assert failures < 0
        assert ended.outcomes() == ["created"] * 5
        await scene.again()


class TestResetsOnTheWay:
    async def test_connections_that_are_reset_when_accepted_lose_nothing(self, scene: Scene) -> None:
        async def reset_the_next_four(exchange: Exchange) -> None:
            await exchange.ordinary()
            exchange.keep = False
            scene.server.resets_on_accept = 4

        scene.server.on("list", reset_the_next_four)
        ended = await scene.run()
        assert ended.outcomes() == ["created"] * 5
        assert scene.server.resets_on_accept == 0
        await scene.again()

    async def test_a_reset_in_the_middle_of_a_request_is_looked_up_and_sent_again(self, scene: Scene) -> None:
        scene.server.cuts = 2
        ended = await scene.run()
        assert ended.outcomes() == ["created"] * 5
        assert sorted(row["attempts"] for row in ended.rows.values()) == ["1", "1", "1", "2", "2"]
        await scene.again()

    async def test_a_kept_connection_that_turns_out_closed_is_no_reason_for_a_second_job(self, scene: Scene) -> None:
        rule = scene.server.on("create", stale(), times=3)
        ended = await scene.run(concurrency=1)
        assert rule.used == 3
        assert ended.outcomes() == ["created"] * 5
        await scene.again()


class TestTheJobIsMadeAndTheReplyIsLost:
    @pytest.mark.parametrize("case", MADE)
    async def test_it_is_found_by_its_name_and_adopted_and_never_sent_again(self, scene: Scene, case: str) -> None:
        scene.server.on("create", MADE[case], name="bravo")
        ended = await scene.run(timeout=patience(case))
        assert ended.outcomes() == ["created", "adopted", "created", "created", "created"]
        assert ended["bravo"]["attempts"] == "1"
        assert scene.server.creates("bravo") == 1
        assert ended.exit_code == 0
        await scene.again()

    async def test_a_job_that_is_made_after_the_client_gave_up_is_adopted(self, scene: Scene) -> None:
        scene.server.on("create", late(0.6), name="bravo")
        ended = await scene.run(timeout=0.4, settle=0.5)
        assert ended["bravo"]["outcome"] == "adopted"
        assert scene.server.creates("bravo") == 1
        await scene.again()

    async def test_every_reply_of_a_run_can_be_lost(self, scene: Scene) -> None:
        scene.server.on("create", resetting(made=True), times=None)
        ended = await scene.run()
        assert ended.outcomes() == ["adopted"] * 5
        assert scene.server.creates() == 5
        await scene.again()


class TestNoJobIsMade:
    @pytest.mark.parametrize("case", NOT_MADE)
    async def test_it_is_looked_up_after_settling_and_then_sent_again(self, scene: Scene, case: str) -> None:
        scene.server.on("create", NOT_MADE[case], name="bravo")
        ended = await scene.run(timeout=patience(case))
        assert ended.outcomes() == ["created"] * 5
        assert ended["bravo"]["attempts"] == "2"
        operations = [r.operation for r in scene.server.requests if r.name == "bravo"]
        assert operations == ["create", "lookup", "create"]
        await scene.again()

    async def test_attempts_that_are_used_up_leave_the_row_for_the_next_run(self, scene: Scene) -> None:
        scene.server.on("create", resetting(made=False), name="bravo", times=None)
        ended = await scene.run(max_attempts=2)
        assert ended["bravo"]["outcome"] == "not_sent"
        assert ended.exit_code == 5
        assert scene.server.creates("bravo") == 2
        await scene.again()

    @pytest.mark.parametrize(
        "fault",
        [
            status(201, {}),
            status(200, b"<html>ok</html>"),
            raw(b"HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\n{", made=False),
        ],
        ids=["no id", "HTML", "half a body"],
    )
    async def test_a_promise_without_a_job_is_unresolved_and_never_sent_twice_in_one_run(
        self, scene: Scene, fault: Fault
    ) -> None:
        scene.server.on("create", fault, name="bravo")
        ended = await scene.run()
        assert ended["bravo"]["outcome"] == "unresolved"
        assert ended.exit_code == 6
        assert scene.server.creates("bravo") == 1
        assert sum(r.operation == "lookup" and r.name == "bravo" for r in scene.server.requests) == 3
        await scene.again()
        assert scene.server.creates("bravo") == 2


async def _with_the_door_shut_for(seconds: float, scene: Scene) -> None:
    """After the list was read, connections are refused for a while."""
    server = scene.server

    async def shut(exchange: Exchange) -> None:
        await exchange.ordinary()
        exchange.keep = False
        server.shut()
        server.later(seconds, lambda: asyncio.ensure_future(server.start()))

    server.on("list", shut)


class TestRepliesToSomethingElse:
    @pytest.mark.parametrize("pause", [0.0, 0.003, 0.01], ids=["at once", "soon", "later"])
    async def test_a_surplus_reply_is_never_taken_for_the_answer_to_the_next_create(
        self, scene: Scene, pause: float
    ) -> None:
        scene.server.on("create", twice_a_moment_apart(pause), times=None)
        ended = await scene.run(concurrency=1)
        assert set(ended.outcomes()) <= {"created", "adopted"}
        assert scene.server.creates() == 5
        await scene.again()

    async def test_a_surplus_list_is_never_taken_for_the_answer_to_the_next_lookup(self, scene: Scene) -> None:
        scene.server.on("create", resetting(made=True), name="alpha")
        scene.server.on("create", resetting(made=True), name="bravo")
        scene.server.on("lookup", twice_a_moment_apart(0.01), times=None)
        scene.server.on("get", twice_a_moment_apart(0.01), times=None)
        ended = await scene.run()
        assert ended.outcomes() == ["adopted", "adopted", "created", "created", "created"]
        assert scene.server.creates() == 5
        await scene.again()

"""The transport on a raw socket: what the wire can do, and what is made of it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from bulkjobs.dataflow.client import CallFailed, DataFlowClient
from bulkjobs.dataflow.replies import Failure, FailureKind, Reply, Verdict
from bulkjobs.dataflow.signature import Credentials, sign
from bulkjobs.dataflow.transport import Transport

KEYS = Credentials("canary-access", "canary-secret-Zx81")
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """A raw server on loopback. Its handler gets each connection once a request's headers have come."""
    writers = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        try:
            await handler(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in writers:
            writer.close()


def answering(raw: bytes, then_reset: bool = False) -> Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw)
        await writer.drain()
        if then_reset:
            reset(writer)

    return handler


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST."""
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    writer.transport.abort()


async def call(endpoint: str, seconds: float = 5.0, method: str = "POST", bound: int = 1 << 20) -> Reply | Failure:
    async with Transport(endpoint, KEYS, seconds, lambda: 1) as transport:
        return await transport.call(method, "/api/v1/jobs", b"{}" if method == "POST" else None, bound)


class TestNeverLeft:
    async def test_a_refused_connection_proves_that_nothing_was_sent(self) -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            outcome = await call(f"http://127.0.0.1:{closed.getsockname()[1]}")
        assert isinstance(outcome, Failure)
        assert (outcome.kind, outcome.headers_sent) == (FailureKind.CONNECT, False)

    async def test_a_name_that_does_not_resolve_proves_it(self) -> None:
        outcome = await call("http://nowhere.invalid")
        assert isinstance(outcome, Failure)
        assert not outcome.headers_sent


class TestUnknownEnd:
    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            b"garbage\r\n\r\n",
            b"HTTP/1.1 201 Created\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
            b"HTTP/1.1 201 Created\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
            b"HTTP/1.1 2",
        ],
        ids=["closed", "garbage", "two lengths", "huge header", "half a status line"],
    )
    async def test_no_status_line_that_can_be_trusted_is_a_failure_after_the_headers_left(self, raw: bytes) -> None:
        async with serving(answering(raw)) as endpoint:
            outcome = await call(endpoint)
        assert isinstance(outcome, Failure)
        assert outcome.headers_sent

    async def test_a_reset_after_the_request_was_read(self) -> None:
        async with serving(answering(b"", then_reset=True)) as endpoint:
            outcome = await call(endpoint)
        assert isinstance(outcome, Failure)
        assert outcome.headers_sent

    async def test_silence_until_the_timeout(self) -> None:
        ended = asyncio.Event()

        async def handler(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            await ended.wait()

        async with serving(handler) as endpoint:
            outcome = await call(endpoint, seconds=0.2)
            ended.set()
        assert outcome == Failure(FailureKind.TIMEOUT, True, "no reply in time")

    @pytest.mark.parametrize(
        "raw",
        [
            b'HTTP/1.1 201 Created\r\nContent-Length: 500\r\n\r\n{"jobId":"a"',
            b'HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"job',
        ],
        ids=["length", "chunked"],
    )
    async def test_half_a_reply_keeps_its_status_and_is_not_complete(self, raw: bytes) -> None:
        async with serving(answering(raw)) as endpoint:
            outcome = await call(endpoint)
        assert isinstance(outcome, Reply)
        assert (outcome.status, outcome.complete) == (201, False)

    async def test_a_reply_that_stalls_keeps_its_status_and_its_connection_is_not_used_again(self) -> None:
        ended = asyncio.Event()

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b'HTTP/1.1 201 Created\r\nContent-Length: 500\r\n\r\n{"jobId":"a"')
            with contextlib.suppress(ConnectionResetError):
                while await reader.read(1 << 16):
                    pass
            ended.set()

        async with serving(handler) as endpoint:
            outcome = await call(endpoint, seconds=0.2)
            await asyncio.wait_for(ended.wait(), 5)
        assert isinstance(outcome, Reply)
        assert (outcome.status, outcome.complete, outcome.body) == (201, False, b'{"jobId":"a"')

    async def test_a_request_that_cannot_be_signed_is_a_defect_and_no_failure_of_the_network(self) -> None:
        async with Transport("http://127.0.0.1:9", Credentials("a", "\ud800"), 5.0, lambda: 1) as transport:
            with pytest.raises(UnicodeEncodeError):
                await transport.call("GET", "/api/v1/jobs")


class TestReplies:
    async def test_a_reply_is_read_only_up_to_the_bound(self) -> None:
        async with serving(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n" + b"x" * 3000)) as endpoint:
            outcome = await call(endpoint, bound=1000)
        assert isinstance(outcome, Reply)
        assert not outcome.complete
        assert len(outcome.body) <= 1000

    async def test_compressed_bytes_stay_as_they_are(self) -> None:
        raw = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00"
        async with serving(answering(raw)) as endpoint:
            outcome = await call(endpoint)
        assert isinstance(outcome, Reply)
        assert outcome.body == b"\x1f\x8b\x08\x00"

    async def test_a_reply_of_no_told_length_is_all_that_comes_until_the_end(self) -> None:
        async with serving(answering(b"HTTP/1.1 200 OK\r\n\r\nall of it")) as endpoint:
            outcome = await call(endpoint)
        assert isinstance(outcome, Reply)
        assert (outcome.body, outcome.complete) == (b"all of it", True)

    async def test_a_redirect_is_not_followed(self) -> None:
        visited = asyncio.Event()

        async def trap(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
            visited.set()

        async with serving(trap) as elsewhere:
            raw = f"HTTP/1.1 307 Go\r\nLocation: {elsewhere}/api/v1/jobs\r\nContent-Length: 0\r\n\r\n".encode()
            async with serving(answering(raw)) as endpoint:
                outcome = await call(endpoint)
        assert isinstance(outcome, Reply)
        assert outcome.status == 307
        assert not visited.is_set()

    async def test_a_read_on_a_kept_connection_that_was_closed_is_not_repeated_behind_our_back(self) -> None:
        requests = 0

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal requests
            for raw in (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", b""):
                await reader.readuntil(b"\r\n\r\n")
                requests += 1
                writer.write(raw)
                await writer.drain()

        async with serving(handler) as endpoint, Transport(endpoint, KEYS, 5, lambda: 1) as transport:
            first = await transport.call("GET", "/api/v1/jobs")
            second = await transport.call("GET", "/api/v1/jobs")
        assert isinstance(first, Reply)
        assert isinstance(second, Failure)
        assert requests == 2

    async def test_each_request_is_signed_for_its_own_millisecond(self) -> None:
        heads: list[bytes] = []

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                heads.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

        asked = [("/jobs", 1), ("/jobs", 1), ("/jobs/7", 1), ("/jobs", 2), ("/jobs", 1)]
        now = iter(ms for _, ms in asked)
        async with serving(handler) as endpoint, Transport(endpoint, KEYS, 5, lambda: next(now)) as transport:
            for target, _ in asked:
                await transport.call("GET", target)
        for head, (target, ms) in zip(heads, asked, strict=True):
            assert f"x-ncp-apigw-timestamp: {ms}\r\n".encode() in head
            assert f"x-ncp-apigw-signature-v2: {sign(KEYS, 'GET', target, ms)}\r\n".encode() in head


class TestClient:
    async def test_our_keys_are_taken_out_of_what_a_server_echoes(self) -> None:
        body = b'{"error":{"errorCode":"200","message":"key canary-access secret canary-secret-Zx81"}}'
        raw = b"HTTP/1.1 401 No\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        async with serving(answering(raw)) as endpoint, DataFlowClient(KEYS, endpoint) as client:
            answer = await client.create_job("job001", b"[]")
        assert answer.verdict is Verdict.HALTED
        assert "canary" not in repr(answer)

    async def test_an_unreadable_list_says_so_and_never_shows_headers(self) -> None:
        async with serving(answering(b"garbage\r\n\r\n")) as endpoint, DataFlowClient(KEYS, endpoint) as client:
            with pytest.raises(CallFailed) as caught:
                await client.list_page(0)
        assert caught.value.answer.verdict is Verdict.UNKNOWN
        assert "canary" not in repr(caught.value) + str(caught.value.__cause__) + str(caught.value.__context__)

    async def test_the_query_that_is_signed_is_the_query_that_is_sent(self) -> None:
        seen = b""

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal seen
            seen = await reader.readuntil(b"\r\n\r\n")
            body = b'{"list":[],"count":0,"page":0,"limit":1000}'
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

        async with serving(handler) as endpoint, DataFlowClient(KEYS, endpoint) as client:
            assert (await client.list_page(0, "a/b &c+d%2F")).is_last
        assert b"GET /api/v1/jobs?name=a%2Fb%20%26c%2Bd%252F&page=0&limit=1000 HTTP/1.1\r\n" in seen

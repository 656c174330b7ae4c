"""Connections and what is written on them, against a raw server that counts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bulkjobs.dataflow.connections import Connections, protocol_of, send
from bulkjobs.dataflow.replies import Failure, Reply
from bulkjobs.dataflow.signature import Credentials
from bulkjobs.dataflow.transport import Transport

KEYS = Credentials("canary-access", "canary-secret-Zx81")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Server:
    """Answers each request with ``raw`` once its body has come. ``bodies`` came on ``connections``."""

    def __init__(self, raw: bytes = OK) -> None:
        self.raw = raw
        self.bodies: list[bytes] = []
        self.connections: list[asyncio.StreamWriter] = []
        self.came, self.left = asyncio.Event(), asyncio.Event()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.append(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0]
                self.bodies.append(await reader.readexactly(int(length or 0)))
                self.came.set()
                writer.write(self.raw)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.left.set()
        finally:
            writer.close()


@asynccontextmanager
async def serving(server: Server) -> AsyncIterator[str]:
    listener = await asyncio.start_server(server.connected, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    finally:
        listener.close()
        for writer in server.connections:
            writer.close()


async def post(transport: Transport, body: bytes = b"[]", *, alone: bool = False) -> Reply | Failure:
    return await transport.call("POST", "/api/v1/jobs", body, alone=alone)


async def test_one_connection_serves_one_request_after_the_other() -> None:
    server = Server()
    async with serving(server) as endpoint, Transport(endpoint, KEYS, 5, lambda: 1) as transport:
        replies = [await post(transport) for _ in range(3)]
    assert [reply.status for reply in replies if isinstance(reply, Reply)] == [200] * 3
    assert len(server.connections) == 1


async def test_a_request_that_is_to_be_alone_shares_its_connection_with_none() -> None:
    server = Server()
    async with serving(server) as endpoint, Transport(endpoint, KEYS, 5, lambda: 1) as transport:
        for alone in (False, True, True, False):
            await post(transport, alone=alone)
    assert len(server.bodies) == 4
    assert len(server.connections) == 3


async def test_what_came_while_a_connection_was_kept_is_not_the_next_requests_reply() -> None:
    server = Server()
    async with serving(server) as endpoint, Connections(endpoint, 5) as connections:
        first = await connections.take(alone=False)
        protocol = protocol_of(first)
        await send(first, b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n", b"[]")
        _, content = await protocol.read()
        assert await content.read() == b"{}"
        first.release()
        server.connections[0].write(OK)  # that nobody asked for
        async with asyncio.timeout(5):
            while not len(protocol):  # noqa: ASYNC110  # aiohttp tells nobody
                await asyncio.sleep(0)
        second = await connections.take(alone=False)
        assert protocol_of(second) is not protocol
        second.close()


async def test_two_replies_at_once_answer_one_request_and_the_connection_is_left() -> None:
    server = Server(OK + OK)
    async with serving(server) as endpoint, Transport(endpoint, KEYS, 5, lambda: 1) as transport:
        assert isinstance(await post(transport), Reply)
        assert isinstance(await post(transport), Reply)
    assert len(server.connections) == 2


async def test_interim_replies_are_not_the_answer() -> None:
    server = Server(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK)
    async with serving(server) as endpoint, Transport(endpoint, KEYS, 5, lambda: 1) as transport:
        reply = await post(transport)
    assert isinstance(reply, Reply)
    assert (reply.status, reply.body) == (200, b"{}")


async def test_a_large_body_comes_whole_and_lets_others_have_turns() -> None:
    server, body = Server(), bytes(range(256)) * (1 << 12)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while not server.bodies:
            turns += 1
            await asyncio.sleep(0)

    async with serving(server) as endpoint, Transport(endpoint, KEYS, 5, lambda: 1) as transport:
        counting = asyncio.create_task(count())
        reply = await post(transport, body)
        await counting
    assert isinstance(reply, Reply)
    assert server.bodies == [body]
    assert turns >= len(body) >> 16


async def test_a_peer_that_refuses_a_large_body_early_is_no_defect() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    server = Server()
    server.connected = refuse  # type: ignore[method-assign]
    async with serving(server) as endpoint, Transport(endpoint, KEYS, 5, lambda: 1) as transport:
        outcome = await post(transport, bytes(1 << 23))
    # A reset can overtake the reply.
    assert outcome.status == 413 if isinstance(outcome, Reply) else outcome.headers_sent


async def test_a_call_that_is_cancelled_leaves_its_connection() -> None:
    server = Server(b"")
    async with serving(server) as endpoint, Transport(endpoint, KEYS, 5, lambda: 1) as transport:
        call = asyncio.create_task(post(transport))
        async with asyncio.timeout(5):
            await server.came.wait()
            call.cancel()
            await asyncio.wait([call])
            await server.left.wait()
    assert call.cancelled()

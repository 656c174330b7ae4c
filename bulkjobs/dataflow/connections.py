"""Connections to one endpoint, each taken for one exchange: aiohttp's pool, TLS and parser, without its session.

A session repeats idempotent requests when a kept connection turns out closed, past every limiter (aiohttp's issue
10790: no public switch), does not tell whether a request's head may have left, and takes more processor time than all
else in an exchange. Here what is written is written once, by ``send``.
"""

from __future__ import annotations

import asyncio
from typing import Self

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from yarl import URL

_PART = 1 << 16


class Connections:
    """``endpoint``: scheme, host and port. ``connect_timeout`` in seconds. Use as an async context manager."""

    def __init__(self, endpoint: str, connect_timeout: float) -> None:
        self._endpoint = URL(endpoint)
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout)
        self._kept: aiohttp.TCPConnector | None = None
        self._lone: aiohttp.TCPConnector | None = None

    async def __aenter__(self) -> Self:
        # No limit: a pool's would queue behind the rate limiter.
        self._kept = aiohttp.TCPConnector(limit=0)
        self._lone = aiohttp.TCPConnector(limit=0, force_close=True)
        # What a connector asks for, to know where to: it is never sent.
        self._destination = aiohttp.ClientRequest("GET", self._endpoint, loop=asyncio.get_running_loop())
        return self

    async def __aexit__(self, *_: object) -> None:
        for connector in (self._kept, self._lone):
            if connector is not None:
                await connector.close()
        self._kept = self._lone = None

    async def take(self, *, alone: bool) -> Connection:
        """A connection for one exchange, to be released when that is over, or closed.

        ``alone``: a new one, that no other exchange gets. Raises ClientConnectorError, OSError or TimeoutError.
        """
        connector = self._lone if alone else self._kept
        assert connector is not None, "use the transport as an async context manager"
        while True:
            connection = await connector.connect(self._destination, [], self._timeout)
            if not protocol_of(connection).should_close:
                return connection
            connection.close()  # while it was kept something came on it: the next reply would not be the next request's


def protocol_of(connection: Connection) -> ResponseHandler:
    protocol = connection.protocol
    assert protocol is not None, "a connection that was given back is nobody's"
    return protocol


async def send(connection: Connection, head: bytes, body: bytes) -> None:
    """Write one request. A large body is written in parts, for encrypting it at once would hold up all others.

    Never raises for what the peer does: reading its reply tells.
    """
    protocol = protocol_of(connection)
    protocol.set_response_params(read_until_eof=True, auto_decompress=False)  # a bomb stays small
    if len(body) <= _PART:
        _write(protocol, head + body)
        return
    _write(protocol, head)
    for first in range(0, len(body), _PART):
        await asyncio.sleep(0)
        _write(protocol, body[first : first + _PART])


def _write(protocol: ResponseHandler, data: bytes) -> None:
    transport = protocol.transport
    if transport is not None and not transport.is_closing():
        transport.write(data)

"""One signed HTTP request on aiohttp, once: no redirect, no retry, no proxy, a bounded reply.

What comes back is a value: a ``Reply`` when a status line was read, else a ``Failure`` that says whether the
request's headers may have left (proved by having had a connection to write on, not by the exception's type). No
exception of aiohttp leaves this module: their texts and ``repr`` can hold request headers.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Self

import aiohttp
from aiohttp.connector import Connection
from aiohttp.http import HttpProcessingError
from yarl import URL

from bulkjobs.dataflow.connections import Connections, protocol_of, send
from bulkjobs.dataflow.limits import Limit, Limits
from bulkjobs.dataflow.replies import Failure, FailureKind, Reply
from bulkjobs.dataflow.request_head import RequestHead, end
from bulkjobs.dataflow.signature import Credentials, signed_headers

_CONNECT_TIMEOUT = 10.0
_SIGNATURE = re.compile(r"(?:[A-Za-z0-9+]|\\?/|%2[BbFf]){43}(?:=|%3[Dd])")
"""32 bytes in Base64, as they stand, in JSON or in a URL."""
_SHORTEST_SIGNATURE = 44
_SIGNATURES = 4
"""Starts of heads that are kept: a signature is that of a millisecond, in which several requests may be sent."""
_ERRORS = (aiohttp.ClientError, aiohttp.EofStream, HttpProcessingError, TimeoutError, OSError, ValueError)
"""What an exchange raises when it fails."""


class Transport:
    """Signed requests to one endpoint. ``timeout`` in seconds bounds a whole request.

    ``now_ms`` gives milliseconds since the epoch, for the signature. Use as an async context manager.
    """

    def __init__(self, endpoint: str, credentials: Credentials, timeout: float, now_ms: Callable[[], int]) -> None:
        self._credentials = credentials
        keys = (credentials.secret_key, credentials.access_key)
        # Each as it stands, then as JSON may escape it.
        self._secrets = dict.fromkeys(form for key in keys for form in (key, key.replace("/", "\\/")))
        self._limits = Limits(timeout)
        self._now_ms = now_ms
        self._connections = Connections(endpoint, min(timeout, _CONNECT_TIMEOUT))
        self._head = RequestHead(URL(endpoint).host_port_subcomponent or "")
        self._signed_start = lru_cache(_SIGNATURES)(self._sign)

    async def __aenter__(self) -> Self:
        await self._connections.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._connections.__aexit__(*exc)
        self._limits.close()

    async def call(
        self, method: str, target: str, body: bytes | None = None, bound: int = 1 << 20, *, alone: bool = False
    ) -> Reply | Failure:
        """Send one request. ``target`` is path and query, already encoded; its very bytes are signed and sent.

        ``bound``: bytes of reply body that are read at most; beyond it the reply is not complete. ``alone``: on a
        connection of its own, for replies that do not say what they answer: on a kept one a surplus reply to an
        earlier request would be taken for this one's.
        """
        head = self._signed_start(method, target, self._now_ms()) + end(method, body)
        connection: Connection | None = None
        limit = self._limits.begin()
        try:
            connection = await self._connections.take(alone=alone)
            await send(connection, head, body or b"")
            return await _read(connection, bound, limit)
        except asyncio.CancelledError:
            if not limit.is_cause():
                raise
            return _failure(TimeoutError(), connection is not None)
        except _ERRORS as error:
            return _failure(error, connection is not None)
        finally:
            limit.end()
            if connection is not None:
                connection.close()  # unless it was given back

    def give_up(self) -> None:
        """End every request that is on its way as if its time were up."""
        self._limits.strike_all()

    def _sign(self, method: str, target: str, timestamp_ms: int) -> bytes:
        return self._head.start(method, target, signed_headers(self._credentials, method, target, timestamp_ms))

    def scrub(self, text: str) -> str:
        """``text`` without our keys and without anything like a signature, should a server have echoed them."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return _SIGNATURE.sub("***", text) if len(text) >= _SHORTEST_SIGNATURE else text


async def _read(connection: Connection, bound: int, limit: Limit) -> Reply:
    """The reply with its body, as far as it came: what broke off after a status line is still a reply.

    A connection whose reply was read to its end is given back.
    """
    protocol = protocol_of(connection)
    message, content = await protocol.read()
    while 100 <= message.code < 200 and message.code != 101:  # interim replies: the one that counts comes after them
        message, content = await protocol.read()
    parts: list[bytes] = []
    size = 0
    try:
        while part := await content.readany():
            size += len(part)
            if size > bound:
                break
            parts.append(part)
        else:
            connection.release()
            return Reply(message.code, message.headers, b"".join(parts))
    except asyncio.CancelledError:
        if not limit.is_cause():
            raise
    except _ERRORS:
        pass
    return Reply(message.code, message.headers, b"".join(parts), complete=False)


def _failure(error: Exception, headers_sent: bool) -> Failure:
    return Failure(_kind(error), headers_sent, _describe(error))


def _kind(error: Exception) -> FailureKind:
    # Subclasses first: ClientConnectorError is a ClientOSError, and TimeoutError an OSError.
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return FailureKind.CERTIFICATE
    if isinstance(error, TimeoutError | asyncio.TimeoutError):
        return FailureKind.TIMEOUT
    if isinstance(error, aiohttp.ClientConnectorError):
        return FailureKind.CONNECT
    if isinstance(error, HttpProcessingError | ValueError):
        return FailureKind.GARBLED
    return FailureKind.DISCONNECTED


def _describe(error: Exception) -> str:
    """What happened, from the error's class and errno only: never its text, which can hold headers."""
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        reason = getattr(error.certificate_error, "verify_message", "")  # OpenSSL's own words, nothing of ours
        return f"the server's certificate is not valid: {reason or 'not for this host'}"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "the host's name cannot be resolved"
    if isinstance(error, TimeoutError):
        return "no reply in time"
    if isinstance(cause, OSError) and cause.strerror and not isinstance(cause, aiohttp.ClientError):
        return cause.strerror
    if isinstance(error, aiohttp.ClientOSError) and error.errno:
        return os.strerror(error.errno)  # aiohttp's own text blames the request's body and shows the URL
    return {
        FailureKind.CONNECT: "no connection",
        FailureKind.GARBLED: "the reply is not HTTP",
        FailureKind.DISCONNECTED: "the connection was closed before a reply",
    }.get(_kind(error), type(error).__name__)

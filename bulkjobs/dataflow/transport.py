"""One signed HTTP request on aiohttp, once: no redirect, no retry, no proxy, a bounded reply.

What comes back is a value: a ``Reply`` when a status line was read, else a ``Failure`` that says whether the
request's headers may have left (proved by aiohttp's own call to send them, not by the exception's type). No exception
of aiohttp leaves this module: their texts and ``repr`` can hold request headers.
"""

from __future__ import annotations

import asyncio
import io
import os
import re
from collections.abc import Callable
from contextvars import ContextVar
from typing import Self

import aiohttp
from aiohttp.connector import Connection
from yarl import URL

from bulkjobs.dataflow.limits import Limit, Limits
from bulkjobs.dataflow.replies import Failure, FailureKind, Reply
from bulkjobs.dataflow.signature import Credentials, signed_headers

_CONNECT_TIMEOUT = 10.0
_LARGE = 1 << 20
_SIGNATURE = re.compile(r"(?:[A-Za-z0-9+]|\\?/|%2[BbFf]){43}(?:=|%3[Dd])")
"""32 bytes in Base64, as they stand, in JSON or in a URL."""
_SHORTEST_SIGNATURE = 44
_REMEMBERED = 100
_JSON = "application/json"
_COMMON_HEADERS = {"Accept": _JSON, "Accept-Encoding": "identity", "User-Agent": "bulkjobs"}


class Transport:
    """Signed requests to one endpoint. ``timeout`` in seconds bounds a whole request.

    ``now_ms`` gives milliseconds since the epoch, for the signature. Use as an async context manager.
    """

    def __init__(self, endpoint: str, credentials: Credentials, timeout: float, now_ms: Callable[[], int]) -> None:
        self._endpoint = endpoint
        self._credentials = credentials
        keys = (credentials.secret_key, credentials.access_key)
        # Each as it stands, then as JSON may escape it.
        self._secrets = dict.fromkeys(form for key in keys for form in (key, key.replace("/", "\\/")))
        self._timeout = timeout
        self._limits = Limits(timeout)
        self._now_ms = now_ms
        self._session: aiohttp.ClientSession | None = None
        self._urls: dict[str, URL] = {}
        self._lone: aiohttp.ClientSession | None = None  # a connection for each request, never used again

    async def __aenter__(self) -> Self:
        self._session = self._open(force_close=False)
        self._lone = self._open(force_close=True)
        return self

    def _open(self, force_close: bool) -> aiohttp.ClientSession:
        session = aiohttp.ClientSession(
            # No limit: a pool's would queue behind the rate limiter.
            connector=aiohttp.TCPConnector(limit=0, force_close=force_close),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=min(self._timeout, _CONNECT_TIMEOUT)),
            request_class=_Request,
            headers=_COMMON_HEADERS,
            auto_decompress=False,  # nothing compressed was asked for, and a bomb stays small
        )
        # aiohttp sends idempotent requests twice when a kept connection turns out closed, past every limiter
        # (its issue 10790: no public switch). tests/dataflow/test_transport.py holds this to what it does.
        session._retry_connection = False
        return session

    async def __aexit__(self, *_: object) -> None:
        for session in (self._session, self._lone):
            if session is not None:
                await session.close()
        self._session = self._lone = None
        self._limits.close()

    async def call(
        self, method: str, target: str, body: bytes | None = None, bound: int = 1 << 20, *, alone: bool = False
    ) -> Reply | Failure:
        """Send one request. ``target`` is path and query, already encoded; its very bytes are signed and sent.

        ``bound``: bytes of reply body that are read at most; beyond it the reply is not complete. ``alone``: on a
        connection of its own, for replies that do not say what they answer: on a kept one a surplus reply to an
        earlier request would be taken for this one's.
        """
        session = self._lone if alone else self._session
        assert session is not None, "use the transport as an async context manager"
        headers = signed_headers(self._credentials, method, target, self._now_ms())
        sent = _Sent()
        _SENT.set(sent)
        limit = self._limits.begin()
        try:
            response = await session.request(
                method,
                self._url(target),
                data=_payload(body),
                headers=headers,
                allow_redirects=False,
            )
            return await _read(response, bound, limit)
        except asyncio.CancelledError:
            if not limit.is_cause():
                raise
            return _failure(TimeoutError(), sent.headers)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            return _failure(error, sent.headers)
        finally:
            limit.end()

    def _url(self, target: str) -> URL:
        url = self._urls.get(target)
        if url is None:
            if len(self._urls) >= _REMEMBERED:
                self._urls.clear()
            url = self._urls[target] = URL(self._endpoint + target, encoded=True)
        return url

    def scrub(self, text: str) -> str:
        """``text`` without our keys and without anything like a signature, should a server have echoed them."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return _SIGNATURE.sub("***", text) if len(text) >= _SHORTEST_SIGNATURE else text


class _Sent:
    """Whether a request's headers may have left."""

    __slots__ = ("headers",)

    def __init__(self) -> None:
        self.headers = False


_SENT: ContextVar[_Sent] = ContextVar("sent")


class _Request(aiohttp.ClientRequest):
    """Tells the task's ``_Sent`` when it has a connection and begins to write.

    aiohttp's tracing would tell the same (``on_request_headers_sent``), for 15 µs of processor time a request.
    """

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        _SENT.get().headers = True
        return await super().send(conn)


def _payload(body: bytes | None) -> aiohttp.Payload | None:
    """aiohttp writes bytes at once, which for a large body holds up all others; a file it writes in parts."""
    if body is None:
        return None
    if len(body) < _LARGE:
        return aiohttp.BytesPayload(body, content_type=_JSON)
    return aiohttp.BytesIOPayload(io.BytesIO(body), content_type=_JSON)


async def _read(response: aiohttp.ClientResponse, bound: int, limit: Limit) -> Reply:
    """The reply with its body, as far as it came: what broke off after a status line is still a reply.

    A response that is read to its end gives its connection back by itself.
    """
    parts: list[bytes] = []
    size = 0
    try:
        while part := await response.content.readany():
            size += len(part)
            if size > bound:
                break
            parts.append(part)
        else:
            return Reply(response.status, response.headers, b"".join(parts))
    except asyncio.CancelledError:
        if not limit.is_cause():
            response.close()
            raise
    except (aiohttp.ClientError, TimeoutError, OSError):
        pass
    response.close()
    return Reply(response.status, response.headers, b"".join(parts), complete=False)


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
    if isinstance(error, aiohttp.ClientResponseError | ValueError):
        return FailureKind.GARBLED  # its status 400 is made up by the client
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

"""Just enough HTTP/1.1 to read a request and to write a reply, right or wrong. Nothing here is shared with bulkjobs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

PREFIX = "/api/v1/jobs"
REASONS = {200: "OK", 201: "Created"}


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came. ``operation`` is ``create``, ``list``, ``lookup`` (a list with ``name=``), ``get`` or
    ``other``; ``name`` is the job's, where the request has one."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    operation: str
    name: str | None

    @property
    def query(self) -> dict[str, str]:
        return {key: values[0] for key, values in parse_qs(urlsplit(self.target).query, keep_blank_values=True).items()}

    @property
    def job_id(self) -> str:
        return unquote(urlsplit(self.target).path.removeprefix(PREFIX + "/"))

    @property
    def document(self) -> dict[str, Any]:
        document = json.loads(self.body)
        assert isinstance(document, dict)
        return document


async def read_head(reader: asyncio.StreamReader) -> str:
    """The next request's first line and headers. Raises IncompleteReadError when the peer has gone."""
    return (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")


async def read_body(reader: asyncio.StreamReader, head: str) -> Request:
    """The request that began with ``head``."""
    first, *lines = head.split("\r\n")
    method, target, _ = first.split(" ")
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)
    }
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    operation, name = _operation(method, target, body)
    return Request(method, target, headers, body, operation, name)


def _operation(method: str, target: str, body: bytes) -> tuple[str, str | None]:
    parts = urlsplit(target)
    if (method, parts.path) == ("POST", PREFIX):
        return "create", json.loads(body)["name"]
    if (method, parts.path) == ("GET", PREFIX):
        name = parse_qs(parts.query).get("name")
        return ("lookup", name[0]) if name else ("list", None)
    if method == "GET" and parts.path.startswith(PREFIX + "/"):
        return "get", None
    return "other", None


def reply(status: int, body: object = None, *, clock_off: float = 0.0, now: float = 0.0, **headers: str) -> bytes:
    """A well-made reply. ``body``: bytes as they are, anything else as JSON. ``clock_off`` shifts its ``Date``."""
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    fields = {
        "Date": formatdate(now + clock_off, usegmt=True),
        "Content-Type": "application/json",
        "Content-Length": str(len(raw)),
        "x-ncp-trace-id": "trace-1",
    } | {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Some Reason')}", *(f"{k}: {v}" for k, v in fields.items())]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + raw


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST instead of FIN."""
    raw: socket.socket = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):  # closed already
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    writer.transport.abort()

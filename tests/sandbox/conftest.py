"""A running sandbox, a clock that only the test moves, and a caller that signs on its own."""

from __future__ import annotations

import base64
import copy
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import aiohttp
import pytest
from yarl import URL

from bulkjobs.sandbox import Sandbox, SandboxOptions

FIELDS = [{"name": name, "type": "string"} for name in ("id", "name", "description")]

EXAMPLE: dict[str, Any] = {
    "name": "job001",
    "nodes": [
        {
            "type": "SOURCE_OBS",
            "id": 1697776914576,
            "name": "Object Storage",
            "parentNodeIds": [],
            "regionNo": "1",
            "bucketName": "aitems",
            "prefix": "dataflow1",
            "dataType": "CSV",
            "fieldList": FIELDS,
        },
        {
            "type": "TRANSFORM_FILTER",
            "id": 1697776942407,
            "name": "필터",
            "parentNodeIds": [1697776914576],
            "filterType": "AND",
            "filterConditionList": [{"name": "name", "operator": "EQ", "value": "A"}],
        },
        {
            "type": "TARGET_OBS",
            "id": 1697776948956,
            "name": "Object Storage",
            "parentNodeIds": [1697776942407],
            "regionNo": "1",
            "bucketName": "aitems",
            "prefix": "dataflow1",
            "dataType": "CSV",
            "updateType": "OVERWRITE",
            "fieldList": FIELDS,
        },
    ],
}
"""The specification's own request, with the ids of an older page in the place of the masked ones."""


def example(**changes: Any) -> dict[str, Any]:
    return copy.deepcopy(EXAMPLE) | changes


@dataclass
class Clock:
    """Seconds since the epoch, moved by hand."""

    now: float = 1_742_518_922.0  # 2025-03-21T10:02:02+09:00, the specification's createdDate

    def __call__(self) -> float:
        return self.now


@dataclass
class Got:
    status: int
    body: Any
    headers: Any


@dataclass
class Caller:
    """Signs as the documentation says and sends; every part of the signature can be spoilt."""

    sandbox: Sandbox
    session: aiohttp.ClientSession
    clock: Clock
    spoilt: dict[str, str | None] = field(default_factory=dict)

    async def __call__(
        self, method: str, target: str, body: Any = None, *, raw: bytes | BytesIO | None = None, **headers: str
    ) -> Got:
        stamp = str(int(self.clock.now * 1000))
        text = f"{method} {target}\n{stamp}\n{self.sandbox.access_key}".encode()
        digest = hmac.new(self.sandbox.secret_key.encode(), text, hashlib.sha256).digest()
        sent: dict[str, str | None] = {
            "x-ncp-apigw-timestamp": stamp,
            "x-ncp-iam-access-key": self.sandbox.access_key,
            "x-ncp-apigw-signature-v2": base64.b64encode(digest).decode(),
        }
        data = json.dumps(body).encode() if body is not None else raw
        if data is not None:
            sent["Content-Type"] = "application/json"
        sent |= {key.replace("_", "-"): value for key, value in headers.items()} | self.spoilt
        url = URL(self.sandbox.endpoint + target, encoded=True)
        kept = {key: value for key, value in sent.items() if value is not None}
        async with self.session.request(
            method, url, data=data, headers=kept, skip_auto_headers=["Content-Type"]
        ) as reply:
            return Got(reply.status, json.loads(await reply.read()), reply.headers)

    async def create(self, body: Any = None) -> Got:
        return await self("POST", "/api/v1/jobs", example() if body is None else body)


Start = Callable[..., Any]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def start(clock: Clock) -> AsyncIterator[Start]:
    """Starts a sandbox with the given options and returns a Caller; all are stopped after the test."""
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())

        async def started(*, admits: Callable[[float], bool] | None = None, **options: Any) -> Caller:
            sandbox = Sandbox(SandboxOptions(**options), clock=clock, admits=admits)
            await stack.enter_async_context(sandbox)
            return Caller(sandbox, session, clock)

        yield started

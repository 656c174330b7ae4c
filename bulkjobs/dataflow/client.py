"""The Data Flow API, one call at a time: typed in, classified out. Decides nothing, repeats nothing.

``create_job`` returns an ``Answer`` whatever happens. Every other call returns its value or raises
``CallFailed`` with the ``Answer`` that says why.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self, TypeGuard
from urllib.parse import quote

import msgspec
from msgspec.structs import replace

from bulkjobs.dataflow.contract import Api, Contract
from bulkjobs.dataflow.endpoint import DEFAULT_ENDPOINT, PREFIX, checked_endpoint
from bulkjobs.dataflow.listing import PAGE_LIMIT, Page, parse_page
from bulkjobs.dataflow.replies import (
    Answer,
    Failure,
    Reply,
    Verdict,
    decode,
    judge,
    judge_refusal,
    short_text,
    usable_job_id,
)
from bulkjobs.dataflow.signature import Credentials
from bulkjobs.dataflow.transport import Transport
from bulkjobs.errors import NotFinished

_LIST_BOUND = 64 << 20
"""Bytes of a list page or a job that are read at most."""

_ERROR_BOUND = 1 << 16
"""Bytes of an error reply; a longer body is none, so that its status alone is judged."""


class CallFailed(NotFinished):
    """A call got no usable reply. ``answer`` is what was understood of it."""

    def __init__(self, call: str, answer: Answer) -> None:
        super().__init__(f"{call}: {answer.message}", "try again; a call that only reads does no harm")
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Job:
    """A job as getJob shows it. ``nodes`` is decoded JSON of untrusted origin.

    When it last ran, and how that went, may be shown here or in lists only.
    """

    job_id: str
    name: str | None
    status: str | None
    updated_date: str | None
    nodes: object
    created_date: str | None = None
    last_execution_status: str | None = None
    last_execution_date: str | None = None

    @property
    def is_live(self) -> bool:
        return (self.status or "").upper() != "DELETED"


class DataFlowClient:
    """An async context manager over one endpoint, one pair of keys and one contract.

    ``endpoint`` is scheme and host; plain http is for loopback only (UsageError). ``timeout`` in seconds.
    """

    def __init__(
        self,
        credentials: Credentials,
        endpoint: str = DEFAULT_ENDPOINT,
        contract: Contract | None = None,
        *,
        timeout: float = 30.0,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.contract = contract or Contract()
        self._transport = Transport(checked_endpoint(endpoint), credentials, timeout, now_ms)

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._transport.__aexit__(*exc)

    def give_up(self) -> None:
        """Wait no longer for what is on its way: each call ends as if ``timeout`` had passed."""
        self._transport.give_up()

    async def create_job(self, name: str, nodes: bytes) -> Answer:
        """createJob, sent exactly once. ``nodes``: the JSON array of nodes. Never raises for what a server does."""
        body = self.contract.create_body(name, nodes)
        return self._judged(await self._transport.call("POST", f"{PREFIX}/jobs", body), name)

    async def verify_job(self, name: str, nodes: bytes) -> Answer | None:
        """verifyJob, a dry run on the server: None if it accepts the job, else what it said."""
        body = b'{"name":%b,"nodes":%b}' % (msgspec.json.encode(name), nodes)
        reply = await self._transport.call("POST", f"{PREFIX}/jobs/verify", body)
        if isinstance(reply, Reply) and 200 <= reply.status < 300 and reply.complete:
            document = decode(reply.body)
            if document is not False:
                return None  # the shape of a refusal is not documented; a plain false is one
            return Answer(Verdict.REJECTED, reply.status, "not-verified", "verifyJob replied false")
        answer = self._refusal(reply)
        if answer.verdict is not Verdict.REJECTED:
            raise CallFailed("verifyJob", answer)
        return answer

    async def list_page(
        self, page: int, name: str | None = None, seen_before: int = 0, limit: int = PAGE_LIMIT
    ) -> Page:
        """getJobs, one page from 0. ``seen_before``: items on the pages before it."""
        query = f"page={page}&limit={limit}"
        if name is not None:
            query = f"name={quote(name, safe='')}&{query}"
        alone = name is not None  # an empty page does not say whose it is, and a second create may rest on it
        reply = await self._transport.call("GET", f"{PREFIX}/jobs?{query}", bound=_LIST_BOUND, alone=alone)
        parsed = parse_page(reply.body, limit, seen_before) if _is_whole(reply) else None
        if parsed is None:
            raise self._failed("getJobs", reply)
        return parsed

    async def get_job(self, job_id: str) -> Job | None:
        """getJob, or None when the service says that there is no such job."""
        reply = await self._transport.call("GET", _job_target(job_id), bound=_LIST_BOUND)
        document = decode(reply.body) if _is_whole(reply) else None
        if not isinstance(document, dict):
            if isinstance(reply, Reply) and _means_gone(reply):
                return None
            raise self._failed("getJob", reply)
        if usable_job_id(document.get("jobId")) not in (job_id, None):
            raise CallFailed("getJob", Answer(Verdict.UNKNOWN, 200, "other-job", "the reply is about another job"))
        return Job(
            job_id,
            short_text(document.get("name")),
            short_text(document.get("status")),
            short_text(document.get("updatedDate")),
            document.get("nodes"),
            short_text(document.get("createdDate")),
            short_text(document.get("lastExecutionStatus")),
            short_text(document.get("lastExecutionDate")),
        )

    async def update_job(self, job_id: str, name: str, nodes: bytes) -> None:
        """updateJob: PUT under ``2025-03``, PATCH under ``2026-09``."""
        encoded = msgspec.json.encode(name)
        if self.contract.api is Api.V2025_03:
            body = b'{"name":%b,"type":"DATAFLOW","isTemp":false,"nodes":%b}' % (encoded, nodes)
            reply = await self._transport.call("PUT", _job_target(job_id), body)
        else:
            body = b'{"type":"VISUAL","name":%b,"nodes":%b}' % (encoded, nodes)
            reply = await self._transport.call("PATCH", _job_target(job_id), body)
        if not _is_whole(reply):
            raise self._failed("updateJob", reply)

    async def delete_job(self, job_id: str) -> None:
        """deleteJob. Whatever is not the documented ``true`` leaves open whether the job was deleted."""
        reply = await self._transport.call("DELETE", _job_target(job_id))
        if not _is_whole(reply) or decode(reply.body) is not True:
            raise self._failed("deleteJob", reply)

    def _failed(self, call: str, reply: Reply | Failure) -> CallFailed:
        return CallFailed(call, self._refusal(reply))

    def _refusal(self, reply: Reply | Failure) -> Answer:
        if isinstance(reply, Reply) and 200 <= reply.status < 300:
            return Answer(Verdict.UNKNOWN, reply.status, "unreadable", f"HTTP {reply.status} with an unreadable body")
        return self._judged(reply)

    def _judged(self, reply: Reply | Failure, name: str | None = None) -> Answer:
        """What the reply means, without our keys and signatures, should the server have echoed them.

        The body is cleaned before it is judged: a text that is cut to a length must not end in half a secret.
        """
        if isinstance(reply, Reply) and not 200 <= reply.status < 300:
            text = reply.body.decode("utf-8", "surrogateescape") if len(reply.body) <= _ERROR_BOUND else ""
            reply = replace(reply, body=self._transport.scrub(text).encode("utf-8", "surrogateescape"))
        answer = judge(reply, name)
        if answer.verdict is Verdict.CREATED:
            texts = (answer.job_status, answer.updated_date, answer.trace_id)
            if texts == tuple(map(self._scrub, texts)):
                return answer  # as nearly always: a copy of it takes 3 µs
        scrub = self._scrub
        return replace(
            answer,
            message=self._transport.scrub(answer.message),
            code=scrub(answer.code),
            job_status=scrub(answer.job_status),
            updated_date=scrub(answer.updated_date),
            trace_id=scrub(answer.trace_id),
        )

    def _scrub(self, text: str | None) -> str | None:
        return self._transport.scrub(text) if text else text


def _is_whole(reply: Reply | Failure) -> TypeGuard[Reply]:
    return isinstance(reply, Reply) and 200 <= reply.status < 300 and reply.complete


def _means_gone(reply: Reply) -> bool:
    """A missing job is not documented: a parsed 404, or a parsed 400 ``bad-parameter``, both mean it."""
    answer = judge_refusal(reply, decode(reply.body))
    return (reply.status == 404 and answer.code != "300") or answer.code in ("bad-parameter", "not-found")


def _job_target(job_id: str) -> str:
    return f"{PREFIX}/jobs/{quote(job_id, safe='')}"

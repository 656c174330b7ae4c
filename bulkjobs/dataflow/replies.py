"""What a reply means for a create: the one pure place that decides it (``dataflow-api.md`` §7).

``judge`` takes what came over the wire, or why nothing did, and gives an ``Answer``. It does no I/O, reads no
clock, and never raises, whatever the bytes are. Unknown is an answer of its own: only a status read off a
real response, with a body that parses where it matters, is ever called anything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from enum import StrEnum

import msgspec

from bulkjobs.dataflow.taken_names import may_be_taken
from bulkjobs.plain import plain


class Verdict(StrEnum):
    """The classes of ``submit-protocol.md``, States."""

    CREATED = "created"
    REJECTED = "rejected"
    HALTED = "halted"
    THROTTLED = "throttled"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"


class Cause(StrEnum):
    """Why the whole run has to stop."""

    CREDENTIALS = "credentials"
    PERMISSION = "permission"
    ENDPOINT = "endpoint"
    CERTIFICATE = "certificate"
    QUOTA = "quota"


class FailureKind(StrEnum):
    """Why there is no reply."""

    CONNECT = "connect"
    CERTIFICATE = "certificate"
    TIMEOUT = "timeout"
    DISCONNECTED = "disconnected"
    GARBLED = "garbled"


class Reply(msgspec.Struct, frozen=True, gc=False):
    """A response with a status line of its own. ``complete`` is False when its body broke off or was too long."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    complete: bool = True


class Failure(msgspec.Struct, frozen=True, gc=False):
    """No usable response. ``headers_sent`` is the proof: False means that the service never saw the request."""

    kind: FailureKind
    headers_sent: bool
    text: str


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What a reply means.

    ``accepted``: a 2xx was seen but no usable jobId, so the job most likely exists. ``about_name``: a refusal
    that may mean "this name is taken". ``slow_down``: the gateway asks for less, whatever the verdict.
    ``server_time``: the reply's ``Date`` in seconds since the epoch. ``message`` is inert one-line text.
    """

    verdict: Verdict
    http_status: int | None = None
    code: str | None = None
    message: str = ""
    cause: Cause | None = None
    job_id: str | None = None
    job_status: str | None = None
    updated_date: str | None = None
    accepted: bool = False
    about_name: bool = False
    slow_down: bool = False
    retry_after: float | None = None
    server_time: float | None = None
    trace_id: str | None = None


_MAX_RETRY_AFTER = 300.0
"""Seconds; a longer wait is not believed. No ``Retry-After`` is documented for this API."""

_UNKNOWN_4XX = frozenset({408, 409, 425})


def judge(event: Reply | Failure, name: str | None = None) -> Answer:
    """The meaning of what followed a createJob of ``name``: a reply about another job does not answer it."""
    if isinstance(event, Failure):
        return _judge_failure(event)
    document = decode(event.body) if event.complete else None
    if 200 <= event.status < 300:
        return _judge_success(event, document, name)
    return judge_refusal(event, document, name)


def _judge_failure(failure: Failure) -> Answer:
    message = plain(failure.text)
    if failure.headers_sent:
        return Answer(Verdict.UNKNOWN, message=message, code=failure.kind.value)
    cause = Cause.CERTIFICATE if failure.kind is FailureKind.CERTIFICATE else None
    return Answer(Verdict.NOT_SENT, message=message, code=failure.kind.value, cause=cause)


def _judge_success(reply: Reply, document: object, name: str | None) -> Answer:
    job = document if isinstance(document, dict) else {}
    job_id = usable_job_id(job.get("jobId"))
    trace_id = _trace_id(reply)
    if job_id is None:
        message = f"HTTP {reply.status} without a usable jobId"
        return Answer(Verdict.UNKNOWN, reply.status, "no-job-id", message, accepted=True, trace_id=trace_id)
    if name is not None and job.get("name", name) != name:
        message = f"HTTP {reply.status} about another job"  # of an earlier request on the same connection, most likely
        return Answer(Verdict.UNKNOWN, reply.status, "other-job", message, trace_id=trace_id)
    return Answer(
        Verdict.CREATED,
        reply.status,
        job_id=job_id,
        job_status=short_text(job.get("status")),
        updated_date=short_text(job.get("updatedDate")),
        trace_id=trace_id,
    )


def judge_refusal(reply: Reply, document: object, name: str | None = None) -> Answer:
    """The meaning of a reply that is not 2xx; also used for reads, where UNKNOWN only means "no answer".

    ``name``: that of the job which was to be created.
    """
    status = reply.status
    error = _parse_error(document)
    code, message = error if error is not None else (None, "")
    message = message or f"HTTP {status}"
    date = _http_date(reply.headers.get("Date"))

    def answer(verdict: Verdict, cause: Cause | None = None, about_name: bool = False) -> Answer:
        return Answer(
            verdict,
            status,
            code,
            message,
            cause=cause,
            about_name=about_name,
            slow_down=status == 429,
            retry_after=_retry_after(reply.headers.get("Retry-After"), date),
            server_time=date,
            trace_id=_trace_id(reply),
        )

    if not reply.complete:
        return answer(Verdict.UNKNOWN)
    if status == 401:
        return answer(Verdict.HALTED, Cause.PERMISSION if code == "210" else Cause.CREDENTIALS)
    if status == 403:
        return answer(Verdict.HALTED, Cause.PERMISSION)
    if error is None or not 400 <= status < 500 or status in _UNKNOWN_4XX:
        return answer(Verdict.UNKNOWN)
    if status == 429:
        if code == "400":
            return answer(Verdict.HALTED, Cause.QUOTA)
        return answer(Verdict.THROTTLED if code in ("410", "420") else Verdict.UNKNOWN)
    if status == 404:  # createJob names nothing that could be missing but its own URL
        return answer(Verdict.HALTED, Cause.ENDPOINT)
    return answer(Verdict.REJECTED, about_name=may_be_taken(code, message, name))


def _parse_error(document: object) -> tuple[str | None, str] | None:
    """Code and message of a documented error body, or None for anything else."""
    if not isinstance(document, dict):
        return None
    error = document.get("error")
    if isinstance(error, dict) and ("errorCode" in error or "message" in error):
        parts = [short_text(error.get("message")), short_text(error.get("details"))]
        return _code(error.get("errorCode")), ": ".join(part for part in parts if part)
    if "errorType" in document or "detail" in document:
        detail = document.get("detail")
        text = detail if isinstance(detail, str) else _compact(detail)
        return _code(document.get("errorType")), plain(text)
    if isinstance(error, str) and ("status" in document or "path" in document):
        return None, short_text(document.get("message")) or plain(error)
    return None


def _code(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return plain(str(value), 100) if not isinstance(value, int) or abs(value) < 10**9 else None


def _compact(value: object) -> str:
    return "" if value is None else msgspec.json.encode(value).decode("utf-8", "replace")


def decode(body: bytes) -> object:
    """JSON of untrusted origin, or None: deep nesting, huge numbers and broken text are no answer."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def usable_job_id(value: object) -> str | None:
    """A jobId that can be kept, shown and put into a path: printable ASCII, no blanks, not only dots."""
    if not isinstance(value, str) or not 0 < len(value) <= 200:
        return None
    if not value.isascii() or not value.isprintable() or " " in value or not value.strip("."):
        return None
    return value


def short_text(value: object) -> str | None:
    """A short inert text, or None when the service sent something else."""
    return plain(value) if isinstance(value, str) else None


def _trace_id(reply: Reply) -> str | None:
    trace = reply.headers.get("x-ncp-trace-id") or reply.headers.get("x-ncp-apigw-request-id")
    return plain(trace, 100) if trace else None


def _http_date(value: str | None) -> float | None:
    if value is None:
        return None
    try:
        return parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _retry_after(value: str | None, date: float | None) -> float | None:
    """Seconds to wait, or None when absent or absurd. A date counts from the reply's own ``Date``."""
    if value is None:
        return None
    if value.isascii() and value.strip().isdigit() and len(value) < 10:
        seconds = float(value)
    else:
        until = _http_date(value)
        if until is None or date is None:
            return None
        seconds = until - date
    return seconds if 0 < seconds <= _MAX_RETRY_AFTER else None

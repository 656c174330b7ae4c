"""Why a run ends early, in people's words, with what to do about it. Pure."""

from __future__ import annotations

from bulkjobs.counted import counted
from bulkjobs.dataflow.replies import Answer, Cause
from bulkjobs.engine.work import Stop

_MEANING = {
    Cause.CREDENTIALS: ("the service refuses the credentials", "check the keys, and this machine's clock"),
    Cause.PERMISSION: ("these credentials may not do this", "give the account permission for Data Flow"),
    Cause.ENDPOINT: ("the service is not there", "check --endpoint"),
    Cause.CERTIFICATE: ("the server's certificate is not valid", "check --endpoint; TLS is always verified"),
    Cause.QUOTA: ("the quota of the day or month is used up", "run the same command again when it is renewed"),
}


class TooMany(Exception):
    """The plan has more creates than it may have."""

    def __init__(self, planned: int, permitted: int) -> None:
        super().__init__(f"the plan has {counted(planned, 'job')} to create, more than --max-jobs {permitted:,}")
        self.planned = planned


_CLOCK_TOLERANCE = 300
"""Seconds by which a request's timestamp may be off before the service refuses it (``dataflow-api.md`` §2)."""


def stop_of(cause: Cause | None, answer: Answer, now_ms: int) -> Stop:
    """A stop that the service asked for, with what it said. ``now_ms``: our clock, which may be the cause."""
    if cause is None and answer.slow_down:
        reason = f"the service refuses every request for its rate, for longer than --patience ({_said(answer)})"
        return Stop("halted", reason, "see what else uses this account, then run the same command again later")
    if cause is None:
        return Stop("halted", f"the service does not answer: {answer.message}", "run the same command again later")
    reason, hint = _MEANING[cause]
    if cause is Cause.CREDENTIALS and answer.server_time is not None:
        behind = answer.server_time - now_ms / 1000
        if abs(behind) > _CLOCK_TOLERANCE:
            way = "behind" if behind > 0 else "ahead of"
            reason = f"this machine's clock is {abs(behind) / 60:.0f} minutes {way} the service's, so it refuses us"
            hint = "set this machine's clock (time synchronisation), then run the same command again"
    return Stop("halted", f"{reason} ({_said(answer)})", hint, cause)


def _said(answer: Answer) -> str:
    code = f" {answer.code}" if answer.code else ""
    return f"HTTP {answer.http_status}{code}: {answer.message}" if answer.http_status else answer.message

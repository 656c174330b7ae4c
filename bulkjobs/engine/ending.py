"""How a run ends: its exit code, and the figures that its report is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bulkjobs.dataflow.replies import Cause
from bulkjobs.engine.records import Outcome
from bulkjobs.engine.work import Stop, Tally
from bulkjobs.errors import ExitCode, worst
from bulkjobs.inventory.problems import Problem
from bulkjobs.settings import Settings


@dataclass(frozen=True, slots=True)
class Result:
    """How a run ended. ``problems`` are the first of the inventory's, warnings too; the counts are of all."""

    exit_code: ExitCode
    stop: Stop | None
    problems: Sequence[Problem]
    errors: int
    warnings: int


_ACCESS = frozenset({Cause.CREDENTIALS, Cause.PERMISSION, Cause.ENDPOINT, Cause.CERTIFICATE})
CODE_OF = {
    Outcome.REJECTED: ExitCode.NEEDS_DECISION,
    Outcome.DRIFTED: ExitCode.NEEDS_DECISION,
    Outcome.CONFLICT: ExitCode.NEEDS_DECISION,
    Outcome.NOT_SENT: ExitCode.NOT_FINISHED,
    Outcome.UNRESOLVED: ExitCode.UNRESOLVED,
    Outcome.INVALID: ExitCode.INVALID_INVENTORY,
}


def exit_code_of(tally: Tally, stop: Stop | None) -> ExitCode:
    codes = {CODE_OF.get(outcome, ExitCode.OK) for outcome, count in tally.outcomes.items() if count}
    if stop is not None and stop.state != "finished":
        codes.add(ExitCode.ACCESS if stop.cause in _ACCESS else ExitCode.NOT_FINISHED)
    return worst(codes)


def facts_of(tally: Tally, settings: Settings, rate: float, namespace: str, duration: float) -> dict[str, object]:
    """Plain figures for the report. ``rate``: as it was last permitted; ``duration`` in seconds."""
    return {
        "duration_s": round(duration, 3),
        "sends": tally.sends,
        "retries": tally.retries,
        "throttles": tally.throttles,
        "lookups": tally.lookups,
        "reads": tally.reads,
        "listed": tally.listed,
        "list_lag_s": round(tally.list_lag, 3),
        "rate_permitted": settings.rate if settings.rate is not None else round(rate, 3),
        "rate_at_end": round(rate, 3),
        "settle_s": settings.settle,
        "namespace": namespace,
    }

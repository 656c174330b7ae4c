"""``summary.json``: what scripts read of a run. A pure function of its record and its figures.

Keys only ever get added within one ``schema``. Beside what its names say:

* ``duration_s``: seconds, null for a run that has not ended. ``latency_ms``: from first send to outcome, over rows
  that were sent. ``rate``: creates a second; ``achieved_per_s`` counts first sends from the first to the last, null
  if that is less than a second.
* ``errors``: rows that did not succeed, by outcome, HTTP status and code, most first, 50 groups at most;
  ``errors_left_out`` counts the rows of all others. ``example`` is what the first row of the group says, or
  why the run ended if a row that was not sent, or is unresolved, says nothing.
* ``inventories[].state``: see ``sources.Found``; if it is not ``read``, the columns of that file are empty.
* ``retry``: how many rows ``retry.csv`` has, and how many it lacks because their file could not be read.
* ``deleted``: jobs without a row that were to be deleted (``reconcile --prune``), and what became of each.
* ``files``: the SHA-256 of every other file of the report.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from bulkjobs.engine.records import Outcome, RunRecord
from bulkjobs.report.cells import iso
from bulkjobs.report.figures import Cause, Figures, Group
from bulkjobs.report.sources import Source

SCHEMA = 1
_GROUPS = 50
_EXAMPLE = 2_000
_SILENT = {
    Outcome.NOT_SENT: "the run ended before its turn came",
    Outcome.UNRESOLVED: "the run ended before it was known whether the job was made",
}


def summary_of(
    run: RunRecord,
    sources: Sequence[Source],
    figures: Figures,
    retry: Mapping[str, int],
) -> dict[str, object]:
    """The document but for ``files``, of plain JSON values only."""
    groups = figures.largest_groups(_GROUPS)
    grouped = sum(group.count for _, group in groups)
    failed = figures.ungrouped + sum(group.count for group in figures.groups.values())
    return {
        "schema": SCHEMA,
        "run": run.run_id,
        "state": run.state,
        "reason": run.reason,
        "endpoint": run.endpoint,
        "account": run.account,
        "api": run.api,
        "shard": run.facts.get("shard"),
        "started_at": iso(run.started_at),
        "ended_at": None if run.ended_at is None else iso(run.ended_at),
        "duration_s": _duration_s(run),
        "rows": figures.rows,
        "counts": dict(figures.counts),
        "attempts": {"total": figures.attempts, "rows_with_several": figures.rows_of_several_attempts},
        "rate": {
            "permitted_per_s": run.facts.get("rate_permitted"),
            "achieved_per_s": figures.achieved_per_s,
            "peak_per_s": figures.peak_per_s,
        },
        "latency_ms": dict(figures.latency_ms),
        "errors": [_error(run, cause, group) for cause, group in groups],
        "errors_left_out": failed - grouped,
        "inventories": [
            {
                "path": source.record.path,
                "sha256": source.record.sha256 or None,
                "rows": source.record.rows,
                "state": source.state.value,
            }
            for source in sources
        ],
        "orphans": [dict(orphan) for orphan in run.orphans],
        "deleted": [dict(removal) for removal in run.removals],
        "facts": dict(run.facts),
        "retry": dict(retry),
    }


def _duration_s(run: RunRecord) -> float | None:
    """What the run measured itself; of one that was killed, what its times say, unless the clock was set back."""
    if run.ended_at is None:
        return None
    measured = run.facts.get("duration_s")
    return measured if isinstance(measured, float) else round(max(0, run.ended_at - run.started_at) / 1000, 3)


def as_json(summary: Mapping[str, object]) -> bytes:
    """UTF-8, indented, the order of keys kept. Half of a surrogate pair becomes its JSON escape."""
    return (json.dumps(summary, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")


def _error(run: RunRecord, cause: Cause, group: Group) -> dict[str, object]:
    outcome, http_status, error_code = cause
    example = group.first.error
    if example is None and group.first.outcome in _SILENT:
        example = run.reason or _SILENT[group.first.outcome]
    files = run.inventories
    return {
        "outcome": outcome,
        "http_status": http_status,
        "error_code": error_code,
        "count": group.count,
        "example": None if example is None else example[:_EXAMPLE],
        "example_file": files[group.first.file].path if 0 <= group.first.file < len(files) else None,
        "example_line": group.first.line,
        "example_name": group.first.name,
    }

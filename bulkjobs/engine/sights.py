"""What getJob shows of a job that is to be changed, judged: pure, over untrusted JSON."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bulkjobs.dataflow.client import Job
from bulkjobs.engine.change_protocol import Sight
from bulkjobs.graph.comparison import Comparison
from bulkjobs.graph.definition import remote_ids
from bulkjobs.graph.ids import is_ours
from bulkjobs.graph.spec import JobSpec

_RUNNING = frozenset({"RUNNING", "READY"})
"""Statuses of an execution that has not ended (``dataflow-api.md`` §4); READY of a *job* only says that it could."""


def sight_of_update(
    spec: JobSpec, job: Job | None, before: object, planned: str | None, comparison: Comparison, *, takes_running: bool
) -> Sight:
    """``before``: the nodes just before the first write, None before there was one. ``planned``: the updatedDate of
    the job that was compared when the update was decided.
    """
    if job is None or not job.is_live:
        return Sight.GONE
    if not is_ours(spec.name, remote_ids(job.nodes)):
        return Sight.FOREIGN
    if _is_renamed(spec.name, job):
        return Sight.OTHER
    if comparison.same(spec.nodes, job.nodes):
        return Sight.WANTED
    if before is None:
        if planned is not None and job.updated_date is not None and planned != job.updated_date:
            return Sight.OTHER
    elif not _means_the_same(before, job.nodes, comparison):
        return Sight.OTHER
    return Sight.RUNNING if is_running(job) and not takes_running else Sight.SAME


def sight_of_delete(
    name: str,
    job: Job | None,
    bases: Sequence[bytes],
    comparison: Comparison,
    *,
    spares_executed: bool,
    takes_running: bool,
    takes_edited: bool,
) -> Sight:
    """``bases``: definitions that the job may have if nobody edited it. If none is known, dates must say so."""
    if job is None or not job.is_live:
        return Sight.GONE
    if not is_ours(name, remote_ids(job.nodes)):
        return Sight.FOREIGN
    if is_running(job) and not takes_running:
        return Sight.RUNNING
    if spares_executed and has_run(job):
        return Sight.EXECUTED
    if bases:
        is_as_made = any(comparison.same(nodes, job.nodes) for nodes in bases) and not _is_renamed(name, job)
    else:
        is_as_made = job.created_date is not None and job.created_date == job.updated_date
    return Sight.SAME if is_as_made or takes_edited else Sight.OTHER


def is_running(job: Job) -> bool:
    """Whether the job, or its last execution, says that it runs."""
    return (job.status or "").upper() == "RUNNING" or (job.last_execution_status or "").upper() in _RUNNING


def has_run(job: Job) -> bool:
    """Whether the job was ever executed."""
    return bool(job.last_execution_status or job.last_execution_date)


def _is_renamed(name: str, job: Job) -> bool:
    return job.name is not None and job.name != name


def _means_the_same(before: object, after: object, comparison: Comparison) -> bool:
    """Two states of a job on the service, which may show one of them in another order."""
    return before == after or (isinstance(before, list) and comparison.same(msgspec.json.encode(before), after))

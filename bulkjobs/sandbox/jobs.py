"""A job as the service keeps and shows it, under either contract. Pure."""

from __future__ import annotations

import secrets
import string
from datetime import datetime, timedelta, timezone
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from bulkjobs.sandbox.bodies import Api, Draft

_KST = timezone(timedelta(hours=9))
_ALPHABET = string.ascii_letters + string.digits

_FOLDER = "dataflow-0000000-sandbox"
_RUN_CONDITION = {
    "2025-03": {
        "workerType": "DEFAULT",
        "numWorker": 2,
        # As printed in the specification's example, although outside the range that stands above it.
        "timeout": 2880,
        "nrn": "",
        "scriptPath": f"{_FOLDER}/scripts/",
        "logPath": f"{_FOLDER}/sparkHistoryLogs/",
    },
    "2026-09": {
        "numWorker": 2,
        "timeout": 360,
        "nrn": "",
        "scriptPath": f"{_FOLDER}/scripts/",
        "logPath": f"{_FOLDER}/sparkHistoryLogs/",
    },
}


class Job(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Encoded as JSON, it is the reply of createJob and getJob. ``nodes`` is JSON; dates are ISO 8601, +09:00."""

    job_id: str
    name: str
    description: str = ""
    type: str
    status: str
    nodes: msgspec.Raw
    run_condition: dict[str, Any]
    max_concurrent_runs: int | UnsetType = UNSET
    created_date: str
    updated_date: str
    last_execution_status: str | UnsetType = UNSET
    last_execution_date: str | UnsetType = UNSET


class Summary(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An item of getJobs: exactly the documented keys, so no nodes. A job has run if its control said so."""

    job_id: str
    name: str
    type: str
    status: str
    last_execution_status: str | None = None
    created_date: str
    updated_date: str
    last_execution_date: str | None = None
    resource_id: str
    disabled: bool = False


def new_job(api: Api, draft: Draft, now: float) -> Job:
    """The job that createJob makes of ``draft`` at ``now``, under an id no other job has."""
    date = _date(now)
    return Job(
        job_id=_new_id(),
        name=draft.name or "",
        type=draft.type,
        status=_status(api, draft),
        nodes=msgspec.Raw(draft.nodes or b"[]"),
        run_condition=_RUN_CONDITION[api] | (draft.condition or {}),
        max_concurrent_runs=draft.max_concurrent_runs or UNSET,
        created_date=date,
        updated_date=date,
    )


def changed_job(api: Api, job: Job, draft: Draft, now: float) -> Job:
    """``job`` after updateJob: what ``draft`` does not speak of stays."""
    return msgspec.structs.replace(
        job,
        name=draft.name or job.name,
        status=_status(api, draft),
        nodes=job.nodes if draft.nodes is None else msgspec.Raw(draft.nodes),
        run_condition=job.run_condition | (draft.condition or {}),
        max_concurrent_runs=draft.max_concurrent_runs or job.max_concurrent_runs,
        updated_date=_later_date(job, now, 0),
    )


def edited_job(job: Job, now: float, **changes: Any) -> Job:
    """``job`` after somebody changed it in the console, or a run of it."""
    return msgspec.structs.replace(job, updated_date=_later_date(job, now, 1), **changes)


def summary(job: Job) -> Summary:
    return Summary(
        job_id=job.job_id,
        name=job.name,
        type=job.type,
        status=job.status,
        last_execution_status=job.last_execution_status or None,
        created_date=job.created_date,
        updated_date=job.updated_date,
        last_execution_date=job.last_execution_date or None,
        resource_id=f"nrn:PUB:DataFlow:KR:0000000:Job/{job.job_id}",
    )


def _status(api: Api, draft: Draft) -> str:
    if api == "2026-09":
        return "READY"
    return "DRAFT" if draft.temporary else "RUNNABLE"


def _new_id() -> str:
    # 12 characters like the specification's `5Yns7J******`: 71 bits, so unique without looking.
    return "".join([_ALPHABET[octet % 62] for octet in secrets.token_bytes(12)])


def _later_date(job: Job, now: float, step: int) -> str:
    """``now``, but at least ``step`` seconds after the last change: dates have whole seconds, and edits must show."""
    last = datetime.fromisoformat(job.updated_date).timestamp()
    return _date(max(now, last + step))


def _date(now: float) -> str:
    return datetime.fromtimestamp(now, _KST).isoformat(timespec="seconds")

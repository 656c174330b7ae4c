"""The operations of the service, from a request's parts to status and JSON. No network, no clock, no signature.

A request that is refused raises Refusal and changes nothing. OSError: the data file could not take a change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from bulkjobs.sandbox.bodies import Draft, read_create, read_update, read_verify
from bulkjobs.sandbox.errors import Refusal, bad_parameter
from bulkjobs.sandbox.jobs import Job, changed_job, new_job, summary
from bulkjobs.sandbox.normalise import normalised
from bulkjobs.sandbox.options import SandboxOptions
from bulkjobs.sandbox.store import Store

Answer = tuple[int, bytes]
"""HTTP status and JSON body."""

_PAGE = 1000


class Operations:
    """One account's Data Flow over ``store``. ``now`` is always in seconds since the epoch."""

    def __init__(self, options: SandboxOptions, store: Store) -> None:
        self._options = options
        self._store = store

    def create(self, body: bytes, now: float) -> Answer:
        draft = read_create(self._options.api, body)
        self._check_duplicate(draft)
        job = new_job(self._options.api, draft, now)
        self._store.add(job, now)
        return 201, self._shown(job)

    def verify(self, body: bytes) -> Answer:
        # Whether verifyJob looks at existing names is not documented: it does not, so that a job that is
        # there already can be verified.
        read_verify(body)
        return 200, b"true"

    def get(self, job_id: str) -> Answer:
        return 200, self._shown(self._job(job_id))

    def update(self, job_id: str, body: bytes, now: float) -> Answer:
        """The reply is the changed job; its shape is not documented."""
        job = self._job(job_id)
        draft = read_update(self._options.api, body)
        # Whether a type can change is not documented. It would leave a SCRIPT job with nodes.
        if self._options.api == "2026-09" and draft.type != job.type:
            raise bad_parameter(f"type: job {job_id} is {job.type}")
        self._check_duplicate(draft, besides=job_id)
        changed = changed_job(self._options.api, job, draft, now)
        self._store.replace(changed)
        return 200, self._shown(changed)

    def delete(self, job_id: str) -> Answer:
        self._store.remove(self._job(job_id).job_id)
        return 200, b"true"

    def list(self, query: Mapping[str, str], now: float) -> Answer:
        """getJobs, oldest job first; ``count`` is the total. Both are undocumented or ambiguous.

        A ``limit`` above 1,000 counts as 1,000, and the reply says so. Unknown parameters are ignored.
        """
        page = _number(query, "page", default=0, least=0)
        limit = min(_number(query, "limit", default=_PAGE, least=1), _PAGE)
        name = query.get("name")
        # Only the older contract documents a filter by status.
        status = query.get("status") if self._options.api == "2025-03" else None
        found: Sequence[Job]
        if name or status:
            found = self._store.search(now, name or "", exact=bool(name) and self._exact)
            found = [job for job in found if not status or job.status == status]
            count = len(found)
            found = found[page * limit : (page + 1) * limit]
        else:
            found, count = self._store.page(now, page * limit, limit)
        items = [summary(job) for job in found]
        return 200, msgspec.json.encode({"list": items, "count": count, "page": page, "limit": limit})

    def _shown(self, job: Job) -> bytes:
        return msgspec.json.encode(normalised(job) if self._options.normalise else job)

    @property
    def _exact(self) -> bool:
        return self._options.name_match == "exact"

    def _job(self, job_id: str) -> Job:
        job = self._store.get(job_id)
        if job is None:
            raise _unknown(job_id)
        return job

    def _check_duplicate(self, draft: Draft, *, besides: str | None = None) -> None:
        if self._options.duplicate_names == "refuse" and draft.name is not None:
            others = [job for job in self._store.named(draft.name) if job.job_id != besides]
            if others:
                raise bad_parameter(f"name: a job named {draft.name} exists already")


def _unknown(job_id: str) -> Refusal:
    # What an unknown id gets is not documented. 404/300 means a wrong URL, which this is not, so it is the
    # one refusal that is documented for a wrong parameter.
    return bad_parameter(f"jobId: no job {job_id[:100]!r}")


def _number(query: Mapping[str, str], key: str, *, default: int, least: int) -> int:
    text = query.get(key, "")
    if not text:
        return default
    if not (len(text) <= 9 and text.isascii() and text.isdigit() and int(text) >= least):
        raise bad_parameter(f"{key}: must be a whole number from {least}")
    return int(text)

"""Pages of getJobs as typed values, read tolerantly (``dataflow-api.md`` §4)."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from bulkjobs.dataflow.replies import decode, short_text, usable_job_id

PAGE_LIMIT = 1000
"""Items a page, the documented default."""


class ListedJob(msgspec.Struct, frozen=True, gc=False):
    """An item of a list: no nodes there. ``job_id`` is empty when the service sent none that can be used."""

    job_id: str
    name: str
    status: str | None
    updated_date: str | None
    last_execution_status: str | None = None
    last_execution_date: str | None = None

    @property
    def is_live(self) -> bool:
        """Jobs that are being deleted, or were, do not count as existing."""
        return (self.status or "").upper() != "DELETED"


@dataclass(frozen=True, slots=True)
class Page:
    """One page. ``is_last`` is the page's own word that nothing follows; an empty page always is."""

    jobs: tuple[ListedJob, ...]
    size: int
    is_last: bool


def parse_page(body: bytes, asked: int, seen_before: int) -> Page | None:
    """A page, or None when the body is not one.

    ``count`` is documented as the total and as this page's size, and a service may cap ``limit``, so a page
    is the last one only if it is shorter than the limit in force and ``count`` does not promise more.
    """
    document = decode(body)
    if not isinstance(document, dict) or not isinstance(document.get("list"), list):
        return None
    items = document["list"]
    jobs = []
    for item in items:
        if not isinstance(item, dict):
            return None
        if not isinstance(item.get("name"), str):
            continue  # a job without a name cannot be the one that is looked for
        jobs.append(
            ListedJob(
                usable_job_id(item.get("jobId")) or "",
                item["name"],
                short_text(item.get("status")),
                short_text(item.get("updatedDate")),
                short_text(item.get("lastExecutionStatus")),
                short_text(item.get("lastExecutionDate")),
            )
        )
    limit, count = document.get("limit"), document.get("count")
    in_force = min(asked, limit) if isinstance(limit, int) and limit > 0 else asked
    promised = count if isinstance(count, int) else 0
    is_last = not items or (len(items) < in_force and promised <= seen_before + len(items))
    return Page(tuple(jobs), len(items), is_last)

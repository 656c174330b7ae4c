"""What the service really holds: every job that was ever made, by whom, and what became of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class Job:
    """``ours``: made by a POST of the program under test. ``visible_at``: from when on lists and reads show it."""

    job_id: str
    name: str
    nodes: list[Any]
    ours: bool
    made_at: float
    visible_at: float
    status: str = "RUNNABLE"
    updated: str = "2026-11-24T12:00:00+09:00"

    @property
    def is_live(self) -> bool:
        return self.status != "DELETED"

    def item(self) -> dict[str, Any]:
        """As getJobs shows it."""
        return {
            "jobId": self.job_id,
            "name": self.name,
            "type": "DATAFLOW",
            "status": self.status,
            "createdDate": self.updated,
            "updatedDate": self.updated,
        }

    def whole(self) -> dict[str, Any]:
        """As getJob and createJob show it: the service adds ``properties`` to every field."""
        nodes = [
            node | {"fieldList": [field | {"properties": []} for field in node["fieldList"]]}
            if isinstance(node.get("fieldList"), list)
            else node
            for node in self.nodes
        ]
        return self.item() | {"description": "", "nodes": nodes}


class Truth:
    """All jobs in the order in which they were made. ``lag``: seconds until a job is visible."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.jobs: dict[str, Job] = {}
        self.lag = 0.0

    def make(self, name: str, nodes: list[Any], *, ours: bool, status: str = "RUNNABLE") -> Job:
        number = len(self.jobs) + 1
        job_id = f"J{number:04d}{hashlib.sha256(f'{number}{name}'.encode()).hexdigest()[:8]}"
        now = self._now()
        job = Job(job_id, name, nodes, ours, now, now + (self.lag if ours else 0.0), status)
        self.jobs[job_id] = job
        return job

    def remove(self, job_id: str) -> None:
        """The job goes at once and leaves no trace in any list."""
        del self.jobs[job_id]

    def live(self, name: str) -> list[Job]:
        """Live jobs of exactly this name, visible or not."""
        return [job for job in self.jobs.values() if job.name == name and job.is_live]

    def made_by_us(self, name: str) -> list[Job]:
        return [job for job in self.jobs.values() if job.name == name and job.ours]

    def visible(self) -> Iterator[Job]:
        now = self._now()
        return (job for job in self.jobs.values() if job.visible_at <= now)

"""The jobs of a sandbox, indexed so that 100,000 of them cost a create or a lookup no scan over jobs.

A job can be read by its id at once, and shows in listings ``list_lag`` seconds after it was made. With a data
file every change is on disk before it is in memory; a change that cannot be written did not happen.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice

from bulkjobs.sandbox.datafile import DataFile
from bulkjobs.sandbox.jobs import Job

_SHELF = 1000


class _Shelf:
    """Up to 1,000 listed jobs in the order they were made, and their names as one text to search in."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self._names: str | None = None

    def put(self, job: Job) -> None:
        self.jobs[job.job_id] = job
        self._names = None

    def remove(self, job_id: str) -> None:
        del self.jobs[job_id]
        self._names = None

    def containing(self, part: str) -> list[Job]:
        # Names hold no newline, so a part found in the text lies within one name; a shelf without it costs
        # one search of 30 kB instead of 1,000 comparisons.
        if self._names is None:
            self._names = "\n".join([job.name for job in self.jobs.values()])
        if part not in self._names:
            return []
        return [job for job in self.jobs.values() if part in job.name]


class Store:
    """Not for several threads. ``file`` is loaded at once, and closed by ``close``."""

    def __init__(self, *, list_lag: float = 0.0, file: DataFile | None = None) -> None:
        self._lag = list_lag
        self._file = file
        self._jobs: dict[str, tuple[Job, float]] = {}
        self._by_name: dict[str, dict[str, None]] = {}
        self._unlisted: deque[str] = deque()
        self._shelves: list[_Shelf] = []
        self._home: dict[str, _Shelf] = {}
        for job, at in file.load() if file is not None else ():
            self._remember(job, at)

    def add(self, job: Job, now: float) -> None:
        """Raises OSError if the data file cannot take it."""
        if self._file is not None:
            self._file.put(job, now)
        self._remember(job, now)

    def replace(self, job: Job) -> None:
        """Puts a newer state in the place of the job with the same id. Raises OSError as ``add``."""
        old, at = self._jobs[job.job_id]
        if self._file is not None:
            self._file.put(job, at)
        self._jobs[job.job_id] = (job, at)
        if old.name != job.name:
            self._forget_name(old)
            self._by_name.setdefault(job.name, {})[job.job_id] = None
        home = self._home.get(job.job_id)
        if home is not None:
            home.put(job)

    def remove(self, job_id: str) -> None:
        """Raises OSError as ``add``."""
        if self._file is not None:
            self._file.delete(job_id)
        job, _ = self._jobs.pop(job_id)
        self._forget_name(job)
        home = self._home.pop(job_id, None)
        if home is not None:
            home.remove(job_id)
            if not home.jobs:
                self._shelves.remove(home)

    def get(self, job_id: str) -> Job | None:
        kept = self._jobs.get(job_id)
        return kept[0] if kept is not None else None

    def named(self, name: str) -> list[Job]:
        """Every live job of exactly this name, listed yet or not."""
        return [self._jobs[job_id][0] for job_id in self._by_name.get(name, ())]

    def all(self) -> list[Job]:
        """Every live job, listed yet or not, in the order they were made."""
        return [job for job, _ in self._jobs.values()]

    def page(self, now: float, skip: int, most: int) -> tuple[Sequence[Job], int]:
        """``most`` listed jobs after the first ``skip``, and how many are listed."""
        self._list_due(now)
        found: list[Job] = []
        for shelf in self._shelves:
            if skip >= len(shelf.jobs):
                skip -= len(shelf.jobs)
            else:
                found += islice(shelf.jobs.values(), skip, skip + most - len(found))
                skip = 0
            if len(found) == most:
                break
        return found, len(self._home)

    def search(self, now: float, name: str, *, exact: bool) -> list[Job]:
        """The listed jobs of this name, or whose name holds it. Letter case counts."""
        self._list_due(now)
        if exact:
            return [job for job in self.named(name) if job.job_id in self._home]
        return [job for shelf in self._shelves for job in shelf.containing(name)]

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _remember(self, job: Job, at: float) -> None:
        self._jobs[job.job_id] = (job, at)
        self._by_name.setdefault(job.name, {})[job.job_id] = None
        self._unlisted.append(job.job_id)

    def _forget_name(self, job: Job) -> None:
        ids = self._by_name[job.name]
        del ids[job.job_id]
        if not ids:
            del self._by_name[job.name]

    def _list_due(self, now: float) -> None:
        while self._unlisted:
            kept = self._jobs.get(self._unlisted[0])
            if kept is not None:
                job, at = kept
                if now < at + self._lag:
                    return
                if not self._shelves or len(self._shelves[-1].jobs) >= _SHELF:
                    self._shelves.append(_Shelf())
                self._shelves[-1].put(job)
                self._home[job.job_id] = self._shelves[-1]
            self._unlisted.popleft()

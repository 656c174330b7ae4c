"""Whose turn it is: rows that wait to be sent, and those that wait to be sent again."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator

from bulkjobs.engine.backoff import RetryBudget
from bulkjobs.engine.bell import Bell
from bulkjobs.engine.work import Tally, Work

_BACKLOG = 4_000
"""Rows that are held ready, at most; the feeder waits beyond it, until half of them have gone."""


class Turns:
    """First come, first served; what is to be sent again goes first, once its back-off is over and ``budget`` allows.

    ``changed`` is rung when there is a row more.
    """

    def __init__(self, budget: RetryBudget, tally: Tally, changed: Bell) -> None:
        self._budget = budget
        self._tally = tally
        self._changed = changed
        self._fresh: deque[Work] = deque()
        self._again: list[Work] = []
        self._room = Bell()

    def __bool__(self) -> bool:
        return bool(self._fresh or self._again)

    def __len__(self) -> int:
        return len(self._fresh) + len(self._again)

    def add(self, work: Work) -> None:
        """A row that was not sent in this run."""
        self._fresh.append(work)
        self._changed.ring()

    @property
    def is_full(self) -> bool:
        return len(self._fresh) >= _BACKLOG

    async def room(self) -> None:
        """Until there is room for many more, or ``open_up`` is called."""
        await self._room.wait()

    def open_up(self) -> None:
        """Let the feeder go on: the run ends."""
        self._room.ring()

    def add_again(self, work: Work, due: float) -> None:
        """A row that may be sent again at ``due``, monotonic seconds."""
        work.due = due
        heapq.heappush(self._again, work)
        self._changed.ring()

    def next(self, now: float) -> tuple[Work | None, float | None]:
        """The row whose turn it is, or how many seconds to wait for the next; None: until ``changed`` rings."""
        wait = None
        if self._again:
            first = self._again[0]
            wait = first.due - now
            if wait <= 0:
                wait = self._budget.take(now) if first.failures else 0.0
                if not wait:
                    self._tally.retries += 1
                    return heapq.heappop(self._again), None
        if not self._fresh:
            return None, wait
        work = self._fresh.popleft()
        if len(self._fresh) == _BACKLOG // 2:
            self._room.ring()
        return work, None

    def take_again(self) -> Iterator[Work]:
        """Those that were to be sent again, at the end of a run. Rows that were never sent need nothing."""
        while self._again:
            yield self._again.pop()

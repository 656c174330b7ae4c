"""Rows whose last attempt has no known end: they wait until the list must show it, and are then looked up."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence

from bulkjobs.engine.bell import Bell
from bulkjobs.engine.clock import Clock
from bulkjobs.engine.health import Condition, Health
from bulkjobs.engine.protocol import Seen
from bulkjobs.engine.reader import Reader
from bulkjobs.engine.resolver import Resolver
from bulkjobs.engine.work import Tally, Work
from bulkjobs.graph.comparison import Comparison

_BACKLOG = 4_000
"""Rows that are held, at most; the feeder waits beyond it, until half of them have gone."""


class Settling:
    """A queue by time. ``on_seen`` is told what was seen of each row; it may push the row again.

    ``settle_s``: seconds between an attempt's end and its lookup. ``idle`` is rung when a batch was looked up.
    """

    def __init__(
        self,
        reader: Reader,
        health: Health,
        clock: Clock,
        tally: Tally,
        on_seen: Callable[[Work, Seen], None],
        idle: Bell,
        settle_s: float,
        comparison: Comparison,
    ) -> None:
        self.resolver = Resolver(reader, tally, clock, self._seen, settle_s, comparison)
        self.changed = Bell()
        self._health = health
        self._clock = clock
        self._tally = tally
        self._on_seen = on_seen
        self._idle = idle
        self._room = Bell()
        self._waiting: list[Work] = []
        self._looking: set[Work] = set()

    def __bool__(self) -> bool:
        return bool(self._waiting or self._looking)

    def push(self, work: Work, due: float) -> None:
        """Look this row up at ``due``, monotonic seconds."""
        work.due = due
        heapq.heappush(self._waiting, work)
        self._tally.settling = len(self._waiting)
        self._tally.settle_until = max(self._tally.settle_until, due)
        self.changed.ring()

    def push_settled(self, work: Work) -> None:
        """Look this row up once ``settle`` has passed from now."""
        self.push(work, self._clock.monotonic() + self.resolver.settle_s)

    @property
    def is_full(self) -> bool:
        return len(self._waiting) >= _BACKLOG

    async def room(self) -> None:
        """Until there is room for many more, or ``open_up`` is called."""
        await self._room.wait()

    def open_up(self) -> None:
        """Let the feeder go on: the run ends."""
        self._room.ring()

    async def run(self) -> None:
        """Look up what is due, for ever. Raises Fatal when the service will not answer any more."""
        while True:
            now = self._clock.monotonic()
            if not self._waiting or self._health.condition is Condition.DOWN:
                await self.changed.wait()
            elif self._waiting[0].due > now:
                await self.changed.wait(self._waiting[0].due - now)
            else:
                await self._look(self._due(now))

    def take(self) -> Iterator[Work]:
        """What still waits, at the end of a run."""
        while self._waiting:
            yield self._waiting.pop()
        self._tally.settling = 0

    def _due(self, now: float) -> list[Work]:
        batch = []
        while self._waiting and self._waiting[0].due <= now:
            batch.append(heapq.heappop(self._waiting))
        if len(self._waiting) <= _BACKLOG // 2:
            self._room.ring()
        return batch

    async def _look(self, batch: Sequence[Work]) -> None:
        self._looking = set(batch)
        self._tally.looking, self._tally.settling = len(batch), len(self._waiting)
        try:
            await self.resolver.resolve(batch)
        finally:
            for work in self._looking:  # not answered: still to be settled, by us or by the next run
                heapq.heappush(self._waiting, work)
            self._looking = set()
            self._tally.looking, self._tally.settling = 0, len(self._waiting)
            self._idle.ring()

    def _seen(self, work: Work, seen: Seen) -> None:
        self._looking.discard(work)
        self._tally.looking = len(self._looking)
        self._on_seen(work, seen)

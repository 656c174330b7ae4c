"""The one task that sends: concurrency slot, durable intent, limiter, signature, send (invariant 10).

It takes slots and writes intents a little ahead of their turn, so that a turn never waits for a sync.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from bulkjobs.dataflow.client import DataFlowClient
from bulkjobs.dataflow.replies import Answer
from bulkjobs.engine.bell import Bell
from bulkjobs.engine.clock import Clock
from bulkjobs.engine.health import Condition, Health
from bulkjobs.engine.pacing import AdaptiveLimiter
from bulkjobs.engine.rate_control import RateControl
from bulkjobs.engine.reader import permission
from bulkjobs.engine.recorder import Recorder
from bulkjobs.engine.turns import Turns
from bulkjobs.engine.work import Tally, Work


class Dispatcher:
    """Sends what ``turns`` gives. ``on_answer`` is told of each answer with the time of its send, monotonic.

    ``on_defect`` is told what a send raised: a mistake of ours. ``ahead``: intents written before their turn.
    ``changed`` is to be rung when there is a row or a slot more, or when the service's condition changes.
    """

    def __init__(
        self,
        client: DataFlowClient,
        limiter: AdaptiveLimiter,
        control: RateControl,
        recorder: Recorder,
        health: Health,
        clock: Clock,
        tally: Tally,
        turns: Turns,
        changed: Bell,
        on_answer: Callable[[Work, Answer, float], None],
        on_defect: Callable[[BaseException], None],
        *,
        concurrency: int,
        ahead: int,
    ) -> None:
        self._client = client
        self._limiter = limiter
        self._control = control
        self._recorder = recorder
        self._health = health
        self._clock = clock
        self._tally = tally
        self._turns = turns
        self._changed = changed
        self._on_answer = on_answer
        self._on_defect = on_defect
        self._concurrency = concurrency
        self._ahead = ahead
        self._ready: deque[tuple[Work, asyncio.Future[None]]] = deque()  # intents written, in the order of their turn
        self._sending: set[asyncio.Task[None]] = set()

    def __bool__(self) -> bool:
        return bool(self._ready or self._sending)

    async def run(self, is_over: Callable[[], bool]) -> None:
        """Send until ``is_over``. Raises StateError when an intent cannot be written."""
        while not is_over():
            wait = self._write_ahead()
            if not self._ready or self._is_held_back():
                await self._changed.wait(wait)
                continue
            await self._ready[0][1]
            if self._is_held_back():
                continue
            sent_at = await permission(self._control, self._limiter, self._clock, self._tally)
            work, _ = self._ready.popleft()
            work.waited_ms = round((sent_at - work.intended) * 1000)
            self._tally.rate = self._control.rate
            self._sending.add(asyncio.create_task(self._send(work, sent_at)))

    async def drained(self) -> None:
        """Wait for what was sent."""
        while self._sending:
            ended, _ = await asyncio.wait(self._sending)
            self._sending -= ended

    async def withdraw(self) -> list[Work]:
        """Take back the intents that were not sent: their rows."""
        unsent = [work for work, _ in self._ready]
        self._ready.clear()
        if unsent:
            await self._recorder.durable()  # only a durable intent can be taken back
            for work in unsent:
                self._recorder.withdrawn(work)
        return unsent

    def _write_ahead(self) -> float | None:
        """Write the intents of the rows whose turn comes next; the seconds to wait for one more, if that is known."""
        now = self._clock.monotonic()
        while len(self._ready) <= self._ahead and self._has_slot():
            work, wait = self._turns.next(now)
            if work is None:
                return wait
            self._ready.append((work, self._recorder.intent(work)))
        return None

    def _has_slot(self) -> bool:
        condition = self._health.condition
        if condition is Condition.DOWN:
            return False
        return len(self._ready) + len(self._sending) < (1 if condition is Condition.TRIAL else self._concurrency)

    def _is_held_back(self) -> bool:
        """What was admitted while the service was up waits, too, when it goes down; then one goes at a time."""
        condition = self._health.condition
        return condition is Condition.DOWN or (condition is Condition.TRIAL and bool(self._sending))

    async def _send(self, work: Work, sent_at: float) -> None:
        spec = work.spec
        assert spec is not None
        if work.started is None:
            work.started = self._clock.monotonic()
            work.first_sent_at = self._clock.wall_ms()
        self._tally.sends += 1
        self._in_flight(+1)
        try:
            answer = await self._client.create_job(spec.name, spec.nodes)
            self._on_answer(work, answer, sent_at)
        except Exception as defect:
            self._on_defect(defect)
        finally:  # here and not in a callback of the task, which would take the loop one more turn for every send
            self._in_flight(-1)
            self._sending.discard(asyncio.current_task())
            self._changed.ring()

    def _in_flight(self, more: int) -> None:
        self._tally.in_flight += more
        self._tally.slots.changed(self._clock.monotonic(), self._tally.in_flight, self._concurrency)

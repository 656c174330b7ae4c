"""Updates and deletes: look, durable intent, limiter, send, outcome; what any of it leads to is ``change_protocol``'s.

Each change is a task of its own and ends exactly once. While the service as a whole fails, one change at a time goes
on, behind a patient read; the others wait.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from typing import TypeVar

from bulkjobs.dataflow.client import CallFailed, DataFlowClient
from bulkjobs.dataflow.replies import Answer, Verdict
from bulkjobs.engine.backoff import full_jitter
from bulkjobs.engine.change import NOTHING_MORE, Change, Leave
from bulkjobs.engine.change_protocol import (
    After,
    Decision,
    Done,
    Halt,
    Look,
    Sight,
    Write,
    not_sent_change,
    on_change_answer,
    on_change_look,
    unresolved_change,
)
from bulkjobs.engine.change_recorder import ChangeRecorder
from bulkjobs.engine.clock import Clock
from bulkjobs.engine.health import Condition, Health
from bulkjobs.engine.rate_control import RateControl
from bulkjobs.engine.reader import Fatal, Reader, Unreadable
from bulkjobs.engine.records import ChangeKind, Outcome
from bulkjobs.engine.sights import sight_of_delete, sight_of_update
from bulkjobs.engine.stops import stop_of
from bulkjobs.engine.unless import Stopped, unless
from bulkjobs.engine.work import Stop, Tally
from bulkjobs.graph.comparison import BUILT_IN, Comparison
from bulkjobs.logs import Log

_T = TypeVar("_T")


class Changer:
    """Carries changes out, ``concurrency`` at a time. ``stop`` may be called at any time from the loop.

    ``begun``: when this process started (monotonic); an earlier run's open attempt is settled from then on.
    ``ended`` counts changes by kind and outcome.
    """

    def __init__(
        self,
        client: DataFlowClient,
        reader: Reader,
        recorder: ChangeRecorder,
        control: RateControl,
        clock: Clock,
        tally: Tally,
        log: Log,
        *,
        concurrency: int,
        settle_s: float,
        max_attempts: int,
        patience: float,
        begun: float,
        comparison: Comparison = BUILT_IN,
        include: Leave = NOTHING_MORE,
    ) -> None:
        self._client = client
        self._reader = reader
        self._recorder = recorder
        self._control = control
        self._clock = clock
        self._tally = tally
        self._log = log
        self._slots = asyncio.Semaphore(concurrency)
        self._settle_s = settle_s
        self._max_attempts = max_attempts
        self._health = Health(patience)
        self._begun = begun
        self._comparison = comparison
        self._include = include
        self._stopping = asyncio.Event()
        self._alone = asyncio.Lock()  # who holds it goes on while the service fails
        self.stopped: Stop | None = None
        self.ended: Counter[tuple[ChangeKind, Outcome]] = Counter()

    def stop(self, stop: Stop) -> None:
        """Write nothing more; what is on its way is waited for. The first call counts."""
        if self.stopped is None:
            self.stopped = stop
            self._stopping.set()

    async def run(self, changes: AsyncIterator[Change]) -> None:
        """Return when every change has ended; after a stop no further one is begun.

        Raises StateError when the journal fails; whatever else a task raises is a defect and is raised too.
        """
        running: set[asyncio.Task[None]] = set()
        try:
            async for change in changes:
                await self._slots.acquire()
                if self.stopped is not None or any(task.done() and task.exception() for task in running):
                    self._slots.release()
                    break
                running = {task for task in running if not task.done() or task.exception()}
                running.add(asyncio.create_task(self._carry_out(change)))
        finally:
            results = await asyncio.gather(*running, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _carry_out(self, change: Change) -> None:
        try:
            done = await self._until_done(change)
        except Fatal as error:
            self.stop(stop_of(error.cause, error.answer, self._clock.wall_ms()))
            done = self._given_up(change)
        finally:
            self._slots.release()
        self.ended[change.kind, done.outcome] += 1
        self._tally.changed += 1
        self._recorder.finished(change, done)

    async def _until_done(self, change: Change) -> Done:
        decision: Decision = Look(After.NOW)
        if change.attempt is not None:
            await self._pause(self._begun + self._settle_s - self._clock.monotonic())
        while True:
            match decision:
                case Done():
                    return decision
                case Halt():
                    self.stop(stop_of(decision.cause, decision.answer, self._clock.wall_ms()))
                    return decision.done
                case Look():
                    await self._pause(self._delay(change, decision.after))
                    if self.stopped is not None and not self._may_read_back(change, decision):
                        return self._given_up(change)
                    decision = await self._go_on(change)
                case Write():  # pragma: no cover  # carried out by _go_on
                    raise AssertionError("a write follows its look at once")

    def _may_read_back(self, change: Change, look: Look) -> bool:
        """After an interrupt an update that was accepted is still read back: it is what is on its way."""
        return self._is_interrupted() and change.state.accepted and look.after is After.NOW

    def _is_interrupted(self) -> bool:
        return self.stopped is not None and self.stopped.state == "interrupted"

    def _delay(self, change: Change, after: After) -> float:
        match after:
            case After.NOW:
                return 0.0
            case After.BACK_OFF:
                change.failures += 1
                return full_jitter(change.failures, self._clock.uniform)
            case After.SETTLE:
                return self._settle_s

    async def _pause(self, seconds: float) -> None:
        """Sleep, unless told to stop meanwhile."""
        if seconds > 0:
            with suppress(Stopped):
                await self._unless_stopped(self._clock.sleep(seconds))

    async def _unless_stopped(self, call: Awaitable[_T], *, reads_back: bool = False) -> _T:
        """``unless`` stopped. ``reads_back``: what was accepted; an interrupt lets that go on."""
        return await unless(self._stopping, call, lambda: not (reads_back and self._is_interrupted()))

    async def _go_on(self, change: Change) -> Decision:
        if self._health.condition is Condition.UP:
            return await self._look_and_write(change)
        async with self._alone:
            if self.stopped is not None:
                return self._given_up(change)
            return await self._look_and_write(change)

    async def _look_and_write(self, change: Change) -> Decision:
        try:
            read = self._reader.get_job(change.job_id)
            change.job = await self._unless_stopped(read, reads_back=change.state.accepted)
        except Stopped:
            return self._given_up(change)
        except Unreadable as error:
            self._log.warning("change.unreadable", name=change.name, job_id=change.job_id, error=str(error))
            done = self._given_up(change)
            self._recorder.unread(change, done, str(error))
            return done
        self._health.probed(ok=True, now=self._clock.monotonic())
        sight = self._sight(change)
        change.state, decision = on_change_look(change.state, sight, self._max_attempts)
        if change.spared is not None and sight is not Sight.GONE:
            decision = change.spared
        self._recorder.looked(change, sight, decision)
        if not isinstance(decision, Write):
            return decision
        self._recorder.closed(change)  # what was open is understood now
        return await self._write(change)

    def _sight(self, change: Change) -> Sight:
        job = change.job
        if change.kind is ChangeKind.DELETE:
            return sight_of_delete(
                change.name,
                job,
                change.bases,
                self._comparison,
                spares_executed=change.spares_executed,
                takes_running=self._include.running,
                takes_edited=self._include.edited,
            )
        assert change.spec is not None
        sight = sight_of_update(
            change.spec, job, change.before, change.planned, self._comparison, takes_running=self._include.running
        )
        if sight is Sight.SAME and job is not None:
            change.before = job.nodes
        return sight

    async def _write(self, change: Change) -> Decision:
        await self._recorder.intent(change)
        begun = self._clock.monotonic()
        try:
            sent_at = await self._unless_stopped(self._reader.permission())
        except Stopped:
            self._recorder.withdrawn(change)
            return self._given_up(change)
        change.waited_ms = round((sent_at - begun) * 1000)
        if change.started is None:
            change.started, change.first_sent_at = sent_at, self._clock.wall_ms()
        self._tally.sends += 1
        self._tally.in_flight += 1
        answer: Answer | None = None
        try:
            await self._call(change)
        except CallFailed as error:
            answer = error.answer
        finally:
            self._tally.in_flight -= 1
        return self._answered(change, answer, sent_at)

    async def _call(self, change: Change) -> None:
        if change.spec is None:
            await self._client.delete_job(change.job_id)
        else:
            await self._client.update_job(change.job_id, change.name, change.spec.nodes)

    def _answered(self, change: Change, answer: Answer | None, sent_at: float) -> Decision:
        now = self._clock.monotonic()
        self._tally.answered(now - sent_at, is_known=answer is None or answer.verdict is not Verdict.UNKNOWN)
        if answer is None:
            self._control.accepted(sent_at, now)
            self._health.answered()
            self._health.served()
        else:
            self._control.answered(answer, sent_at, now)
            if answer.slow_down:
                self._tally.throttles += 1
                if self._health.throttled(now):
                    self.stop(stop_of(None, answer, self._clock.wall_ms()))
            if answer.http_status is None or answer.http_status >= 500:
                self._health.failed(now, sent_at)
                if self._health.exhausted(now):
                    self.stop(stop_of(None, answer, self._clock.wall_ms()))
            else:
                self._health.answered()
                if not answer.slow_down:
                    self._health.served()
            self._log.warning(
                f"{change.kind.value}.answer",
                name=change.name,
                verdict=answer.verdict.value,
                http_status=answer.http_status,
                code=answer.code,
                error=answer.message,
                trace_id=answer.trace_id,
            )
        change.state, decision = on_change_answer(change.state, answer)
        self._recorder.ended(change, answer, closed=_is_understood(answer))
        return decision

    def _given_up(self, change: Change) -> Done:
        if change.attempt is not None:
            return unresolved_change(change.state)
        return not_sent_change(change.state)


def _is_understood(answer: Answer | None) -> bool:
    """Whether the attempt certainly changed nothing. A 2xx is closed with its outcome, not before."""
    return answer is not None and answer.verdict in (Verdict.THROTTLED, Verdict.NOT_SENT)

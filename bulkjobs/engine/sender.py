"""Sends: the single dispatcher, and what each answer leads to.

Order of a send (invariant 10): concurrency slot, durable intent, limiter, signature, send. Two tasks make it: one
takes slots and writes intents a little ahead, the dispatcher waits for their sync and for the limiter. A third
resolves what has settled, a fourth probes while the service is down. What any of them decides is ``protocol``'s.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Sequence
from typing import Any

from bulkjobs.dataflow.client import DataFlowClient
from bulkjobs.dataflow.replies import Answer, Cause, Verdict
from bulkjobs.engine.backoff import RetryBudget, full_jitter
from bulkjobs.engine.clock import Clock
from bulkjobs.engine.halt import HaltWatch
from bulkjobs.engine.health import Condition, Health
from bulkjobs.engine.pacing import AdaptiveLimiter
from bulkjobs.engine.protocol import (
    Decision,
    Delay,
    Finish,
    Halt,
    Look,
    Seen,
    Send,
    on_answer,
    on_lookup,
    orphan_without_job,
    unresolved,
)
from bulkjobs.engine.rate_control import RateControl
from bulkjobs.engine.reader import Fatal, Reader, permission
from bulkjobs.engine.recorder import Recorder
from bulkjobs.engine.records import Outcome
from bulkjobs.engine.resolver import Resolver
from bulkjobs.engine.work import Stop, Tally, Work
from bulkjobs.graph.comparison import BUILT_IN, Comparison
from bulkjobs.logs import Log

_BACKLOG = 4_000
"""Rows that are held ready, at most; the feeder waits beyond it."""


class Sender:
    """Takes rows by ``feed`` and ``settle``, and runs until each has ended or ``stop`` was called.

    ``settle_s``: seconds between an attempt's end and its lookup. ``ahead``: intents written before their turn.
    """

    def __init__(
        self,
        client: DataFlowClient,
        limiter: AdaptiveLimiter,
        reader: Reader,
        recorder: Recorder,
        control: RateControl,
        health: Health,
        clock: Clock,
        tally: Tally,
        log: Log,
        budget: RetryBudget,
        *,
        concurrency: int,
        ahead: int,
        settle_s: float,
        max_attempts: int,
        halt: HaltWatch,
        comparison: Comparison = BUILT_IN,
    ) -> None:
        self._halt = halt
        self._client = client
        self._limiter = limiter
        self._reader = reader
        self._recorder = recorder
        self._control = control
        self._health = health
        self._clock = clock
        self._tally = tally
        self._log = log
        self._concurrency = concurrency
        self._max_attempts = max_attempts
        self.resolver = Resolver(reader, tally, clock, self._seen, settle_s, comparison)
        self._budget = budget
        self._fresh: deque[Work] = deque()
        self._retries: list[Work] = []
        self._settling: list[Work] = []
        self._looking = 0
        self._busy = 0
        self._ready: asyncio.Queue[tuple[Work, asyncio.Future[None]] | None] = asyncio.Queue(ahead)
        self._admitted: set[Work] = set()
        self._sending: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._fed = False
        self._pending: set[Work] = set()
        self.stopped: Stop | None = None
        self.defect: BaseException | None = None  # what a send raised: a mistake of ours
        self._stop_event = asyncio.Event()

    # What the feeder calls

    async def feed(self, work: Work) -> None:
        """Send this row when its turn comes. Waits while enough rows are held."""
        self._fresh.append(work)
        self._wake()
        while len(self._fresh) >= _BACKLOG and self.stopped is None:
            await self._wait(None)

    async def settle(self, work: Work, due: float) -> None:
        """Look this row up at ``due`` (monotonic seconds). Waits while enough rows are held."""
        self._push_settling(work, due)
        while len(self._settling) >= _BACKLOG and self.stopped is None:
            await self._wait(None)

    async def first_answers(self, works: Sequence[Work]) -> None:
        """Wait until each of ``works``, which were fed, has an answer, whatever it is; or for a stop."""
        while self.stopped is None and any(work.row.last is None for work in works):
            await self._wait(None)

    def fed(self) -> None:
        """No more rows will come."""
        self._fed = True
        self._wake()

    def stop(self, stop: Stop) -> None:
        """Send nothing more; what is on its way is waited for. The first call counts."""
        if self.stopped is None:
            self.stopped = stop
            self._log.warning("run.stopping", state=stop.state, reason=stop.reason)
            self._stop_event.set()
            self._wake()

    # The run

    async def run(self) -> None:
        """Return when every row has ended, or all that can be done after a stop is done.

        Raises StateError when the journal fails; whatever else a task raises is a defect and is raised too.
        """
        tasks = [asyncio.create_task(part()) for part in (self._admit, self._dispatch, self._resolve, self._probe)]
        watch = asyncio.create_task(self._stop_event.wait())
        try:
            finished = asyncio.gather(*tasks)
            either: list[asyncio.Future[Any]] = [finished, watch]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if finished.done():
                finished.result()
        except Fatal as error:
            self.stop(stop_of(error.cause, error.answer, self._clock.wall_ms()))
        finally:
            for task in (*tasks, watch):
                task.cancel()
            await asyncio.gather(*tasks, watch, finished, return_exceptions=True)
            await self._drain()

    async def _drain(self) -> None:
        """Wait for what was sent; take back what was not; end what can be ended."""
        self._tally.phase = "draining"
        while self._sending:
            await asyncio.wait(self._sending)
        if self._admitted:
            await self._recorder.durable()  # only a durable intent can be taken back
            for work in self._admitted:
                self._recorder.withdrawn(work)
                self._finish_unsent(work)
            self._admitted.clear()
        for work in (*self._retries, *self._settling):
            self._finish_unsent(work)
        self._retries.clear()
        self._settling.clear()
        self._tally.settling = 0

    def _finish_unsent(self, work: Work) -> None:
        if work.attempt is not None:
            self._finish(work, unresolved(work.row))
        elif work.spec is not None:
            last = work.row.last
            message = last.message if last is not None else None
            code = last.code if last is not None else None
            http_status = last.http_status if last is not None else None
            self._finish(work, Finish(Outcome.NOT_SENT, http_status=http_status, code=code, message=message))

    # Admission: slot, then durable intent

    async def _admit(self) -> None:
        while (work := await self._next()) is not None:
            self._busy += 1
            self._admitted.add(work)
            await self._ready.put((work, self._recorder.intent(work)))
        await self._ready.put(None)

    async def _next(self) -> Work | None:
        """The next row to send, once there is a slot for it; None when all rows have ended."""
        while True:
            now = self._clock.monotonic()
            wait = None
            if self._may_admit():
                if self._retries and self._retries[0].due <= now:
                    wait = self._budget.take(now) if self._retries[0].failures else 0.0
                    if not wait:
                        self._tally.retries += 1
                        return heapq.heappop(self._retries)
                elif self._retries:
                    wait = self._retries[0].due - now
                if self._fresh:
                    work = self._fresh.popleft()
                    self._wake()
                    return work
                if self._is_over():
                    self._wake()
                    return None
            await self._wait(wait)

    def _may_admit(self) -> bool:
        if self._health.condition is Condition.DOWN:
            return False
        limit = 1 if self._health.condition is Condition.TRIAL else self._concurrency
        return self._busy < limit

    def _is_held_back(self) -> bool:
        """What was admitted while the service was up waits, too, when it goes down; then one goes at a time."""
        condition = self._health.condition
        return condition is Condition.DOWN or (condition is Condition.TRIAL and bool(self._sending))

    def _is_over(self) -> bool:
        return self._fed and not (
            self._fresh or self._retries or self._settling or self._looking or self._busy or self._admitted
        )

    # Dispatch: limiter, then send

    async def _dispatch(self) -> None:
        while (ready := await self._ready.get()) is not None:
            work, intent = ready
            await intent
            while self._is_held_back():
                await self._wait(None)
            sent_at = await permission(self._control, self._limiter, self._clock)
            work.waited_ms = round((sent_at - work.intended) * 1000)
            self._tally.rate = self._control.rate
            self._admitted.discard(work)
            task = asyncio.create_task(self._send(work, sent_at))
            self._sending.add(task)
            task.add_done_callback(self._sent)

    async def _send(self, work: Work, sent_at: float) -> None:
        spec = work.spec
        assert spec is not None
        if work.started is None:
            work.started = self._clock.monotonic()
            work.first_sent_at = self._clock.wall_ms()
        self._tally.sends += 1
        self._tally.in_flight += 1
        try:
            answer = await self._client.create_job(spec.name, spec.nodes)
        finally:
            self._tally.in_flight -= 1
            self._busy -= 1
        self._answered(work, answer, sent_at)

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        self._wake()
        if not task.cancelled() and (error := task.exception()) is not None:
            self.defect = error
            self.stop(Stop("failed", f"a defect in bulkjobs: {type(error).__name__}"))

    def _answered(self, work: Work, answer: Answer, sent_at: float) -> None:
        now = self._clock.monotonic()
        self._control.answered(answer, sent_at, now)
        self._tally.throttles += answer.slow_down
        self._tally.answered(now - sent_at, is_known=answer.verdict is not Verdict.UNKNOWN)
        if answer.verdict is Verdict.NOT_SENT or (
            answer.verdict is Verdict.UNKNOWN and (answer.http_status is None or answer.http_status >= 500)
        ):
            self._health.failed(now)
        else:
            self._health.answered()
        work.row, decision = on_answer(work.row, answer)
        if answer.verdict is Verdict.CREATED:
            self._budget.succeeded()
            self.resolver.created.append((work.name, answer.job_id or "", now))
        else:
            # A throttle is the rate's affair, and there may be many at a time.
            tell = self._log.debug if answer.verdict is Verdict.THROTTLED else self._log.warning
            tell(
                "create.answer",
                name=work.name,
                verdict=answer.verdict.value,
                http_status=answer.http_status,
                code=answer.code,
                error=answer.message,
                attempt=work.row.attempts,
                trace_id=answer.trace_id,
            )
        if isinstance(decision, Look | Send):
            self._recorder.ended(work, answer, closed=isinstance(decision, Send))
            self._carry_out(work, decision)
        else:
            self._carry_out(work, decision, answer)

    # Settling: look up what is due

    async def _resolve(self) -> None:
        while not self._is_over():
            now = self._clock.monotonic()
            if not self._settling or self._health.condition is Condition.DOWN:
                await self._wait(None)
                continue
            if self._settling[0].due > now:
                await self._wait(self._settling[0].due - now)
                continue
            batch = []
            while self._settling and self._settling[0].due <= now:
                batch.append(heapq.heappop(self._settling))
            self._looking = len(batch)
            self._pending = set(batch)
            self._tally.looking, self._tally.settling = len(batch), len(self._settling)
            try:
                await self.resolver.resolve(batch)
            finally:
                for work in self._pending:  # not answered: still to be settled, by us or by the next run
                    heapq.heappush(self._settling, work)
                self._pending = set()
                self._looking = 0
                self._tally.looking, self._tally.settling = 0, len(self._settling)
                self._wake()

    def _seen(self, work: Work, seen: Seen) -> None:
        self._pending.discard(work)
        self._tally.looking = len(self._pending)
        if seen.too_soon:
            self._recorder.looked(work, seen, Look())
            self._push_settling(work, self._clock.monotonic() + self.resolver.settle_s)
            return
        if not seen.complete:
            work.failures += 1
            if work.failures > self._max_attempts:
                finish = unresolved(work.row) if work.attempt is not None else _unread()
                self._recorder.looked(work, seen, finish)
                self._finish(work, finish)
                return
            self._recorder.looked(work, seen, Look(settled=True))
            delay = full_jitter(work.failures, self._clock.uniform)
            self._push_settling(work, self._clock.monotonic() + delay)
            return
        change = work.row.change
        work.row, decision = on_lookup(work.row, seen, self._max_attempts)
        if isinstance(decision, Send) and work.spec is None:
            decision = orphan_without_job(change)
        self._recorder.looked(work, seen, decision)
        work.listed = None
        if isinstance(decision, Send):
            self._recorder.closed(work)
        self._carry_out(work, decision)

    def _carry_out(self, work: Work, decision: Decision, answer: Answer | None = None) -> None:
        """``answer``: the create's, if it is what ends the row."""
        now = self._clock.monotonic()
        match decision:
            case Send():
                throttled = decision.because is Delay.THROTTLED
                work.failures = 0 if throttled else work.failures + 1
                work.due = now + (0.0 if throttled else full_jitter(work.failures, self._clock.uniform))
                heapq.heappush(self._retries, work)
            case Look():
                self._push_settling(work, now if decision.settled else now + self.resolver.settle_s)
            case Finish():
                self._finish(work, decision, answer)
            case Halt():
                self._finish(work, decision.finish, answer)
                self.stop(stop_of(decision.cause, decision.answer, self._clock.wall_ms()))
        self._wake()

    def _finish(self, work: Work, finish: Finish, answer: Answer | None = None) -> None:
        self._recorder.finished(work, finish, answer)
        if finish.outcome in _ANSWERED and work.row.last is not None:
            self._halt.ended(work.row.last, is_rejected=finish.outcome is Outcome.REJECTED)
            if self._halt.reason is not None:
                self.stop(Stop("halted", self._halt.reason, "mend those rows or raise --halt; retry.csv has them all"))

    def _push_settling(self, work: Work, due: float) -> None:
        work.due = due
        heapq.heappush(self._settling, work)
        self._tally.settling = len(self._settling)
        self._tally.settle_until = max(self._tally.settle_until, due)
        self._wake()

    # The service as a whole

    async def _probe(self) -> None:
        while not self._is_over():
            now = self._clock.monotonic()
            self._tally.service_down = self._health.condition is not Condition.UP
            if self._health.condition is not Condition.DOWN:
                await self._wait(None)
                continue
            if self._health.exhausted(now):
                self.stop(
                    Stop("halted", "the service has not answered for too long", "run the same command again later")
                )
                return
            delay = full_jitter(self._health.probes + 2, self._clock.uniform)
            self._log.warning("service.down", probe_in_s=round(delay, 1))
            await self._clock.sleep(delay)
            self._health.probed(await self._reader.probe(), self._clock.monotonic())
            self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _wait(self, seconds: float | None) -> None:
        """Until something changes, or ``seconds`` have passed."""
        changed = self._changed
        if seconds is None:
            await changed.wait()
            return
        handle = asyncio.get_running_loop().call_later(seconds, self._wake)  # a set event would make others spin
        try:
            await changed.wait()
        finally:
            handle.cancel()


_ANSWERED = frozenset({Outcome.CREATED, Outcome.ADOPTED, Outcome.REJECTED})
"""Outcomes that say whether the service takes such jobs."""


def _unread() -> Finish:
    return Finish(Outcome.NOT_SENT, code="unreadable", message="the list of jobs cannot be read to its end")


_MEANING = {
    Cause.CREDENTIALS: ("the service refuses the credentials", "check the keys, and this machine's clock"),
    Cause.PERMISSION: ("these credentials may not do this", "give the account permission for Data Flow"),
    Cause.ENDPOINT: ("the service is not there", "check --endpoint"),
    Cause.CERTIFICATE: ("the server's certificate is not valid", "check --endpoint; TLS is always verified"),
    Cause.QUOTA: ("the quota of the day or month is used up", "run the same command again when it is renewed"),
}


_CLOCK_TOLERANCE = 300
"""Seconds by which a request's timestamp may be off before the service refuses it (``dataflow-api.md`` §2)."""


def stop_of(cause: Cause | None, answer: Answer, now_ms: int) -> Stop:
    """A stop that the service asked for, with what it said. ``now_ms``: our clock, which may be the cause."""
    if cause is None:
        return Stop("halted", f"the service does not answer: {answer.message}", "run the same command again later")
    reason, hint = _MEANING[cause]
    if cause is Cause.CREDENTIALS and answer.server_time is not None:
        behind = answer.server_time - now_ms / 1000
        if abs(behind) > _CLOCK_TOLERANCE:
            way = "behind" if behind > 0 else "ahead of"
            reason = f"this machine's clock is {abs(behind) / 60:.0f} minutes {way} the service's, so it refuses us"
            hint = "set this machine's clock (time synchronisation), then run the same command again"
    code = f" {answer.code}" if answer.code else ""
    said = f"HTTP {answer.http_status}{code}: {answer.message}" if answer.http_status else answer.message
    return Stop("halted", f"{reason} ({said})", hint, cause)

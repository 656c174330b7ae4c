"""What each answer leads to: a row's end, another turn, or a look once settle has passed.

Three tasks work side by side: the dispatcher sends, settling looks up rows of unknown end, probing asks a service that
is down. What any of them leads to is decided by ``protocol`` and carried out here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from bulkjobs.dataflow.client import DataFlowClient
from bulkjobs.dataflow.replies import Answer, Verdict
from bulkjobs.engine.backoff import RetryBudget, full_jitter
from bulkjobs.engine.bell import Bell
from bulkjobs.engine.canary import are_awaited
from bulkjobs.engine.clock import Clock
from bulkjobs.engine.dispatcher import Dispatcher
from bulkjobs.engine.halt import HaltWatch
from bulkjobs.engine.health import Health
from bulkjobs.engine.pacing import AdaptiveLimiter
from bulkjobs.engine.probing import Probing
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
from bulkjobs.engine.reader import Fatal, Reader
from bulkjobs.engine.recorder import Recorder
from bulkjobs.engine.records import Outcome
from bulkjobs.engine.settling import Settling
from bulkjobs.engine.stops import stop_of
from bulkjobs.engine.turns import Turns
from bulkjobs.engine.work import Stop, Tally, Work
from bulkjobs.graph.comparison import BUILT_IN, Comparison
from bulkjobs.logs import Log


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
        self._recorder = recorder
        self._control = control
        self._health = health
        self._clock = clock
        self._tally = tally
        self._log = log
        self._max_attempts = max_attempts
        self._budget = budget
        self._changed = Bell()  # rows, slots, the service's condition
        self._answers = Bell()
        self._turns = Turns(budget, tally, self._changed)
        self.settling = Settling(reader, health, clock, tally, self._seen, self._changed, settle_s, comparison)
        self._probing = Probing(reader, health, clock, tally, log, self._condition_changed, self.stop)
        self._dispatcher = Dispatcher(
            client,
            limiter,
            control,
            recorder,
            health,
            clock,
            tally,
            self._turns,
            self._changed,
            self._answered,
            self._fail,
            concurrency=concurrency,
            ahead=ahead,
        )
        self._fed = False
        self.stopped: Stop | None = None
        self.defect: BaseException | None = None  # what a send raised: a mistake of ours
        self._stop_event = asyncio.Event()

    # What the feeder calls

    async def feed(self, work: Work) -> None:
        """Send this row when its turn comes. Waits while enough rows are held."""
        self._turns.add(work)
        while self._turns.is_full and self.stopped is None:
            await self._turns.room()

    async def settle(self, work: Work, due: float) -> None:
        """Look this row up at ``due`` (monotonic seconds). Waits while enough rows are held."""
        self.settling.push(work, due)
        while self.settling.is_full and self.stopped is None:
            await self.settling.room()

    async def first_answers(self, works: Sequence[Work]) -> None:
        """Wait while ``works``, which were fed, are awaited as canaries are; or for a stop."""
        while self.stopped is None and are_awaited(works):
            await self._answers.wait()

    def fed(self) -> None:
        """No more rows will come."""
        self._fed = True
        self._changed.ring()

    def stop(self, stop: Stop) -> None:
        """Send nothing more; what is on its way is waited for. The first call counts."""
        if self.stopped is None:
            self.stopped = stop
            self._log.warning("run.stopping", state=stop.state, reason=stop.reason)
            self._stop_event.set()
            self._answers.ring()
            self._turns.open_up()
            self.settling.open_up()

    # The run

    async def run(self) -> None:
        """Return when every row has ended, or all that can be done after a stop is done.

        Raises StateError when the journal fails; whatever else a task raises is a defect and is raised too.
        """
        parts = (self._dispatcher.run(self._is_over), self.settling.run(), self._probing.run(), self._stop_event.wait())
        tasks = [asyncio.create_task(part) for part in parts]
        try:
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.result()
        except Fatal as error:
            self.stop(stop_of(error.cause, error.answer, self._clock.wall_ms()))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._drain()

    async def _drain(self) -> None:
        """Wait for what was sent; take back what was not; end what can be ended."""
        self._tally.phase = "draining"
        await self._dispatcher.drained()
        for work in (*await self._dispatcher.withdraw(), *self._turns.take_again(), *self.settling.take()):
            self._finish_unsent(work)

    def _finish_unsent(self, work: Work) -> None:
        if work.attempt is not None:
            self._finish(work, unresolved(work.row))
        elif work.spec is not None:
            last = work.row.last
            message = last.message if last is not None else None
            code = last.code if last is not None else None
            http_status = last.http_status if last is not None else None
            self._finish(work, Finish(Outcome.NOT_SENT, http_status=http_status, code=code, message=message))

    def _is_over(self) -> bool:
        return self._fed and not (self._dispatcher or self._turns or self.settling)

    def _fail(self, defect: BaseException) -> None:
        self.defect = defect
        self.stop(Stop("failed", f"a defect in bulkjobs: {type(defect).__name__}"))

    # What follows

    def _answered(self, work: Work, answer: Answer, sent_at: float) -> None:
        now = self._clock.monotonic()
        self._control.answered(answer, sent_at, now)
        self._recorder.rate(self._control, now)
        if answer.slow_down:
            self._tally.throttles += 1
            if self._health.throttled(now):
                self.stop(stop_of(None, answer, self._clock.wall_ms()))
        self._tally.answered(now - sent_at, is_known=answer.verdict is not Verdict.UNKNOWN)
        self._judge_health(answer, sent_at, now)
        work.row, decision = on_answer(work.row, answer)
        if answer.verdict is Verdict.CREATED:
            self._budget.succeeded()
            self.settling.resolver.created.append((work.name, answer.job_id or "", now))
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

    def _judge_health(self, answer: Answer, sent_at: float, now: float) -> None:
        before = self._health.condition
        if answer.verdict is Verdict.NOT_SENT or (
            answer.verdict is Verdict.UNKNOWN and (answer.http_status is None or answer.http_status >= 500)
        ):
            self._health.failed(now, sent_at)
        else:
            self._health.answered()
            if not answer.slow_down:
                self._health.served()
        if self._health.condition is not before:
            self._condition_changed()

    def _condition_changed(self) -> None:
        """The service went down, is on trial or is back: whoever waits for that asks again."""
        self._changed.ring()
        self.settling.changed.ring()
        self._probing.changed.ring()

    def _seen(self, work: Work, seen: Seen) -> None:
        if seen.too_soon:
            self._recorder.looks.looked(work, seen, Look())
            self.settling.push_settled(work)
            return
        if not seen.complete:
            work.failures += 1
            if work.failures > self._max_attempts:
                finish = unresolved(work.row) if work.attempt is not None else _unread()
                self._recorder.looks.looked(work, seen, finish)
                self._carry_out(work, finish)
                return
            self._recorder.looks.looked(work, seen, Look(settled=True))
            delay = full_jitter(work.failures, self._clock.uniform)
            self.settling.push(work, self._clock.monotonic() + delay)
            return
        change = work.row.change
        work.row, decision = on_lookup(work.row, seen, self._max_attempts)
        if isinstance(decision, Send) and work.spec is None:
            decision = orphan_without_job(change)
        self._recorder.looks.looked(work, seen, decision)
        work.listed = None
        if isinstance(decision, Send):
            self._recorder.closed(work)
        self._carry_out(work, decision)

    def _carry_out(self, work: Work, decision: Decision, answer: Answer | None = None) -> None:
        """``answer``: the create's, if it is what ends the row."""
        match decision:
            case Finish():
                self._finish(work, decision, answer)
            case Send():
                throttled = decision.because is Delay.THROTTLED
                work.failures = 0 if throttled else work.failures + 1
                delay = 0.0 if throttled else full_jitter(work.failures, self._clock.uniform)
                self._turns.add_again(work, self._clock.monotonic() + delay)
            case Look(settled=True):
                self.settling.push(work, self._clock.monotonic())
            case Look():
                self.settling.push_settled(work)
            case Halt():
                self._finish(work, decision.finish, answer)
                self.stop(stop_of(decision.cause, decision.answer, self._clock.wall_ms()))
        self._halt.told(work)
        if self._halt.stop is not None:
            self.stop(self._halt.stop)
        self._answers.ring()

    def _finish(self, work: Work, finish: Finish, answer: Answer | None = None) -> None:
        self._recorder.finished(work, finish, answer)
        work.outcome = finish.outcome


def _unread() -> Finish:
    return Finish(Outcome.NOT_SENT, code="unreadable", message="the list of jobs cannot be read to its end")

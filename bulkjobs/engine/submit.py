"""``submit``: survey the inventory, list what exists, plan, send, and close the run.

The phases of one run, in order; each is a method that reads like its name. Memory is flat: the inventory is
streamed twice (once to check it, once to send it) and what was checked is what is sent, row by row.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from bulkjobs.dataflow.client import DataFlowClient
from bulkjobs.dataflow.replies import Cause
from bulkjobs.engine.backoff import RetryBudget
from bulkjobs.engine.clock import Clock
from bulkjobs.engine.health import Health
from bulkjobs.engine.journal.journal import Journal, PlannedRow
from bulkjobs.engine.journal.writer import Kind
from bulkjobs.engine.pacing import AdaptiveLimiter, Limiter, window_limiter, window_of
from bulkjobs.engine.planning import Action, Moment, Step, plan_row
from bulkjobs.engine.protocol import RowState
from bulkjobs.engine.rate_control import WINDOW, RateControl
from bulkjobs.engine.reader import Fatal, Reader, Unreadable
from bulkjobs.engine.recorder import Recorder
from bulkjobs.engine.records import InventoryRecord, Outcome
from bulkjobs.engine.sender import Sender, stop_of
from bulkjobs.engine.work import Stop, Tally, Work
from bulkjobs.errors import BulkJobsError, ExitCode, NotFinished, UsageError, worst
from bulkjobs.graph.expand import Expander
from bulkjobs.graph.spec import JobSpec
from bulkjobs.graph.survey import Survey, Surveyed
from bulkjobs.inventory.problems import Problem
from bulkjobs.inventory.reader import InventoryFile
from bulkjobs.logs import Log
from bulkjobs.settings import Settings

_CHUNK = 2_000
_AUTO_AHEAD = 500.0  # sends a second for which intents are written ahead while the rate is not known
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Result:
    """How a run ended. ``problems`` are the first of the inventory's, warnings too; the counts are of all."""

    exit_code: ExitCode
    stop: Stop | None
    problems: Sequence[Problem]
    errors: int
    warnings: int


class Submit:
    """One run of ``submit``. ``journal`` is started and has begun the run; ``client`` is entered by the caller.

    ``tally`` may be read at any time; ``stop`` may be called at any time from the loop. ``limiter`` makes a limiter
    for a rate: one for creates, one for reads.
    """

    def __init__(
        self,
        files: Sequence[InventoryFile],
        expander: Expander,
        journal: Journal,
        client: DataFlowClient,
        settings: Settings,
        clock: Clock,
        tally: Tally,
        log: Log,
        limiter: Callable[[float], Limiter] = window_limiter,
    ) -> None:
        self._files = files
        self._expander = expander
        self._journal = journal
        self._settings = settings
        self._clock = clock
        self._log = log
        self.tally = tally
        self._begun = clock.monotonic()
        self._recorder = Recorder(journal, tally, clock, log)
        health = Health(settings.patience)
        learned = journal.learned()
        self._control = control = RateControl(
            clock.uniform,
            ceiling=settings.rate,
            learned=learned.start(clock.wall_ms()) if learned is not None else None,
        )
        tally.rate = control.rate
        self._reader = Reader(
            client,
            AdaptiveLimiter(lambda: control.rate, limiter),
            control,
            health,
            clock,
            tally,
            log,
            settings.patience,
            min(settings.patience, settings.first_patience),
        )
        self._sender = Sender(
            client,
            AdaptiveLimiter(lambda: control.rate, limiter),
            self._reader,
            self._recorder,
            control,
            health,
            clock,
            tally,
            log,
            RetryBudget.for_rate(control.rate),
            concurrency=settings.concurrency,
            ahead=1 + int(min(settings.concurrency, (settings.rate or _AUTO_AHEAD) * 0.02)),
            settle_s=settings.settle,
            max_attempts=settings.max_attempts,
        )
        self._stopped = asyncio.Event()
        self._looks_first = False  # few rows to send, many pages: each is looked up by name before its create
        self._drains_itself = False  # once sending, a stop lets the sender finish what is on its way

    def stop(self, stop: Stop) -> None:
        """End the run early: nothing more is sent, what is on its way is waited for."""
        self._sender.stop(stop)
        self._stopped.set()

    def fail(self, error: BulkJobsError) -> None:
        """The journal cannot be written: send nothing more."""
        self.stop(Stop("failed", error.message, error.hint))

    async def run(self) -> Result:
        """Carry the run out and close it in the journal. Raises StateError when the journal fails."""
        survey = await self._survey()
        if survey.errors:
            return await self._refuse(survey)
        try:
            await self._unless_stopped(self._send_all())
        except Fatal as error:
            self.stop(stop_of(error.cause, error.answer, self._clock.wall_ms()))
        except Unreadable as error:
            reason = f"the list of existing jobs cannot be read to its end: {error}"
            self.stop(Stop("halted", reason, "nothing was sent; run the same command again"))
        if self._sender.defect is not None:
            raise self._sender.defect
        return await self._close(self._sender.stopped, survey)

    # Survey: check everything, remember every row

    async def _survey(self) -> Survey:
        self.tally.phase = "checking"
        survey = Survey(self._files, self._expander, self._settings.max_problems)
        counts = [0] * len(self._files)
        async for surveyed in _in_thread(iter(survey)):  # to its end even after a stop: every row is in the report
            first_errors = _first_errors(surveyed)
            rows = zip(surveyed.chunk.lines, surveyed.expansion.names, surveyed.expansion.jobs, strict=True)
            for seq, (line, name, job) in enumerate(rows, start=surveyed.first):
                problem = first_errors.get(line)
                is_invalid = job is None or problem is not None
                self._journal.put(
                    Kind.ROW,
                    self._journal.run,
                    seq,
                    surveyed.file,
                    line,
                    name,
                    None if is_invalid or job is None else job.digest,
                    Outcome.INVALID.value if is_invalid else None,
                    problem.code if problem else None,
                    problem.message if problem else None,
                )
            self.tally.rows += len(surveyed.chunk.rows)
            counts[surveyed.file] += len(surveyed.chunk.rows)
            await self._recorder.durable()
        self._journal.set_files(
            [
                InventoryRecord(file.path, file.sha256 or "", count, file.location)
                for file, count in zip(self._files, counts, strict=True)
            ]
        )
        return survey

    async def _refuse(self, survey: Survey) -> Result:
        """The inventory has errors: nothing is sent, and every row says why."""
        for first in range(0, self.tally.rows, _CHUNK):
            for seq in self._journal.rows_between(first, _CHUNK):
                problem = survey.duplicate(seq)
                if problem is not None:  # found across rows, after the row had gone by
                    self._journal.put(
                        Kind.FINISHED,
                        Outcome.INVALID.value, None, None, None, problem.code, problem.message, 0, None, None, None,
                        self._journal.run, seq,
                    )  # fmt: skip
        await self._recorder.durable()
        stop = Stop("invalid", f"the inventory has {survey.errors} errors; nothing was sent")
        self._journal.end_run("invalid", stop.reason, ExitCode.INVALID_INVENTORY, {}, self._clock.wall_ms())
        return Result(ExitCode.INVALID_INVENTORY, stop, survey.problems, survey.errors, survey.warnings)

    # List, plan, send

    async def _send_all(self) -> None:
        self._journal.remember_wanted()
        await self._wait_a_window()
        listed_at = self._clock.wall_ms()
        await self._list("listing")
        moment = await self._plan(listed_at)
        self._drains_itself = True
        sending = asyncio.create_task(self._sender.run())
        feeding = asyncio.create_task(self._feed(moment))
        try:
            await asyncio.wait([sending, feeding], return_when=asyncio.FIRST_COMPLETED)  # a stop ends the feeding too
            if feeding.done():
                feeding.result()
            await sending
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)
            if not sending.done():
                self._sender.stop(Stop("failed", "the inventory could not be read again"))
                await sending

    async def _wait_a_window(self) -> None:
        """A restart forgets what the last process sent: let its window pass."""
        window = window_of(self._settings.rate) if self._settings.rate is not None else WINDOW
        last = self._journal.last_run_ended()
        if last is None or abs(self._clock.wall_ms() - last) < window * 1000:
            await self._clock.sleep(max(0.0, self._begun + window - self._clock.monotonic()))

    async def _list(self, phase: str) -> None:
        self.tally.phase, self.tally.listed = phase, 0
        pages = 0
        async for page in self._reader.pages():
            pages += 1
            self.tally.listed += page.size
            self._journal.remember_listed(page.jobs)
        self._sender.resolver.pages = pages
        self._log.info("listed", jobs=self.tally.listed)

    async def _plan(self, listed_at: int) -> Moment:
        """End the rows that need nothing, and count the others. ``listed_at``: when the listing began, wall ms."""
        self.tally.phase = "planning"
        moment = Moment(self._clock.wall_ms(), self._settings.settle)
        actions = dict.fromkeys(Action, 0)
        for first in range(0, self.tally.rows, _CHUNK):
            for row in self._journal.unfinished(first, _CHUNK):
                step = _step(row, moment)
                actions[step.action] += 1
                if step.finish is not None:
                    self._recorder.row(row.seq, step.finish)
                    if row.listed:  # what is only believed was not seen again
                        self._recorder.known(row.name, row.digest, step.finish, listed_at)
            await self._recorder.durable()
        self.tally.to_send = actions[Action.SEND]
        self._log.info("planned", **{action.value: count for action, count in actions.items()})
        if actions[Action.LOOK] > 2 * self._sender.resolver.pages:
            # Many jobs that the journal knows are not in the list: one more pass is cheaper than a look at each.
            await self._clock.sleep(max(0.0, self._begun + self._settings.settle - self._clock.monotonic()))
            await self._list("listing again")
            return Moment(moment.now_ms, moment.settle, absence_proved=True)
        if actions[Action.SEND] and self._sender.resolver.pages > 1:
            # A deletion between two pages hides a job from one pass: no create rests on that (invariant 5).
            if actions[Action.SEND] > self._sender.resolver.pages:
                await self._list("listing again")
            else:
                self._looks_first = True
        return moment

    async def _feed(self, moment: Moment) -> None:
        """Read the inventory again and hand over the rows that need something."""
        self.tally.phase = "sending"
        settled = self._begun + self._settings.settle
        for orphan in self._journal.open_attempts_elsewhere():
            work = Work(-1, orphan.name, None, RowState(unknown=True), orphan.attempt)
            await self._sender.settle(work, settled)
        if self.tally.done < self.tally.rows:
            try:
                await self._feed_rows(moment, settled)
            except (UsageError, NotFinished) as error:  # it cannot be read any more, or its bytes are others
                self._changed(error.message)
        self._sender.fed()

    async def _feed_rows(self, moment: Moment, settled: float) -> None:
        first = 0
        async for jobs in _in_thread(self._expanded_again()):
            for row in self._journal.unfinished(first, len(jobs)):
                spec = jobs[row.seq - first]
                if spec is None or spec.name != row.name or spec.digest != row.digest:
                    self._changed()
                    return
                await self._hand_over(row, spec, _step(row, moment), settled)
            first += len(jobs)
        if first != self.tally.rows:
            self._changed()

    async def _hand_over(self, row: PlannedRow, spec: JobSpec, step: Step, settled: float) -> None:
        work = Work(
            row.seq, row.name, spec, RowState(unknown=row.open_attempt is not None), row.open_attempt, step.listed
        )
        match step.action:
            case Action.SEND if not self._looks_first:
                await self._sender.feed(work)
            case Action.SEND:
                await self._sender.settle(work, self._clock.monotonic())
            case Action.READ:
                await self._sender.settle(work, self._clock.monotonic())
            case Action.LOOK | Action.SETTLE:
                await self._sender.settle(work, settled)
            case Action.FINISH:
                assert step.finish is not None
                self._recorder.finished(work, step.finish)

    def _expanded_again(self) -> Iterator[list[JobSpec | None]]:
        for file in self._files:
            for chunk in file.chunks():
                yield self._expander.expand(chunk).jobs

    def _changed(self, reason: str = "the inventory changed while it was being sent") -> None:
        self.stop(Stop("halted", reason, "run the same command again: rows that have their job are left alone"))

    async def _unless_stopped(self, phases: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(phases)
        watch = asyncio.create_task(self._stopped.wait())
        try:
            await asyncio.wait([task, watch], return_when=asyncio.FIRST_COMPLETED)
            if self._drains_itself:
                await task
        finally:
            watch.cancel()
            if not task.done():
                task.cancel()
            await asyncio.gather(task, watch, return_exceptions=True)
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error

    async def _close(self, stop: Stop | None, survey: Survey) -> Result:
        await self._recorder.durable()
        self._count_the_rest()
        exit_code = _exit_code(self.tally, stop)
        state = "finished" if stop is None else stop.state
        facts = {
            "sends": self.tally.sends,
            "retries": self.tally.retries,
            "throttles": self.tally.throttles,
            "lookups": self.tally.lookups,
            "reads": self.tally.reads,
            "listed": self.tally.listed,
            "list_lag_s": round(self.tally.list_lag, 3),
            "rate_permitted": self._settings.rate if self._settings.rate is not None else round(self._control.rate, 3),
            "rate_at_end": round(self._control.rate, 3),
            "settle_s": self._settings.settle,
        }
        reason = stop.reason if stop is not None else None
        learned = self._control.learned(self._clock.wall_ms())
        if learned is not None:
            self._journal.learn(learned)
        self._journal.end_run(state, reason, exit_code, facts, self._clock.wall_ms())
        return Result(exit_code, stop, survey.problems, survey.errors, survey.warnings)

    def _count_the_rest(self) -> None:
        """Rows that were never taken up have no outcome of their own yet."""
        left = self.tally.rows - self.tally.done
        if left:
            unresolved = self._journal.unresolved_left()
            self.tally.outcomes[Outcome.UNRESOLVED] += unresolved
            self.tally.outcomes[Outcome.NOT_SENT] += left - unresolved


def _step(row: PlannedRow, moment: Moment) -> Step:
    return plan_row(row.digest, row.open_attempt is not None, row.known, row.listed, moment)


def _first_errors(surveyed: Surveyed) -> dict[int, Problem]:
    found: dict[int, Problem] = {}
    for problem in surveyed.problems:
        if problem.line is not None and problem.severity == "error":
            found.setdefault(problem.line, problem)
    return found


_END = object()


async def _in_thread(iterator: Iterator[T]) -> AsyncIterator[T]:
    """Items of a blocking iterator, each made in a thread, so that the loop goes on."""
    while (item := await asyncio.to_thread(next, iterator, _END)) is not _END:
        yield item  # type: ignore[misc]  # not the sentinel


_ACCESS = frozenset({Cause.CREDENTIALS, Cause.PERMISSION, Cause.ENDPOINT, Cause.CERTIFICATE})
_CODE_OF = {
    Outcome.REJECTED: ExitCode.NEEDS_DECISION,
    Outcome.DRIFTED: ExitCode.NEEDS_DECISION,
    Outcome.CONFLICT: ExitCode.NEEDS_DECISION,
    Outcome.NOT_SENT: ExitCode.NOT_FINISHED,
    Outcome.UNRESOLVED: ExitCode.UNRESOLVED,
    Outcome.INVALID: ExitCode.INVALID_INVENTORY,
}


def _exit_code(tally: Tally, stop: Stop | None) -> ExitCode:
    codes = {_CODE_OF.get(outcome, ExitCode.OK) for outcome, count in tally.outcomes.items() if count}
    if stop is not None and stop.state != "finished":
        codes.add(ExitCode.ACCESS if stop.cause in _ACCESS else ExitCode.NOT_FINISHED)
    return worst(codes)

"""``submit``: survey the inventory, list what exists, plan, send, and close the run.

The phases of one run, in order; each is a method that reads like its name. Memory is flat: the inventory is
streamed twice (once to check it, once to send it) and what was checked is what is sent, row by row.
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from bulkjobs.dataflow.client import DataFlowClient
from bulkjobs.dataflow.replies import Cause
from bulkjobs.engine.backoff import RetryBudget
from bulkjobs.engine.canary import CROWD, Shapes, refused
from bulkjobs.engine.clock import Clock
from bulkjobs.engine.halt import HaltWatch
from bulkjobs.engine.health import Health
from bulkjobs.engine.journal.journal import Journal, PlannedRow
from bulkjobs.engine.journal.writer import Kind
from bulkjobs.engine.pacing import AdaptiveLimiter, Limiter, window_limiter, window_of
from bulkjobs.engine.planning import Action, Moment, Step, plan_row
from bulkjobs.engine.protocol import Finish, RowState
from bulkjobs.engine.rate_control import WINDOW, RateControl
from bulkjobs.engine.reader import Fatal, Reader, Unreadable
from bulkjobs.engine.recorder import Recorder
from bulkjobs.engine.records import InventoryRecord, Outcome
from bulkjobs.engine.sender import Sender
from bulkjobs.engine.stops import stop_of
from bulkjobs.engine.work import Stop, Tally, Work
from bulkjobs.errors import BulkJobsError, ExitCode, NotFinished, UsageError, worst
from bulkjobs.graph.comparison import BUILT_IN, Comparison
from bulkjobs.graph.expand import Expander
from bulkjobs.graph.spec import JobSpec
from bulkjobs.graph.survey import Survey, Surveyed
from bulkjobs.inventory.problems import Problem
from bulkjobs.inventory.reader import InventoryFile
from bulkjobs.logs import Log
from bulkjobs.settings import Settings, namespace_of

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


class TooMany(Exception):
    """The plan has more creates than it may have."""

    def __init__(self, planned: int, permitted: int) -> None:
        super().__init__(f"the plan has {planned:,} jobs to create, more than --max-jobs {permitted:,}")


class Submit:
    """One run of ``submit``. ``journal`` is started and has begun the run; ``client`` is entered by the caller.

    ``tally`` may be read at any time; ``stop`` may be called at any time from the loop. ``limiter`` makes a limiter
    for a rate: one for creates, one for reads. ``comparison``: the rules by which jobs are found equal.
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
        comparison: Comparison = BUILT_IN,
    ) -> None:
        self._files = files
        self._expander = expander
        self._journal = journal
        journal.rules = comparison.tag
        self._settings = settings
        self.namespace = settings.namespace or namespace_of(file.location for file in files)
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
            comparison=comparison,
            halt=HaltWatch(settings.halt),
        )
        self._api = client.contract.api
        self._shapes = Shapes()
        self._canaries: list[int] = []
        self._positions = 0  # rows of the whole inventory; a shard has some of them
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
        alarm = self._set_deadline()
        try:
            await self._unless_stopped(self._send_all())
        except Fatal as error:
            self.stop(stop_of(error.cause, error.answer, self._clock.wall_ms()))
        except TooMany as error:
            hint = "nothing was sent; look at the plan, then raise --max-jobs"
            self.stop(Stop("halted", str(error), hint))
        except Unreadable as error:
            reason = f"the list of existing jobs cannot be read to its end: {error}"
            self.stop(Stop("halted", reason, "nothing was sent; run the same command again"))
        finally:
            alarm.cancel()
            await asyncio.gather(alarm, return_exceptions=True)
        if self._sender.defect is not None:
            raise self._sender.defect
        return await self._close(self._sender.stopped, survey)

    # Survey: check everything, remember every row

    async def _survey(self) -> Survey:
        self.tally.phase = "checking"
        survey = Survey(self._files, self._expander, self._settings.max_problems)
        counts = [0] * len(self._files)
        of_files: dict[int, Problem] = {}  # what is wrong with a whole file, for its rows that have nothing else
        shard = self._settings.shard
        async for surveyed in in_thread(iter(survey)):  # to its end even after a stop: every row is in the report
            first_errors = _first_errors(surveyed)
            for problem in surveyed.problems:
                if problem.line is None and problem.severity == "error":
                    of_files.setdefault(surveyed.file, problem)
            rows = zip(surveyed.chunk.lines, surveyed.expansion.names, surveyed.expansion.jobs, strict=True)
            for seq, (line, name, job) in enumerate(rows, start=surveyed.first):
                if shard is not None and not shard.holds(name):
                    continue
                self.tally.rows += 1
                found = first_errors.get(line) or (of_files.get(surveyed.file) if job is None else None)
                is_invalid = job is None or found is not None
                self._journal.put(
                    Kind.ROW,
                    self._journal.run,
                    seq,
                    surveyed.file,
                    line,
                    name,
                    None if is_invalid or job is None else job.digest,
                    Outcome.INVALID.value if is_invalid else None,
                    found.code if found else None,
                    found.message if found else None,
                )
            self._shapes.add(surveyed.expansion.jobs)
            self._positions += len(surveyed.chunk.rows)
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
        for first in range(0, self._positions, _CHUNK):
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
        self._claim()
        await self._send(await self._prepare())

    def _claim(self) -> None:
        """From now on the names of this inventory are this namespace's too: no other one prunes them."""
        self._journal.put(Kind.CLAIM, self._journal.scope, self.namespace, self._journal.run)

    async def _prepare(self) -> Moment:
        """Everything before the first send."""
        self._journal.remember_wanted()
        await self._wait_a_window()
        listed_at = self._clock.wall_ms()
        await self._list("listing")
        return await self._plan(listed_at)

    async def _send(self, moment: Moment) -> None:
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

    def _set_deadline(self) -> asyncio.Task[None]:
        """Stop sending in time for what is on its way to end before the deadline; at half of one that is too short."""

        async def wait(deadline: float) -> None:
            left = max(deadline - self._settings.timeout, deadline / 2)
            await self._clock.sleep(max(0.0, self._begun + left - self._clock.monotonic()))
            self.stop(Stop("halted", f"--deadline {deadline:g}s is near", "run the same command again: it goes on"))

        deadline = self._settings.deadline
        return asyncio.create_task(wait(deadline) if deadline is not None else asyncio.sleep(0))

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
        self._sender.settling.resolver.pages = pages
        self._log.info("listed", jobs=self.tally.listed)

    async def _plan(self, listed_at: int) -> Moment:
        """End the rows that need nothing, and count the others. ``listed_at``: when the listing began, wall ms."""
        self.tally.phase = "planning"
        moment = Moment(self._clock.wall_ms(), self._settings.settle)
        actions = dict.fromkeys(Action, 0)
        fresh, untried = array("Q"), array("Q")
        rejected = self._journal.rejected_before()
        for first in range(0, self._positions, _CHUNK):
            for row in self._journal.unfinished(first, _CHUNK):
                step = step_of(row, moment)
                actions[step.action] += 1
                if step.action is Action.SEND:
                    fresh.append(row.seq)
                    if row.name not in rejected:  # a row that was refused before says nothing of the others
                        untried.append(row.seq)
                if step.finish is not None and self._is_final(step.finish):
                    self._recorder.row(row.seq, step.finish)
                    if row.listed:  # what is only believed was not seen again
                        self._recorder.known(row.name, row.digest, step.finish, listed_at)
                    else:
                        self._recorder.believed(row.seq, row.name, step.finish)
            await self._recorder.durable()
        self.tally.to_send = actions[Action.SEND]
        self._log.info("planned", **{action.value: count for action, count in actions.items()})
        if self._settings.max_jobs is not None and len(fresh) > self._settings.max_jobs:
            raise TooMany(len(fresh), self._settings.max_jobs)
        if self._settings.canary is not None or len(fresh) > CROWD:
            self._canaries = self._shapes.canaries(untried, self._settings.canary or 0)
        if actions[Action.LOOK] > 2 * self._sender.settling.resolver.pages:
            # Many jobs that the journal knows are not in the list: one more pass is cheaper than a look at each.
            await self._clock.sleep(max(0.0, self._begun + self._settings.settle - self._clock.monotonic()))
            await self._list("listing again")
            return Moment(moment.now_ms, moment.settle, absence_proved=True)
        if actions[Action.SEND] and self._sender.settling.resolver.pages > 1:
            # A deletion between two pages hides a job from one pass: no create rests on that (invariant 5).
            if actions[Action.SEND] > self._sender.settling.resolver.pages:
                await self._list("listing again")
            else:
                self._looks_first, self._canaries = True, []
        return moment

    def _is_final(self, finish: Finish) -> bool:
        """Whether a row may end with what the journal and the list say together."""
        return True

    async def _feed(self, moment: Moment) -> None:
        """Read the inventory again and hand over the rows that need something."""
        self.tally.phase = "sending"
        settled = self._begun + self._settings.settle
        for orphan in self._journal.open_attempts_elsewhere():
            work = Work(-1, orphan.name, None, RowState(unknown=True, change=orphan.change), orphan.attempt)
            await self._sender.settle(work, settled)
        if self.tally.done < self.tally.rows:
            try:
                await self._send_canaries()
                await self._feed_rows(moment, settled)
            except (UsageError, NotFinished) as error:  # it cannot be read any more, or its bytes are others
                self._changed(error.message)
        self._sender.fed()

    async def _send_canaries(self) -> None:
        """Create the canaries, and go on unless the service refuses them all."""
        wanted = set(self._canaries)
        works: list[Work] = []
        first = 0
        async for jobs in in_thread(self._expanded_again()) if wanted else _nothing():
            here = sorted(seq for seq in wanted if first <= seq < first + len(jobs))
            for row in [row for seq in here for row in self._journal.unfinished(seq, 1)]:
                spec = jobs[row.seq - first]
                if spec is None or spec.name != row.name or spec.digest != row.digest:
                    self._changed()
                    return
                works.append(Work(row.seq, row.name, spec))
                await self._sender.feed(works[-1])
            first += len(jobs)
            if len(works) == len(wanted):
                break
        await self._sender.first_answers(works)
        if self._sender.stopped is None and works:
            reason = refused([work.row for work in works], self.tally.to_send - len(works), self._api)
            if reason is not None:
                self.stop(Stop("halted", reason, "mend what the service objects to, then run the same command again"))

    async def _feed_rows(self, moment: Moment, settled: float) -> None:
        fed = set(self._canaries)
        first = 0
        async for jobs in in_thread(self._expanded_again()):
            for row in self._journal.unfinished(first, len(jobs)):
                spec = jobs[row.seq - first]
                if spec is None or spec.name != row.name or spec.digest != row.digest:
                    self._changed()
                    return
                if row.seq not in fed:
                    await self._hand_over(row, spec, step_of(row, moment), settled)
            first += len(jobs)
        if first != self._positions:
            self._changed()

    async def _hand_over(self, row: PlannedRow, spec: JobSpec, step: Step, settled: float) -> None:
        state = RowState(unknown=row.open_attempt is not None, change=row.open_change)
        work = Work(row.seq, row.name, spec, state, row.open_attempt, step.listed)
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
        exit_code = self._exit_code(stop)
        state = "finished" if stop is None else stop.state
        reason = stop.reason if stop is not None else None
        learned = self._control.learned(self._clock.wall_ms())
        if learned is not None:
            self._journal.learn(learned)
        self._journal.end_run(state, reason, exit_code, self._facts(), self._clock.wall_ms())
        return Result(exit_code, stop, survey.problems, survey.errors, survey.warnings)

    def _exit_code(self, stop: Stop | None) -> ExitCode:
        return _exit_code(self.tally, stop)

    def _facts(self) -> dict[str, object]:
        return {
            "duration_s": round(self._clock.monotonic() - self._begun, 3),
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
            "namespace": self.namespace,
        }

    def _count_the_rest(self) -> None:
        """Rows that were never taken up have no outcome of their own yet."""
        left = self.tally.rows - self.tally.done
        if left:
            unresolved = self._journal.unresolved_left()
            self.tally.outcomes[Outcome.UNRESOLVED] += unresolved
            self.tally.outcomes[Outcome.NOT_SENT] += left - unresolved


def step_of(row: PlannedRow, moment: Moment) -> Step:
    return plan_row(row.digest, row.open_attempt is not None, row.known, row.listed, moment)


def _first_errors(surveyed: Surveyed) -> dict[int, Problem]:
    found: dict[int, Problem] = {}
    for problem in surveyed.problems:
        if problem.line is not None and problem.severity == "error":
            found.setdefault(problem.line, problem)
    return found


async def _nothing() -> AsyncIterator[list[JobSpec | None]]:
    return
    yield []


_END = object()


async def in_thread(iterator: Iterator[T]) -> AsyncIterator[T]:
    """Items of a blocking iterator, each made in a thread, so that the loop goes on."""
    while (item := await asyncio.to_thread(next, iterator, _END)) is not _END:
        yield item  # type: ignore[misc]  # not the sentinel


_ACCESS = frozenset({Cause.CREDENTIALS, Cause.PERMISSION, Cause.ENDPOINT, Cause.CERTIFICATE})
CODE_OF = {
    Outcome.REJECTED: ExitCode.NEEDS_DECISION,
    Outcome.DRIFTED: ExitCode.NEEDS_DECISION,
    Outcome.CONFLICT: ExitCode.NEEDS_DECISION,
    Outcome.NOT_SENT: ExitCode.NOT_FINISHED,
    Outcome.UNRESOLVED: ExitCode.UNRESOLVED,
    Outcome.INVALID: ExitCode.INVALID_INVENTORY,
}


def _exit_code(tally: Tally, stop: Stop | None) -> ExitCode:
    codes = {CODE_OF.get(outcome, ExitCode.OK) for outcome, count in tally.outcomes.items() if count}
    if stop is not None and stop.state != "finished":
        codes.add(ExitCode.ACCESS if stop.cause in _ACCESS else ExitCode.NOT_FINISHED)
    return worst(codes)

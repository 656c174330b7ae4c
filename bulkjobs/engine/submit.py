"""``submit``: survey the inventory, list what exists, plan, send, and close the run.

The phases of one run, in order; each is a method that reads like its name. Memory is flat: the inventory is
streamed twice (once to check it, once to send it) and what was checked is what is sent, row by row.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence

from bulkjobs.engine.backoff import RetryBudget
from bulkjobs.engine.canary import CROWD, Canaries
from bulkjobs.engine.checked_rows import CheckedRows
from bulkjobs.engine.checking import Checking
from bulkjobs.engine.deadline import keep_deadline
from bulkjobs.engine.ending import Result, exit_code_of, facts_of
from bulkjobs.engine.equipment import Equipment
from bulkjobs.engine.feeding import Feeding, step_of
from bulkjobs.engine.halt import HaltWatch
from bulkjobs.engine.health import Health
from bulkjobs.engine.journal.pending import Pending
from bulkjobs.engine.journal.statements import Kind
from bulkjobs.engine.pacing import AdaptiveLimiter, window_of
from bulkjobs.engine.planning import Action, Moment
from bulkjobs.engine.protocol import Finish
from bulkjobs.engine.reader import Fatal, Unreadable
from bulkjobs.engine.records import Outcome
from bulkjobs.engine.sender import Sender
from bulkjobs.engine.stops import TooMany, stop_of
from bulkjobs.engine.traffic import WINDOW
from bulkjobs.engine.work import Again, Stop
from bulkjobs.errors import BulkJobsError, ExitCode
from bulkjobs.graph.expand import Expander
from bulkjobs.graph.survey import Survey
from bulkjobs.inventory.reader import InventoryFile
from bulkjobs.settings import namespace_of

_CHUNK = 2_000
_AUTO_AHEAD = 500.0  # sends a second for which intents are written ahead while the rate is not known


class Submit:
    """One run of ``submit``. The journal is started and has begun the run; the client is entered by the caller.

    ``stop`` may be called at any time from the loop. ``checked``: these files, where checking them has begun.
    """

    def __init__(
        self,
        files: Sequence[InventoryFile],
        expander: Expander,
        equipment: Equipment,
        checked: CheckedRows | None = None,
    ) -> None:
        self._files = files
        self._expander = expander
        self._journal = journal = equipment.journal
        self._pending = Pending(journal)
        journal.rules = equipment.comparison.tag
        self._settings = settings = equipment.settings
        self.namespace = settings.namespace or namespace_of(file.location for file in files)
        self._clock = clock = equipment.clock
        self._log = equipment.log
        self.tally = tally = equipment.tally
        self._begun = clock.monotonic()
        self._recorder = equipment.recorder()
        rows = checked or CheckedRows(files, expander, settings)
        self._checking = Checking(files, rows, journal, self._recorder, clock, tally)
        health = Health(settings.patience)
        self._control = control = equipment.rate_control()
        tally.rate = control.rate
        self._reader = equipment.reader(control, health)
        self._sender = Sender(
            equipment.client,
            AdaptiveLimiter(lambda: control.rate, equipment.limiter),
            self._reader,
            self._recorder,
            control,
            health,
            clock,
            tally,
            equipment.log,
            RetryBudget.for_rate(control.rate),
            concurrency=settings.concurrency,
            ahead=1 + int(min(settings.concurrency, (settings.rate or _AUTO_AHEAD) * 0.02)),
            settle_s=settings.settle,
            max_attempts=settings.max_attempts,
            comparison=equipment.comparison,
            halt=HaltWatch(settings.halt),
        )
        self._api = equipment.client.contract.api
        self._client = equipment.client
        self._canaries: list[int] = []
        self._refused_before: set[bytes] = set()
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
        survey = await self._checking.survey()
        if survey.errors:
            return await self._checking.refuse(survey)
        alarm = self._set_deadline()
        try:
            await self._unless_stopped(self._send_all())
        except Fatal as error:
            self.stop(stop_of(error.cause, error.answer, self._clock.wall_ms()))
        except TooMany as error:
            hint = f"nothing was sent; look at the plan; --max-jobs {error.planned} permits it"
            self.stop(Stop("halted", str(error), hint, again=Again.ENDS_ALIKE))
        except Unreadable as error:
            reason = f"the list of existing jobs cannot be read to its end: {error}"
            self.stop(Stop("halted", reason, "nothing was sent; run the same command again"))
        finally:
            alarm.cancel()
            await asyncio.gather(alarm, return_exceptions=True)
        if self._sender.defect is not None:
            raise self._sender.defect
        return await self._close(self._sender.stopped, survey)

    # List, plan, send

    async def _send_all(self) -> None:
        self._claim()
        await self._send(await self._prepare())

    def _claim(self) -> None:
        """From now on the names of this inventory are this namespace's too: no other one prunes them."""
        self._journal.put(Kind.CLAIM, self._journal.scope, self.namespace, self._journal.run)

    async def _prepare(self) -> Moment:
        """Everything before the first send."""
        self._pending.remember_wanted()
        await self._wait_a_window()
        listed_at = self._clock.wall_ms()
        await self._list("listing")
        return await self._plan(listed_at)

    async def _send(self, moment: Moment) -> None:
        self._drains_itself = True
        sending = asyncio.create_task(self._sender.run())
        feeding = asyncio.create_task(self._feeding().run(moment, self._canaries, looks_first=self._looks_first))
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

    def _feeding(self) -> Feeding:
        return Feeding(
            self._files,
            self._expander,
            self._journal,
            self._sender,
            self._clock,
            self.tally,
            self.stop,
            api=self._api,
            positions=self._checking.positions,
            settled=self._begun + self._settings.settle,
            refused_before=self._refused_before,
        )

    def _set_deadline(self) -> asyncio.Task[None]:
        deadline, timeout = self._settings.deadline, self._settings.timeout
        if deadline is None:
            return asyncio.create_task(asyncio.sleep(0))
        give_up = self._client.give_up
        keeping = keep_deadline(deadline, self._begun, timeout, self._clock, self.tally, self.stop, give_up)
        return asyncio.create_task(keeping)

    async def _wait_a_window(self) -> None:
        """A restart forgets what the last process sent: let its window pass."""
        window = window_of(self._settings.rate) if self._settings.rate is not None else WINDOW
        last = self._pending.last_run_ended()
        if last is None or abs(self._clock.wall_ms() - last) < window * 1000:
            await self._clock.sleep(max(0.0, self._begun + window - self._clock.monotonic()))

    async def _list(self, phase: str) -> None:
        self.tally.phase, self.tally.listed = phase, 0
        pages = 0
        async for page in self._reader.pages():
            pages += 1
            self.tally.listed += page.size
            self._pending.remember_listed(page.jobs)
        self._sender.settling.resolver.pages = pages
        self._pending.is_listed = True
        self._log.info("listed", jobs=self.tally.listed)

    async def _plan(self, listed_at: int) -> Moment:
        """End the rows that need nothing, and count the others. ``listed_at``: when the listing began, wall ms."""
        self.tally.phase = "planning"
        moment = Moment(self._clock.wall_ms(), self._settings.settle)
        actions = dict.fromkeys(Action, 0)
        canaries = Canaries(self._checking.shapes)
        self._refused_before = self._pending.refused()
        for first in range(0, self._checking.positions, _CHUNK):
            for row in self._pending.unfinished(first, _CHUNK):
                step = step_of(row, moment)
                actions[step.action] += 1
                if step.action is Action.SEND and row.digest not in self._refused_before:
                    canaries.offer(row.seq)  # a row that was refused before says nothing of the others
                if step.finish is not None and self._is_final(step.finish):
                    self._recorder.row(row.seq, step.finish)
                    if row.listed:  # what is only believed was not seen again
                        self._recorder.known(row.name, row.digest, step.finish, listed_at)
                    else:
                        self._recorder.looks.believed(row.seq, row.name, step.finish)
            await self._recorder.durable()
        self.tally.to_send = creates = actions[Action.SEND]
        self._log.info("planned", **{action.value: count for action, count in actions.items()})
        if self._settings.max_jobs is not None and creates > self._settings.max_jobs:
            raise TooMany(creates, self._settings.max_jobs)
        if self._settings.canary is not None or creates > CROWD:
            self._canaries = canaries.chosen(self._settings.canary or 0)
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
        if stop is not None and stop.is_rule and self._is_complete():
            stop = None
        exit_code = self._exit_code(stop)
        if stop is not None and stop.is_of_inventory:
            self._checking.forget()
        state, reason = ("finished", None) if stop is None else (stop.state, stop.reason)
        if (learned := self._control.learned(self._clock.wall_ms())) is not None:
            self._journal.learn(learned)
        self._journal.end_run(state, reason, exit_code, self._facts(), self._clock.wall_ms())
        return Result(exit_code, stop, survey.problems, survey.errors, survey.warnings)

    def _is_complete(self) -> bool:
        """Whether the run has nothing left to do: every row, and every attempt of an earlier run, has its end."""
        ends = self.tally.outcomes
        return not (ends[Outcome.NOT_SENT] or ends[Outcome.UNRESOLVED] or self._pending.open_attempts_elsewhere())

    def _exit_code(self, stop: Stop | None) -> ExitCode:
        return exit_code_of(self.tally, stop)

    def _facts(self) -> dict[str, object]:
        duration = self._clock.monotonic() - self._begun
        facts = facts_of(self.tally, self._settings, self._control.rate, self.namespace, duration)
        unseen = {"not_looked_at": self._pending.not_looked_at()} if self.tally.outcomes[Outcome.NOT_SENT] else {}
        return facts | {"rate_course": self._control.course.points(self._begun)} | unseen

    def _count_the_rest(self) -> None:
        """Rows that were never taken up have no outcome of their own yet."""
        left = self.tally.rows - self.tally.done
        if left:
            unresolved = self._pending.unresolved_left()
            self.tally.outcomes[Outcome.UNRESOLVED] += unresolved
            self.tally.outcomes[Outcome.NOT_SENT] += left - unresolved

"""Hands the rows that need something to the sender: the inventory is read again, and must still be what was checked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence

from bulkjobs.dataflow.contract import Api
from bulkjobs.engine.canary import refused
from bulkjobs.engine.clock import Clock
from bulkjobs.engine.in_thread import in_thread
from bulkjobs.engine.journal.journal import Journal
from bulkjobs.engine.journal.pending import Pending, PlannedRow
from bulkjobs.engine.planning import Action, Moment, Step, plan_row
from bulkjobs.engine.protocol import RowState
from bulkjobs.engine.sender import Sender
from bulkjobs.engine.work import Again, Stop, Tally, Work
from bulkjobs.errors import NotFinished, UsageError
from bulkjobs.graph.expand import Expander
from bulkjobs.graph.spec import JobSpec
from bulkjobs.inventory.reader import InventoryFile


class Feeding:
    """``positions``: rows of the whole inventory. ``stop`` ends the run.

    ``settled``: when attempts of earlier runs may be looked up, monotonic seconds. ``refused_before``: digests of
    definitions that the service refused in earlier runs.
    """

    def __init__(
        self,
        files: Sequence[InventoryFile],
        expander: Expander,
        journal: Journal,
        sender: Sender,
        clock: Clock,
        tally: Tally,
        stop: Callable[[Stop], None],
        *,
        api: Api,
        positions: int,
        settled: float,
        refused_before: Collection[bytes] = (),
    ) -> None:
        self._files = files
        self._expander = expander
        self._journal = journal
        self._pending = Pending(self._journal)
        self._sender = sender
        self._clock = clock
        self._tally = tally
        self._stop = stop
        self._api = api
        self._positions = positions
        self._settled = settled
        self._refused_before = refused_before

    async def run(self, moment: Moment, canaries: Collection[int], *, looks_first: bool) -> None:
        """Canaries first, then all. ``looks_first``: each row is looked up by name before its create."""
        self._tally.phase = "sending"
        for orphan in self._pending.open_attempts_elsewhere():
            work = Work(-1, orphan.name, None, RowState(unknown=True, change=orphan.change), orphan.attempt)
            await self._sender.settle(work, self._settled)
        if self._tally.done < self._tally.rows:
            try:
                await self._send_canaries(set(canaries))
                await self._feed_rows(moment, set(canaries), looks_first)
            except (UsageError, NotFinished) as error:  # it cannot be read any more, or its bytes are others
                self._stop(inventory_changed(error.message))
        self._sender.fed()

    async def _send_canaries(self, wanted: set[int]) -> None:
        """Create the canaries, and go on unless the service refuses them all."""
        works: list[Work] = []
        first = 0
        async for jobs in in_thread(expanded_again(self._files, self._expander)) if wanted else _nothing():
            here = sorted(seq for seq in wanted if first <= seq < first + len(jobs))
            for row in [row for seq in here for row in self._pending.unfinished(seq, 1)]:
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
            reason = refused(works, self._tally.to_send - len(works), self._api)
            if reason is not None:
                hint = "mend what the service objects to, then run the same command again"
                self._stop(Stop("halted", reason, hint, again=Again.ONCE_MENDED, is_rule=True))

    async def _feed_rows(self, moment: Moment, fed: set[int], looks_first: bool) -> None:
        first = 0
        async for jobs in in_thread(expanded_again(self._files, self._expander)):
            if first + len(jobs) > self._positions:
                self._changed()
                return
            for row in self._pending.unfinished(first, len(jobs)):
                spec = jobs[row.seq - first]
                if spec is None or spec.name != row.name or spec.digest != row.digest:
                    self._changed()
                    return
                if row.seq not in fed:
                    await self._hand_over(row, spec, step_of(row, moment), looks_first)
            first += len(jobs)  # fewer rows in the end are other bytes, which the reader refuses

    async def _hand_over(self, row: PlannedRow, spec: JobSpec, step: Step, looks_first: bool) -> None:
        state = RowState(unknown=row.open_attempt is not None, change=row.open_change)
        work = Work(row.seq, row.name, spec, state, row.open_attempt, step.listed)
        work.refused_before = spec.digest in self._refused_before
        match step.action:
            case Action.SEND if not looks_first:
                await self._sender.feed(work)
            case Action.SEND | Action.READ:
                await self._sender.settle(work, self._clock.monotonic())
            case Action.LOOK | Action.SETTLE | Action.FINISH:  # FINISH: what was listed was gone when it was read
                work.listed = None
                await self._sender.settle(work, self._settled)

    def _changed(self) -> None:
        self._stop(inventory_changed())


def inventory_changed(reason: str = "the inventory changed while it was being sent") -> Stop:
    hint = "run the same command again: rows that have their job are left alone"
    return Stop("halted", reason, hint, is_of_inventory=True)


def expanded_again(files: Sequence[InventoryFile], expander: Expander) -> Iterator[list[JobSpec | None]]:
    """The jobs of each chunk of an inventory that was checked."""
    for file in files:
        for chunk in file.chunks():
            yield expander.expand(chunk).jobs


def step_of(row: PlannedRow, moment: Moment) -> Step:
    return plan_row(row.digest, row.open_attempt is not None, row.known, row.listed, moment)


async def _nothing() -> AsyncIterator[list[JobSpec | None]]:
    return
    yield []

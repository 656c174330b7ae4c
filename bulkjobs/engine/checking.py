"""Before anything is sent: the whole inventory is checked, and every row of it is in the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from bulkjobs.counted import counted
from bulkjobs.engine.canary import Shapes
from bulkjobs.engine.checked_rows import CheckedRows
from bulkjobs.engine.clock import Clock
from bulkjobs.engine.ending import Result
from bulkjobs.engine.journal.checks import Checks, EarlierCheck
from bulkjobs.engine.journal.journal import Journal
from bulkjobs.engine.journal.pending import Pending
from bulkjobs.engine.journal.statements import Kind
from bulkjobs.engine.recorder import Recorder
from bulkjobs.engine.records import InventoryRecord, Outcome
from bulkjobs.engine.work import Stop, Tally
from bulkjobs.errors import ExitCode
from bulkjobs.graph.survey import Survey
from bulkjobs.inventory.reader import InventoryFile

_CHUNK = 2_000
_TAKEN = 20_000

MANY = 20_000
"""Rows from which on a check is worth remembering: a quarter of a second."""


class Checking:
    """``shapes`` and ``positions``: as ``CheckedRows`` has them, once the inventory was checked."""

    def __init__(
        self,
        files: Sequence[InventoryFile],
        checked: CheckedRows,
        journal: Journal,
        recorder: Recorder,
        clock: Clock,
        tally: Tally,
    ) -> None:
        self._files = files
        self._checked = checked
        self._journal = journal
        self._pending = Pending(self._journal)
        self._checks = Checks(self._journal)
        self._recorder = recorder
        self._clock = clock
        self._tally = tally

    @property
    def shapes(self) -> Shapes:
        return self._checked.shapes

    @property
    def positions(self) -> int:
        return self._checked.positions

    async def survey(self) -> Survey:
        """Check all rows, to the end even after a stop: every row is in the report.

        What was checked before and found without fault is not checked again. Any row that is sent is expanded again,
        and has to be what the journal says of it.
        """
        self._tally.phase = "checking"
        earlier = await self._earlier()
        if earlier is None:
            await self._check()
        else:
            await self._take_over(earlier)
        self._journal.set_files(
            [
                InventoryRecord(file.path, file.sha256 or "", count, file.location)
                for file, count in zip(self._files, self._checked.counts, strict=True)
            ]
        )
        survey = self._checked.survey
        if self.positions >= MANY and not survey.errors and not survey.warnings:
            self._checks.keep(self._checked.rules(), self.shapes.numbers)
        return survey

    def forget(self) -> None:
        """The next run checks for itself: the rows are not what is read, whosever mistake that is."""
        self._checks.forget()

    async def _earlier(self) -> EarlierCheck | None:
        """The check that told all there is to tell of this inventory."""
        if not self._checks.are_any():
            return None
        earlier = self._checks.last(self._checked.rules())
        if earlier is None or not await asyncio.to_thread(self._checked.are, earlier):
            return None
        return earlier

    async def _take_over(self, earlier: EarlierCheck) -> None:
        await asyncio.to_thread(self._checked.take, earlier)
        for first in range(0, self.positions, _TAKEN):
            self._journal.put(Kind.CHECKED, self._journal.run, earlier.run, first, first + _TAKEN)
            await self._recorder.durable()
            self._tally.rows += self._checks.rows_between(earlier.run, first, _TAKEN)

    async def _check(self) -> None:
        run, writer = self._journal.run, self._journal.writer
        written: asyncio.Future[None] | None = None
        async for batch in self._checked.batches():
            for kind, records in batch.records:
                writer.put_all(kind, [(run, *values) for values in records])
            self._tally.rows += batch.rows
            if written is not None:
                await written  # while the next rows are checked these are written, and no more than that waits
            written = self._recorder.durable()
        await self._recorder.durable()

    async def refuse(self, survey: Survey) -> Result:
        """The inventory has errors: nothing is sent, and every row says why."""
        for first in range(0, self.positions, _CHUNK):
            for seq in self._pending.rows_between(first, _CHUNK):
                problem = survey.duplicate(seq)
                if problem is not None:  # found across rows, after the row had gone by
                    self._journal.put(
                        Kind.FINISHED,
                        Outcome.INVALID.value, None, None, None, problem.code, problem.message, 0, None, None, None,
                        self._journal.run, seq,
                    )  # fmt: skip
        await self._recorder.durable()
        stop = Stop("invalid", f"the inventory has {counted(survey.errors, 'error')}; nothing was sent")
        self._journal.end_run("invalid", stop.reason, ExitCode.INVALID_INVENTORY, {}, self._clock.wall_ms())
        return Result(ExitCode.INVALID_INVENTORY, stop, survey.problems, survey.errors, survey.warnings)

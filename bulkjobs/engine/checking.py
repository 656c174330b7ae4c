"""Before anything is sent: the whole inventory is checked, and every row of it is in the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from bulkjobs.counted import counted
from bulkjobs.engine.canary import Shapes
from bulkjobs.engine.checked_rows import CheckedRows
from bulkjobs.engine.clock import Clock
from bulkjobs.engine.ending import Result
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
        """Check all rows, to the end even after a stop: every row is in the report."""
        self._tally.phase = "checking"
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
        self._journal.set_files(
            [
                InventoryRecord(file.path, file.sha256 or "", count, file.location)
                for file, count in zip(self._files, self._checked.counts, strict=True)
            ]
        )
        return self._checked.survey

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

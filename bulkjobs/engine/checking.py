"""Before anything is sent: the whole inventory is checked, and every row of it is in the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from bulkjobs.counted import counted
from bulkjobs.engine.canary import Shapes
from bulkjobs.engine.clock import Clock
from bulkjobs.engine.ending import Result
from bulkjobs.engine.in_thread import in_thread
from bulkjobs.engine.journal.journal import Journal
from bulkjobs.engine.journal.statements import Kind
from bulkjobs.engine.recorder import Recorder
from bulkjobs.engine.records import InventoryRecord, Outcome
from bulkjobs.engine.work import Stop, Tally
from bulkjobs.errors import ExitCode
from bulkjobs.graph.expand import Expander
from bulkjobs.graph.survey import Survey, Surveyed
from bulkjobs.inventory.problems import Problem
from bulkjobs.inventory.reader import InventoryFile
from bulkjobs.settings import Settings

_CHUNK = 2_000


class Checking:
    """``positions``: rows of the whole inventory once it was checked; a shard has some of them."""

    def __init__(
        self,
        files: Sequence[InventoryFile],
        expander: Expander,
        journal: Journal,
        recorder: Recorder,
        settings: Settings,
        clock: Clock,
        tally: Tally,
    ) -> None:
        self._files = files
        self._expander = expander
        self._journal = journal
        self._recorder = recorder
        self._settings = settings
        self._clock = clock
        self._tally = tally
        self.shapes = Shapes()
        self.positions = 0

    async def survey(self) -> Survey:
        self._tally.phase = "checking"
        survey = Survey(self._files, self._expander, self._settings.max_problems)
        counts = [0] * len(self._files)
        of_files: dict[int, Problem] = {}  # what is wrong with a whole file, for its rows that have nothing else
        shard = self._settings.shard
        written: asyncio.Future[None] | None = None
        async for surveyed in in_thread(iter(survey)):  # to its end even after a stop: every row is in the report
            first_errors = _first_errors(surveyed)
            for problem in surveyed.problems:
                if problem.line is None and problem.severity == "error":
                    of_files.setdefault(surveyed.file, problem)
            records: list[tuple[object, ...]] = []
            rows = zip(surveyed.chunk.lines, surveyed.expansion.names, surveyed.expansion.jobs, strict=True)
            for seq, (line, name, job) in enumerate(rows, start=surveyed.first):
                if shard is not None and not shard.holds(name):
                    continue
                found = first_errors.get(line) or (of_files.get(surveyed.file) if job is None else None)
                is_invalid = job is None or found is not None
                records.append(
                    (
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
                )
            self._journal.writer.put_all(Kind.ROW, records)
            self._tally.rows += len(records)
            self.shapes.add(surveyed.expansion.shapes)
            self.positions += len(surveyed.chunk.rows)
            counts[surveyed.file] += len(surveyed.chunk.rows)
            if written is not None:
                await written  # while the next chunk is checked this one is written, and no more than that waits
            written = self._recorder.durable()
        await self._recorder.durable()
        self._journal.set_files(
            [
                InventoryRecord(file.path, file.sha256 or "", count, file.location)
                for file, count in zip(self._files, counts, strict=True)
            ]
        )
        return survey

    async def refuse(self, survey: Survey) -> Result:
        """The inventory has errors: nothing is sent, and every row says why."""
        for first in range(0, self.positions, _CHUNK):
            for seq in self._journal.rows_between(first, _CHUNK):
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


def _first_errors(surveyed: Surveyed) -> dict[int, Problem]:
    found: dict[int, Problem] = {}
    for problem in surveyed.problems:
        if problem.line is not None and problem.severity == "error":
            found.setdefault(problem.line, problem)
    return found

"""Before anything is sent: the whole inventory is checked, and every row of it is in the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import cast

from bulkjobs.counted import counted
from bulkjobs.engine.canary import Shapes
from bulkjobs.engine.clock import Clock
from bulkjobs.engine.ending import Result
from bulkjobs.engine.in_thread import in_thread
from bulkjobs.engine.journal.journal import Journal
from bulkjobs.engine.journal.rows_at_once import rows_at_once
from bulkjobs.engine.journal.statements import Kind
from bulkjobs.engine.journal.writer import Parameters
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
_Batch = tuple[Kind, list[Parameters]]


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
        written: asyncio.Future[None] | None = None
        # To its end even after a stop: every row is in the report.
        async for records, rows in in_thread(self._records(survey, counts)):
            for kind, batch in records:
                self._journal.writer.put_all(kind, batch)
            self._tally.rows += rows
            if written is not None:
                await written  # while the next rows are checked these are written, and no more than that waits
            written = self._recorder.durable()
        await self._recorder.durable()
        self._journal.set_files(
            [
                InventoryRecord(file.path, file.sha256 or "", count, file.location)
                for file, count in zip(self._files, counts, strict=True)
            ]
        )
        return survey

    def _records(self, survey: Survey, counts: list[int]) -> Iterator[tuple[list[_Batch], int]]:
        """Rows for the journal and how many, some thousand at a time. ``counts``: rows of each file so far.

        All in one thread: what is made of a row is used while the processor still has it at hand.
        """
        of_files: dict[int, Problem] = {}  # what is wrong with a whole file, for its rows that have nothing else
        records: list[_Batch] = []
        rows = 0
        for surveyed in survey:
            for problem in surveyed.problems:
                if problem.line is None and problem.severity == "error":
                    of_files.setdefault(surveyed.file, problem)
            valid, invalid = self._sorted(surveyed)
            if valid:
                records.append((Kind.ROWS, [self._valid(surveyed, valid)]))
            if invalid:
                records.append((Kind.ROW, self._invalid(surveyed, invalid, of_files.get(surveyed.file))))
            rows += len(valid) + len(invalid)
            self.shapes.add(surveyed.expansion.shapes)
            self.positions += len(surveyed.chunk.rows)
            counts[surveyed.file] += len(surveyed.chunk.rows)
            if rows >= _CHUNK:
                yield records, rows
                records, rows = [], 0
        yield records, rows

    def _sorted(self, surveyed: Surveyed) -> tuple[Sequence[int], Sequence[int]]:
        """The rows of a chunk that are ours: those that are valid, and the others. By their place in it."""
        lines, names, jobs = surveyed.chunk.lines, surveyed.expansion.names, surveyed.expansion.jobs
        shard = self._settings.shard
        ours: Sequence[int] = range(len(names))
        if shard is not None:
            ours = [i for i in ours if shard.holds(names[i])]
        wrong = _first_errors(surveyed)
        if not wrong and all(jobs):
            return ours, ()
        valid = [i for i in ours if jobs[i] is not None and lines[i] not in wrong]
        return valid, sorted({*ours}.difference(valid))

    def _valid(self, surveyed: Surveyed, rows: Sequence[int]) -> Parameters:
        lines, names, jobs = surveyed.chunk.lines, surveyed.expansion.names, surveyed.expansion.jobs
        if len(rows) < len(names):
            lines, names, jobs = [lines[i] for i in rows], [names[i] for i in rows], [jobs[i] for i in rows]
        return rows_at_once(
            self._journal.run,
            surveyed.file,
            [surveyed.first + i for i in rows],
            lines,
            cast(Sequence[str], names),
            [job.digest for job in jobs if job is not None],
        )

    def _invalid(self, surveyed: Surveyed, rows: Sequence[int], of_file: Problem | None) -> list[Parameters]:
        """``of_file``: what is wrong with the whole file."""
        first_errors = _first_errors(surveyed)
        records: list[Parameters] = []
        for i in rows:
            line, name = surveyed.chunk.lines[i], surveyed.expansion.names[i]
            found = first_errors.get(line) or of_file
            code, message = (found.code, found.message) if found is not None else (None, None)
            seq = surveyed.first + i
            outcome = Outcome.INVALID.value
            records.append((self._journal.run, seq, surveyed.file, line, name, None, outcome, code, message))
        return records

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

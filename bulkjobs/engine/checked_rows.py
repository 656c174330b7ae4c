"""The rows of an inventory, checked and made ready for the journal, some thousand at a time.

All that is made of a row is made in one thread, while the processor still has it at hand. That can begin before there
is a journal to write to: to prove a large one sound takes seconds that the interpreter has nothing to do with.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from bulkjobs.engine.canary import Shapes
from bulkjobs.engine.in_thread import HeadStart, in_thread
from bulkjobs.engine.journal.checks import EarlierCheck
from bulkjobs.engine.journal.rows_at_once import rows_at_once
from bulkjobs.engine.journal.statements import Kind
from bulkjobs.engine.records import Outcome
from bulkjobs.engine.rules_of_checks import rules_of
from bulkjobs.errors import UsageError
from bulkjobs.graph.expand import Expander
from bulkjobs.graph.survey import Survey, Surveyed
from bulkjobs.inventory.problems import Problem
from bulkjobs.inventory.reader import InventoryFile, file_sha256
from bulkjobs.settings import Settings

_AT_ONCE = 2_000
_WAIT = 100
"""Batches that may wait for a journal: 60 bytes a row, some hundred more of a row that is wrong."""

Values = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """``records``: the parameters of statements, without the run, which comes first in each."""

    rows: int
    records: Sequence[tuple[Kind, Sequence[Values]]]


class CheckedRows:
    """To be gone through once, or to be taken as an earlier run found them; then all else is complete.

    ``counts``: rows of each file, whosever they are. ``positions``: rows of the whole inventory; a shard has some of
    them. Raises what ``Survey`` raises.
    """

    def __init__(self, files: Sequence[InventoryFile], expander: Expander, settings: Settings) -> None:
        self.survey = Survey(files, expander, settings.max_problems)
        self.shapes = Shapes()
        self.counts = [0] * len(files)
        self._files = files
        self._expander = expander
        self._shard = settings.shard
        self._begun: HeadStart[Batch] | None = None

    @property
    def positions(self) -> int:
        return sum(self.counts)

    def rules(self) -> bytes:
        """A digest of all that the check rests on but the bytes of the files."""
        return rules_of(self._files, self._expander.layout, self._shard)

    def are(self, earlier: EarlierCheck) -> bool:
        """Whether the files have the bytes that were checked then. Reads them, which is to be done in a thread."""
        known = [sha256 for sha256, _ in earlier.files]
        try:
            return known == [file_sha256(Path(file.location)) for file in self._files]
        except UsageError:  # the check tells of it
            return False

    def take(self, earlier: EarlierCheck) -> None:
        """These are its rows: whatever was begun is over, and a pass over other bytes than those is refused."""
        self.close()
        self.shapes = Shapes(earlier.shapes)
        self.counts = [rows for _, rows in earlier.files]
        for file, (sha256, _) in zip(self._files, earlier.files, strict=True):
            file.sha256 = sha256

    def begin(self) -> None:
        """Check from now on, in a thread, until the rows are asked for. Whoever calls this calls ``close``."""
        self._begun = HeadStart(self._batches(), _WAIT)

    def close(self) -> None:
        """Check no further. May be called at any time."""
        if self._begun is not None:
            self._begun.close()

    def batches(self) -> AsyncIterator[Batch]:
        """All rows, in the order of the inventory."""
        return self._begun.items() if self._begun is not None else in_thread(self._batches())

    def _batches(self) -> Generator[Batch, None, None]:
        of_files: dict[int, Problem] = {}  # what is wrong with a whole file, for its rows that have nothing else
        records: list[tuple[Kind, Sequence[Values]]] = []
        rows = 0
        for surveyed in self.survey:
            for problem in surveyed.problems:
                if problem.line is None and problem.severity == "error":
                    of_files.setdefault(surveyed.file, problem)
            valid, invalid = self._sorted(surveyed)
            if valid:
                records.append((Kind.ROWS, [_valid(surveyed, valid)]))
            if invalid:
                records.append((Kind.ROW, _invalid(surveyed, invalid, of_files.get(surveyed.file))))
            rows += len(valid) + len(invalid)
            self.shapes.add(surveyed.expansion.shapes)
            self.counts[surveyed.file] += len(surveyed.chunk.rows)
            if rows >= _AT_ONCE:
                yield Batch(rows, records)
                records, rows = [], 0
        yield Batch(rows, records)

    def _sorted(self, surveyed: Surveyed) -> tuple[Sequence[int], Sequence[int]]:
        """The rows of a chunk that are ours: those that are valid, and the others. By their place in it."""
        lines, names, jobs = surveyed.chunk.lines, surveyed.expansion.names, surveyed.expansion.jobs
        shard = self._shard
        ours: Sequence[int] = range(len(names))
        if shard is not None:
            ours = [i for i in ours if shard.holds(names[i])]
        wrong = _first_errors(surveyed)
        if not wrong and all(jobs):
            return ours, ()
        valid = [i for i in ours if jobs[i] is not None and lines[i] not in wrong]
        return valid, sorted({*ours}.difference(valid))


def _valid(surveyed: Surveyed, rows: Sequence[int]) -> Values:
    lines, names, jobs = surveyed.chunk.lines, surveyed.expansion.names, surveyed.expansion.jobs
    if len(rows) < len(names):
        lines, names, jobs = [lines[i] for i in rows], [names[i] for i in rows], [jobs[i] for i in rows]
    return rows_at_once(
        surveyed.file,
        [surveyed.first + i for i in rows],
        lines,
        cast(Sequence[str], names),  # a row that has its job has its name
        [job.digest for job in jobs if job is not None],
    )


def _invalid(surveyed: Surveyed, rows: Sequence[int], of_file: Problem | None) -> list[Values]:
    first_errors = _first_errors(surveyed)
    records: list[Values] = []
    for i in rows:
        line, name = surveyed.chunk.lines[i], surveyed.expansion.names[i]
        found = first_errors.get(line) or of_file
        code, message = (found.code, found.message) if found is not None else (None, None)
        seq = surveyed.first + i
        records.append((seq, surveyed.file, line, name, None, Outcome.INVALID.value, code, message))
    return records


def _first_errors(surveyed: Surveyed) -> dict[int, Problem]:
    found: dict[int, Problem] = {}
    for problem in surveyed.problems:
        if problem.line is not None and problem.severity == "error":
            found.setdefault(problem.line, problem)
    return found

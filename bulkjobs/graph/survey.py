"""One pass over the whole inventory: every row expanded, every problem found and counted."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bulkjobs.graph.across_rows import AcrossRows, Clash
from bulkjobs.graph.columns import NAME
from bulkjobs.graph.expand import Expander, Expansion
from bulkjobs.inventory.problems import Problem, Severity
from bulkjobs.inventory.reader import InventoryFile
from bulkjobs.inventory.rows import Chunk
from bulkjobs.plain import plain

_TOLD: dict[str, tuple[Severity, str | None, str, str | None]] = {
    "duplicate-name": ("error", "name", "the same job name as {other}", "every row needs a name of its own"),
    "name-differs-in-case": (
        "warning",
        "name",
        "the job name differs from that of {other} in letter case only",
        "whether the service tells them apart is not documented",
    ),
    "same-target": (
        "warning",
        None,
        "the job writes to the same place as {other}",
        "one may replace what the other wrote",
    ),
    "overwrites-source": (
        "warning",
        None,
        "the job overwrites what {other} reads",
        "its run destroys that input; choose another target, or APPEND",
    ),
}
_GROUPS = 10_000
_Read = tuple[Chunk, int, Expansion]
"""A row that was read again: its chunk, its place there, and what the chunk became."""


@dataclass(frozen=True, slots=True)
class Surveyed:
    """A chunk of file number ``file`` with what became of it. ``first``: its first row's place in the inventory."""

    file: int
    first: int
    chunk: Chunk
    expansion: Expansion

    @property
    def problems(self) -> Iterator[Problem]:
        """The reader's and the expander's."""
        yield from self.chunk.problems
        yield from self.expansion.problems


@dataclass(slots=True)
class Group:
    """Problems of one cause: how many, and the first of them."""

    count: int
    first: Problem


class Survey:
    """Iterate over it once; then ``problems`` (the first ``max_problems``, in order), ``errors``, ``warnings``,
    ``rows`` and ``groups`` are complete. Raises UsageError when a file cannot be opened.
    """

    def __init__(self, files: Sequence[InventoryFile], expander: Expander, max_problems: int) -> None:
        self._files = files
        self._expander = expander
        self._most = max_problems
        self._lines = array("Q")
        self._starts: list[int] = []
        self._duplicates: list[tuple[int, int]] = []
        self.problems: list[Problem] = []
        self.errors = 0
        self.warnings = 0
        self.groups: dict[tuple[str, str | None, str], Group] = {}

    @property
    def rows(self) -> int:
        return len(self._lines)

    def __iter__(self) -> Iterator[Surveyed]:
        across = AcrossRows()  # some 60 bytes a row: gone when all rows are, long before they have been sent
        for number, file in enumerate(self._files):
            self._starts.append(self.rows)
            for chunk in file.chunks():
                surveyed = Surveyed(number, self.rows, chunk, self._expander.expand(chunk))
                for problem in surveyed.problems:
                    self._count(problem)
                across.add(surveyed.first, surveyed.expansion)
                self._lines.extend(chunk.lines)
                yield surveyed
        self._look_across(across)

    def duplicate(self, seq: int) -> Problem | None:
        """The problem of a row whose name occurred before, without its cell."""
        at = bisect_left(self._duplicates, (seq, -1))
        if at == len(self._duplicates) or self._duplicates[at][0] != seq:
            return None
        return self._problem(Clash(*self._duplicates[at], "duplicate-name"))

    def where(self, seq: int) -> tuple[int, int]:
        """File number and line of a row."""
        return bisect_right(self._starts, seq) - 1, self._lines[seq]

    def _count(self, problem: Problem) -> None:
        if problem.severity == "error":
            self.errors += 1
        else:
            self.warnings += 1
        if len(self.problems) < self._most:
            self.problems.append(problem)
        key = (problem.code, problem.column, problem.message)
        if key not in self.groups and len(self.groups) >= _GROUPS:
            key = (problem.code, problem.column, "")
        group = self.groups.get(key)
        if group is None:
            self.groups[key] = Group(1, problem)
        else:
            group.count += 1

    def _look_across(self, across: AcrossRows) -> None:
        shown: list[Clash] = []
        room = self._most - len(self.problems)
        for clash in across.find():
            if clash.code == "duplicate-name":
                self._duplicates.append((clash.seq, clash.other))
            if len(shown) < room:
                shown.append(clash)
            else:
                self._count(self._problem(clash))
        cells = self._cells({clash.seq for clash in shown})
        for clash in sorted(shown, key=lambda clash: clash.seq):
            row = cells.get(clash.seq)
            target = across.column_of(clash, *row[1:]) if row is not None and clash.place is not None else None
            self._count(self._problem(clash, row, target))
        self.problems.sort(key=self._order)

    def _order(self, problem: Problem) -> tuple[int, int]:
        number = next((i for i, file in enumerate(self._files) if file.path == problem.file), 0)
        return number, problem.line or 0

    def _problem(self, clash: Clash, row: _Read | None = None, target: str | None = None) -> Problem:
        """``row``: the clash's, to show its cell. ``target``: the column of the place over which it clashes."""
        severity, column, message, hint = _TOLD[clash.code]
        number, line = self.where(clash.seq)
        other_number, other_line = self.where(clash.other)
        path = self._files[number].path
        other = f"line {other_line}" if number == other_number else f"{self._files[other_number].path}:{other_line}"
        if clash.seq == clash.other:
            other = "it"
        message = message.format(other=other)
        value = None
        if row is not None:
            chunk, i, expansion = row
            column = target or column
            place = None if column is None else chunk.header.index.get(column)
            if place is not None:
                column = chunk.header.names[place]
                value = chunk.rows[i][place] if place < len(chunk.rows[i]) else None
            if clash.code == "duplicate-name" and not value:
                message += f": {plain(str(expansion.names[i]), 120)}"
                if NAME in self._expander.layout.job_name.names:
                    hint = "it was made from bucket and prefix, which are the same: add a `name`"
        return Problem(path, line, column, value, clash.code, severity, message, hint)

    def _cells(self, wanted: set[int]) -> dict[int, _Read]:
        """The rows ``wanted``, read again."""
        found: dict[int, _Read] = {}
        if not wanted:
            return found
        first = 0
        for file in self._files:
            for chunk in file.chunks():
                here = [seq for seq in wanted if first <= seq < first + len(chunk.rows)]
                if here:
                    expansion = self._expander.expand(chunk)
                    found |= {seq: (chunk, seq - first, expansion) for seq in here}
                first += len(chunk.rows)
                if len(found) == len(wanted):
                    return found
        return found

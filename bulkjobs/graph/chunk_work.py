"""What rows become, and what is wrong with them: the results of one chunk while they are put together."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from bulkjobs.graph.spec import JobSpec
from bulkjobs.inventory.problems import Problem, Severity
from bulkjobs.inventory.rows import Chunk


@dataclass(frozen=True, slots=True)
class Use:
    """Where some rows of a chunk read or write. ``rows`` are indices, ``parts`` JSON texts of each row's address."""

    is_target: bool
    column: str | None
    rows: Sequence[int]
    parts: Sequence[Sequence[bytes]]
    updates: Sequence[bytes]


@dataclass(slots=True)
class Expansion:
    """One entry a row of the chunk. ``jobs[i]`` is None where the row has an error; its name may still be known.

    ``shapes[i]`` are the row's node types and data types, in their order: jobs of one shape, a service takes or not.
    """

    names: list[str | None]
    jobs: list[JobSpec | None]
    shapes: list[Hashable]
    problems: list[Problem] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)


class ChunkWork:
    """A chunk while it is expanded. Rows are told by their place in it; ``bad`` ones get no job."""

    def __init__(self, chunk: Chunk, count: int) -> None:
        self._chunk = chunk
        self.names: list[str | None] = [None] * count
        self.jobs: list[JobSpec | None] = [None] * count
        self.shapes: list[Hashable] = [()] * count
        self.bad = [False] * count
        self.problems: list[Problem] = []
        self.uses: list[Use] = []
        self.missing: frozenset[str] = frozenset()
        self.nameless: dict[int, None] = {}
        self._of_rows: list[tuple[int, Problem]] = []
        self._said: set[tuple[int, str | None, str, str]] = set()
        spoilt = {problem.line for problem in chunk.problems if problem.severity == "error"}
        self._spoilt: set[int] = set()
        if spoilt:
            self.bad = [line in spoilt for line in chunk.lines]
            self._spoilt = {i for i, bad in enumerate(self.bad) if bad}

    def expansion(self) -> Expansion:
        """What came of the chunk."""
        return Expansion(self.names, self.jobs, self.shapes, self.listed(), self.uses)

    def cell(self, i: int, column: str | None) -> str | None:
        """The cell as it stands, None if the row has none."""
        place = self._chunk.header.index.get(column) if column is not None else None
        row = self._chunk.rows[i]
        return row[place] if place is not None and place < len(row) else None

    def told(self) -> set[int]:
        """The rows of which something was said, or that the reader found wrong."""
        return {i for i, _ in self._of_rows} | self._spoilt

    def say(
        self,
        i: int,
        column: str | None,
        code: str,
        severity: Severity,
        message: str,
        hint: str | None = None,
        *,
        one_of_many: bool = False,
    ) -> None:
        """A problem of row ``i``; an error leaves it without a job.

        A cell that is used twice is told once, unless its text may have several faults of one kind (``one_of_many``);
        of a cell that the row does not have, the reader told.
        """
        if severity == "error":
            self.bad[i] = True
        key = (i, column, code, message if one_of_many else "")
        if key in self._said:
            return
        self._said.add(key)
        chunk = self._chunk
        place = chunk.header.index.get(column) if column is not None else None
        named = column if place is None else chunk.header.names[place]
        value = self.cell(i, column)
        if code == "empty" and value is None and i in self._spoilt:
            return
        self._of_rows.append((i, Problem(chunk.file, chunk.lines[i], named, value, code, severity, message, hint)))

    def listed(self) -> list[Problem]:
        """All problems, the header's first, then row by row."""
        self._of_rows.sort(key=lambda entry: entry[0])
        return [*self.problems, *(problem for _, problem in self._of_rows)]

"""A CSV file → chunks. RFC 4180 with commas, double quotes, UTF-8; any of LF, CRLF and CR ends a line.

Cells are never interpreted: ``007``, ``NA``, blanks and line ends inside quotes arrive as they stand. Lines that are
truly empty are skipped between records; a line of spaces is a record. A record with the wrong number of cells keeps
them, unshifted, and has a problem of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bulkjobs.inventory import defects
from bulkjobs.inventory.blocks import text_blocks
from bulkjobs.inventory.defects import Defect
from bulkjobs.inventory.header import read_header, wrong_delimiter
from bulkjobs.inventory.limits import MAX_COLUMNS, Limits
from bulkjobs.inventory.problems import Problem
from bulkjobs.inventory.records import Batch, batches
from bulkjobs.inventory.rows import Chunk, Header
from bulkjobs.inventory.source import Content

CHUNK_ROWS = 2_500
"""At most; a block of the usual width holds some 2,000 rows."""

_NO_HEADER = Header((), {})


def csv_chunks(file: str, content: Content, limits: Limits) -> Iterator[Chunk]:
    """Chunks in the file's order. The problem that ends a file early comes last, on a chunk of its own or with rows."""
    table = _Table(file, limits)
    try:
        for batch in batches(file, text_blocks(file, content, limits), limits):
            yield from table.chunks(batch)
            if batch.is_last or table.is_over:
                return
    except Defect as defect:
        yield Chunk(file, table.header, (), (), (defect.problem,))
        return
    if not table.has_header:
        yield Chunk(file, table.header, (), (), (defects.empty_file(file),))
    elif not table.count and not table.refused:
        yield Chunk(file, table.header, (), (), (defects.header_only(file),))


class _Table:
    """The header once it is known, the records so far, those without cells to show, and whether a problem ended it."""

    def __init__(self, file: str, limits: Limits) -> None:
        self._file = file
        self._limits = limits
        self._ragged: dict[int, str] = {}
        self.header = _NO_HEADER
        self.has_header = False
        self.count = 0
        self.refused = 0
        self.is_over = False

    def chunks(self, batch: Batch) -> Iterator[Chunk]:
        rows: Sequence[Sequence[str]] = batch.rows
        lines = batch.lines
        problems = list(batch.problems)
        widths = set(map(len, rows))
        if widths != {len(self.header.names)} or not self.has_header:
            if 0 in widths:
                rows, lines = _without_blank_lines(rows, lines)
            if not self.has_header and rows:
                problems += self._take_header(rows[0], lines[0])
                if self.is_over:
                    yield Chunk(self._file, self.header, (), (), problems[len(batch.problems) :])
                    return
                rows, lines = rows[1:], lines[1:]
            problems += self._ragged_rows(rows, lines)
        self.count += len(rows)
        self.refused += len(batch.problems)
        if (excess := self.count - self._limits.max_rows) > 0:
            problems.append(defects.too_many_rows(self._file, self._limits, lines[len(rows) - excess]))
            rows, lines = rows[:-excess], lines[:-excess]
            self.is_over = True
        if batch.has_nul:
            problems += self._nul_cells(rows, lines)
        if batch.largest > self._limits.max_cell_bytes:
            problems += self._large_cells(rows, lines)
        problems.sort(key=_line)
        if len(rows) <= CHUNK_ROWS:
            if rows or problems:
                yield Chunk(self._file, self.header, lines, rows, problems)
            return
        done = 0
        for start in range(0, len(rows), CHUNK_ROWS):
            stop = start + CHUNK_ROWS
            upto = len(problems) if stop >= len(rows) else done
            while upto < len(problems) and _line(problems[upto]) < lines[stop]:
                upto += 1
            yield Chunk(self._file, self.header, lines[start:stop], rows[start:stop], problems[done:upto])
            done = upto

    def _take_header(self, names: Sequence[str], line: int) -> list[Problem]:
        self.has_header = True
        if problem := wrong_delimiter(self._file, names, line):
            self.is_over = True
            return [problem]
        if len(names) > MAX_COLUMNS:
            self.is_over = True
            return [defects.too_many_columns(self._file, len(names), MAX_COLUMNS)]
        self.header, problems = read_header(self._file, names, line)
        return [*problems, *self._nul_names(line)]

    def _nul_names(self, line: int) -> Iterator[Problem]:
        for name in self.header.names:
            if "\0" in name:
                yield defects.nul(self._file, line, None, name)

    def _ragged_rows(self, rows: Sequence[Sequence[str]], lines: Sequence[int]) -> Iterator[Problem]:
        width = len(self.header.names)
        for row, line in zip(rows, lines, strict=True):
            if (found := len(row)) != width:
                if found not in self._ragged:
                    self._ragged[found] = _count_of_cells(found, width)
                few = found < width
                yield Problem(
                    self._file,
                    line,
                    None,
                    None,
                    "too-few-cells" if few else "too-many-cells",
                    "error",
                    self._ragged[found],
                    _TOO_FEW if few else _TOO_MANY,
                )

    def _nul_cells(self, rows: Sequence[Sequence[str]], lines: Sequence[int]) -> Iterator[Problem]:
        for row, line in zip(rows, lines, strict=True):
            for position, cell in enumerate(row):
                if "\0" in cell:
                    yield defects.nul(self._file, line, self._column(position), cell)

    def _large_cells(self, rows: Sequence[Sequence[str]], lines: Sequence[int]) -> Iterator[Problem]:
        most = self._limits.max_cell_bytes
        for row, line in zip(rows, lines, strict=True):
            for position, cell in enumerate(row):
                if 4 * len(cell) > most and len(cell.encode()) > most:
                    yield defects.cell_too_large(self._file, self._limits, line, self._column(position), cell)

    def _column(self, position: int) -> str | None:
        names = self.header.names
        return names[position] if position < len(names) else None


_TOO_FEW = "add what is missing; an empty cell still needs its comma"
_TOO_MANY = 'a cell that holds a comma must stand in double quotes: "id:string, name:string"'


def _line(problem: Problem) -> int:
    return problem.line or 0


def _count_of_cells(found: int, width: int) -> str:
    return f"{found} {'cell' if found == 1 else 'cells'}, but the header names {width} columns"


def _without_blank_lines(
    rows: Sequence[Sequence[str]], lines: Sequence[int]
) -> tuple[Sequence[Sequence[str]], Sequence[int]]:
    kept = [(row, line) for row, line in zip(rows, lines, strict=True) if row]
    return [row for row, _ in kept], [line for _, line in kept]

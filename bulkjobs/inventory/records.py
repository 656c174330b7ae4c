"""Blocks of text → records with their physical lines, by the standard library's CSV reader in its strict mode.

Nothing is interpreted and nothing shifts: text after a closing quote and a quote that never closes are problems.

The reader's limit on a cell is one number for the whole interpreter (``csv.field_size_limit``). Raising it would
change other people's programs, so this module loads a second, private instance of the C module behind ``csv``,
whose limit is its own. It is set once, above every limit that a user can give; ``Limits`` is enforced here.
"""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from types import ModuleType

from bulkjobs.inventory import defects
from bulkjobs.inventory.blocks import BadLine, line_ends
from bulkjobs.inventory.defects import Defect
from bulkjobs.inventory.limits import Limits
from bulkjobs.inventory.problems import Problem
from bulkjobs.inventory.quotes import Fault, Finding, examine


def _private_csv() -> ModuleType:
    spec = importlib.util.find_spec("_csv")
    if spec is None or spec.loader is None:
        raise ImportError("this Python has no _csv, the C module behind csv")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.field_size_limit(2**31 - 1)
    return module


_CSV = _private_csv()


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive records: ``lines[i]`` is the physical line on which ``rows[i]`` begins; a blank line is ``[]``.

    ``largest`` bounds the bytes of any cell in it; ``has_nul`` says whether to look for NUL. ``is_last``: its last
    problem ends the file.
    """

    rows: list[list[str]]
    lines: Sequence[int]
    problems: Sequence[Problem]
    largest: int
    has_nul: bool
    is_last: bool = False


def batches(file: str, blocks: Iterable[str], limits: Limits) -> Iterator[Batch]:
    """One batch a block, or fewer where a record spans several. Raises Defect."""
    rest, line = "", 1
    try:
        for text in blocks:
            held = rest + text if rest else text
            # What a batch leaves over is a record whose quote is open: without a further quote it stays open.
            if rest and '"' not in text and len(held) <= limits.max_record_bytes:
                rest = held
                continue
            batch, rest, line = _parse(file, held, line, limits, is_end=False)
            yield batch
            if batch.is_last:
                return
    except BadLine as bad:
        raise Defect(bad.problem(line + line_ends(rest))) from None
    if rest:
        yield _parse(file, rest, line, limits, is_end=True)[0]


def _parse(file: str, text: str, first: int, limits: Limits, is_end: bool) -> tuple[Batch, str, int]:
    """All records that end within ``text``, which begins on line ``first``; what is left of it, and on which line.

    ``list.extend`` keeps the rows that came before an error. The lines are listed only when they are needed: with
    them the common case, one line a record, takes a tenth longer.
    """
    rows: list[list[str]] = []
    starts: list[int] = []
    problems: list[Problem] = []
    lines: list[str] = []
    largest = len(text) if text.isascii() else 4 * len(text)
    has_nul = "\0" in text
    rest, is_last = "", False
    used = 0  # lines of ``text`` that hold ``rows``
    reader = _CSV.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        done = len(rows)
        try:
            rows.extend(reader)
        except _CSV.Error:
            lines = lines or list(io.StringIO(text, newline=""))
            used = _append_starts(starts, rows, done, first + used) - first
            finding = examine(lines, used)
            if finding.fault is Fault.TEXT_AFTER:
                problems.append(_text_after_quote(file, first + used, finding))
                used = reader.line_num
                continue
            if finding.fault is Fault.NONE:
                raise
            if end := _open_too_long(file, lines, first, used, finding, limits):
                problems.append(end)
            elif is_end:
                problems.append(_never_closed(file, first + finding.line, finding))
            is_last = bool(end) or is_end
            rest = "".join(lines[used:])
        else:
            if reader.line_num == len(rows):
                return Batch(rows, range(first, first + len(rows)), (), largest, has_nul), "", first + len(rows)
            _append_starts(starts, rows, done, first + used)
            used = reader.line_num
        break
    return Batch(rows, starts, problems, largest, has_nul, is_last), rest, first + used


def _append_starts(starts: list[int], rows: Sequence[Sequence[str]], done: int, line: int) -> int:
    """Where each of ``rows[done:]`` begins, the first of them on ``line``; returns the line after the last.

    A record takes one line and as many more as there are line ends in its cells; a comma keeps a CR that ends one
    cell apart from an LF that begins the next.
    """
    for row in islice(rows, done, None):
        starts.append(line)
        line += 1 + line_ends(",".join(row))
    return line


def _open_too_long(
    file: str, lines: Sequence[str], first: int, used: int, finding: Finding, limits: Limits
) -> Problem | None:
    """A quoted cell that is already larger than any cell may be, or its record than any record: no use to read on."""
    if sum(map(len, lines[finding.line :])) > limits.max_cell_bytes:
        note = "; it begins with a quote that is perhaps never closed"
        return defects.cell_too_large(file, limits, first + finding.line, note=note)
    if sum(map(len, lines[used:])) > limits.max_record_bytes:
        return defects.record_too_large(file, limits, first + used)
    return None


def _text_after_quote(file: str, line: int, finding: Finding) -> Problem:
    return defects.error(
        file,
        "text-after-quote",
        f"in cell {finding.cell}, text follows the closing quote",
        'write a quote inside a quoted cell twice (""), or look for a stray quote in this line or above it',
        line=line,
    )


def _never_closed(file: str, line: int, finding: Finding) -> Problem:
    return defects.error(
        file,
        "unterminated-quote",
        f"cell {finding.cell} begins with a quote that is never closed; all that follows was taken for its text",
        "close the quote, or remove it",
        line=line,
    )

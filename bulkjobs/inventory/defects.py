"""The defects of a whole file, and how to mend each: one function per code, so that every reader says the same.

``Defect`` carries one of them from the place that meets it to the reader that turns it into a chunk. It never
leaves this package.
"""

from __future__ import annotations

from bulkjobs.inventory.limits import Limits, size
from bulkjobs.inventory.problems import Problem

_SHOWN = 200
"""Characters of a cell that a problem repeats; nobody reads more, and a cell may hold a megabyte."""


class Defect(Exception):
    """After this problem nothing further in the file can be trusted: reading stops here."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def shown(cell: str) -> str:
    return cell if len(cell) <= _SHOWN else cell[: _SHOWN - 1] + "…"


def error(
    file: str,
    code: str,
    message: str,
    hint: str,
    *,
    line: int | None = None,
    column: str | None = None,
    value: str | None = None,
) -> Problem:
    return Problem(file, line, column, None if value is None else shown(value), code, "error", message, hint)


def empty_file(file: str) -> Problem:
    return error(
        file, "empty-file", "the file is empty", "the first line names the columns, each further line is a job"
    )


def header_only(file: str) -> Problem:
    return error(file, "header-only", "there is a header, but no row", "write one row per job below the header")


def too_many_rows(file: str, limits: Limits, line: int | None) -> Problem:
    return error(
        file,
        "too-many-rows",
        f"more than {limits.max_rows:,} rows, the limit for one file",
        "split the file, or raise the limit with --max-rows",
        line=line,
    )


def cell_too_large(
    file: str, limits: Limits, line: int | None, column: str | None = None, value: str | None = None, note: str = ""
) -> Problem:
    return error(
        file,
        "cell-too-large",
        f"a cell is larger than {size(limits.max_cell_bytes)}, the limit for one cell{note}",
        "shorten the cell, or raise the limit with --max-cell-bytes",
        line=line,
        column=column,
        value=value,
    )


def record_too_large(file: str, limits: Limits, line: int) -> Problem:
    return error(
        file,
        "cell-too-large",
        f"the record that begins here is larger than {size(limits.max_record_bytes)}; "
        f"one cell may have {size(limits.max_cell_bytes)}",
        "look for a missing line end or a quote that is not closed, or raise the limit with --max-cell-bytes",
        line=line,
    )


def too_large_unpacked(file: str, limits: Limits) -> Problem:
    return error(
        file,
        "too-large-unpacked",
        f"unpacked, the file is larger than {size(limits.max_unpacked_bytes)}, the limit",
        "split the file, or raise the limit with --max-unpacked-bytes",
    )


def packed_too_well(file: str, limits: Limits) -> Problem:
    return error(
        file,
        "too-large-unpacked",
        f"the file unpacks to more than {limits.max_unpacked_ratio} times its size, as only a trap does",
        "if it is an honest inventory, unpack it (gunzip) and give the unpacked file",
    )


def unsupported_format(file: str, what: str) -> Problem:
    return error(
        file,
        "unsupported-format",
        f"this is {what}, not CSV or Parquet",
        "save it as CSV (in Excel: Save As, 'CSV UTF-8 (comma delimited)') or as Parquet",
    )


def too_many_columns(file: str, count: int, most: int) -> Problem:
    return error(
        file, "too-many-columns", f"{count:,} columns; at most {most:,} are read", "keep the columns that jobs need"
    )


def parquet_damaged(file: str, reason: str) -> Problem:
    return error(
        file,
        "parquet-damaged",
        f"the Parquet file is damaged, cut off or encrypted: {reason}",
        "write it again, unencrypted, or give the inventory as CSV",
    )


def nul(file: str, line: int, column: str | None, value: str) -> Problem:
    return error(
        file,
        "nul-character",
        "a cell holds a NUL character",
        "remove it; a file with many of them is damaged, or not plain text",
        line=line,
        column=column,
        value=value,
    )

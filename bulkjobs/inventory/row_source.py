"""Rows that a program has made, from a database query for instance → an inventory file.

The rows are written down once, as CSV for their owner only, and everything reads that file: an inventory is read more
than once (to check it, to send it, to report on it, perhaps weeks later), and a query does not give the same rows
twice. So what was validated is what is sent, and a report can be rendered again.

The file is named by its content, ``NAME.DIGEST.csv``: the same rows are the same file, other rows never replace those
that an earlier run's report is made from, and the namespace, which is the path up to the first dot, stays the same.
``bulkjobs runs --delete-older`` deletes the files that only runs it deletes were made from. A report that lacks its
file has empty columns of the inventory's own, and says so.
"""

from __future__ import annotations

import csv
import hashlib
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Protocol

from bulkjobs.errors import StateError, UsageError
from bulkjobs.inventory.cell_text import cell_text
from bulkjobs.inventory.limits import Limits
from bulkjobs.inventory.reader import InventoryFile
from bulkjobs.plain import plain
from bulkjobs.settings import REPORT_DIR

__all__ = ["RowLike", "rows_from"]

ROWS_DIR = REPORT_DIR / ".rows"
"""No run can have this name."""

_DIGITS = 16
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}")


def is_ours(path: Path, sha256: str) -> bool:
    """Whether ``rows_from`` made this file: its folder is one of ours, and its name holds its content's digest."""
    name, digest, ending = path.name.rpartition(".")[0].rpartition(".")[0], path.stem.rpartition(".")[2], path.suffix
    return (
        path.parent.name == ROWS_DIR.name
        and bool(_NAME.fullmatch(name))
        and len(digest) == _DIGITS
        and sha256.startswith(digest)
        and ending == ".csv"
    )


class RowLike(Protocol):
    """A mapping of column to value, or as much of one as ``sqlite3.Row`` is."""

    def keys(self) -> Iterable[str]: ...

    def __getitem__(self, column: str, /) -> object: ...


def rows_from(
    rows: Iterable[RowLike],
    *,
    name: str,
    folder: Path = ROWS_DIR,
    limits: Limits = Limits(),  # noqa: B008  # frozen, so safe to share
) -> InventoryFile:
    """Write ``rows`` down and give the inventory that they are, for ``validate``, ``submit`` and the others.

    ``name`` (letters, digits, ``_``, ``-``) is the inventory's own: the same each time, and another for other rows.
    The first row's keys are the columns; a later row may lack some, and has empty cells there. Values become cells
    as ``cell_text`` says. ``rows`` is iterated over once, in the caller's thread, and not kept in memory.

    Raises UsageError for a bad name, no rows, an unknown column or a value without a text form, naming the row (from
    1) and the column; StateError when the disk refuses; and what ``rows`` raises. Then nothing is left behind.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"rows_from: name {name!r}: letters, digits, '_' and '-', at most 64")
    with _errors_of(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(prefix=f".{name}.", suffix=".partial", dir=folder)
    hidden = Path(draft)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            _write(rows, name, file, folder)
            with _errors_of(folder):
                file.flush()
                os.fsync(file.fileno())
        with _errors_of(folder), hidden.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
            path = folder / f"{name}.{digest[:_DIGITS]}.csv"
            os.replace(hidden, path)
    finally:
        with suppress(OSError):
            hidden.unlink(missing_ok=True)
    return InventoryFile(path, limits)


def _write(rows: Iterable[RowLike], name: str, file: IO[str], folder: Path) -> None:
    writer = csv.writer(file, lineterminator="\r\n")  # only characters of the line end are quoted, so both
    columns: list[str] = []
    known: set[str] = set()
    for number, row in enumerate(rows, start=1):
        where = f"rows_from: {name}, row {number:,}"
        keys = list(row.keys())
        if number == 1:
            columns, known = keys, set(keys)
            header = [_cell(column, f"{where}: the column's name") for column in columns]
            with _errors_of(folder):
                writer.writerow(header)
        if not known.issuperset(keys):
            extra = next(key for key in keys if key not in known)
            raise UsageError(
                f"{where}: column {plain(str(extra), 100)!r}: the first row has no such column",
                "give the first row every column, with None where it has no value",
            )
        given = known if len(keys) == len(columns) else set(keys)
        cells = [_cell(row[column], f"{where}, column {column}") if column in given else "" for column in columns]
        with _errors_of(folder):
            writer.writerow(cells)
    if not columns:
        raise UsageError(f"rows_from: {name}: there is no row", "an empty inventory is most likely a mistake")


def _cell(value: object, where: str) -> str:
    try:
        return cell_text(value)
    except TypeError as error:
        message, hint = f"a value of type {error} has no text form", "convert it to text where the rows are made"
    except ValueError:
        message, hint = "the text is not Unicode: half a surrogate pair", "decode it properly where the rows are made"
    raise UsageError(f"{plain(where, 200)}: {message}", hint)


@contextmanager
def _errors_of(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StateError(
            f"rows in {plain(str(folder))}: cannot be written: {error.strerror or error}",
            "free or mend the disk, or give another folder",
        ) from None

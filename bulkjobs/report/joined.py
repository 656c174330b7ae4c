"""The one pass over journal and inventory: rows of a run beside their cells, in batches, in order.

A row of the journal belongs to the record at the same position of its file. Its line is checked as well: if the two
do not agree to the last row, nothing of that file can be trusted, and the caller begins again without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from operator import attrgetter

import pyarrow as pa
import pyarrow.compute as pc

from bulkjobs.engine.records import SUCCEEDED, InventoryRecord, RowRecord
from bulkjobs.errors import BulkJobsError
from bulkjobs.inventory.reader import InventoryChanged, InventoryFile
from bulkjobs.inventory.rows import Chunk
from bulkjobs.report.cells import texts
from bulkjobs.report.columns import RESULT, Columns
from bulkjobs.report.sources import Found, Source, one_pass

_SIZE = 2_000
_CHUNKS = 4
_FROM_RECORD = [name for name in RESULT.names if name != "file"]
_SUCCEEDED = pa.array(sorted(SUCCEEDED), pa.string())


@dataclass(frozen=True, slots=True)
class Batch:
    """Some consecutive rows of one file.

    ``cells[i]``: those of ``records[i]`` as they stand in the file, None if the file cannot be used. ``table``: all
    columns of ``results.parquet``; what a row has no cell for is null, and cells beyond the header have no column.
    ``failed``: positions of the rows that did not succeed.
    """

    file: int
    records: Sequence[RowRecord]
    cells: Sequence[Sequence[str]] | None
    table: pa.RecordBatch
    failed: Sequence[int]


class Mismatch(Exception):
    """An inventory file turned out to be unusable while it was read."""

    def __init__(self, file: int, state: Found) -> None:
        super().__init__(file, state)
        self.file = file
        self.state = state


def joined(
    rows: Callable[[], Iterator[RowRecord]], sources: Sequence[Source], columns: Columns, *, is_part: bool = False
) -> Iterator[Batch]:
    """All rows of a run; ``is_part``: a shard, so the inventory has more. Raises Mismatch, and what ``rows`` raises."""
    for file, records in groupby(rows(), key=attrgetter("file")):
        source = sources[file] if 0 <= file < len(sources) else None
        if source is None or source.file is None:
            yield from _alone(records, file, source.record.path if source is not None else None, columns)
        else:
            yield from _beside(records, file, source.record, source.file, columns, is_part)


def _alone(records: Iterator[RowRecord], file: int, path: str | None, columns: Columns) -> Iterator[Batch]:
    while part := list(islice(records, _SIZE)):
        yield _batch(file, path, part, None, [], columns)


def _beside(
    records: Iterator[RowRecord],
    file: int,
    known: InventoryRecord,
    inventory: InventoryFile,
    columns: Columns,
    is_part: bool,
) -> Iterator[Batch]:
    ahead: RowRecord | None = None
    for lines, cells in _gathered(_chunks(inventory, file)):
        if is_part:
            part, ahead = _up_to(lines[-1], records, ahead)
            ours = {record.line for record in part}
            kept = [i for i, line in enumerate(lines) if line in ours]
            lines, cells = [lines[i] for i in kept], [cells[i] for i in kept]  # noqa: PLW2901  # what is left of them
        else:
            part = list(islice(records, len(cells)))
        if [record.line for record in part] != lines:
            raise Mismatch(file, Found.CHANGED)
        if part:
            yield _batch(file, known.path, part, cells, _placed(cells, file, columns), columns)
    if ahead is not None or next(records, None) is not None or inventory.sha256 not in (None, known.sha256):
        raise Mismatch(file, Found.CHANGED)


def _up_to(
    line: int, records: Iterator[RowRecord], ahead: RowRecord | None
) -> tuple[list[RowRecord], RowRecord | None]:
    """The records that begin no later than ``line``, and the one after them."""
    part = []
    record = ahead if ahead is not None else next(records, None)
    while record is not None and record.line <= line:
        part.append(record)
        record = next(records, None)
    return part, record


def _gathered(chunks: Iterator[Chunk]) -> Iterator[tuple[list[int], list[Sequence[str]]]]:
    """Lines and cells of a few chunks at a time: a column costs the same few microseconds whatever its length."""
    while taken := list(islice(chunks, _CHUNKS)):
        if cells := [row for chunk in taken for row in chunk.rows]:
            yield [line for chunk in taken for line in chunk.lines], cells


def _chunks(inventory: InventoryFile, file: int) -> Iterator[Chunk]:
    with one_pass(inventory) as chunks:
        while True:
            try:
                chunk = next(chunks, None)
            except InventoryChanged:
                raise Mismatch(file, Found.CHANGED) from None
            except (OSError, BulkJobsError):
                raise Mismatch(file, Found.MISSING) from None
            if chunk is None:
                return
            yield chunk


def _placed(cells: Sequence[Sequence[str]], file: int, columns: Columns) -> list[Sequence[str | None]]:
    """The columns of a file where the whole report has them; empty where it has one that this file lacks."""
    places = columns.places[file]
    placed: list[Sequence[str | None]] = [()] * len(columns.names)
    for place, column in zip(places, zip(*_even(cells, len(places)), strict=True), strict=True):
        placed[place] = column
    return placed


def _even(rows: Sequence[Sequence[str]], width: int) -> Sequence[Sequence[str | None]]:
    if all(len(row) == width for row in rows):
        return rows
    return [(*row[:width], *[None] * (width - len(row))) for row in rows]


def _batch(
    file: int,
    path: str | None,
    records: Sequence[RowRecord],
    cells: Sequence[Sequence[str]] | None,
    own: Sequence[Sequence[str | None]],
    columns: Columns,
) -> Batch:
    count = len(records)
    values = dict(zip(_FROM_RECORD, zip(*map(attrgetter(*_FROM_RECORD), records), strict=True), strict=True))
    values["file"] = (path,) * count
    arrays = [
        texts(values[field.name]) if pa.types.is_string(field.type) else pa.array(values[field.name], field.type)
        for field in RESULT
    ]
    for index in range(len(columns.names)):
        has_cells = index < len(own) and own[index]
        arrays.append(texts(own[index]) if has_cells else pa.nulls(count, pa.string()))
    table = pa.RecordBatch.from_arrays(arrays, schema=columns.schema)
    failed = pc.indices_nonzero(pc.invert(pc.is_in(table["outcome"], value_set=_SUCCEEDED))).to_pylist()
    return Batch(file, records, cells, table, failed)

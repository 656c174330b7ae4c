"""The files that hold rows. Each sink gets every batch once, in order, and is closed when there are no more.

What ``report.html`` needs of them is gathered by sinks too: ``figures`` and ``html_rows``.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from bulkjobs.report.cells import csv_header, csv_lines
from bulkjobs.report.columns import Columns
from bulkjobs.report.joined import Batch
from bulkjobs.report.private_files import Draft

_GROUP_ROWS = 32_000
_GROUP_BYTES = 16 * 1024**2
"""A row group is gathered in memory: whichever comes first completes it."""


class Sink(Protocol):
    """Something that is made from the rows. ``close`` completes it and leaves the draft to its owner."""

    def write(self, batch: Batch) -> None: ...

    def close(self) -> None: ...


class ResultsCsv:
    """``results.csv``: UTF-8, ``\\n``, safe to open in a spreadsheet (``cells``)."""

    def __init__(self, draft: Draft, columns: Columns) -> None:
        self._draft = draft
        draft.write(csv_header(columns.schema.names))

    def write(self, batch: Batch) -> None:
        self._draft.write(csv_lines(batch.table))

    def close(self) -> None:
        """Every batch is in the draft already."""


class ResultsParquet:
    """``results.parquet``: the same rows, exact and typed: whole numbers, times in UTC, own columns all texts."""

    def __init__(self, draft: Draft, columns: Columns) -> None:
        self._schema = columns.schema
        self._writer = pq.ParquetWriter(pa.PythonFile(draft, mode="w"), self._schema, compression="zstd")
        self._waiting: list[pa.RecordBatch] = []
        self._rows = 0
        self._bytes = 0

    def write(self, batch: Batch) -> None:
        self._waiting.append(batch.table)
        self._rows += batch.table.num_rows
        self._bytes += batch.table.nbytes
        if self._rows >= _GROUP_ROWS or self._bytes >= _GROUP_BYTES:
            self._write_group()

    def close(self) -> None:
        if self._waiting:
            self._write_group()
        self._writer.close()

    def _write_group(self) -> None:
        table = pa.Table.from_batches(self._waiting, self._schema)
        self._writer.write_table(table, row_group_size=table.num_rows)
        self._waiting.clear()
        self._rows = self._bytes = 0


class RetryCsv:
    """``retry.csv``: the rows that did not succeed, exactly as they stood, as an inventory.

    It always exists. Without rows it has its header only; if no inventory file can be read any more it is empty.
    ``rows``: how many it has. ``left_out``: rows that belong in it, but whose file cannot be read any more.

    A record with too few or too many cells stays one, so that it is refused again until somebody mends it: its cells
    are not put under columns, since nobody knows which one is missing.
    """

    def __init__(self, draft: Draft, columns: Columns) -> None:
        self.rows = 0
        self.left_out = 0
        self._draft = draft
        self._columns = columns
        if columns.names:
            self._put([columns.names])

    def write(self, batch: Batch) -> None:
        if batch.cells is None:
            self.left_out += len(batch.failed)
        elif batch.failed:
            self._put([self._placed(batch.cells[index], self._columns.places[batch.file]) for index in batch.failed])
            self.rows += len(batch.failed)

    def close(self) -> None:
        """Every batch is in the draft already."""

    def _placed(self, cells: Sequence[str], places: Sequence[int]) -> Sequence[str]:
        width = len(self._columns.names)
        if len(cells) < len(places):
            return cells
        if len(cells) > len(places):
            return [*cells, *[""] * (width + 1 - len(cells))]
        placed = [""] * width
        for place, cell in zip(places, cells, strict=True):
            placed[place] = cell
        return placed

    def _put(self, records: Sequence[Sequence[str]]) -> None:
        # Everything is quoted: a lone carriage return, a blank edge or an empty only cell is then safe in any reader.
        lines = io.StringIO()
        csv.writer(lines, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(records)
        self._draft.write(lines.getvalue().encode("utf-8", "backslashreplace"))

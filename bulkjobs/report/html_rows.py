"""The rows that ``report.html`` holds for its table, and how they are written into it.

At most 50,000 rows, or 40 MiB of them: if there are more, those that did not succeed come first. Cells are cut to 200
characters, and the inventory's first 30 columns are kept. ``results.csv`` has everything.

A chunk is JSON: a list with one entry a column, either its values or ``{"d": values, "i": places in them}``. Every
text in it went through ``plain``, and it holds none of ``< > & U+2028 U+2029``, so it may stand in a ``script``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from bulkjobs.plain import plain_texts
from bulkjobs.report.columns import RESULT, Columns
from bulkjobs.report.joined import Batch

MOST_ROWS = 50_000
MOST_BYTES = 40 * 1024**2
MOST_COLUMNS = 30
MOST_CHARACTERS = 200
_MESSAGE_CHARACTERS = 600  # of `error`: what the service says is what people look for
_CHUNK = 5_000
_POSITION = "position"
_UNSAFE = [(character.encode(), f"\\u{ord(character):04x}".encode()) for character in "<>&\u2028\u2029"]


class TableRows:
    """A sink. ``total``: rows of the run; ``failed``: those of them that did not succeed."""

    def __init__(self, columns: Columns, most_rows: int = MOST_ROWS, most_bytes: int = MOST_BYTES) -> None:
        self.total = 0
        self.failed = 0
        self.names = [*RESULT.names, *columns.shown[:MOST_COLUMNS]]
        self.columns_left_out = max(0, len(columns.shown) - MOST_COLUMNS)
        self._most_rows = most_rows
        self._most_bytes = most_bytes
        self._failed = _Held(most_rows, most_bytes)
        self._others = _Held(most_rows, most_bytes)

    def write(self, batch: Batch) -> None:
        count = batch.table.num_rows
        if not self._failed.is_full:  # then the table has no place for others either
            self._failed.add(self._rows(batch, batch.failed))
            if not self._others.is_full:
                failed = set(batch.failed)
                self._others.add(self._rows(batch, [place for place in range(count) if place not in failed]))
        self.total += count
        self.failed += len(batch.failed)

    def close(self) -> None:
        """Nothing to complete."""

    def _rows(self, batch: Batch, places: Sequence[int]) -> pa.RecordBatch:
        places = places[: self._most_rows]
        taken = batch.table.select(self.names)
        if len(places) < taken.num_rows:
            taken = taken.take(pa.array(places, pa.int64()))
        columns = [_cut(name, column) for name, column in zip(self.names, taken.columns, strict=True)]
        position = pa.array([self.total + place for place in places], pa.int64())
        return pa.RecordBatch.from_arrays([*columns, position], names=[*self.names, _POSITION])

    def table(self) -> pa.Table:
        """The rows that the page shows: all of them in order, or as many as it holds, the failed ones first."""
        failed, others = self._failed.table(), self._others.table()
        room = self._most_rows - (failed.num_rows if failed else 0)
        if others is not None and failed is not None and others.nbytes:
            left = max(0, self._most_bytes - failed.nbytes)
            room = min(room, others.num_rows * left // others.nbytes)
        parts = [part for part in (failed, others.slice(0, max(0, room)) if others else None) if part is not None]
        if not parts:
            return pa.table({name: pa.nulls(0) for name in self.names})
        both = pa.concat_tables(parts)
        if both.num_rows == self.total:
            both = both.sort_by(_POSITION)
        return both.drop_columns([_POSITION])


class _Held:
    """The first rows of a kind, up to a number and a size."""

    def __init__(self, most_rows: int, most_bytes: int) -> None:
        self.is_full = False
        self._rows = most_rows
        self._bytes = most_bytes
        self._batches: list[pa.RecordBatch] = []

    def add(self, batch: pa.RecordBatch) -> None:
        if not batch.num_rows:
            return
        fit = min(batch.num_rows, self._rows, batch.num_rows * self._bytes // max(1, batch.nbytes))
        self.is_full = fit < batch.num_rows
        if fit:
            self._batches.append(batch.slice(0, fit))
            self._rows -= fit
            self._bytes -= self._batches[-1].nbytes

    def table(self) -> pa.Table | None:
        return pa.Table.from_batches(self._batches) if self._batches else None


def json_chunks(table: pa.Table) -> Iterator[str]:
    """``table`` as JSON, some thousand rows at a time: a browser parses one while the page stays alive."""
    for start in range(0, table.num_rows, _CHUNK):
        part = table.slice(start, _CHUNK).combine_chunks()
        yield json_for_script([_encoded(part[name], _limit(name)) for name in part.column_names])


def json_for_script(value: object) -> str:
    """JSON that may stand in a ``script``: nothing in it ends one, or begins a comment."""
    encoded = msgspec.json.encode(value)
    for unsafe, escape in _UNSAFE:
        encoded = encoded.replace(unsafe, escape)
    return encoded.decode()


def _limit(name: str) -> int:
    return _MESSAGE_CHARACTERS if name == "error" else MOST_CHARACTERS


def _cut(name: str, column: pa.Array) -> pa.Array:
    if not pa.types.is_string(column.type):
        return column
    return pc.utf8_slice_codeunits(column, 0, _limit(name) + 1)  # one more, so that `plain` can tell that it was cut


def _encoded(column: pa.ChunkedArray, limit: int) -> Any:
    if pa.types.is_timestamp(column.type):
        return column.cast(pa.int64()).to_pylist()
    if not pa.types.is_string(column.type):
        return column.to_pylist()
    coded = column.combine_chunks().dictionary_encode()
    if 2 * len(coded.dictionary) > len(column):
        return plain_texts(column.to_pylist(), limit)
    return {"d": plain_texts(coded.dictionary.to_pylist(), limit), "i": coded.indices.to_pylist()}

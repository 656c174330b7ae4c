"""A Parquet file → chunks, streamed batch by batch within each row group, so memory does not grow with the file.

What the footer claims is judged before anything is unpacked: rows, columns, unpacked size. A dictionary makes a
large cell nearly free to repeat, so the longest entry of each dictionary decides how many rows are read at once.
No exception of Arrow's leaves this module.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bulkjobs.inventory import defects
from bulkjobs.inventory.arrow_text import NotText, column_text, is_nested, is_supported, is_text
from bulkjobs.inventory.header import read_header
from bulkjobs.inventory.limits import MAX_COLUMNS, RATIO_APPLIES_FROM, Limits
from bulkjobs.inventory.problems import Problem
from bulkjobs.inventory.rows import Chunk, Header
from bulkjobs.plain import plain

_BATCH_ROWS = 2_000
_NESTED_BATCH_ROWS = 200
_BATCH_BYTES = 64 * 1024**2
_BUFFER = 64 * 1024
"""Bytes read ahead per column, instead of a whole row group."""
_NO_HEADER = Header((), {})


class _TooLarge(Exception):
    """A row group whose dictionary holds a cell above the limit."""

    def __init__(self, column: str) -> None:
        super().__init__(column)
        self.column = column


def parquet_chunks(file: str, raw: BinaryIO, limits: Limits) -> Iterator[Chunk]:
    """Chunks of at most 2,000 rows; ``lines`` are row numbers from 1. Raises OSError of the system, nothing else."""
    header, line, name = _NO_HEADER, 1, ""
    try:
        parquet = pq.ParquetFile(raw, buffer_size=_BUFFER, pre_buffer=False)
        if problem := _absurd(file, raw, parquet.metadata, limits):
            yield Chunk(file, header, (), (), (problem,))
            return
        schema = parquet.schema_arrow
        fields = [schema.field(i) for i in range(len(schema))]
        kept = [i for i, field in enumerate(fields) if is_supported(field.type)]
        header, problems = read_header(file, [fields[i].name for i in kept], None)
        problems += [_unsupported(file, fields[i]) for i in range(len(fields)) if i not in set(kept)]
        if not parquet.metadata.num_rows:
            problems.append(defects.header_only(file) if fields else defects.empty_file(file))
        if problems:
            yield Chunk(file, header, (), (), problems)
        if not kept:
            return
        for group in range(parquet.num_row_groups):
            size = _rows_at_once(raw, parquet, group, [fields[i] for i in kept], limits)
            for batch in parquet.iter_batches(batch_size=size, row_groups=[group]):
                columns = []
                for i in kept:
                    name = fields[i].name
                    columns.append(column_text(batch.column(i)))
                rows = list(zip(*columns, strict=True))
                lines = range(line, line + len(rows))
                if line + len(rows) - 1 > limits.max_rows:  # the footer said otherwise
                    yield Chunk(file, header, (), (), (defects.too_many_rows(file, limits, None),))
                    return
                yield Chunk(file, header, lines, rows, _bad_cells(file, header, columns, line, limits))
                line += len(rows)
    except _TooLarge as large:
        problem = defects.cell_too_large(file, limits, line, large.column, note=" (in the row group that begins here)")
        yield Chunk(file, header, (), (), (problem,))
    except NotText as bad:
        yield Chunk(file, header, (), (), (_not_text(file, line + bad.row, name),))
    except (pa.ArrowException, ValueError, OverflowError, MemoryError, RecursionError, TypeError) as reason:
        yield Chunk(file, header, (), (), (_damaged(file, line, reason),))
    except OSError as reason:
        if reason.errno is not None:  # the system's; Arrow's own have no number
            raise
        yield Chunk(file, header, (), (), (_damaged(file, line, reason),))


def _absurd(file: str, raw: BinaryIO, metadata: Any, limits: Limits) -> Problem | None:
    if metadata.num_rows > limits.max_rows:
        return defects.too_many_rows(file, limits, None)
    if metadata.num_columns > MAX_COLUMNS:
        return defects.too_many_columns(file, metadata.num_columns, MAX_COLUMNS)
    unpacked = sum(max(0, metadata.row_group(i).total_byte_size) for i in range(metadata.num_row_groups))
    if unpacked > limits.max_unpacked_bytes:
        return defects.too_large_unpacked(file, limits)
    packed = raw.seek(0, 2)
    if unpacked > max(RATIO_APPLIES_FROM, packed * limits.max_unpacked_ratio):
        return defects.packed_too_well(file, limits)
    return None


def _rows_at_once(raw: BinaryIO, parquet: Any, group: int, fields: list[Any], limits: Limits) -> int:
    """So many rows that a batch stays below 64 MiB even if each holds the longest entry of every dictionary."""
    metadata = parquet.metadata.row_group(group)
    most = _NESTED_BATCH_ROWS if any(is_nested(field.type) for field in fields) else _BATCH_ROWS
    texts = {field.name for field in fields if is_text(getattr(field.type, "value_type", field.type))}
    longest, coded = 0, []
    for i in range(metadata.num_columns):
        column = metadata.column(i)
        if column.path_in_schema in texts and column.total_uncompressed_size > _BATCH_BYTES // (most * len(texts)):
            if column.has_dictionary_page:
                coded.append(column.path_in_schema)
            if any(encoding.startswith("DELTA_BYTE_ARRAY") for encoding in column.encodings):
                longest += min(column.total_uncompressed_size, limits.max_cell_bytes)
    if coded and metadata.num_rows:
        peek = pq.ParquetFile(raw, read_dictionary=coded, buffer_size=_BUFFER, pre_buffer=False)
        first = next(peek.iter_batches(batch_size=1, row_groups=[group], columns=coded), None)
        for name, column in zip(first.schema.names, first.columns, strict=True) if first is not None else ():
            if pa.types.is_dictionary(column.type) and len(column.dictionary):
                entry = pc.max(pc.binary_length(column.dictionary)).as_py() or 0
                if entry > limits.max_cell_bytes:
                    raise _TooLarge(name)
                longest += entry
    return max(1, min(most, _BATCH_BYTES // max(1, longest)))


def _bad_cells(file: str, header: Header, columns: list[list[str]], line: int, limits: Limits) -> list[Problem]:
    problems = []
    for name, texts in zip(header.names, columns, strict=True):
        if 4 * max(map(len, texts), default=0) > limits.max_cell_bytes:
            problems += [
                defects.cell_too_large(file, limits, line + i, name, text)
                for i, text in enumerate(texts)
                if len(text.encode()) > limits.max_cell_bytes
            ]
        if "\0" in "".join(texts):
            problems += [defects.nul(file, line + i, name, text) for i, text in enumerate(texts) if "\0" in text]
    return sorted(problems, key=lambda problem: problem.line or 0)


def _unsupported(file: str, field: Any) -> Problem:
    return defects.error(
        file,
        "unsupported-type",
        f"column '{plain(field.name, 100)}' has the type {plain(str(field.type), 100)}, which has no text form",
        "write the column as text (string), or leave it out",
        column=field.name,
    )


def _not_text(file: str, line: int, column: str) -> Problem:
    return defects.error(
        file,
        "not-utf-8",
        "a text cell holds bytes that are not UTF-8",
        "write the file again from text",
        line=line,
        column=column,
    )


def _damaged(file: str, line: int, reason: Exception) -> Problem:
    problem = defects.parquet_damaged(file, plain(str(reason).partition("\n")[0], 200) or type(reason).__name__)
    return problem if line == 1 else msgspec.structs.replace(problem, line=line)

"""Properties: any table of text survives, CSV and Parquet agree, and no bytes make the reader fail but by a Problem."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkjobs.inventory import blocks
from bulkjobs.inventory.reader import InventoryFile

CELL = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
TABLE = st.integers(1, 5).flatmap(
    lambda width: st.lists(st.lists(CELL, min_size=width, max_size=width), min_size=1, max_size=20)
)
QUICK = settings(max_examples=80, deadline=None, derandomize=True)


def as_csv(rows: Sequence[Sequence[str]]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows([[f"c{i}" for i in range(len(rows[0]))], *rows])
    return out.getvalue().encode()


def rows_of(path: Path) -> tuple[list[list[str]], list[int], list[str]]:
    chunks = list(InventoryFile(path).chunks())
    return (
        [list(row) for chunk in chunks for row in chunk.rows],
        [line for chunk in chunks for line in chunk.lines],
        [problem.code for chunk in chunks for problem in chunk.problems],
    )


@QUICK
@given(TABLE)
def test_any_table_survives_csv_to_rows_to_csv_and_parquet_gives_the_same(table: list[list[str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "i.csv")
        path.write_bytes(as_csv(table))
        rows, lines, problems = rows_of(path)
        assert (rows, problems) == (table, [])
        assert as_csv(rows) == path.read_bytes()
        reader = csv.reader(io.StringIO(path.read_bytes().decode(), newline=""), strict=True)
        ends = [reader.line_num for _ in reader]
        assert lines == [end + 1 for end in ends[:-1]]
        columns = {f"c{i}": pa.array([row[i] for row in table], pa.string()) for i in range(len(table[0]))}
        pq.write_table(pa.table(columns), Path(folder, "i.parquet"))
        assert rows_of(Path(folder, "i.parquet")) == (table, list(range(1, len(table) + 1)), [])


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.lists(st.sampled_from([b'"', b",", b"\n", b"\r", b"a", b"\0", b"\xff", "가".encode(), b'""', b";"]), max_size=40)
)
def test_no_bytes_make_the_csv_reader_fail(parts: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "i.csv")
        path.write_bytes(b"".join(parts))
        rows, lines, problems = rows_of(path)
        assert rows or problems
        assert len(rows) == len(lines)
        assert lines == sorted(set(lines))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.lists(st.sampled_from([b'"', b'"', b",", b"\n", b"\r", b"\r\n", b"a", "가".encode(), b'""']), max_size=40),
    st.integers(1, 9),
)
def test_where_a_block_ends_makes_no_difference(parts: list[bytes], block: int) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        path = Path(folder, "i.csv")
        path.write_bytes(b"a,b\n" + b"".join(parts))
        whole = rows_of(path)
        patch.setattr(blocks, "_BLOCK", block)
        assert rows_of(path) == whole


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.binary(max_size=200), st.sampled_from([b"", b"PAR1", b"PARE", b"\x1f\x8b\x08"]))
def test_no_bytes_make_any_reader_fail(data: bytes, magic: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "i")
        path.write_bytes(magic + data)
        rows, _, problems = rows_of(path)
        assert rows or problems

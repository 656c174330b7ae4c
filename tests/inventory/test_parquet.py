"""Parquet: the same cells as CSV, and no damage, type or bomb that escapes as anything but a problem."""

from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bulkjobs.inventory.limits import Limits
from bulkjobs.inventory.problems import Problem
from bulkjobs.inventory.reader import InventoryFile


def read(path: Path, limits: Limits | None = None) -> tuple[list[list[str]], list[Problem]]:
    chunks = list(InventoryFile(path, limits or Limits()).chunks())
    return [list(r) for c in chunks for r in c.rows], [p for c in chunks for p in c.problems]


def written(path: Path, **columns: Any) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize(
    ("values", "kind", "texts"),
    [
        (["007", "NA", "", None, "버킷\n🎉"], pa.string(), ["007", "NA", "", "", "버킷\n🎉"]),
        (["a", None], pa.large_string(), ["a", ""]),
        (["a", "b", None, "a"], pa.dictionary(pa.int8(), pa.string()), ["a", "b", "", "a"]),
        ([2**53 + 1, -1, None], pa.int64(), ["9007199254740993", "-1", ""]),
        ([2**64 - 1], pa.uint64(), ["18446744073709551615"]),
        ([True, False, None], pa.bool_(), ["true", "false", ""]),
        ([0.1, 2.0, None, 1e300, float("nan")], pa.float64(), ["0.1", "2", "", "1e+300", "nan"]),
        ([0.1, 2.0, None], pa.float32(), ["0.1", "2", ""]),
        ([Decimal("1.50"), Decimal("0.00"), None], pa.decimal128(9, 2), ["1.50", "0.00", ""]),
        ([Decimal("0.000000001")], pa.decimal128(20, 9), ["0.000000001"]),
        ([datetime.date(2026, 1, 2), None], pa.date32(), ["2026-01-02", ""]),
        ([datetime.time(1, 2, 3, 500_000), None], pa.time64("us"), ["01:02:03.5", ""]),
        ([datetime.datetime(2026, 1, 2, 3, 4, 5), None], pa.timestamp("ns"), ["2026-01-02T03:04:05", ""]),
        ([0, 1_500], pa.timestamp("ms", "Asia/Seoul"), ["1970-01-01T00:00:00Z", "1970-01-01T00:00:01.5Z"]),
        ([["a", None], [], None], pa.list_(pa.string()), ['["a",null]', "[]", ""]),
        (
            [[{"name": "아이디", "type": "string"}]],
            pa.list_(pa.struct([("name", pa.string()), ("type", pa.string())])),
            ['[{"name":"아이디","type":"string"}]'],
        ),
        ([[("a", 1), ("b", None)]], pa.map_(pa.string(), pa.int32()), ['{"a":1,"b":null}']),
        ([None, None], pa.null(), ["", ""]),
    ],
)
def test_every_type_has_the_text_that_a_csv_of_the_same_table_holds(
    tmp_path: Path, values: list[object], kind: Any, texts: list[str]
) -> None:
    path = written(tmp_path / "i.parquet", c=pa.array(values, kind))
    assert read(path) == ([[text] for text in texts], [])


@pytest.mark.parametrize("kind", [pa.binary(), pa.duration("s"), pa.list_(pa.binary())])
def test_a_type_without_a_text_form_is_a_problem_that_names_column_and_type(tmp_path: Path, kind: Any) -> None:
    path = written(tmp_path / "i.parquet", a=["x"], b=pa.array([None], kind))
    rows, (problem,) = read(path)
    assert (problem.code, problem.column) == ("unsupported-type", "b")
    assert str(kind)[:4] in problem.message
    assert rows == [["x"]]


def test_rows_are_numbered_through_all_row_groups(tmp_path: Path) -> None:
    path = tmp_path / "i.parquet"
    pq.write_table(pa.table({"a": [str(i) for i in range(7_000)]}), path, row_group_size=3_000)
    lines = [line for chunk in InventoryFile(path).chunks() for line in chunk.lines]
    assert lines == list(range(1, 7_001))


def test_header_defects_are_those_of_csv(tmp_path: Path) -> None:
    path = tmp_path / "i.parquet"
    pq.write_table(pa.Table.from_arrays([pa.array(["x"])] * 3, names=["a", "A ", ""]), path)
    assert [p.code for p in read(path)[1]] == ["duplicate-header", "missing-header-name"]
    written(path, a=pa.array([], pa.string()))
    assert [p.code for p in read(path)[1]] == ["header-only"]


def test_a_cut_or_damaged_file_is_a_problem_wherever_it_is_hurt(tmp_path: Path) -> None:
    path = written(tmp_path / "i.parquet", a=[f"value {i}" for i in range(300)], b=list(range(300)))
    whole = path.read_bytes()
    for end in range(4, len(whole), 97):
        path.write_bytes(whole[:end])
        assert [p.code for p in read(path)[1]] == ["parquet-damaged"]
    for at in range(4, len(whole), 31):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        rows, problems = read(path)  # a flipped byte of a value cannot be told from a value; nothing may escape
        assert rows or problems


def test_a_file_named_parquet_that_is_none_says_so(tmp_path: Path) -> None:
    (tmp_path / "i.parquet").write_text("a,b\n1,2\n")
    (problem,) = read(tmp_path / "i.parquet")[1]
    assert problem.code == "parquet-damaged"


def test_an_encrypted_footer_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "i.parquet").write_bytes(b"PARE" + bytes(100) + b"PARE")
    assert [p.code for p in read(tmp_path / "i.parquet")[1]] == ["parquet-damaged"]


def test_bytes_that_are_not_utf_8_in_a_text_column_are_a_problem(tmp_path: Path) -> None:
    bad = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\2\0\0\0"), pa.py_buffer(b"a\xff")])
    (problem,) = read(written(tmp_path / "i.parquet", a=bad))[1]
    assert (problem.code, problem.line, problem.column) == ("not-utf-8", 1, "a")


def test_nul_in_a_cell_is_a_problem_of_its_row(tmp_path: Path) -> None:
    (problem,) = read(written(tmp_path / "i.parquet", a=["x", "y\0"]))[1]
    assert (problem.code, problem.line, problem.column) == ("nul-character", 2, "a")


def test_a_bomb_of_rows_is_refused_by_its_footer(tmp_path: Path) -> None:
    path = written(tmp_path / "i.parquet", a=pa.DictionaryArray.from_arrays(pa.array([0] * 100_000), ["x"]))
    rows, (problem,) = read(path, Limits(max_rows=99_999))
    assert (rows, problem.code) == ([], "too-many-rows")


def test_a_large_cell_that_a_dictionary_repeats_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    indices = pa.array([0] * 50_000, pa.int32())
    path = tmp_path / "i.parquet"
    pq.write_table(pa.table({"a": pa.DictionaryArray.from_arrays(indices, ["x" * 2_000_000])}), path)
    rows, problems = read(path)
    assert [p.code for p in problems] == ["cell-too-large"]
    assert rows == []


def test_large_cells_within_the_limit_come_a_few_at_a_time(tmp_path: Path) -> None:
    indices = pa.array([0] * 300, pa.int32())
    table = pa.table({"a": pa.DictionaryArray.from_arrays(indices, ["x" * 1_000_000]).cast(pa.string())})
    pq.write_table(table, tmp_path / "i.parquet")
    sizes = [len(chunk.rows) for chunk in InventoryFile(tmp_path / "i.parquet").chunks()]
    assert sum(sizes) == 300
    assert max(sizes) < 100

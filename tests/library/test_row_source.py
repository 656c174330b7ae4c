"""Rows of a program's own: written down once, so that what was validated is what is sent and reported."""

from __future__ import annotations

import datetime
import sqlite3
import stat
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkjobs.errors import StateError, UsageError
from bulkjobs.inventory.reader import InventoryFile
from bulkjobs.inventory.row_source import rows_from
from bulkjobs.settings import namespace_of

KINDS = {
    "text": st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8),
    "int": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(),
    "bool": st.booleans(),
    "decimal": st.decimals(-1000, 1000, places=2),
    "date": st.dates(),
    "moment": st.datetimes(datetime.datetime(1900, 1, 1), datetime.datetime(2200, 1, 1)),
    "instant": st.datetimes(
        datetime.datetime(1900, 1, 1), datetime.datetime(2200, 1, 1), timezones=st.just(datetime.UTC)
    ),
    "time": st.times(),
    "list": st.lists(st.integers(0, 9), max_size=3),
    "struct": st.builds(lambda b, a: {"b": b, "a": a}, st.integers(0, 9), st.text("ab\"',\n가", max_size=3)),
}


def cells(file: InventoryFile) -> list[list[str]]:
    chunks = list(file.chunks())
    assert not [problem for chunk in chunks for problem in chunk.problems if problem.severity == "error"]
    return [list(row) for chunk in chunks for row in chunk.rows]


@settings(max_examples=15, deadline=None)  # many rows in few files
@given(st.data())
def test_a_value_is_the_same_cell_by_way_of_a_program_as_by_way_of_parquet(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    drawn = data.draw(st.lists(st.tuples(*(st.none() | kind for kind in KINDS.values())), min_size=5))
    rows = [dict(zip(KINDS, values, strict=True)) for values in drawn]
    schema = {"float": pa.float64(), "decimal": pa.decimal128(9, 2), "instant": pa.timestamp("us", "UTC")}
    schema |= {"text": pa.string(), "int": pa.int64(), "bool": pa.bool_(), "date": pa.date32(), "time": pa.time64("us")}
    schema |= {"moment": pa.timestamp("us"), "list": pa.list_(pa.int64())}
    schema |= {"struct": pa.struct([("b", pa.int64()), ("a", pa.string())])}
    pq.write_table(
        pa.Table.from_pylist(rows, pa.schema([(name, schema[name]) for name in KINDS])), folder / "t.parquet"
    )
    assert cells(rows_from(rows, name="t", folder=folder)) == cells(InventoryFile(folder / "t.parquet"))


@pytest.mark.parametrize("text", ["", " ", "a\rb", "a\nb", "a\r\nb", 'a"b', "a,b", "007", "NA", "가나다", "=1+1"])
def test_a_text_arrives_as_it_stands_even_in_a_column_of_its_own(tmp_path: Path, text: str) -> None:
    assert cells(rows_from([{"one": text}, {"one": "z"}], name="t", folder=tmp_path)) == [[text], ["z"]]


def test_a_query_is_read_once_and_its_rows_as_often_as_needed(tmp_path: Path) -> None:
    database = sqlite3.connect(":memory:")
    database.row_factory = sqlite3.Row
    inventory = rows_from(
        database.execute("SELECT 'a' AS name, 1 AS n UNION ALL SELECT 'b', NULL"), name="q", folder=tmp_path
    )
    database.close()
    assert cells(inventory) == cells(inventory) == [["a", "1"], ["b", ""]]


def test_the_same_rows_are_the_same_file_and_others_replace_nothing_but_keep_the_namespace(tmp_path: Path) -> None:
    first, again = (rows_from([{"name": "a"}], name="shops", folder=tmp_path) for _ in range(2))
    other = rows_from([{"name": "b"}], name="shops", folder=tmp_path)
    assert first.location == again.location != other.location
    assert cells(first) == [["a"]]
    assert namespace_of([first.location]) == namespace_of([other.location]) == str(tmp_path / "shops")


def test_the_rows_are_their_owners_alone(tmp_path: Path) -> None:
    inventory = rows_from([{"name": "a"}], name="shops", folder=tmp_path / "new" / "rows")
    assert stat.S_IMODE(Path(inventory.location).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "new" / "rows").stat().st_mode) == 0o700


def test_a_later_row_may_lack_a_column_and_may_not_add_one(tmp_path: Path) -> None:
    assert cells(rows_from([{"a": 1, "b": 2}, {"b": 3}], name="t", folder=tmp_path)) == [["1", "2"], ["", "3"]]
    with pytest.raises(UsageError, match=r"t, row 2: column 'c': the first row has no such column"):
        rows_from([{"a": 1, "b": 2}, {"a": 1, "c": 3}], name="t", folder=tmp_path)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (b"x", "row 2, column b: a value of type bytes has no text form"),
        (datetime.timedelta(1), "row 2, column b: a value of type timedelta"),
        ([b"x"], "row 2, column b: a value of type bytes"),
        ("\ud800", "row 2, column b: the text is not Unicode"),
        ([Decimal(1), {1, 2}], "row 2, column b: a value of type set"),
    ],
)
def test_a_value_without_a_text_form_is_told_with_row_and_column_and_leaves_nothing(
    tmp_path: Path, value: object, says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        rows_from([{"a": 1, "b": 1}, {"a": 1, "b": value}], name="t", folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_the_rows_raise_comes_through_and_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[dict[str, object]]:
        yield {"a": 1}
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        rows_from(broken(), name="t", folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_no_rows_a_bad_name_and_a_folder_that_cannot_be_are_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no row"):
        rows_from([], name="t", folder=tmp_path)
    with pytest.raises(UsageError, match="letters, digits"):
        rows_from([{"a": 1}], name="a.b", folder=tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match="cannot be written"):
        rows_from([{"a": 1}], name="t", folder=tmp_path / "file")

"""retry.csv: what did not succeed, exactly as it stood, as an inventory."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkjobs.engine.records import SUCCEEDED, Outcome

from .made import created, csv_bytes, inventory, lines_of, rejected, rendered, run_of

_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


def test_only_rows_that_did_not_succeed_are_in_it(tmp_path: Path) -> None:
    outcomes = list(Outcome)
    content = csv_bytes(["id"], *([outcome.value] for outcome in outcomes))
    record = inventory(tmp_path / "in.csv", content, len(outcomes))
    rows = [created(0, line, outcome=outcome) for line, outcome in enumerate(outcomes, start=2)]
    report = rendered(run_of(record), rows, tmp_path / "out")
    wanted = [[outcome.value] for outcome in outcomes if outcome not in SUCCEEDED]
    assert report.retry == [["id"], *wanted]
    assert report.summary["retry"] == {"rows": len(wanted), "left_out": 0}


def test_formulas_blanks_newlines_and_other_scripts_come_back_as_they_were(tmp_path: Path) -> None:
    header = ["Bucket", "  Prefix ", "=x"]
    cells = [
        ["=1+1", "+2", "-3"],
        ["@x", "\ttab", "\rreturn"],
        [" padded ", "two\nlines", "three\r\nlines"],
        ["한글", "😀👨‍👩‍👧", "say \"hi\", 'there'"],
        ["007", "NA", ""],
        ["", "", ""],
    ]
    content = csv_bytes(header, *cells)
    record = inventory(tmp_path / "in.csv", content, len(cells))
    report = rendered(run_of(record), [rejected(0, line) for line in lines_of(record)], tmp_path / "out")
    assert report.retry_as_inventory == [header, *cells]
    assert report.bytes_of("retry.csv") == content


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(st.tuples(_TEXT, _TEXT), min_size=1, max_size=6))
def test_any_table_of_texts_survives(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]) -> None:
    folder = tmp_path_factory.mktemp("any")
    record = inventory(folder / "in.csv", csv_bytes(["a", "b"], *rows), len(rows))
    lines = lines_of(record)
    report = rendered(run_of(record), [rejected(0, line) for line in lines], folder / "out")
    assert report.retry_as_inventory == [["a", "b"], *(list(row) for row in rows)]
    assert report.column("line") == [str(line) for line in lines]


def test_it_exists_with_its_header_when_everything_succeeded(tmp_path: Path) -> None:
    record = inventory(tmp_path / "in.csv", csv_bytes(["a", "b"], ["1", "2"]), 1)
    report = rendered(run_of(record), [created(0, 2)], tmp_path / "out")
    assert report.bytes_of("retry.csv") == b'"a","b"\n'


def test_several_files_become_one_inventory_with_the_union_of_their_columns(tmp_path: Path) -> None:
    first = inventory(tmp_path / "1.csv", csv_bytes(["Bucket", "prefix"], ["b1", "p1"], ["b1", "p2"]), 2)
    second = inventory(tmp_path / "2.csv", csv_bytes(["extra", "bucket"], ["e2", "b2"]), 1)
    rows = [rejected(0, 2), created(0, 3), rejected(1, 2)]
    report = rendered(run_of(first, second), rows, tmp_path / "out")
    assert report.retry_as_inventory == [["Bucket", "prefix", "extra"], ["b1", "p1", ""], ["b2", "", "e2"]]


def test_a_ragged_record_stays_one_among_the_columns_of_several_files(tmp_path: Path) -> None:
    first = inventory(tmp_path / "1.csv", b"a,b\n1\n1,2,3\n1,2,3,4,5\n", 3)
    second = inventory(tmp_path / "2.csv", b"c,a\n3,1\n", 1)
    rows = [*(rejected(0, line, outcome=Outcome.INVALID) for line in (2, 3, 4)), rejected(1, 2)]
    report = rendered(run_of(first, second, state="invalid"), rows, tmp_path / "out")
    header, *records = report.retry
    assert header == ["a", "b", "c"]
    assert records == [["1"], ["1", "2", "3", ""], ["1", "2", "3", "4", "5"], ["1", "", "3"]]
    assert [len(record) == len(header) for record in records] == [False, False, False, True]

"""Which rows report.html holds, when it cannot hold them all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bulkjobs.engine.records import RowRecord
from bulkjobs.report import html_rows
from bulkjobs.report.html_rows import TableRows

from .made import created, csv_bytes, inventory, rejected, rendered, run_of
from .test_html_page import rows_in, said_by


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that holds ten rows."""
    monkeypatch.setattr(TableRows.__init__, "__defaults__", (10, html_rows.MOST_BYTES))


def some(count: int, *failed: int) -> list[RowRecord]:
    return [(rejected if line in failed else created)(0, line) for line in range(count)]


@pytest.mark.usefixtures("few")
def test_rows_that_fit_are_in_their_order(tmp_path: Path) -> None:
    report = rendered(run_of(), some(10, 5, 2), tmp_path / "out")
    assert [row["line"] for row in rows_in(report)] == list(range(10))
    assert "This page holds" not in said_by(report)


@pytest.mark.usefixtures("few")
def test_of_too_many_the_failed_ones_come_first_and_the_page_says_so(tmp_path: Path) -> None:
    report = rendered(run_of(), some(5_000, 4_998, 7), tmp_path / "out")
    assert [row["line"] for row in rows_in(report)] == [7, 4_998, 0, 1, 2, 3, 4, 5, 6, 8]
    assert "This page holds 10 of 5,000 rows: the 2 that did not succeed, then others in their order." in said_by(
        report
    )


@pytest.mark.usefixtures("few")
def test_too_many_failed_ones_leave_no_place_for_others(tmp_path: Path) -> None:
    report = rendered(run_of(), some(100, *range(20, 60)), tmp_path / "out")
    assert [row["line"] for row in rows_in(report)] == list(range(20, 30))
    assert "10 of 100 rows, all of them among the 40 that did not succeed." in said_by(report)


def test_the_size_is_bounded_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TableRows.__init__, "__defaults__", (1_000, 20_000))
    report = rendered(run_of(), some(1_000, *range(0, 1_000, 50)), tmp_path / "out")
    rows = rows_in(report)
    assert [row["line"] for row in rows[:20]] == list(range(0, 1_000, 50))
    assert 20 < len(rows) < 300
    assert "that did not succeed, then others in their order." in said_by(report)


def test_the_inventorys_own_cells_are_there_and_long_ones_are_cut(tmp_path: Path) -> None:
    record = inventory(tmp_path / "in.csv", csv_bytes(["note", "line"], ["가" * 300, "007"]), 1)
    (row,) = rows_in(rendered(run_of(record), [created(0, 2)], tmp_path / "out"))
    assert row["note"] == "가" * 199 + "…"
    assert row["in_line"] == "007"
    assert row["line"] == 2


def test_cells_that_repeat_are_cut_and_inert_too(tmp_path: Path) -> None:
    record = inventory(tmp_path / "in.csv", csv_bytes(["note", "mark"], *[["가" * 300, "\u202e"]] * 4), 4)
    rows = rows_in(rendered(run_of(record), [created(0, n + 2) for n in range(4)], tmp_path / "out"))
    assert [(row["note"], row["mark"]) for row in rows] == [("가" * 199 + "…", "\\u202e")] * 4


def test_a_wide_inventory_is_cut_to_its_first_columns_and_the_page_says_so(tmp_path: Path) -> None:
    record = inventory(tmp_path / "in.csv", csv_bytes([f"c{n}" for n in range(40)], ["x"] * 40), 1)
    report = rendered(run_of(record), [created(0, 2)], tmp_path / "out")
    assert list(rows_in(report)[0])[-1] == "c29"
    assert "10 columns of the inventory are not in this page" in said_by(report)


def test_rows_of_several_chunks_keep_values_that_repeat_and_those_that_do_not(tmp_path: Path) -> None:
    count = 12_000
    cells = [[f"b{n % 3}", str(n)] for n in range(count)]
    record = inventory(tmp_path / "in.csv", csv_bytes(["bucket", "number"], *cells), count)
    rows = rows_in(rendered(run_of(record), [created(0, n + 2) for n in range(count)], tmp_path / "out"))
    assert [[row["bucket"], row["number"]] for row in rows] == cells


def test_json_for_a_script_is_json_still() -> None:
    value = ["</script>", "<!--", "a&b", "\u2028\u2029", {"d": None}]
    assert json.loads(html_rows.json_for_script(value)) == value
    assert not set(html_rows.json_for_script(value)) & set("<>&\u2028\u2029")

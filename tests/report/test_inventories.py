"""The inventory is trusted only while its bytes are those that the run read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bulkjobs.engine.records import InventoryRecord, Outcome, RowRecord
from bulkjobs.report.render import render

from .made import Report, created, csv_bytes, inventory, rejected, rendered, rows_of, run_of

OWN = csv_bytes(["bucket", "prefix"], ["b1", "p1"], ["b2", "p2"])
ROWS = [created(0, 2), rejected(0, 3)]


def own_cells(report: Report) -> list[list[str]]:
    return [row[13:] for row in report.results]


def states(report: Report) -> list[str]:
    return [source["state"] for source in report.summary["inventories"]]


def test_a_file_as_it_was_is_read(tmp_path: Path) -> None:
    report = rendered(run_of(inventory(tmp_path / "in.csv", OWN, 2)), ROWS, tmp_path / "out")
    assert states(report) == ["read"]
    assert own_cells(report) == [["bucket", "prefix"], ["b1", "p1"], ["b2", "p2"]]


def test_of_a_file_that_changed_nothing_is_shown_and_the_summary_says_so(tmp_path: Path) -> None:
    record = inventory(tmp_path / "in.csv", OWN, 2)
    (tmp_path / "in.csv").write_bytes(OWN.replace(b"b1", b"b9"))
    report = rendered(run_of(record), ROWS, tmp_path / "out")
    assert states(report) == ["changed"]
    assert own_cells(report) == [[], [], []]
    assert report.column("outcome") == ["created", "rejected"]
    assert report.column("file") == ["in.csv", "in.csv"]
    assert report.bytes_of("retry.csv") == b""
    assert report.summary["retry"] == {"rows": 0, "left_out": 1}


def test_a_header_that_changed_is_not_shown_even_if_the_run_had_no_row_of_that_file(tmp_path: Path) -> None:
    record = inventory(tmp_path / "in.csv", b"bucket,prefix\n", 0)
    (tmp_path / "in.csv").write_bytes(b"other\n")
    report = rendered(run_of(record, state="invalid"), [], tmp_path / "out")
    assert states(report) == ["changed"]
    assert own_cells(report) == [[]]


@pytest.mark.parametrize("kind", ["gone", "folder", "unusable name"])
def test_a_file_that_is_gone_is_missing(tmp_path: Path, kind: str) -> None:
    record = inventory(tmp_path / "in.csv", OWN, 2)
    if kind == "unusable name":
        record = InventoryRecord(record.path, record.sha256, 2, "a\0b")
    else:
        (tmp_path / "in.csv").unlink()
        if kind == "folder":
            (tmp_path / "in.csv").mkdir()
    report = rendered(run_of(record), ROWS, tmp_path / "out")
    assert states(report) == ["missing"]
    assert report.column("line") == ["2", "3"]


def test_a_pipe_in_the_files_place_is_missing_and_nobody_waits_for_it(tmp_path: Path) -> None:
    record = inventory(tmp_path / "in.csv", OWN, 2)
    (tmp_path / "in.csv").unlink()
    os.mkfifo(tmp_path / "in.csv")
    assert states(rendered(run_of(record), ROWS, tmp_path / "out")) == ["missing"]


def test_only_the_file_that_changed_loses_its_columns(tmp_path: Path) -> None:
    first, second = inventory(tmp_path / "1.csv", OWN, 2), inventory(tmp_path / "2.csv", b"bucket,extra\nb3,e3\n", 1)
    (tmp_path / "1.csv").write_bytes(b"other,header\n1,2\n")
    report = rendered(run_of(first, second), [*ROWS, rejected(1, 2)], tmp_path / "out")
    assert states(report) == ["changed", "read"]
    assert own_cells(report) == [["bucket", "extra"], ["", ""], ["", ""], ["b3", "e3"]]
    assert pq.read_table(report.folder / "results.parquet")["bucket"].to_pylist() == [None, None, "b3"]
    assert report.retry == [["bucket", "extra"], ["b3", "e3"]]
    assert report.summary["retry"] == {"rows": 1, "left_out": 1}


def test_a_file_that_changes_while_it_is_read_counts_as_changed(tmp_path: Path) -> None:
    record = inventory(tmp_path / "in.csv", OWN, 2)
    calls = []

    def rows() -> Iterator[RowRecord]:
        calls.append(1)
        (tmp_path / "in.csv").write_bytes(OWN.replace(b"p2", b"p9"))
        return iter(ROWS)

    summary: Any = render(run_of(record), rows, tmp_path / "out")
    assert summary["inventories"][0]["state"] == "changed"
    assert len(calls) == 2
    assert b"p9" not in (tmp_path / "out" / "results.csv").read_bytes()


@pytest.mark.parametrize(
    "rows",
    [
        [created(0, 2)],
        [created(0, 2), created(0, 4)],
        [created(0, 2), created(0, 3), created(0, 4)],
        [created(0, 3), created(0, 2)],
    ],
)
def test_rows_that_do_not_line_up_with_the_file_get_no_cells_at_all(tmp_path: Path, rows: list[RowRecord]) -> None:
    report = rendered(run_of(inventory(tmp_path / "in.csv", OWN, 2)), rows, tmp_path / "out")
    assert states(report) == ["changed"]
    assert own_cells(report) == [[]] * (len(rows) + 1)
    assert report.column("line") == [str(row.line) for row in rows]


def test_a_run_killed_while_it_checked_its_inventory_has_no_files_and_still_a_report(tmp_path: Path) -> None:
    run = run_of(state="killed", reason="the process ended without closing its run", ended_at=None, facts={})
    rows = [created(0, line, outcome=Outcome.NOT_SENT, job_id=None) for line in (2, 3)]
    report = rendered(run, rows, tmp_path / "out")
    assert report.column("file") == ["", ""]
    assert report.column("outcome") == ["not_sent", "not_sent"]
    assert report.summary["inventories"] == []
    assert report.summary["retry"] == {"rows": 0, "left_out": 2}
    assert report.summary["duration_s"] is None


def test_a_file_that_was_not_read_to_its_end_has_nothing_to_be_compared_with(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(OWN)
    report = rendered(run_of(InventoryRecord("in.csv", "", 1, str(path))), [created(0, 2)], tmp_path / "out")
    assert report.summary["inventories"] == [{"path": "in.csv", "sha256": None, "rows": 1, "state": "unchecked"}]
    assert own_cells(report) == [[], []]


def test_csv_and_parquet_of_one_table_give_the_same_cells(tmp_path: Path) -> None:
    pq.write_table(pa.table({"bucket": ["b1", "b2"], "prefix": ["p1", "p2"]}), tmp_path / "in.parquet")
    data = (tmp_path / "in.parquet").read_bytes()
    record = InventoryRecord("in.parquet", hashlib.sha256(data).hexdigest(), 2, str(tmp_path / "in.parquet"))
    report = rendered(run_of(record), [created(0, 1), rejected(0, 2)], tmp_path / "out")
    assert states(report) == ["read"]
    assert own_cells(report) == [["bucket", "prefix"], ["b1", "p1"], ["b2", "p2"]]
    assert report.retry_as_inventory == [["bucket", "prefix"], ["b2", "p2"]]


def test_an_inventory_that_was_refused_keeps_its_columns(tmp_path: Path) -> None:
    content = b'bucket,prefix\nb1,p1\nb2,"p2\n'
    record = inventory(tmp_path / "in.csv", content, 1)
    row = rejected(0, 2, "the cell does not end", outcome=Outcome.INVALID, http_status=None, error_code="unterminated")
    report = rendered(run_of(record, state="invalid"), [row], tmp_path / "out")
    assert states(report) == ["read"]
    assert own_cells(report)[1] == ["b1", "p1"]


def test_an_error_of_the_journal_is_not_taken_for_one_of_the_inventory(tmp_path: Path) -> None:
    def rows() -> Iterator[RowRecord]:
        yield ROWS[0]
        raise LookupError("journal")

    with pytest.raises(LookupError):
        render(run_of(inventory(tmp_path / "in.csv", OWN, 2)), rows, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
    render(run_of(), rows_of([]), tmp_path / "out")

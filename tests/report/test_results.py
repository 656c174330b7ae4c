"""results.csv and results.parquet: every row once, in order, exact in Parquet and harmless in CSV."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bulkjobs.engine.records import Outcome, RowRecord

from .made import START, Report, created, csv_bytes, inventory, lines_of, rejected, rendered, run_of

OURS = [
    "file", "line", "name", "outcome", "job_id", "status", "http_status", "error_code", "error", "attempts",
    "first_sent_at", "finished_at", "elapsed_ms",
]  # fmt: skip

HOSTILE = [
    "=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\ttab", "\rreturn", " =1", "\n=1", "\u00a0=1",
    "\u200b=1", "\ufeff=1", "＝1", "＋1", "－1", "＠x", "\x0b=1",
]  # fmt: skip
HARMLESS = [
    "", "a=1", "'=1", "1-1", "x\ty", "007", "NA", "null", " x", "한글", "😀", "a,b", 'say "hi"', "two\nlines", "a\rb",
]  # fmt: skip


def one_column(tmp_path: Path, cells: list[str], **changes: Any) -> Report:
    """A report over an inventory of one column beside a first that is never empty."""
    content = csv_bytes(["id", "text"], *([str(number), cell] for number, cell in enumerate(cells)))
    record = inventory(tmp_path / "in.csv", content, len(cells))
    rows = [rejected(0, line, **changes) for line in lines_of(record)]
    return rendered(run_of(record), rows, tmp_path / "out")


def test_columns_are_ours_then_the_inventorys_in_its_order(tmp_path: Path) -> None:
    record = inventory(tmp_path / "in.csv", csv_bytes(["prefix", "Bucket", "zeta"], ["p", "b", "z"]), 1)
    report = rendered(run_of(record), [created(0, 2)], tmp_path / "out")
    header, row = report.results
    assert header == [*OURS, "prefix", "Bucket", "zeta"]
    assert row == [
        "in.csv", "2", "job-0-2", "created", "id-2", "RUNNABLE", "200", "", "", "1", "2025-11-24T16:00:00.143Z",
        "2025-11-24T16:00:00.193Z", "50", "p", "b", "z",
    ]  # fmt: skip
    assert pq.read_schema(tmp_path / "out" / "results.parquet").names == header
    assert list(RowRecord.__struct_fields__) == OURS


def test_a_name_that_is_taken_gets_in_until_it_is_free(tmp_path: Path) -> None:
    header = ["name", "in_name", "Status", "line", "in_line", "in_in_line"]
    record = inventory(tmp_path / "in.csv", csv_bytes(header, ["1", "2", "3", "4", "5", "6"]), 1)
    report = rendered(run_of(record), [created(0, 2)], tmp_path / "out")
    shown, row = report.results
    assert shown[len(OURS) :] == ["in_in_name", "in_name", "in_Status", "in_in_in_line", "in_line", "in_in_line"]
    assert row[len(OURS) :] == ["1", "2", "3", "4", "5", "6"]


def test_a_header_that_names_a_column_twice_keeps_both(tmp_path: Path) -> None:
    record = inventory(tmp_path / "in.csv", csv_bytes(["bucket", "Bucket"], ["x", "y"]), 0)
    report = rendered(run_of(record), [], tmp_path / "out")
    assert report.results[0][len(OURS) :] == ["bucket", "in_Bucket"]


def test_every_row_appears_once_and_in_order_across_chunks_and_files(tmp_path: Path) -> None:
    counts = [4_321, 1, 2_000]
    records, rows = [], []
    for file, count in enumerate(counts):
        content = csv_bytes(["id"], *([f"{file}/{number}"] for number in range(count)))
        records.append(inventory(tmp_path / f"{file}.csv", content, count))
        rows += [created(file, number + 2) for number in range(count)]
    report = rendered(run_of(*records), rows, tmp_path / "out")
    wanted = [f"{file}/{number}" for file, count in enumerate(counts) for number in range(count)]
    assert report.column("id") == wanted
    assert report.column("file") == [f"{file}.csv" for file, count in enumerate(counts) for _ in range(count)]
    table = pq.read_table(report.folder / "results.parquet")
    assert table["id"].to_pylist() == wanted
    assert table["line"].to_pylist() == [row.line for row in rows]
    assert report.summary["rows"] == sum(counts)


def test_files_with_different_headers_share_columns_by_canonical_name(tmp_path: Path) -> None:
    first = inventory(tmp_path / "1.csv", csv_bytes(["Bucket", "prefix"], ["b1", "p1"]), 1)
    second = inventory(tmp_path / "2.csv", csv_bytes(["extra", "bucket"], ["e2", "b2"]), 1)
    report = rendered(run_of(first, second), [created(0, 2), created(1, 2)], tmp_path / "out")
    assert [row[len(OURS) :] for row in report.results] == [
        ["Bucket", "prefix", "extra"],
        ["b1", "p1", ""],
        ["b2", "", "e2"],
    ]
    assert pq.read_table(report.folder / "results.parquet")["extra"].to_pylist() == [None, "e2"]


def test_records_with_newlines_in_cells_are_joined_by_position(tmp_path: Path) -> None:
    content = b'id,text\n1,"a\nb"\n2,c\n'
    report = rendered(
        run_of(inventory(tmp_path / "in.csv", content, 2)), [created(0, 2), created(0, 4)], tmp_path / "out"
    )
    assert report.column("text") == ["a\nb", "c"]
    assert report.column("line") == ["2", "4"]


def test_a_ragged_record_keeps_the_cells_that_have_a_column(tmp_path: Path) -> None:
    content = b"a,b,c\n1,2\n1,2,3,4\n1,2,3\n"
    invalid = {"outcome": Outcome.INVALID, "first_sent_at": None}
    rows = [rejected(0, line, **invalid) for line in (2, 3, 4)]
    report = rendered(run_of(inventory(tmp_path / "in.csv", content, 3), state="invalid"), rows, tmp_path / "out")
    assert [row[len(OURS) :] for row in report.results[1:]] == [["1", "2", ""], ["1", "2", "3"], ["1", "2", "3"]]
    assert pq.read_table(report.folder / "results.parquet")["c"].to_pylist() == [None, "3", "3"]
    assert report.retry == [["a", "b", "c"], ["1", "2"], ["1", "2", "3", "4"], ["1", "2", "3"]]


@pytest.mark.parametrize("cell", HOSTILE)
def test_a_cell_that_a_spreadsheet_could_run_gets_a_quote_in_results_csv_only(tmp_path: Path, cell: str) -> None:
    report = one_column(tmp_path, [cell])
    assert report.column("text") == ["'" + cell.replace("\x0b", "\\x0b")]
    assert pq.read_table(report.folder / "results.parquet")["text"].to_pylist() == [cell]
    assert report.retry[1] == ["0", cell]


def test_other_cells_stay_as_they_are(tmp_path: Path) -> None:
    report = one_column(tmp_path, HARMLESS)
    assert report.column("text") == HARMLESS
    assert pq.read_table(report.folder / "results.parquet")["text"].to_pylist() == HARMLESS


def test_the_services_texts_and_the_headers_cannot_run_either(tmp_path: Path) -> None:
    record = inventory(tmp_path / "in.csv", csv_bytes(["=cmd()", "b"], ["1", "2"]), 1)
    texts = {"error": "=evil()", "name": "@name", "job_id": "+1", "status": "-1", "error_code": "=2"}
    row = rejected(0, 2, **texts)
    report = rendered(run_of(record), [row], tmp_path / "out")
    assert report.results[0][len(OURS)] == "'=cmd()"
    for column, text in texts.items():
        assert report.column(column) == ["'" + text]
        assert pq.read_table(report.folder / "results.parquet")[column].to_pylist() == [text]


def test_control_characters_are_escaped_in_results_csv_and_kept_in_parquet(tmp_path: Path) -> None:
    text = "a\x00b\x1b[31mc\x7fd\u009be\u00e9"
    report = one_column(tmp_path, ["x"], error=text)
    assert report.column("error") == ["a\\x00b\\x1b[31mc\\x7fd\\x9be\u00e9"]
    assert pq.read_table(report.folder / "results.parquet")["error"].to_pylist() == [text]


def test_control_characters_beyond_ascii_are_escaped_on_their_own_too(tmp_path: Path) -> None:
    assert one_column(tmp_path, ["x"], error="a\u009b31m\u0080\u00a9").column("error") == ["a\\x9b31m\\x80\u00a9"]


def test_text_that_no_file_can_hold_is_written_as_an_escape(tmp_path: Path) -> None:
    report = one_column(tmp_path, ["x"], error="half \udc80")
    assert report.column("error") == ["half \\udc80"]


def test_parquet_has_typed_columns_and_times_in_utc(tmp_path: Path) -> None:
    record = inventory(tmp_path / "in.csv", csv_bytes(["a"], ["007"]), 1)
    report = rendered(run_of(record), [created(0, 2)], tmp_path / "out")
    schema = pq.read_schema(report.folder / "results.parquet")
    for name in ("line", "http_status", "attempts", "elapsed_ms"):
        assert schema.field(name).type == pa.int64()
    for name in ("first_sent_at", "finished_at"):
        assert schema.field(name).type == pa.timestamp("ms", tz="UTC")
    table = pq.read_table(report.folder / "results.parquet")
    assert table["a"].to_pylist() == ["007"]
    assert table["first_sent_at"].cast(pa.int64()).to_pylist() == [START + 20]


def test_rendering_twice_gives_the_same_bytes_in_another_process_too(tmp_path: Path) -> None:
    content = csv_bytes(["a", "b"], *([f"{n}", f"한 {n % 7}"] for n in range(5_000)))
    record = inventory(tmp_path / "in.csv", content, 5_000)
    outcomes = itertools.cycle([created, rejected])
    rows = [make(0, n + 2) for n, make in zip(range(5_000), outcomes, strict=False)]
    first = rendered(run_of(record), rows, tmp_path / "1").files
    assert rendered(run_of(record), rows, tmp_path / "2").files == first
    assert rendered(run_of(record), rows, tmp_path / "1").files == first
    program = (
        "import sys; from pathlib import Path; from tests.report.made import *; import itertools\n"
        "content = Path(sys.argv[1]).read_bytes()\n"
        "record = inventory(Path(sys.argv[1]), content, 5_000)\n"
        "makes = itertools.cycle([created, rejected])\n"
        "rows = [make(0, n + 2) for n, make in zip(range(5_000), makes)]\n"
        "rendered(run_of(record), rows, Path(sys.argv[2]))\n"
    )
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", program, str(tmp_path / "in.csv"), str(tmp_path / "3")]
    subprocess.run(command, check=True, cwd=root, env={"PYTHONHASHSEED": "1", "PYTHONPATH": str(root)}, timeout=60)
    assert {path.name: path.read_bytes() for path in (tmp_path / "3").iterdir()} == first


def test_a_run_without_rows_has_empty_tables(tmp_path: Path) -> None:
    report = rendered(run_of(inventory(tmp_path / "in.csv", b"a,b\n")), [], tmp_path / "out")
    assert report.results == [[*OURS, "a", "b"]]
    assert pq.read_table(report.folder / "results.parquet").num_rows == 0


def test_rows_go_to_disk_a_group_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bulkjobs.report.sinks._GROUP_ROWS", 2_000)
    rendered(run_of(), [created(0, line) for line in range(2, 6_502)], tmp_path / "out")
    found = pq.ParquetFile(tmp_path / "out" / "results.parquet").metadata
    assert [found.row_group(i).num_rows for i in range(found.num_row_groups)] == [2_000, 2_000, 2_000, 500]

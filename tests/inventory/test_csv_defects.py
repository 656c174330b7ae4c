"""The catalogue of what can be wrong with a CSV file: each defect has its code, its line and a way to mend it."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from bulkjobs.inventory.limits import Limits
from bulkjobs.inventory.problems import Problem
from bulkjobs.inventory.reader import InventoryFile

HEADER = b"bucket,prefix,filter\n"


def read(path: Path, data: bytes, limits: Limits | None = None) -> tuple[list[tuple[int, list[str]]], list[Problem]]:
    path.write_bytes(data)
    chunks = list(InventoryFile(path, limits or Limits()).chunks())
    rows = [(line, list(row)) for chunk in chunks for line, row in zip(chunk.lines, chunk.rows, strict=True)]
    return rows, [problem for chunk in chunks for problem in chunk.problems]


@pytest.mark.parametrize(
    ("data", "code", "line", "says"),
    [
        (b"", "empty-file", None, "empty"),
        (b"\xef\xbb\xbf", "empty-file", None, "empty"),
        (b"\n\n", "empty-file", None, "empty"),
        (HEADER, "header-only", None, "no row"),
        (b"bucket,,filter\na,b,c\n", "missing-header-name", 1, "column 2 of 3"),
        (b"bucket,prefix, BUCKET \na,b,c\n", "duplicate-header", 1, "columns 1 and 3"),
        (HEADER + b"a,b,c\na,b\n", "too-few-cells", 3, "2 cells, but the header names 3 columns"),
        (HEADER + b"a,b,c,d\n", "too-many-cells", 2, "4 cells, but the header names 3 columns"),
        (HEADER + b"a,b,\xff\n", "not-utf-8", 2, "byte 5 of the line (0xFF)"),
        (HEADER + b"a,b,\xed\xa0\x80\n", "not-utf-8", 2, "byte 5 of the line (0xED)"),
        (HEADER + "a,b,버킷\n".encode("cp949"), "not-utf-8", 2, "looks like CP949"),
        ("bucket,prefix\na,버킷\n".encode("utf-16"), "not-utf-8", 1, "the file is UTF-16"),
        ("bucket,prefix\na,b\n".encode("utf-16-le"), "not-utf-8", 1, "the file is UTF-16"),
        ("bucket,prefix\na,b\n".encode("utf-32"), "not-utf-8", 1, "the file is UTF-32"),
        (HEADER + b"a,b\0b,c\n", "nul-character", 2, "NUL"),
        (HEADER + b'a,b,c\n"x\ny",b,"c\nd,e,f\n', "unterminated-quote", 4, "never closed"),
        (HEADER + b'a,"b"x,c\n', "text-after-quote", 2, "in cell 2"),
        (b"bucket;prefix;filter\na;b;c\n", "wrong-delimiter", 1, "semicolon"),
        (b"bucket\tprefix\tfilter\na\tb\tc\n", "wrong-delimiter", 1, "tab"),
        (b"bucket|prefix|filter\na|b|c\n", "wrong-delimiter", 1, "vertical bar"),
        (b"sep=;\nbucket;prefix\na;b\n", "wrong-delimiter", 1, "sep="),
        (b"PK\x03\x04rest", "unsupported-format", None, "Excel"),
        (gzip.compress(HEADER + b"a,b,c\n", mtime=0)[:-9], "gzip-damaged", None, "cut off"),
        (b"a," * 2_500 + b"a\n", "too-many-columns", None, "2,501"),
    ],
)
def test_each_defect_names_its_code_its_line_and_a_way_to_mend_it(
    tmp_path: Path, data: bytes, code: str, line: int | None, says: str
) -> None:
    _, problems = read(tmp_path / "i.csv", data)
    (problem,) = problems
    assert (problem.code, problem.line, problem.severity) == (code, line, "error")
    assert says in problem.message
    assert problem.hint


def test_rows_before_a_defect_are_still_read(tmp_path: Path) -> None:
    good = b"".join(b"a,b,%d\n" % i for i in range(30_000))
    for defect in (b"a,b,\xff\n", b'a,b,"c\n'):
        rows, (problem,) = read(tmp_path / "i.csv", HEADER + good + defect + b"x,y,z\n")
        assert problem.line == 30_002
        assert rows[-1] == (30_001, ["a", "b", "29999"])


def test_reading_goes_on_after_text_that_follows_a_quote(tmp_path: Path) -> None:
    rows, problems = read(tmp_path / "i.csv", HEADER + b'a,"b"x,c\n1,2,3\na,"b\nc"x,\n4,5,6\n')
    assert rows == [(3, ["1", "2", "3"]), (6, ["4", "5", "6"])]
    assert [p.line for p in problems] == [2, 4]


def test_a_ragged_row_keeps_its_cells_unshifted(tmp_path: Path) -> None:
    rows, problems = read(tmp_path / "i.csv", HEADER + b"a,b,c,d\na,b,c,d\n")
    assert rows == [(2, ["a", "b", "c", "d"]), (3, ["a", "b", "c", "d"])]
    assert len(problems) == 2


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_every_line_end_counts_and_a_lone_cr_ends_a_line(tmp_path: Path, end: bytes) -> None:
    rows, problems = read(tmp_path / "i.csv", end.join([b"a,b", b'1,"x', b'y"', b"", b"2,z", b"3,w"]))
    assert rows == [(2, ["1", f"x{end.decode()}y"]), (5, ["2", "z"]), (6, ["3", "w"])]
    assert not problems


def test_a_line_of_spaces_is_a_record(tmp_path: Path) -> None:
    rows, problems = read(tmp_path / "i.csv", b"a,b\n \n\n1,2\n")
    assert rows == [(2, [" "]), (4, ["1", "2"])]
    assert [p.code for p in problems] == ["too-few-cells"]


def test_nothing_is_interpreted(tmp_path: Path) -> None:
    cells = ["007", "NA", "null", "", " ", "9007199254740993", "버킷", "🎉", "a\nb\r\nc", 'say "x"', "1e5", "TRUE"]
    line = ",".join('"' + cell.replace('"', '""') + '"' for cell in cells)
    header = ",".join(f"c{i}" for i in range(len(cells)))
    rows, problems = read(tmp_path / "i.csv", f"\ufeff{header}\n{line}\n".encode())
    assert rows == [(2, cells)]
    assert not problems


def test_a_bare_quote_inside_a_cell_is_text(tmp_path: Path) -> None:
    rows, problems = read(tmp_path / "i.csv", b'a,b\nname EQ "A",5"\n')
    assert rows == [(2, ['name EQ "A"', '5"'])]
    assert not problems


def test_a_cell_that_spans_many_blocks_survives(tmp_path: Path) -> None:
    long = "line\n" * 120_000
    rows, problems = read(tmp_path / "i.csv", f'a,b\n1,"{long}"\n2,x\n'.encode())
    assert rows == [(2, ["1", long]), (120_003, ["2", "x"])]
    assert not problems


def test_gzip_is_unpacked(tmp_path: Path) -> None:
    rows, problems = read(tmp_path / "i.csv.gz", gzip.compress(HEADER + b"a,b,c\n"))
    assert rows == [(2, ["a", "b", "c"])]
    assert not problems


def test_the_row_limit_names_the_line_and_the_option(tmp_path: Path) -> None:
    rows, (problem,) = read(tmp_path / "i.csv", b"a,b\n1,2\n3,4\n5,6\n", Limits(max_rows=2))
    assert [line for line, _ in rows] == [2, 3]
    assert (problem.code, problem.line) == ("too-many-rows", 4)
    assert "--max-rows" in (problem.hint or "")


def test_the_cell_limit_counts_bytes_and_shows_only_the_beginning(tmp_path: Path) -> None:
    data = "a,b\n1,{}\n2,{}\n".format("가" * 400, "가" * 300).encode()
    rows, (problem,) = read(tmp_path / "i.csv", data, Limits(max_cell_bytes=1_000))
    assert len(rows) == 2
    assert (problem.code, problem.line, problem.column) == ("cell-too-large", 2, "b")
    assert "--max-cell-bytes" in (problem.hint or "")
    assert len(problem.value or "") <= 200


@pytest.mark.parametrize("start", [b'"', b""])
def test_one_endless_cell_is_refused_before_it_fills_memory(tmp_path: Path, start: bytes) -> None:
    _, (problem,) = read(tmp_path / "i.csv", b"a,b\n1," + start + b"x" * 3_000_000, Limits(max_cell_bytes=50_000))
    assert (problem.code, problem.line) == ("cell-too-large", 2)


def test_a_gzip_bomb_is_refused_early(tmp_path: Path) -> None:
    bomb = gzip.compress(b"a,b\n" * 10_000_000, compresslevel=9)
    (tmp_path / "i.csv.gz").write_bytes(bomb)
    count = 0
    for chunk in InventoryFile(tmp_path / "i.csv.gz").chunks():
        count += len(chunk.rows)
    (problem,) = chunk.problems
    assert problem.code == "too-large-unpacked"
    assert "gunzip" in (problem.hint or "")
    assert count < 3_500_000


def test_the_unpacked_limit_names_its_option(tmp_path: Path) -> None:
    packed = gzip.compress(HEADER + b"a,b,c\n" * 100_000)
    _, problems = read(tmp_path / "i.csv.gz", packed, Limits(max_unpacked_bytes=300_000))
    assert problems[-1].code == "too-large-unpacked"
    assert "--max-unpacked-bytes" in (problems[-1].hint or "")

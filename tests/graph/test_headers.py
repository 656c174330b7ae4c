"""What a header lacks or misspells is told once, with what was meant."""

from __future__ import annotations

import pytest

from bulkjobs.graph.expand import Expander
from bulkjobs.graph.headers import judge_header

from .made import GOOD, chunk, codes, expand, layout, table

COLUMNS = ["name", "bucket", "prefix", "target_prefix", "filter"]
REQUIRED = ["bucket", "prefix", "target_prefix"]


def test_a_complete_header_is_fine_in_any_letter_case_and_order_with_columns_of_ones_own() -> None:
    assert not judge_header(chunk(["OWNER", " Target_Prefix", "Prefix", "bucket ", "remark"], []), COLUMNS, REQUIRED)


def test_a_missing_column_is_told_without_a_line() -> None:
    (problem,) = judge_header(chunk(["bucket", "target_prefix"], []), COLUMNS, REQUIRED)
    assert (problem.line, problem.column, problem.value, problem.code) == (None, "prefix", None, "missing-column")
    assert (problem.severity, problem.hint) == ("error", "add a column `prefix`")


def test_a_missing_column_that_is_misspelt_comes_with_the_name_as_written() -> None:
    (problem,) = judge_header(chunk(["Bukcet", "prefix", "target_prefix"], []), COLUMNS, REQUIRED)
    assert (problem.column, problem.value, problem.code) == ("bucket", "Bukcet", "missing-column")
    assert problem.hint == "the file has `bukcet`: did you mean `bucket`?"


@pytest.mark.parametrize(
    ("written", "severity"), [("Fliter", "error"), ("Filters", "error"), ("filtered", "error"), ("falter1", "warning")]
)
def test_a_misspelt_optional_column_is_told_too_for_its_default_would_be_taken_unnoticed(
    written: str, severity: str
) -> None:
    (problem,) = judge_header(chunk(["bucket", "prefix", "target_prefix", written], []), COLUMNS, REQUIRED)
    assert (problem.column, problem.code, problem.severity) == (written, "misspelt-column", severity)
    assert problem.message == f"there is no column `{written}`: did you mean `filter`?"


def test_one_unknown_column_is_meant_for_one_absent_column_only() -> None:
    problems = judge_header(chunk(["target_prefx", "bucket", "prefix"], []), [*COLUMNS, "target_prefix_2"], REQUIRED)
    assert [(problem.column, problem.value) for problem in problems] == [("target_prefix", "target_prefx")]


def test_an_unknown_column_is_not_taken_for_name_which_too_much_resembles() -> None:
    assert not judge_header(chunk(["bucket", "prefix", "target_prefix", "namen1"], []), COLUMNS, REQUIRED)


def test_a_file_of_raw_graphs_needs_no_other_column() -> None:
    assert not judge_header(chunk(["name", "nodes"], []), COLUMNS, REQUIRED)


def test_the_header_is_judged_once_per_file_and_the_rows_do_not_repeat_what_it_lacks() -> None:
    first = chunk(["name", "bucket", "prefix", "fields", "target_bucket"], [["abc", "buc", "p", "a:int", "tgt"]] * 2)
    expander = Expander()
    one = expander.expand(first)
    assert codes(one) == [("target_prefix", "missing-column")]
    assert one.jobs == [None, None]
    again = type(first)(first.file, first.header, [4], first.rows[:1])
    assert codes(expander.expand(again)) == []


def test_a_header_without_rows_is_judged_as_well() -> None:
    assert ("bucket", "missing-column") in codes(Expander().expand(chunk(["name", "prefix"], [])))


def test_unknown_columns_change_nothing_about_the_job() -> None:
    plain = expand(GOOD)
    carried = expand(GOOD | {"owner": "한국팀", "비고": "=1+1"})
    assert carried.jobs == plain.jobs
    assert not carried.problems


def test_a_layout_without_bucket_and_prefix_needs_a_name_column() -> None:
    by = layout(
        """
        [nodes.s]
        type = "SOURCE_CDB_MYSQL"
        connectionId = "1"
        table = "${table}"
        fieldList = "id:int"
        [nodes.t]
        type = "TARGET_CDB_MYSQL"
        parents = ["s"]
        connectionId = "2"
        table = "${table}"
        fieldList = "id:int"
        """
    )
    assert codes(expand({"table": "t"}, by=by)) == [("name", "missing-column")]
    expansion = Expander(by).expand(table({"name": "", "table": "t"}))
    (problem,) = expansion.problems
    assert (problem.column, problem.code, problem.line) == ("name", "empty", 2)
    assert problem.hint == "write a name: this layout has no bucket and prefix to make one from"

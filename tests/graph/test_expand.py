"""Rows become jobs, or problems that say where, what and how to mend it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bulkjobs.errors import UsageError
from bulkjobs.graph.expand import Expander
from bulkjobs.graph.ids import is_ours
from bulkjobs.graph.names import default_name
from bulkjobs.inventory.problems import Problem
from bulkjobs.inventory.reader import InventoryFile

from .made import (
    GOOD,
    assert_the_sandbox_takes,
    chunk,
    codes,
    expand,
    layout,
    nodes,
    only,
    survey,
    table,
    write_csv,
)

STRUCT = '[{"name":"a","type":"struct","properties":[{"name":"b","type":"%s"}]}]'

ERRORS = [
    ("name", "1abc", "bad-name", "'1'"),
    ("name", "ab", "bad-name", "1 too few"),
    ("name", "a b", "bad-name", "a blank, at character 2"),
    ("name", "abc\ndef", "bad-name", "U+000A, at character 4"),
    ("name", "작업", "bad-name", "at character 1"),
    ("name", "a" * 101, "bad-name", "1 too many"),
    ("bucket", "", "empty", "`bucket` is empty"),
    ("bucket", "Shop", "bad-bucket", "'S', at character 1"),
    ("bucket", "10.0.0.1", "bad-bucket", "IP address"),
    ("prefix", "", "empty", "`prefix` is empty"),
    ("prefix", "  ", "empty", "the prefix is empty"),
    ("prefix", "/orders", "leading-slash", "begins with a slash"),
    ("prefix", "a\tb", "control-character", "U+0009 at character 2"),
    ("prefix", "a\nb", "control-character", "U+000A at character 2"),
    ("fields", "", "empty", "`fields` is empty"),
    ("fields", "id", "fields-syntax", "at character"),
    ("fields", "name:strin", "unknown-field-type", "'strin'"),
    ("fields", "name:int, name:string", "duplicate-field", "at character 11"),
    ("fields", STRUCT % "text", "unknown-field-type", "item 1"),
    ("fields", '[{"name":"a"}]', "fields-syntax", "item 1 has no type"),
    ("filter", "name ==", "filter-syntax", "expected a value"),
    ("filter", "(name == A)", "filter-parentheses", "at character 1"),
    ("filter", "name == A AND name == B OR name == C", "mixed-and-or", "at character 25"),
    ("filter", "nme == A", "missing-field", "'nme' does not exist upstream"),
    ("data_type", "CVS", "not-allowed", "'CVS' is not one of JSON, CSV, PARQUET, NDJSON"),
    ("region_no", "kr", "bad-region", "'kr' is not a region number"),
    ("target_bucket", "", "empty", "`target_bucket` is empty"),
    ("target_bucket", "a_b", "bad-bucket", "'_', at character 2"),
    ("target_prefix", "/x", "leading-slash", "begins with a slash"),
    ("target_data_type", "NDJSON", "not-allowed", "'NDJSON' is not one of JSON, CSV, PARQUET"),
    ("target_region_no", "-1", "bad-region", "'-1'"),
    ("update_type", "REPLACE", "not-allowed", "OVERWRITE, APPEND, IGNORE"),
]  # fmt: skip
FULL = GOOD | dict.fromkeys(("data_type", "region_no", "target_data_type", "target_region_no", "update_type"), "")

MYSQL = """
[nodes.s]
type = "SOURCE_CDB_MYSQL"
connectionId = "1"
table = "${table}"
fieldList = "id:int, name:string"
"""
TARGET = """
[nodes.t]
type = "TARGET_CDB_MYSQL"
parents = ["s"]
connectionId = "2"
table = "${name}"
fieldList = "id:int"
"""


# One cell


@pytest.mark.parametrize(("column", "cell", "code", "message"), ERRORS)
def test_a_cell_that_cannot_be_used_is_told_with_line_column_value_code_and_a_hint(
    column: str, cell: str, code: str, message: str
) -> None:
    expansion = Expander().expand(table(FULL, FULL | {"name": "good_too", column: cell}))
    (problem,) = expansion.problems
    assert (problem.file, problem.line, problem.column, problem.value) == ("t.csv", 3, column, cell)
    assert (problem.code, problem.severity) == (code, "error")
    assert message in problem.message
    assert problem.hint
    assert expansion.jobs[0] is not None
    assert expansion.jobs[1] is None


@pytest.mark.parametrize(
    ("cell", "code", "message"),
    [
        ("id == x", "value-type", "node 'filter': 'x' is not a whole number of 64 bits"),
        ("id == 1 OR name == A", "filter-or", "OR is documented in the user guide only"),
    ],
)
def test_a_cell_that_is_hardly_meant_is_warned_of_and_still_makes_a_job(cell: str, code: str, message: str) -> None:
    expansion = expand(GOOD | {"filter": cell})
    (problem,) = expansion.problems
    assert (problem.column, problem.value, problem.code, problem.severity) == ("filter", cell, code, "warning")
    assert message in problem.message
    assert_the_sandbox_takes(expansion.jobs[0])


def test_a_message_shows_a_missing_fields_nearest_name() -> None:
    (problem,) = expand(GOOD | {"filter": "nam == A"}).problems
    assert problem.hint == "did you mean 'name'?"


def test_a_cell_that_two_nodes_use_is_told_once() -> None:
    assert codes(expand(GOOD | {"fields": "id"})) == [("fields", "fields-syntax")]
    assert codes(expand(GOOD | {"data_type": "XML"})) == [("data_type", "not-allowed")]


def test_a_cell_that_is_wrong_only_where_it_stands_in_for_another_is_told_with_that() -> None:
    (problem,) = expand(GOOD | {"data_type": "NDJSON"}).problems
    assert (problem.column, problem.value) == ("data_type", "NDJSON")
    assert problem.message == "as `target_data_type`: 'NDJSON' is not one of JSON, CSV, PARQUET"


def test_a_cell_with_several_faults_of_one_kind_tells_each() -> None:
    messages = [problem.message for problem in expand(GOOD | {"filter": "nme == A AND ix == 1"}).problems]
    assert messages == [
        "node 'filter': field 'nme' does not exist upstream",
        "node 'filter': field 'ix' does not exist upstream",
    ]


def test_a_row_with_several_problems_tells_all_of_them() -> None:
    wrong = {column: cell for column, cell, _, _ in ERRORS if cell and column not in ("filter", "name")}
    expansion = expand(FULL | wrong | {"name": "x", "filter": "name =="})
    assert {problem.column for problem in expansion.problems} == set(FULL)
    assert expansion.jobs == [None]


def test_header_names_are_shown_as_they_are_written() -> None:
    row = {"Name" if name == "name" else name.upper(): cell for name, cell in GOOD.items()}
    assert codes(expand(row | {"PREFIX": "/x"})) == [("PREFIX", "leading-slash")]
    assert codes(expand(row | {"Name": "1"})) == [("Name", "bad-name")]


# Text survives


@pytest.mark.parametrize(
    "text",
    [
        "007", "NA", "null", "9007199254740993", " blanks ", "한국어", "🚀 café", '"quoted"', "it's", "a\\b\\n", "100%",
        "%s %b %%", "{x}", "a,b;c", "tab\there", "line\nbreak", "\u2028", "$5", "e\u0301",
    ],
)  # fmt: skip
def test_text_of_a_cell_arrives_in_the_body_exactly_as_it_is(text: str) -> None:
    by = layout(MYSQL + TARGET.replace("${name}", "x ${table} $$y"))
    made = only(expand({"name": "job", "table": text}, by=by))
    assert made[0]["table"] == text
    assert made[1]["table"] == f"x {text} $y"


@pytest.mark.parametrize("text", ["007", "NA", " a ", "한국", "🚀", "a\nb", "100%", "\\", "'"])
def test_a_filters_value_arrives_exactly_as_it_is(text: str) -> None:
    made = only(expand(GOOD | {"filter": f'name == "{text}"'}))
    assert made[1]["filterConditionList"] == [{"name": "name", "operator": "EQ", "value": text}]


# Defaults


def test_an_empty_cell_and_an_absent_column_get_the_default_also_through_other_columns() -> None:
    by = layout('[defaults]\na = "x-${b}"\nb = "${c}"\nc = "deep"\n' + MYSQL.replace("${table}", "${a}") + TARGET)
    assert only(expand({"name": "job", "a": ""}, by=by))[0]["table"] == "x-deep"
    assert only(expand({"name": "job"}, by=by))[0]["table"] == "x-deep"
    assert only(expand({"name": "job", "a": "", "b": "mid"}, by=by))[0]["table"] == "x-mid"
    assert only(expand({"name": "job", "a": "own", "b": "mid"}, by=by))[0]["table"] == "own"


def test_whole_numbers_of_a_layout_are_taken_as_texts_wherever_a_text_is_due() -> None:
    by = layout(
        "[defaults]\ntable = 7\n"
        + MYSQL
        + '[nodes.f]\ntype="TRANSFORM_FILL_MISSING_VALUES"\nparents=["s"]\nwhen=1\n'
        + 'missingValueFieldList=[{name="${table}", defaultValue=0}]\n'
        + TARGET.replace('"s"', '"f"')
    )
    assert only(expand({"name": "job"}, by=layout("[defaults]\ntable = 7\n" + MYSQL + TARGET)))[0]["table"] == "7"
    # Where a cell decides what an object holds, the number is found to be no text with the row.
    (problem,) = expand({"name": "job", "table": "id"}, by=by).problems
    assert (problem.column, problem.code) == ("table", "bad-json")
    assert "Expected `str`, got `int`" in problem.message


def test_a_column_that_only_a_defaults_default_reads_is_no_misspelling() -> None:
    by = layout('[defaults]\nb = "${targets}"\na = "${b}"\n' + MYSQL.replace("${table}", "${a}") + TARGET)
    assert only(expand({"name": "job", "targets": "x"}, by=by))[0]["table"] == "x"


def test_a_default_may_read_the_name_even_one_that_is_made() -> None:
    text = '[defaults]\ntable = "from_${name}"\n' + MYSQL + TARGET + '[nodes.o]\ntype="TARGET_OBS"\nparents=["s"]\n'
    by = layout(text + 'regionNo="1"\nbucketName="${bucket}"\nprefix="${prefix}"\ndataType="CSV"\nfieldList="id:int"\n')
    made = only(expand({"bucket": "shop", "prefix": "p"}, by=by))
    assert made[0]["table"] == "from_" + default_name("shop", "p")
    assert made[1]["table"] == default_name("shop", "p")


def test_a_name_that_is_made_from_what_is_made_from_the_name_is_a_circle() -> None:
    text = '[defaults]\nbucket = "${name}"\n' + MYSQL + TARGET + '[nodes.o]\ntype="TARGET_OBS"\nparents=["s"]\n'
    by = layout(text + 'regionNo="1"\nbucketName="${bucket}"\nprefix="${prefix}"\ndataType="CSV"\nfieldList="id:int"\n')
    assert only(expand({"name": "shop", "prefix": "p", "table": "t"}, by=by))[2]["bucketName"] == "shop"
    with pytest.raises(UsageError, match="a circle: name → bucket → name"):
        expand({"name": "", "prefix": "p", "table": "t"}, by=by)


def test_an_empty_text_is_allowed_only_where_the_layout_says_so() -> None:
    assert codes(expand({"name": "job", "table": ""}, by=layout(MYSQL + TARGET))) == [("table", "empty")]
    assert (
        only(expand({"name": "job", "table": ""}, by=layout('[defaults]\ntable = ""\n' + MYSQL + TARGET)))[0]["table"]
        == ""
    )


def test_a_default_that_leads_to_an_empty_cell_leaves_the_value_empty_and_that_is_told() -> None:
    by = layout('[defaults]\ntable = "${schema}"\n' + MYSQL + TARGET)
    assert codes(expand({"name": "job", "table": "", "schema": ""}, by=by)) == [("schema", "empty")]


def test_a_default_made_of_columns_needs_each_of_them_that_the_layout_does_not_call_optional() -> None:
    text = '[defaults]\ntable = "out/${team}${part}"\npart = ""\n' + MYSQL + TARGET
    for row in ({"team": "", "part": "x"}, {"part": "x"}):
        (problem,) = expand({"name": "job", **row}, by=layout(text)).problems
        assert (problem.column, problem.message) == ("team", "`team` is empty")
        assert problem.hint == "fill it in, or `table`, whose default in the layout needs it"
    assert only(expand({"name": "job", "team": "a", "part": ""}, by=layout(text)))[0]["table"] == "out/a"
    optional = layout(text.replace('part = ""', 'part = ""\nteam = ""'))
    assert only(expand({"name": "job", "team": "", "part": ""}, by=optional))[0]["table"] == "out/"


def test_a_default_that_lacks_a_cell_never_drops_a_node_in_silence_and_one_of_a_dropped_node_is_not_missed() -> None:
    text = '[defaults]\nfilter = "team EQ ${team}"\n' + MYSQL + TARGET.replace('"s"', '"f"')
    by = layout(text + '[nodes.f]\ntype="TRANSFORM_FILTER"\nparents=["s"]\nwhen="${filter}"\nfilter="${filter}"\n')
    assert codes(expand({"name": "job", "table": "t", "team": ""}, by=by)) == [("team", "empty")]
    text = '[defaults]\ncolumn = "x_${team}"\n' + MYSQL + TARGET.replace('"s"', '"f"')
    drop = 'when="${wanted}"\nfilter="${column} EQ 1"\n'
    by = layout(text + '[nodes.f]\ntype="TRANSFORM_FILTER"\nparents=["s"]\n' + drop)
    assert codes(expand({"name": "job", "table": "t", "team": "", "wanted": "yes"}, by=by)) == [("team", "empty")]
    assert len(only(expand({"name": "job", "table": "t", "team": "", "wanted": ""}, by=by))) == 2


def test_a_name_that_is_made_from_an_empty_cell_by_default_says_which() -> None:
    for job in ("${name}", "dev_${name}"):
        by = layout(f'[job]\nname = "{job}"\n[defaults]\nname = "of_${{team}}"\n' + MYSQL + TARGET)
        (problem,) = expand({"team": "", "table": "t"}, by=by).problems
        assert (problem.column, problem.message) == ("team", "`team` is empty")


def test_a_default_that_a_default_needs_names_the_cell_at_its_root() -> None:
    by = layout('[defaults]\ntable = "out/${team}"\nteam = "${area}-x"\n' + MYSQL + TARGET)
    assert codes(expand({"name": "job", "area": ""}, by=by)) == [("area", "empty")]
    assert only(expand({"name": "job", "area": "", "team": "b"}, by=by))[0]["table"] == "out/b"


# Names


def test_a_row_without_a_name_is_named_by_bucket_and_prefix() -> None:
    for row in (GOOD | {"name": ""}, {key: cell for key, cell in GOOD.items() if key != "name"}):
        (job,) = expand(row).jobs
        assert job is not None
        assert job.name == default_name("shop-raw", "orders")


def test_a_name_of_other_letters_may_be_left_out_where_bucket_and_prefix_make_one() -> None:
    (problem,) = expand(GOOD | {"name": "주문"}).problems
    assert (problem.column, problem.code) == ("name", "bad-name")
    assert (problem.hint or "").endswith("; or leave the name out: then it is made from bucket and prefix")
    (problem,) = expand({"name": "주문", "table": "t"}, by=layout(MYSQL + TARGET)).problems
    assert "leave" not in (problem.hint or ""), "this layout has no bucket and prefix"


def test_a_row_that_cannot_be_named_says_why_once() -> None:
    assert codes(expand(GOOD | {"name": "", "bucket": ""})) == [("bucket", "empty")]


def test_a_row_without_a_name_whose_bucket_may_be_empty_says_that_it_needs_a_name() -> None:
    text = MYSQL + TARGET + '[nodes.o]\ntype="TARGET_OBS"\nparents=["s"]\nwhen="${bucket}"\nregionNo="1"\n'
    by = layout(text + 'bucketName="${bucket}"\nprefix="${prefix}"\ndataType="CSV"\nfieldList="id:int"\n')
    row = {"name": "", "table": "t", "bucket": "", "prefix": ""}
    (problem,) = expand(row, by=by).problems
    assert (problem.column, problem.code, problem.hint) == (
        "name",
        "empty",
        "write a name, or fill in bucket and prefix: then it is made from them",
    )
    assert len(only(expand(row | {"name": "job"}, by=by))) == 2


def test_a_layout_may_make_names_and_what_they_are_made_of_is_shown_when_they_are_bad() -> None:
    by = layout('[job]\nname = "${team}_${name}"\n' + MYSQL + TARGET)
    assert expand({"name": "job", "team": "kr", "table": "t"}, by=by).names == ["kr_job"]
    (problem,) = expand({"name": "job", "team": "1", "table": "t"}, by=by).problems
    assert (problem.column, problem.value, problem.code) == ("name", "job", "bad-name")
    assert "(the name is '1_job')" in problem.message


@pytest.mark.parametrize("part", ["team", "name"])
def test_half_a_name_is_no_name(part: str) -> None:
    by = layout('[job]\nname = "${team}_${name}"\n' + MYSQL + TARGET)
    expansion = expand({"name": "job", "team": "team", "table": "t", part: ""}, by=by)
    assert codes(expansion) == [(part, "empty")]
    assert (expansion.jobs, expansion.names) == ([None], [None])


# Whole cells keep their type


def test_whole_cells_become_what_the_key_asks_for() -> None:
    by = layout(
        MYSQL
        + """
        [nodes.a]
        type = "TRANSFORM_AGGREGATE"
        parents = ["s"]
        groupByList = "${groups}"
        aggregateFieldList = "${sums}"
        [nodes.d]
        type = "TRANSFORM_DROP_DUPLICATION"
        parents = ["a"]
        dropFieldList = ["id", "${drop}"]
        [nodes.t]
        type = "TARGET_CATALOG"
        parents = ["d"]
        database = "d"
        table = "t"
        schemaVersion = 3
        updateType = "${update}"
        coalesce = "${files}"
        fieldList = [{ name = "${drop}", type = "${kind}" }]
        """
    )
    row = {
        "name": "job", "table": "t", "groups": "id, name", "drop": "name", "update": "append", "files": "4",
        "kind": "String", "sums": '[{"name": "id", "ResultName": "most", "function": "MAX"}]',
    }  # fmt: skip
    made = only(expand(row, by=by))
    assert made[1]["groupByList"] == ["id", "name"]
    assert made[1]["aggregateFieldList"] == [{"name": "id", "ResultName": "most", "function": "MAX"}]
    assert made[2]["dropFieldList"] == ["id", "name"]
    assert (made[3]["schemaVersion"], made[3]["updateType"], made[3]["coalesce"]) == ("3", "APPEND", 4)
    assert made[3]["fieldList"] == [{"name": "name", "type": "String"}]
    assert list(made[3])[4:] == ["database", "table", "schemaVersion", "updateType", "fieldList", "coalesce"]
    left_out = only(expand(row | {"update": "", "files": "", "groups": '["name","id"]'}, by=by))
    assert list(left_out[3])[4:] == ["database", "table", "schemaVersion", "fieldList"]
    assert left_out[1]["groupByList"] == ["name", "id"]
    for column, cell, code in (
        ("groups", "id,,name", "bad-names"),
        ("groups", "[1]", "bad-names"),
        ("groups", "[", "bad-json"),
        ("groups", "nowhere", "missing-field"),
        ("sums", "x", "bad-json"),
        ("sums", '[{"name": "id", "resultName": "most", "function": "MAX"}]', "unknown-key"),
        ("sums", '[{"name": "id", "ResultName": "most", "function": "MEAN"}]', "bad-json"),
        ("files", "four", "not-a-number"),
        ("files", "0", "not-a-number"),
        ("files", "2147483648", "not-a-number"),
        ("files", "٤", "not-a-number"),
        ("kind", "text", "unknown-field-type"),
    ):
        assert (column, code) in codes(expand(row | {column: cell}, by=by)), (column, cell)


def test_a_list_of_conditions_may_be_written_as_a_filter_joined_by_and_only() -> None:
    by = layout(
        MYSQL
        + '[nodes.f]\ntype="TRANSFORM_FILTER"\nparents=["s"]\nfilterType="${how}"\nfilterConditionList="${keep}"\n'
        + TARGET.replace('"s"', '"f"')
    )
    row = {"name": "job", "table": "t", "how": "or", "keep": "id == 1 AND name == A"}
    made = nodes(expand(row, by=by).jobs[0])[1]
    assert (made["filterType"], [c["name"] for c in made["filterConditionList"]]) == ("OR", ["id", "name"])
    assert codes(expand(row | {"keep": "id == 1 OR name == A"}, by=by)) == [("keep", "mixed-and-or")]


def test_an_optional_value_of_several_empty_cells_is_left_out() -> None:
    by = layout(MYSQL + TARGET + 'updateType = "${a}${b}"\n')
    assert "updateType" not in only(expand({"name": "job", "table": "t", "a": "", "b": ""}, by=by))[1]
    assert only(expand({"name": "job", "table": "t", "a": "APP", "b": "END"}, by=by))[1]["updateType"] == "APPEND"
    assert codes(expand({"name": "job", "table": "t", "a": "", "b": "APPEND"}, by=by)) == [("a", "empty")]
    assert codes(expand({"name": "job", "table": "t", "a": "RE", "b": "PLACE"}, by=by)) == [("a", "not-allowed")]


# Nodes that depend on a cell

CHAIN = (
    MYSQL
    + "".join(
        f'[nodes.f{i}]\ntype="TRANSFORM_FILTER"\nparents=["{above}"]\nwhen="${{f{i}}}"\nfilter="${{f{i}}}"\n'
        for i, above in ((1, "s"), (2, "f1"), (3, "f2"))
    )
    + TARGET.replace('"s"', '"f3"')
)


@pytest.mark.parametrize("kept", [(), (1,), (2,), (3,), (1, 3), (2, 3), (1, 2, 3)])
def test_children_move_up_past_every_node_that_is_dropped(kept: tuple[int, ...]) -> None:
    row = {"name": "job", "table": "t"} | {f"f{i}": "id == 1" if i in kept else "" for i in (1, 2, 3)}
    made = only(expand(row, by=layout(CHAIN)))
    assert [node["name"] for node in made] == ["s", *(f"f{i}" for i in kept), "t"]
    assert [node["parentNodeIds"] for node in made] == [[], *([node["id"]] for node in made[:-1])]
    assert_the_sandbox_takes(expand(row, by=layout(CHAIN)).jobs[0])


def test_graphs_are_judged_again_when_they_were_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bulkjobs.graph.shape._REMEMBERED", 2)
    rows = [GOOD | {"name": f"job{i}", "filter": f"x{i % 4} == 1"} for i in range(12)]
    assert codes(expand(*rows)) == [("filter", "missing-field")] * 12


def test_rows_of_different_shapes_stay_in_their_order() -> None:
    rows = [
        {"name": f"job{i}", "table": "t", "f1": "id == 1" if i % 2 else "", "f2": "", "f3": "id == 2" if i % 3 else ""}
        for i in range(12)
    ]
    expansion = expand(*rows, by=layout(CHAIN))
    assert [job and job.name for job in expansion.jobs] == [row["name"] for row in rows]
    assert [len(nodes(job)) for job in expansion.jobs] == [2 + bool(row["f1"]) + bool(row["f3"]) for row in rows]


def test_a_condition_may_be_text_of_several_cells_or_a_variable() -> None:
    text = CHAIN.replace('when="${f1}"', 'when="${f2}${f3}"').replace('filter="${f1}"', 'filter="id == 9"')
    row = {"name": "job", "table": "t", "f2": "", "f3": "id == 3"}
    assert [n["name"] for n in only(expand(row, by=layout(text)))] == ["s", "f1", "f3", "t"]
    assert [n["name"] for n in only(expand(row | {"f3": ""}, by=layout(text)))] == ["s", "t"]
    switched = CHAIN.replace('when="${f1}"', 'when="${debug}"').replace('filter="${f1}"', 'filter="id == 9"')
    row |= {"f2": "", "f3": ""}
    assert len(only(expand(row, by=layout(switched, debug="")))) == 2
    assert len(only(expand(row, by=layout(switched, debug="yes")))) == 3


JOIN = (
    MYSQL
    + MYSQL.replace("nodes.s", "nodes.r")
    + '[nodes.f]\ntype="TRANSFORM_FILTER"\nparents=["r"]\nwhen="${f}"\nfilter="${f}"\n'
    + '[nodes.j]\ntype="TRANSFORM_JOIN"\nleft="s"\nright="f"\njoinType="INNER"\n'
    + 'joinConditionList=[{leftField="id",rightField="${on}",joinOperator="EQ",conditionOperator="HEAD"}]\n'
    + TARGET.replace('"s"', '"j"')
)


def test_a_joins_sides_move_up_too() -> None:
    row = {"name": "job", "table": "t", "f": "", "on": "id"}
    made = only(expand(row, by=layout(JOIN)))
    source, other, join = made[:3]
    assert (join["leftNodeId"], join["rightNodeId"]) == (source["id"], other["id"])
    assert join["parentNodeIds"] == [source["id"], other["id"]]
    assert_the_sandbox_takes(expand(row, by=layout(JOIN)).jobs[0])
    assert codes(expand(row | {"on": "idd"}, by=layout(JOIN))) == [("on", "missing-field")]


def test_a_row_that_drops_a_joins_side_is_wrong_and_the_others_are_not() -> None:
    by = layout(JOIN.replace("nodes.r]", 'nodes.r]\nwhen="${right}"'))
    good = {"name": "job", "table": "t", "f": "", "on": "id", "right": "yes"}
    expansion = expand(good, good | {"name": "lost", "right": ""}, by=by)
    (problem,) = expansion.problems
    assert (problem.line, problem.column, problem.code) == (3, None, "bad-shape")
    assert "nodes.j.right: `when` drops node 'f', and a join needs both its sides" in problem.message
    assert expansion.jobs[0] is not None
    assert expansion.jobs[1] is None


def test_a_row_that_drops_a_source_leaves_its_child_without_data_which_is_told() -> None:
    by = layout(MYSQL.replace("nodes.s]", 'nodes.s]\nwhen="${go}"') + TARGET)
    expansion = expand({"name": "job", "table": "t", "go": ""}, by=by)
    assert set(codes(expansion)) == {(None, "no-source"), (None, "no-parents")}
    assert expansion.jobs == [None]


def test_a_query_reads_what_stands_in_the_place_of_a_dropped_node() -> None:
    by = layout(
        MYSQL
        + '[nodes.f]\ntype="TRANSFORM_FILTER"\nparents=["s"]\nwhen="${f}"\nfilter="${f}"\n'
        + '[nodes.q]\ntype="TRANSFORM_SQL"\nsources={f="${as}"}\nsql="SELECT * FROM ${as} WHERE a = \'$$1\'"\n'
        + TARGET.replace('"s"', '"q"')
    )
    made = only(expand({"name": "job", "table": "t", "f": "", "as": "v"}, by=by))
    assert made[1]["sourceNameList"] == [{"parentId": made[0]["id"], "newName": "v"}]
    assert made[1]["sql"] == "SELECT * FROM v WHERE a = '$1'"


def test_a_thousand_nodes_in_a_row_are_dropped_and_kept_alike() -> None:
    chain = "".join(
        f'[nodes.n{i}]\ntype="TRANSFORM_DROP_DUPLICATION"\ndropFieldList="id"\nwhen="${{w}}"\n'
        f'parents=["{f"n{i - 1}" if i else "s"}"]\n'
        for i in range(998)
    )
    by = layout(MYSQL + chain + TARGET.replace('"s"', '"n997"'))
    assert len(only(expand({"name": "job", "table": "t", "w": ""}, by=by))) == 2
    assert len({node["id"] for node in only(expand({"name": "job", "table": "t", "w": "x"}, by=by))}) == 1000


def test_many_ways_up_past_dropped_nodes_take_no_time() -> None:
    # Each level doubles the ways; walking them one by one would never end.
    levels = "".join(
        f'[nodes.u{i}]\ntype="TRANSFORM_UNION"\nunionType="ALL"\nwhen="${{w}}"\nparents={above}\n'
        f'[nodes.v{i}]\ntype="TRANSFORM_UNION"\nunionType="ALL"\nwhen="${{w}}"\nparents={above}\n'
        for i, above in ((i, f'["u{i - 1}", "v{i - 1}"]' if i else '["s", "r"]') for i in range(60))
    )
    end = '[nodes.u]\ntype="TRANSFORM_UNION"\nunionType="ALL"\nparents=["u59", "v59"]\n' + TARGET.replace('"s"', '"u"')
    by = layout(MYSQL + MYSQL.replace("nodes.s", "nodes.r") + levels + end)
    assert len(only(expand({"name": "job", "table": "t", "w": ""}, by=by))) == 4


# Rows and files


def test_every_job_is_ours_with_unique_ids_of_thirteen_digits() -> None:
    rows = [GOOD | {"name": f"job_{i}", "filter": "" if i % 2 else "id == 1"} for i in range(200)]
    seen: set[int] = set()
    for job in expand(*rows).jobs:
        ids = [node["id"] for node in nodes(job)]
        assert job is not None
        assert all(is_ours(job.name, [number]) and 10**12 <= number < 10**13 for number in ids)
        assert not seen & {*ids}
        seen |= {*ids}


def test_golden_ids_never_change() -> None:
    made = only(expand(GOOD))
    assert [node["id"] for node in made] == [1940802514115, 1940802514837, 1940802514900]


def test_a_row_that_the_reader_found_wrong_has_no_job_and_its_missing_cells_are_not_told_again() -> None:
    ragged = Problem("t.csv", 3, None, None, "too-few-cells", "error", "too few cells", None)
    header = list(GOOD)
    rows = [list(GOOD.values()), ["job002", "Shop"], [*GOOD.values(), "one more"]]
    expansion = Expander().expand(chunk(header, rows, problems=[ragged]))
    assert codes(expansion) == [("bucket", "bad-bucket")]
    assert [job is None for job in expansion.jobs] == [False, True, False]
    assert expansion.names[1] == "job002"


def test_an_empty_chunk_expands_to_nothing() -> None:
    expansion = Expander().expand(chunk(list(GOOD), []))
    assert (expansion.names, expansion.jobs, expansion.problems) == ([], [], [])


def test_problems_come_row_by_row() -> None:
    rows = [GOOD | {"name": "x", "prefix": "/"}, GOOD, GOOD | {"filter": "(", "bucket": ""}]
    assert [problem.line for problem in expand(*rows).problems] == [2, 2, 4, 4]


def test_csv_and_parquet_of_one_table_have_the_same_problems(tmp_path: Path) -> None:
    header = [*FULL, "비고"]
    rows = [
        [*(FULL | {"name": f"job_{i}", column: cell}).values(), "x"] for i, (column, cell, _, _) in enumerate(ERRORS)
    ]
    rows += [[*(FULL | {"filter": "id == x OR name == A", "name": "warned"}).values(), "\n"], *rows[:2]]
    csv = write_csv(tmp_path / "t.csv", header, rows)
    columns = {name: pa.array([row[i] for row in rows]) for i, name in enumerate(header)}
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    found = [survey(csv), survey(InventoryFile(tmp_path / "t.parquet"))]
    told = [[(p.column, p.value, p.code, p.severity, p.hint) for p in each.problems] for each in found]
    assert told[0] == told[1]
    assert len(told[0]) >= len(ERRORS)

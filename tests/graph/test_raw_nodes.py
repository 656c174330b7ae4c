"""The `nodes` column: any graph as JSON, under the same checks, with ids of ours."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings

from bulkjobs.graph.cell_error import CellError
from bulkjobs.graph.ids import is_ours
from bulkjobs.graph.raw_nodes import judge_raw, read_nodes

from .made import GOOD, assert_the_sandbox_takes, codes, expand, nodes, only
from .strategies import broken_graphs, graphs

Json = dict[str, Any]
FIELDS = [{"name": "id", "type": "int"}]


def _source(number: int = 1, **keys: Any) -> Json:
    return {
        "type": "SOURCE_OBS", "id": number, "name": "in", "parentNodeIds": [], "regionNo": "1",
        "bucketName": "shop-raw", "prefix": f"in{number}", "dataType": "CSV", "fieldList": FIELDS,
    } | keys  # fmt: skip


def _target(number: int, *parents: int, **keys: Any) -> Json:
    return {
        "type": "TARGET_OBS", "id": number, "name": "out", "parentNodeIds": list(parents), "regionNo": "1",
        "bucketName": "shop-out", "prefix": "out", "dataType": "CSV", "fieldList": FIELDS,
    } | keys  # fmt: skip


def _row(graph: object, **cells: str) -> dict[str, str]:
    return {"name": "raw_job", "nodes": graph if isinstance(graph, str) else json.dumps(graph)} | cells


def test_a_graph_of_its_own_becomes_the_job_with_ids_of_ours_and_all_else_as_given() -> None:
    made = only(expand(_row([_source(), _target(2, 1, updateType="APPEND", coalesce=4)])))
    ids = [node["id"] for node in made]
    assert is_ours("raw_job", ids)
    assert made[1]["parentNodeIds"] == [ids[0]]
    expected = [_source(ids[0], prefix="in1"), _target(ids[1], ids[0], updateType="APPEND", coalesce=4)]
    assert made == expected


def test_joins_and_queries_refer_to_the_new_ids() -> None:
    condition = {"leftField": "id", "rightField": "id", "joinOperator": "EQ", "conditionOperator": "HEAD"}
    join = {
        "type": "TRANSFORM_JOIN", "id": 3, "name": "j", "parentNodeIds": [2, 1], "joinType": "INNER", "leftNodeId": 1,
        "rightNodeId": 2, "joinConditionList": [condition],
    }  # fmt: skip
    query = {
        "type": "TRANSFORM_SQL", "id": 4, "name": "q", "parentNodeIds": [3], "sql": "SELECT * FROM t",
        "sourceNameList": [{"parentId": 3, "newName": "t"}],
    }  # fmt: skip
    made = only(expand(_row([_source(1), _source(2), join, query, _target(5, 4)])))
    one, two, joined, asked, written = (node["id"] for node in made)
    assert made[2]["parentNodeIds"] == [two, one]
    assert (made[2]["leftNodeId"], made[2]["rightNodeId"]) == (one, two)
    assert made[3]["sourceNameList"] == [{"parentId": joined, "newName": "t"}]
    assert made[4]["parentNodeIds"] == [asked]
    assert len({one, two, joined, asked, written}) == 5


@settings(max_examples=60)
@given(graphs())
def test_any_good_graph_becomes_a_job_that_the_sandbox_takes(graph: list[Json]) -> None:
    for place, node in enumerate(graph):
        if "bucketName" in node:
            node["prefix"] = f"folder {place}/"  # the strategy's are any text, which is more than a prefix may be
    expansion = expand(_row(graph))
    assert not [problem for problem in expansion.problems if problem.severity == "error"]
    (job,) = expansion.jobs
    assert_the_sandbox_takes(job)
    assert all(is_ours("raw_job", [node["id"]]) for node in nodes(job))


@settings(max_examples=60)
@given(broken_graphs())
def test_any_graph_that_is_broken_in_one_place_is_refused_with_its_code(broken: tuple[str, list[Json]]) -> None:
    code, graph = broken
    expansion = expand(_row(graph))
    assert ("nodes", code) in codes(expansion)
    assert expansion.jobs == [None]


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("[", "bad-json", "`nodes` is not valid JSON"),
        ("{}", "bad-json", "`nodes` must be a list of nodes"),
        ("[]", "bad-json", "`nodes` must be a list of nodes"),
        ("[1]", "bad-json", "node 1 must be an object"),
        ('[{"type": "SOURCE_OBJ"}]', "unknown-node-type", "node 1: unknown type 'SOURCE_OBJ'"),
        ('[{"type": 5}]', "unknown-node-type", "node 1: unknown type '5'"),
        ("[{}]", "unknown-node-type", "node 1: unknown type 'None'"),
        (json.dumps([_source(bucket="x")]), "unknown-key", "node 1: unknown key 'bucket'"),
        (json.dumps([_source(), {"type": "TARGET_OBS"}]), "bad-json", "node 2: Object missing required field"),
        (json.dumps([_source(id="1")]), "bad-json", "node 1: Expected `int`, got `str`"),
        (json.dumps([_source(dataType="csv")]), "bad-json", "node 1: Invalid enum value 'csv'"),
        (json.dumps([_source()] * 1001), "too-many-nodes", "`nodes` has 1001 nodes"),
    ],
)
def test_what_is_no_list_of_nodes_is_told_with_its_place(text: str, code: str, message: str) -> None:
    with pytest.raises(CellError) as caught:
        read_nodes(text)
    assert caught.value.code == code
    assert message in caught.value.message
    (problem,) = expand(_row(text)).problems
    assert (problem.column, problem.code, problem.value, problem.line) == ("nodes", code, text, 2)


@pytest.mark.parametrize(
    ("graph", "code"),
    [
        ([_source(prefix="/in"), _target(2, 1)], "leading-slash"),
        ([_source(), _target(2, 1, prefix="a\tb")], "control-character"),
        ([_source(regionNo="kr"), _target(2, 1)], "bad-region"),
        ([_source(bucketName="Shop"), _target(2, 1)], "bad-bucket"),
        ([_source(fieldList=[{"name": "id", "type": "text"}]), _target(2, 1)], "unknown-field-type"),
        ([_source(), _target(2, 1, coalesce=0)], "bad-coalesce"),
        ([_source(), _source(), _target(2, 1)], "duplicate-node-id"),
    ],
)
def test_what_a_layouts_cells_are_checked_for_is_checked_here_too(graph: list[Json], code: str) -> None:
    assert codes(expand(_row(graph))) == [("nodes", code)]


def test_several_faults_of_one_kind_are_all_told_each_with_its_node() -> None:
    expansion = expand(_row([_source(prefix="/a"), _source(2, prefix="/b"), _target(3, 9, 1, 2)]))
    messages = [problem.message for problem in expansion.problems]
    assert codes(expansion) == [("nodes", "leading-slash"), ("nodes", "leading-slash"), ("nodes", "missing-parent")]
    assert messages[0].startswith("node '1 (SOURCE_OBS)': ")
    assert messages[1].startswith("node '2 (SOURCE_OBS)': ")
    assert messages[2].startswith("node '3 (TARGET_OBS)': ")


def test_filter_values_that_do_not_fit_their_field_are_warned_of() -> None:
    condition = {"name": "id", "operator": "EQ", "value": "x"}
    graph = [
        _source(),
        {"type": "TRANSFORM_FILTER", "id": 2, "name": "f", "parentNodeIds": [1], "filterType": "AND",
         "filterConditionList": [condition]},
        _target(3, 2),
    ]  # fmt: skip
    (verdict,) = judge_raw(read_nodes(json.dumps(graph)))
    assert (verdict.severity, verdict.code, verdict.node) == ("warning", "value-type", "2 (TRANSFORM_FILTER)")
    assert expand(_row(graph)).jobs != [None]


def test_a_row_with_nodes_needs_a_name_unless_bucket_and_prefix_make_one() -> None:
    graph = [_source(), _target(2, 1)]
    assert codes(expand(_row(graph, name=""))) == [("name", "empty")]
    made = expand(_row(graph, name="", bucket="shop-raw", prefix="in"))
    assert not made.problems
    assert made.names[0] is not None
    assert made.names[0].startswith("shop-raw-in_")


def test_rows_with_and_without_nodes_stand_in_one_file() -> None:
    graph = json.dumps([_source(), _target(2, 1)])
    expansion = expand(GOOD | {"nodes": ""}, GOOD | {"name": "raw_job", "nodes": graph}, GOOD | {"nodes": " \n"})
    assert not expansion.problems
    assert [len(nodes(job)) for job in expansion.jobs] == [3, 2, 3]


def test_a_row_without_nodes_in_a_file_that_has_no_other_columns_says_what_it_lacks() -> None:
    expansion = expand(_row([_source(), _target(2, 1)]), _row("", name="other"))
    assert expansion.jobs[0] is not None
    assert expansion.jobs[1] is None
    assert set(codes(expansion)) == {
        (column, "empty") for column in ("bucket", "prefix", "fields", "target_bucket", "target_prefix")
    }

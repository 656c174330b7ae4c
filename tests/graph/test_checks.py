"""Graphs that cannot run are refused, for the right reason, in words a reader understands; all others pass."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from bulkjobs.graph import nodes as n
from bulkjobs.graph.checks import Finding, check_graph
from bulkjobs.sandbox.errors import Refusal
from bulkjobs.sandbox.graphs import check_graph as sandbox_check
from bulkjobs.sandbox.shapes import read_nodes

from .strategies import broken_graphs, graphs

Json = dict[str, Any]

FIELDS = [{"name": "id", "type": "int"}, {"name": "name", "type": "String"}]
LABELS = ["in", "more", "keep", "both", "ask", "stack", "out"]


def _graph() -> list[Json]:
    """Two sources, a filter, a join, a query, a union and a target; see LABELS."""
    obs = {"regionNo": "1", "bucketName": "raw-data", "dataType": "CSV", "fieldList": copy.deepcopy(FIELDS)}
    condition = {"leftField": "id", "rightField": "id", "joinOperator": "EQ", "conditionOperator": "HEAD"}
    return [
        {"type": "SOURCE_OBS", "id": 1, "parentNodeIds": [], "prefix": "in", **obs},
        {"type": "SOURCE_OBS", "id": 2, "parentNodeIds": [], "prefix": "more", **copy.deepcopy(obs)},
        {
            "type": "TRANSFORM_FILTER", "id": 3, "parentNodeIds": [1], "filterType": "AND",
            "filterConditionList": [{"name": "name", "operator": "EQ", "value": "A"}],
        },
        {
            "type": "TRANSFORM_JOIN", "id": 4, "parentNodeIds": [3, 2], "joinType": "INNER", "leftNodeId": 3,
            "rightNodeId": 2, "joinConditionList": [condition, condition | {"conditionOperator": "OR"}],
        },
        {
            "type": "TRANSFORM_SQL", "id": 5, "parentNodeIds": [4], "sql": "SELECT * FROM t",
            "sourceNameList": [{"parentId": 4, "newName": "t"}],
        },
        {"type": "TRANSFORM_UNION", "id": 6, "parentNodeIds": [5, 4], "unionType": "ALL"},
        {"type": "TARGET_OBS", "id": 7, "parentNodeIds": [6], "prefix": "out", **copy.deepcopy(obs)},
    ]  # fmt: skip


def _check(graph: list[Json], labels: list[str] | None = None) -> list[Finding]:
    typed = msgspec.convert([{"name": "n", **node} for node in graph], list[n.Node])
    return check_graph(typed, labels or [*LABELS, *(f"more-{i}" for i in range(len(graph)))][: len(graph)])


def _errors(graph: list[Json]) -> set[str]:
    return {finding.code for finding in _check(graph) if finding.severity == "error"}


def _sandbox_accepts(graph: list[Json]) -> bool:
    try:
        sandbox_check(read_nodes(copy.deepcopy(graph)))
    except Refusal:
        return False
    return True


def test_a_graph_without_fault_has_no_findings() -> None:
    assert _check(_graph()) == []


def _put(place: int, **keys: Any) -> Callable[[list[Json]], None]:
    return lambda graph: graph[place].update(keys)


def _in_list(place: int, key: str, at: int, **keys: Any) -> Callable[[list[Json]], None]:
    return lambda graph: graph[place][key].__setitem__(at, graph[place][key][at] | keys)


def _transform(kind: str, **keys: Any) -> Callable[[list[Json]], None]:
    """One more transform below the filter."""
    return lambda graph: graph.append({"type": f"TRANSFORM_{kind}", "id": 8, "parentNodeIds": [3], **keys})


def _without(word: str) -> Callable[[list[Json]], None]:
    def change(graph: list[Json]) -> None:
        graph[:] = [node for node in graph if word not in node["type"]]

    return change


NESTED = [{"name": "a", "type": "struct", "properties": [{"name": "x", "type": "intt"}, {"name": "x", "type": "int"}]}]
AGGREGATE = {"name": "id", "ResultName": "n", "function": "SUM"}
ONE_OF_A_KIND: list[tuple[Callable[[list[Json]], None], int | None, str]] = [
    (_put(1, id=1), 1, "duplicate-node-id"),
    (_put(2, id=2**63), 2, "node-id-range"),
    (_put(6, parentNodeIds=[99]), 6, "missing-parent"),
    (_put(2, parentNodeIds=[1, 6]), 2, "cycle"),
    (_put(2, parentNodeIds=[1, 3]), 2, "cycle"),
    (_put(1, parentNodeIds=[1]), 1, "source-with-parents"),
    (_put(2, parentNodeIds=[]), 2, "no-parents"),
    (_put(6, parentNodeIds=[]), 6, "no-parents"),
    (_put(5, parentNodeIds=[7, 4]), 5, "target-with-children"),
    (_put(3, leftNodeId=2), 3, "join-sides"),
    (_put(3, leftNodeId=1), 3, "join-sides"),
    (_put(3, parentNodeIds=[3]), 3, "join-sides"),
    (_put(3, parentNodeIds=[2, 2], leftNodeId=2), 3, "join-sides"),
    (_put(3, parentNodeIds=[3, 2, 1]), 3, "join-sides"),
    (_in_list(3, "joinConditionList", 0, conditionOperator="AND"), 3, "join-head"),
    (_in_list(3, "joinConditionList", 1, conditionOperator="HEAD"), 3, "join-head"),
    (_without("SOURCE"), None, "no-source"),
    (_without("TARGET"), None, "no-target"),
    (_in_list(2, "filterConditionList", 0, name="nmae"), 2, "missing-field"),
    (_in_list(3, "joinConditionList", 0, leftField="x"), 3, "missing-field"),
    (_in_list(3, "joinConditionList", 0, rightField="x"), 3, "missing-field"),
    (_transform("SELECT", fieldList=[{"name": "x", "type": "int"}]), 7, "missing-field"),
    (_transform("RENAME", renameFieldList=[{"name": "x", "newName": "y"}]), 7, "missing-field"),
    (_transform("DEFINE", defineFieldList=[{"name": "x", "newType": "int", "newName": "y"}]), 7, "missing-field"),
    (_transform("AGGREGATE", groupByList=["x"], aggregateFieldList=[AGGREGATE]), 7, "missing-field"),
    (_transform("AGGREGATE", groupByList=[], aggregateFieldList=[AGGREGATE | {"name": "x"}]), 7, "missing-field"),
    (_transform("DROP_DUPLICATION", dropFieldList=["x"]), 7, "missing-field"),
    (
        _transform("FILL_MISSING_VALUES", missingValueFieldList=[{"name": "x", "defaultValue": "0"}]),
        7,
        "missing-field",
    ),
    (_in_list(4, "sourceNameList", 0, parentId=1), 4, "sql-parent"),
    (_put(4, sourceNameList=[{"parentId": 4, "newName": "t"}] * 2), 4, "sql-names"),
    (_put(4, sql=" \n"), 4, "empty-sql"),
    (_put(5, parentNodeIds=[5]), 5, "union-parents"),
    (_put(0, fieldList=[*FIELDS, FIELDS[0]]), 0, "duplicate-field"),
    (_put(0, fieldList=[*FIELDS, {"name": "a", "type": "text"}]), 0, "unknown-field-type"),
    (
        _transform("DEFINE", defineFieldList=[{"name": "id", "newType": "long", "newName": "y"}]),
        7,
        "unknown-field-type",
    ),
    (_put(0, bucketName="Raw_Data"), 0, "bad-bucket"),
    (_put(6, bucketName="10.0.0.1"), 6, "bad-bucket"),
    (_put(6, coalesce=0), 6, "bad-coalesce"),
    (_put(2, filterConditionList=[]), 2, "empty-list"),
    (_put(3, joinConditionList=[]), 3, "empty-list"),
    (_put(4, sourceNameList=[]), 4, "empty-list"),
    (_put(6, fieldList=[]), 6, "empty-list"),
    (_transform("SELECT", fieldList=[]), 7, "empty-list"),
    (_transform("DEFINE", defineFieldList=[]), 7, "empty-list"),
    (_transform("RENAME", renameFieldList=[]), 7, "empty-list"),
    (_transform("DROP_DUPLICATION", dropFieldList=[]), 7, "empty-list"),
    (_transform("FILL_MISSING_VALUES", missingValueFieldList=[]), 7, "empty-list"),
    (_transform("AGGREGATE", groupByList=["id"], aggregateFieldList=[]), 7, "empty-list"),
]


@pytest.mark.parametrize(("change", "place", "code"), ONE_OF_A_KIND)
def test_a_graph_broken_in_one_place_is_refused_there(
    change: Callable[[list[Json]], None], place: int | None, code: str
) -> None:
    graph = _graph()
    change(graph)

    findings = _check(graph)

    assert (code, place) in {(finding.code, finding.node) for finding in findings if finding.severity == "error"}
    assert all(finding.hint for finding in findings)


def test_a_message_names_the_node_and_the_closest_field() -> None:
    graph = _graph()
    graph[2]["filterConditionList"][0]["name"] = "nmae"

    (finding,) = _check(graph)

    assert finding.message == "node 'keep': field 'nmae' does not exist upstream"
    assert finding.hint == "did you mean 'name'?"


def test_a_cycle_is_told_by_its_own_nodes_in_the_direction_of_the_data() -> None:
    graph = _graph()
    graph[2]["parentNodeIds"] = [1, 6]

    (message,) = (finding.message for finding in _check(graph) if finding.code == "cycle")

    around = message.rsplit(": ", 1)[1].replace("'", "").split(", ")
    assert set(around) <= {"keep", "both", "ask", "stack"}
    below = dict(zip(LABELS, graph, strict=True))
    for feeding, fed in zip(around, [*around[1:], around[0]], strict=True):
        assert below[feeding]["id"] in below[fed]["parentNodeIds"]


def test_nested_fields_are_checked_and_named_by_their_path() -> None:
    graph = _graph()
    graph[1]["fieldList"] = [*FIELDS, *NESTED]

    messages = {finding.code: finding for finding in _check(graph)}

    assert "'a.x' has unknown type 'intt'" in messages["unknown-field-type"].message
    assert messages["unknown-field-type"].hint == "did you mean int?"
    assert "come twice: 'a.x'" in messages["duplicate-field"].message


def test_nothing_is_refused_where_the_fields_cannot_be_known() -> None:
    below_a_query = _graph()
    below_a_query.append(
        {"type": "TRANSFORM_DROP_DUPLICATION", "id": 8, "parentNodeIds": [5], "dropFieldList": ["anything"]}
    )
    assert _errors(below_a_query) == set()


def test_an_entry_may_build_on_an_earlier_one_of_the_same_node() -> None:
    graph = _graph()
    _transform("RENAME", renameFieldList=[{"name": "id", "newName": "x"}, {"name": "x", "newName": "y"}])(graph)
    assert _errors(graph) == set()


def test_several_faults_are_found_at_once() -> None:
    graph = _graph()
    graph[0]["bucketName"] = "X"
    graph[2]["filterConditionList"][0]["name"] = "x"
    graph[6]["parentNodeIds"] = []
    assert _errors(graph) == {"bad-bucket", "missing-field", "no-parents"}


def test_text_of_the_graph_cannot_drive_a_terminal() -> None:
    graph = _graph()
    graph[2]["filterConditionList"][0]["name"] = "\x1b[2J"
    (finding,) = _check(graph, ["in", "more", "\x1b[2J", "both", "ask", "stack", "out"])
    assert "\x1b" not in finding.message


@pytest.mark.parametrize(
    ("source", "target", "warned"),
    [
        ("data/in", "data/in", True),
        ("data/in", "data/in/", True),
        ("data/in", "data/in/done", True),
        ("data/in", "data", True),
        ("data/in", "data/input", False),
        ("data/in", "out", False),
    ],
)
def test_a_target_that_overwrites_a_source_is_suspicious(source: str, target: str, warned: bool) -> None:
    graph = _graph()
    graph[0]["prefix"] = source
    graph[6] |= {"prefix": target, "updateType": "OVERWRITE"}
    assert [(finding.code, finding.severity) for finding in _check(graph)] == [
        ("overwrites-source", "warning")
    ] * warned

    graph[6]["updateType"] = "APPEND"
    assert _check(graph) == []


def test_a_table_that_is_read_and_overwritten_is_suspicious_too() -> None:
    table = {"connectionId": "c", "table": "t", "fieldList": FIELDS}
    graph = [
        {"type": "SOURCE_CDB_MYSQL", "id": 1, "parentNodeIds": [], **table},
        {"type": "TARGET_CDB_MYSQL", "id": 2, "parentNodeIds": [1], "updateType": "OVERWRITE", **table},
    ]
    assert [finding.code for finding in _check(graph)] == ["overwrites-source"]
    graph[0]["type"] = "SOURCE_CDB_POSTGRESQL"
    assert _check(graph) == []


def test_or_is_let_pass_with_a_warning() -> None:
    graph = _graph()
    graph[2]["filterType"] = "OR"
    assert [(finding.code, finding.severity, finding.node) for finding in _check(graph)] == [
        ("filter-or", "warning", 2)
    ]


@pytest.mark.parametrize("closed", [False, True])
def test_a_very_deep_graph_is_checked_without_recursion(closed: bool) -> None:
    graph = _graph()[:2]
    condition = [{"name": "name", "operator": "EQ", "value": "A"}]
    graph += [
        {
            "type": "TRANSFORM_FILTER", "id": number, "parentNodeIds": [number - 1], "filterType": "AND",
            "filterConditionList": condition,
        }
        for number in range(3, 3000)
    ]  # fmt: skip
    graph.append(_graph()[6] | {"id": 3000, "parentNodeIds": [2999]})
    if closed:
        graph[2]["parentNodeIds"] = [2999]
    assert _errors(graph) == ({"cycle"} if closed else set())


@given(graphs())
@settings(max_examples=80, deadline=None)
def test_every_valid_graph_is_accepted_by_us_and_by_the_sandbox(graph: list[Json]) -> None:
    assert _errors(graph) == set()
    assert _sandbox_accepts(graph)


@given(broken_graphs())
@settings(max_examples=120, deadline=None)
def test_every_graph_broken_in_one_place_is_refused_by_us_and_by_the_sandbox(broken: tuple[str, list[Json]]) -> None:
    code, graph = broken
    assert code in _errors(graph)
    assert not _sandbox_accepts(graph)

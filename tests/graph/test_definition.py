"""What the service adds or normalises is no difference, and every real edit is one."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from bulkjobs.graph.definition import Difference, differences, remote_ids, same_definition
from bulkjobs.graph.nodes import NODE_TYPES

from .strategies import graphs

Json = dict[str, Any]

FIELDS = [{"name": "id", "type": "int"}, {"name": "name", "type": "string"}, {"name": "day", "type": "date"}]


def _graph() -> list[Json]:
    """Two unlike sources, joined, asked, filtered, written."""
    condition = {"leftField": "id", "rightField": "id", "joinOperator": "EQ", "conditionOperator": "HEAD"}
    return [
        {
            "type": "SOURCE_OBS", "id": 1, "name": "in", "parentNodeIds": [], "regionNo": "1", "bucketName": "raw",
            "prefix": "in", "dataType": "CSV", "fieldList": copy.deepcopy(FIELDS),
        },
        {
            "type": "SOURCE_CATALOG", "id": 2, "name": "c", "parentNodeIds": [], "database": "d", "table": "t",
            "schemaVersion": "3", "fieldList": copy.deepcopy(FIELDS),
        },
        {
            "type": "TRANSFORM_JOIN", "id": 3, "name": "j", "parentNodeIds": [1, 2], "joinType": "INNER",
            "leftNodeId": 1, "rightNodeId": 2, "joinConditionList": [condition],
        },
        {
            "type": "TRANSFORM_SQL", "id": 4, "name": "q", "parentNodeIds": [3, 2], "sql": "SELECT 1",
            "sourceNameList": [{"parentId": 3, "newName": "t"}, {"parentId": 2, "newName": "u"}],
        },
        {
            "type": "TRANSFORM_FILTER", "id": 5, "name": "f", "parentNodeIds": [4], "filterType": "AND",
            "filterConditionList": [
                {"name": "id", "operator": "GT", "value": "5"}, {"name": "name", "operator": "EQ", "value": "A"},
            ],
        },
        {
            "type": "TARGET_OBS", "id": 6, "name": "out", "parentNodeIds": [5], "regionNo": "1", "bucketName": "raw",
            "prefix": "out", "dataType": "CSV", "fieldList": copy.deepcopy(FIELDS), "updateType": "APPEND",
        },
    ]  # fmt: skip


def _compare(ours: list[Json], remote: object) -> list[Difference]:
    return differences(msgspec.json.encode(ours), remote)


def _renumbered(graph: list[Json], ids: dict[int, object]) -> list[Json]:
    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: new(inner) if key in _ID_KEYS else walk(inner) for key, inner in value.items()}
        return [walk(inner) for inner in value] if isinstance(value, list) else value

    def new(value: Any) -> Any:
        return [ids[number] for number in value] if isinstance(value, list) else ids[value]

    return [walk(node) for node in graph]


_ID_KEYS = {"id", "parentNodeIds", "leftNodeId", "rightNodeId", "parentId"}


@st.composite
def as_shown(draw: st.DrawFn, graph: list[Json]) -> list[Json]:
    """The graph as some service might show it: renumbered, shuffled, completed, normalised; nothing else."""
    numbers = st.integers(1, 2**63 - 1)
    ids = draw(st.lists(numbers, min_size=len(graph), max_size=len(graph), unique=True))
    as_text = draw(st.booleans())
    new_ids: dict[int, object] = {
        node["id"]: str(number) if as_text else number for node, number in zip(graph, ids, strict=True)
    }
    shown = _renumbered(copy.deepcopy(graph), new_ids)

    def complete(field_list: list[Json]) -> None:
        for field in field_list:
            field["type"] = draw(st.sampled_from([field["type"].upper(), field["type"].lower()]))
            complete(field.setdefault("properties", []))

    for node in shown:
        complete(node.get("fieldList", []))
        node["parentNodeIds"] = draw(st.permutations(node["parentNodeIds"])) or draw(st.sampled_from([[], None]))
        node |= {"description": draw(st.sampled_from([None, "", "made by hand"])), "status": 7}
        for key in ("filterConditionList", "dropFieldList", "missingValueFieldList", "sourceNameList"):
            if key in node:
                node[key] = draw(st.permutations(node[key]))
        for condition in node.get("filterConditionList", []):
            if condition["value"] == "1":
                condition["value"] = 1
        if node.get("regionNo") == "1" and draw(st.booleans()):
            node["regionNo"] = 1
        if "coalesce" in node and draw(st.booleans()):
            node["coalesce"] = str(node["coalesce"])
        if node["type"].startswith("TARGET"):
            node.setdefault("updateType", draw(st.sampled_from(["APPEND", "", None])))
            node.setdefault("coalesce", draw(st.sampled_from([1, None])))
        if node["type"] == "TRANSFORM_JOIN":
            node.setdefault("prefix", draw(st.sampled_from(["", None])))
    return draw(st.permutations(shown))


@given(graphs().flatmap(lambda graph: st.tuples(st.just(graph), as_shown(graph))))
@settings(max_examples=100, deadline=None)
def test_what_a_service_adds_and_normalises_is_no_difference(case: tuple[list[Json], list[Json]]) -> None:
    ours, remote = case
    assert _compare(ours, remote) == []
    assert same_definition(msgspec.json.encode(ours), remote)


def _places(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of everything in a graph that is no id: leaves, and items of lists."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in _ID_KEYS:
                yield from _places(inner, (*path, key))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield (*path, at)
            yield from _places(inner, (*path, at))
    else:
        yield path


def _edited(graph: list[Json], path: tuple[Any, ...]) -> list[Json]:
    """The graph with the leaf at ``path`` altered, or the list item there taken out."""
    edited = copy.deepcopy(graph)
    holder: Any = edited
    for step in path[:-1]:
        holder = holder[step]
    value = holder[path[-1]]
    if isinstance(path[-1], int):
        del holder[path[-1]]
    elif isinstance(value, int):
        holder[path[-1]] = value + 1
    else:
        holder[path[-1]] = value + "x"
    return edited


@given(graphs(), st.data())
@settings(max_examples=100, deadline=None)
def test_every_edit_in_a_single_place_is_a_difference(graph: list[Json], data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(list(_places(graph))))
    edited = _edited(graph, path)
    assert _compare(graph, data.draw(as_shown(edited)) if len(path) > 1 else edited) != []


def test_every_edit_of_an_example_is_found_where_it_was_made() -> None:
    for place in _places(_graph()):
        path = place
        found = _compare(_graph(), _edited(_graph(), place))
        if "sourceNameList" in path:
            path = path[: path.index("sourceNameList") + 1]  # told as a whole, like all that refers to nodes
        where = "nodes" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
        assert where in [difference.path for difference in found], (where, found)
        if len(place) > 1:
            assert len(found) == 1, found


@given(graphs(), st.data())
@settings(max_examples=100, deadline=None)
def test_a_rewired_parent_is_a_difference(graph: list[Json], data: st.DataObject) -> None:
    node = data.draw(st.sampled_from([node for node in graph if node["type"].startswith("TARGET")]))
    others = [other for other in graph if other["type"].startswith(("SOURCE", "TRANSFORM"))]
    other = data.draw(st.sampled_from(others))
    was = next(before for before in graph if before["id"] == node["parentNodeIds"][0])
    assume(other["type"] != was["type"])
    edited = copy.deepcopy(graph)
    edited[graph.index(node)]["parentNodeIds"] = [other["id"]]
    assert _compare(graph, edited) != []


def _change(place: int, **keys: Any) -> Callable[[list[Json]], None]:
    return lambda graph: graph[place].update(keys)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (_change(0, bucketName="new"), Difference("nodes[0].bucketName", "raw", "new")),
        (_change(0, prefix=None), Difference("nodes[0].prefix", "in", UNSET)),
        (_change(1, schemaVersion=4), Difference("nodes[1].schemaVersion", "3", 4)),
        (_change(0, fieldList=FIELDS[1:]), Difference("nodes[0].fieldList[0]", FIELDS[0], UNSET)),
        (
            _change(0, fieldList=[*FIELDS, {"name": "n", "type": "int"}]),
            Difference("nodes[0].fieldList[3]", UNSET, {"name": "n", "type": "int"}),
        ),
        (_change(5, updateType="OVERWRITE"), Difference("nodes[5].updateType", "APPEND", "OVERWRITE")),
        (_change(5, updateType=None), Difference("nodes[5].updateType", "APPEND", UNSET)),
        (_change(2, prefix="r_"), Difference("nodes[2].prefix", UNSET, "r_")),
        (_change(2, leftNodeId=2, rightNodeId=1), Difference("nodes[2].leftNodeId", 1, 2)),
        (_change(5, parentNodeIds=[4]), Difference("nodes[5].parentNodeIds", [5], [4])),
        (_change(4, type="TRANSFORM_UNION"), Difference("nodes[4].type", "TRANSFORM_FILTER", "TRANSFORM_UNION")),
        (lambda graph: graph.append({"type": "X"}), Difference("nodes[6]", UNSET, {"type": "X"})),
        (lambda graph: graph.append(5), Difference("nodes[6]", UNSET, 5)),
        (_change(0, fieldList="none"), Difference("nodes[0].fieldList", FIELDS, "none")),
    ],
)  # fmt: skip
def test_a_difference_says_where_what_and_against_what(
    change: Callable[[list[Json]], None], expected: Difference
) -> None:
    remote = _graph()
    change(remote)
    assert expected in _compare(_graph(), remote)


def test_columns_in_another_order_are_a_difference() -> None:
    remote = _graph()
    remote[0]["fieldList"].reverse()
    assert {difference.path for difference in _compare(_graph(), remote)} == {
        "nodes[0].fieldList[0].name", "nodes[0].fieldList[0].type",
        "nodes[0].fieldList[2].name", "nodes[0].fieldList[2].type",
    }  # fmt: skip


def test_conditions_in_another_order_are_no_difference() -> None:
    remote = _graph()
    remote[4]["filterConditionList"].reverse()
    assert _compare(_graph(), remote) == []


def test_two_unlike_graphs_with_a_cycle_do_not_pass_for_equal() -> None:
    ours, remote = _graph(), _graph()
    for graph in (ours, remote):
        graph[0]["parentNodeIds"] = [6]
    remote[4]["filterType"] = "OR"
    assert _compare(ours, remote) == [Difference("nodes[4].filterType", "AND", "OR")]


def test_swapped_names_in_a_query_are_a_difference() -> None:
    remote = _graph()
    remote[3]["sourceNameList"] = [{"parentId": 3, "newName": "u"}, {"parentId": 2, "newName": "t"}]
    assert [difference.path for difference in _compare(_graph(), remote)] == ["nodes[3].sourceNameList"]


def test_a_change_at_the_source_is_not_told_again_of_every_node_below() -> None:
    remote = _renumbered(_graph(), {number: number + 100 for number in range(1, 7)})
    remote[0]["prefix"] = "elsewhere"
    assert _compare(_graph(), remote) == [Difference("nodes[0].prefix", "in", "elsewhere")]


def test_of_two_like_targets_each_keeps_what_was_sent_for_it() -> None:
    ours = _graph()
    bare = copy.deepcopy(ours[5]) | {"id": 7}
    del bare["updateType"]
    ours.append(bare)
    remote = copy.deepcopy(ours)
    remote[6]["updateType"] = "IGNORE"
    assert _compare(ours, list(reversed(remote))) == []
    assert _compare(list(reversed(ours)), remote) == []  # the bare one chooses first, and takes its own
    remote[5]["updateType"] = "IGNORE"
    assert _compare(ours, remote) != []


def test_a_graph_of_shared_nodes_is_compared_in_time_that_its_nodes_take_not_its_paths() -> None:
    graph = _graph()[:1]
    for number in range(2, 400, 2):
        below = number - 1
        union = {"type": "TRANSFORM_UNION", "name": "u", "unionType": "ALL"}
        graph.append(union | {"id": number, "parentNodeIds": [below, max(1, below - 1)]})
        graph.append(union | {"id": number + 1, "parentNodeIds": [number, below], "name": "v"})
    remote = _renumbered(graph, {node["id"]: node["id"] + 1000 for node in graph})
    begun = time.perf_counter()
    assert _compare(graph, list(reversed(remote))) == []
    remote[0]["prefix"] = "x"
    assert len(_compare(graph, remote)) == 1
    assert time.perf_counter() - begun < 5


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
KEYS = sorted({key for node in _graph() for key in node} | {"properties", "coalesce", "dropFieldList"})
NODES = st.lists(
    st.dictionaries(st.sampled_from(KEYS), JSON | st.sampled_from(["1", 1, [1], ["1", 2]]))
    | st.builds(lambda word, rest: rest | {"type": word}, st.sampled_from(sorted(NODE_TYPES)), st.dictionaries(
        st.sampled_from(KEYS), JSON)),
    max_size=4,
)  # fmt: skip


@given(JSON | NODES)
@settings(max_examples=150, deadline=None)
def test_nothing_that_a_service_can_answer_raises_or_passes_for_ours(remote: object) -> None:
    assert _compare(_graph(), remote) != []
    assert all(isinstance(number, int) for number in remote_ids(remote))


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_our_own_job_with_anything_in_one_place_never_raises(data: st.DataObject) -> None:
    remote: Any = _graph()
    path = data.draw(st.sampled_from(list(_places(remote))))
    holder = remote
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = data.draw(JSON)
    _compare(_graph(), remote)


@pytest.mark.parametrize("place", ["properties", "type", "value"])
def test_deep_nesting_and_cycles_are_differences_and_nothing_worse(place: str) -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [{"name": "a", "type": "struct", "properties": deep}] if place == "properties" else [deep]
    remote = _graph()
    remote[0]["fieldList"][0][place] = deep
    remote[4]["filterConditionList"][0][place] = deep
    remote[4]["parentNodeIds"] = [5]
    assert _compare(_graph(), remote) != []
    assert _compare(_graph(), deep) != []


def test_a_number_too_long_to_print_is_a_difference_and_nothing_worse() -> None:
    remote = _graph()
    remote[4]["filterConditionList"][0]["value"] = 10**6000
    remote[5] |= {"id": 10**6000, "prefix": -(10**6000), "parentNodeIds": [10**6000]}
    assert len(_compare(_graph(), remote)) == 3
    assert remote_ids(remote)[-1] == 10**6000


def test_no_nodes_differ_from_some_and_equal_none() -> None:
    assert _compare([], []) == []
    assert _compare(_graph(), []) == [Difference(f"nodes[{at}]", node, UNSET) for at, node in enumerate(_graph())]
    assert _compare([], None) == [Difference("nodes", [], None)]


@pytest.mark.parametrize(
    ("nodes", "ids"),
    [
        ([{"id": 1697776914576}, {"id": "1697776942407"}], [1697776914576, 1697776942407]),
        ([{"id": True}, {"id": "x"}, {"id": "²"}, {"id": ""}, {"id": None}, {}, 7, [{"id": 1}], {"id": 7.5}], []),
        ([{"id": "9" * 5000}, {"id": float("nan")}, {"id": float("inf")}, {"id": 5.0}], [5]),
        (None, []),
        ({"id": 1}, []),
    ],
)
def test_ids_are_read_as_far_as_they_are_ids(nodes: object, ids: list[int]) -> None:
    assert remote_ids(nodes) == ids

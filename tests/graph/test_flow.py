"""Fields are followed through every kind of node; where nothing can be known, nothing is claimed."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from bulkjobs.graph import nodes as n
from bulkjobs.graph.flow import Fields, exists, fields_after

Json = dict[str, Any]

SOURCE = {
    "type": "SOURCE_CDB_MYSQL", "id": 1, "name": "s", "parentNodeIds": [], "connectionId": "c", "table": "t",
    "fieldList": [{"name": "id", "type": "Int"}, {"name": "address", "type": "STRUCT"}],
}  # fmt: skip
OTHER = SOURCE | {"id": 2, "fieldList": [{"name": "id", "type": "string"}, {"name": "x", "type": "date"}]}


def _after(kind: str, parents: list[int], **keys: Any) -> Fields:
    """The fields after one node below the two sources; it stands before them in the list."""
    node = {"type": f"TRANSFORM_{kind}", "id": 3, "name": "n", "parentNodeIds": parents} | keys
    return fields_after(msgspec.convert([node, SOURCE, OTHER], list[n.Node]))[0]


def _join(**keys: Any) -> Fields:
    return _after("JOIN", [1, 2], joinType="INNER", leftNodeId=1, rightNodeId=2, joinConditionList=[], **keys)


@pytest.mark.parametrize(
    ("kind", "keys", "expected"),
    [
        ("FILTER", {"filterType": "AND", "filterConditionList": []}, {"id": "int", "address": "struct"}),
        ("SELECT", {"fieldList": [{"name": "id", "type": "Bigint"}]}, {"id": "bigint"}),
        (
            "SELECT",
            {"fieldList": [{"name": "address.city", "type": "string"}]},
            {"address.city": "string", "city": "string"},
        ),
        ("RENAME", {"renameFieldList": [{"name": "id", "newName": "key"}]}, {"key": "int", "address": "struct"}),
        (
            "DEFINE",
            {"defineFieldList": [{"name": "id", "newType": "String", "newName": "key"}]},
            {"id": "int", "address": "struct", "key": "string"},
        ),
        (
            "DEFINE",
            {"defineFieldList": [{"name": "id", "newType": "String", "newName": "id"}]},
            {"id": "string", "address": "struct"},
        ),
        (
            "AGGREGATE",
            {"groupByList": ["id"], "aggregateFieldList": [{"name": "id", "ResultName": "n", "function": "SUM"}]},
            {"id": "int", "n": None},
        ),
        ("DROP_DUPLICATION", {"dropFieldList": ["id"]}, {"id": "int", "address": "struct"}),
        ("FILL_MISSING_VALUES", {"missingValueFieldList": []}, {"id": "int", "address": "struct"}),
        ("SQL", {"sourceNameList": [], "sql": "SELECT 1"}, None),
    ],
)  # fmt: skip
def test_each_transform_passes_on_its_fields(kind: str, keys: Json, expected: Fields) -> None:
    assert _after(kind, [1], **keys) == expected


def test_a_union_and_a_join_bring_the_fields_of_both_and_no_type_where_they_disagree() -> None:
    both = {"id": None, "address": "struct", "x": "date"}
    assert _after("UNION", [1, 2], unionType="ALL") == both
    assert _join() == both


def test_a_join_with_a_prefix_makes_names_that_nobody_documents() -> None:
    assert _join(prefix="r_") is None
    assert _join(prefix="") is not None


def test_a_select_is_known_even_below_what_is_not() -> None:
    query = {"type": "TRANSFORM_SQL", "id": 3, "name": "q", "parentNodeIds": [1], "sourceNameList": [], "sql": "S"}
    select = {
        "type": "TRANSFORM_SELECT", "id": 4, "name": "p", "parentNodeIds": [3],
        "fieldList": [{"name": "a", "type": "int"}],
    }  # fmt: skip
    assert fields_after(msgspec.convert([select, query, SOURCE], list[n.Node]))[:2] == [{"a": "int"}, None]


@pytest.mark.parametrize("parents", [[9], [1, 9], [3], []])
def test_below_a_missing_parent_or_a_cycle_nothing_is_known(parents: list[int]) -> None:
    assert _after("UNION", parents, unionType="ALL") is None


def test_a_reference_into_a_field_needs_its_head() -> None:
    fields = {"address": "struct", "a.b": "int"}
    assert exists("address.city", fields)
    assert exists("a.b", fields)
    assert not exists("a.c", fields)
    assert not exists("Address", fields)
    assert exists("anything", None)

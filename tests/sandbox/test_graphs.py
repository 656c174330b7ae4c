"""Joins, and filters behind every kind of transform: only what can be known to be missing is refused."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from bulkjobs.sandbox.bodies import read_verify
from bulkjobs.sandbox.errors import Refusal


def _source(number: int, *names: str) -> dict[str, Any]:
    return {
        "type": "SOURCE_CDB_MYSQL", "id": number, "name": "s", "parentNodeIds": [], "connectionId": "c",
        "table": "t", "fieldList": [{"name": name, "type": "Int"} for name in names],
    }  # fmt: skip


def _node(number: int, kind: str, parents: list[int], **keys: Any) -> dict[str, Any]:
    return {"type": kind, "id": number, "name": "n", "parentNodeIds": parents} | keys


def _filter(number: int, parent: int, field: str) -> dict[str, Any]:
    condition = {"name": field, "operator": "EQ", "value": "1"}
    return _node(number, "TRANSFORM_FILTER", [parent], filterType="AND", filterConditionList=[condition])


def _target(number: int, parent: int) -> dict[str, Any]:
    return _node(number, "TARGET_CDB_MYSQL", [parent], connectionId="c", table="t", fieldList=[])


def _accepted(*nodes: dict[str, Any]) -> bool:
    try:
        read_verify(msgspec.json.encode({"name": "job", "nodes": nodes}))
    except Refusal:
        return False
    return True


def _join(parents: list[int], left: int, right: int, *words: str, **keys: Any) -> dict[str, Any]:
    conditions = [
        {"leftField": "a", "rightField": "x", "joinOperator": "EQ", "conditionOperator": word} for word in words
    ]
    return _node(
        3, "TRANSFORM_JOIN", parents, joinType="INNER", leftNodeId=left, rightNodeId=right,
        joinConditionList=conditions, **keys,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("join", "accepted"),
    [
        (_join([1, 2], 1, 2, "HEAD", "AND", "OR"), True),
        (_join([2, 1], 1, 2, "HEAD"), True),
        (_join([1, 2], 2, 1, "HEAD"), False),
        (_join([1], 1, 2, "HEAD"), False),
        (_join([1, 2], 1, 1, "HEAD"), False),
        (_join([1, 2, 2], 1, 2, "HEAD"), False),
        (_join([1, 2], 1, 9, "HEAD"), False),
        (_join([1, 2], 1, 2, "AND"), False),
        (_join([1, 2], 1, 2, "HEAD", "HEAD"), False),
        (_join([1, 2], 1, 2, "HEAD") | {"joinType": "CROSS"}, False),
    ],
)
def test_a_join_has_exactly_its_two_sides_as_parents(join: dict[str, Any], accepted: bool) -> None:
    assert _accepted(_source(1, "a"), _source(2, "x"), join, _filter(4, 3, "x"), _target(5, 4)) is accepted


def test_the_names_behind_a_prefixed_join_are_not_guessed() -> None:
    join = _join([1, 2], 1, 2, "HEAD", prefix="r")
    assert _accepted(_source(1, "a"), _source(2, "x"), join, _filter(4, 3, "r_x"), _target(5, 4))


@pytest.mark.parametrize(
    ("transform", "there", "gone"),
    [
        (_node(2, "TRANSFORM_SELECT", [1], fieldList=[{"name": "a", "type": "int"}]), "a", "b"),
        (_node(2, "TRANSFORM_RENAME", [1], renameFieldList=[{"name": "b", "newName": "c"}]), "c", "b"),
        (
            _node(2, "TRANSFORM_DEFINE", [1], defineFieldList=[{"name": "b", "newType": "INT", "newName": "c"}]),
            "c",
            "d",
        ),
        (
            _node(
                2, "TRANSFORM_AGGREGATE", [1], groupByList=["a"],
                aggregateFieldList=[{"name": "b", "ResultName": "total", "function": "SUM"}],
            ),
            "total",
            "b",
        ),
        (_node(2, "TRANSFORM_DROP_DUPLICATION", [1], dropFieldList=["b"]), "b", "c"),
        (
            _node(
                2, "TRANSFORM_FILL_MISSING_VALUES", [1],
                missingValueFieldList=[{"name": "a", "defaultValue": "0"}],
            ),
            "a",
            "c",
        ),
        (_node(2, "TRANSFORM_UNION", [1], unionType="ALL"), "a", "c"),
        (
            _node(2, "TRANSFORM_SQL", [1], sourceNameList=[{"parentId": 1, "newName": "t"}], sql="select 1 z"),
            "z",
            None,
        ),
    ],
    ids=["select", "rename", "define", "aggregate", "drop", "fill", "union", "sql"],
)  # fmt: skip
def test_a_filter_sees_what_the_transform_before_it_leaves(
    transform: dict[str, Any], there: str, gone: str | None
) -> None:
    assert _accepted(_source(1, "a", "b"), transform, _filter(3, 2, there), _target(4, 3))
    if gone is not None:
        assert not _accepted(_source(1, "a", "b"), transform, _filter(3, 2, gone), _target(4, 3))


def test_a_graph_may_be_thousands_of_nodes_deep_and_in_any_order() -> None:
    chain = [_filter(number, number - 1, "a") for number in range(2, 4000)]
    assert _accepted(_target(4000, 3999), *reversed(chain), _source(1, "a"))


def test_a_long_cycle_beside_a_sound_graph_is_found() -> None:
    ring = [_filter(11, 12, "a"), _filter(12, 13, "a"), _filter(13, 11, "a")]
    assert not _accepted(_source(1, "a"), _target(2, 1), *ring)


def test_a_define_to_an_unknown_type_is_refused() -> None:
    define = _node(2, "TRANSFORM_DEFINE", [1], defineFieldList=[{"name": "a", "newType": "text", "newName": "b"}])
    assert not _accepted(_source(1, "a"), define, _target(3, 2))

"""Reads the ``nodes`` of a body with no tolerance: every key known, every value of its documented type. Pure.

The structures in ``graph.nodes`` decode replies and so pass over unknown keys; here those are refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from bulkjobs.graph import nodes as n
from bulkjobs.sandbox.errors import bad_parameter

_LONG = range(-(1 << 63), 1 << 63)
_INTEGER = range(-(1 << 31), 1 << 31)

_DEEPEST = 64
"""Levels of nesting that are taken; undocumented. A job must be readable again from wherever it is kept."""

_LISTS: dict[str, type[msgspec.Struct]] = {
    "fieldList": n.Field,
    "properties": n.Field,
    "filterConditionList": n.FilterCondition,
    "defineFieldList": n.DefineField,
    "renameFieldList": n.RenameField,
    "joinConditionList": n.JoinCondition,
    "aggregateFieldList": n.AggregateField,
    "missingValueFieldList": n.MissingValueField,
    "sourceNameList": n.SourceName,
}
"""The keys whose value is a list of objects, and what those are. No key means two things."""


def _keys(cls: type[msgspec.Struct]) -> frozenset[str]:
    return frozenset(field.encode_name for field in msgspec.structs.fields(cls))


_KEYS = {cls: _keys(cls) for cls in (*n.NODE_TYPES.values(), *_LISTS.values())}


def read_nodes(raw: list[dict[str, Any]]) -> list[n.Node]:
    """The typed nodes of decoded JSON; ``raw`` itself gains ``"properties": []`` as replies show it.

    Raises Refusal for an unknown node type or key, a missing key, a wrong type, a word that is none of its
    enumeration, an unknown field type, an id that is no Long.
    """
    typed = []
    for place, item in enumerate(raw):
        where = f"nodes[{place}]"
        kind = item.get("type")
        cls = n.NODE_TYPES.get(kind) if isinstance(kind, str) else None
        if cls is None:
            raise bad_parameter(f"{where}: unknown node type {str(kind)[:100]!r}")
        try:
            node = msgspec.convert(item, cls)
        except msgspec.ValidationError as error:
            raise bad_parameter(f"{where}: {error}") from None
        _refuse_unknown(item, _KEYS[cls] | {"type"}, where, _DEEPEST)
        for number in _ids(node):
            if number not in _LONG:
                raise bad_parameter(f"{where}: an id is not a Long")
        if item.get("coalesce", 0) not in _INTEGER:
            raise bad_parameter(f"{where}: coalesce is not an Integer")
        for field in getattr(node, "define_field_list", ()):
            _check_field_type(field.new_type, where)
        typed.append(node)
    return typed


def _refuse_unknown(item: dict[str, Any], known: frozenset[str], where: str, deeper: int) -> None:
    """Refuses a key that is not ``known``, here and in the lists below; completes fields on the way."""
    if not deeper:
        raise bad_parameter("nodes: nested too deeply")
    unknown = item.keys() - known
    if unknown:
        raise bad_parameter(f"{where}: unknown key {min(unknown)[:100]!r}")
    for key in item.keys() & _LISTS.keys():
        cls = _LISTS[key]
        for place, nested in enumerate(item[key]):
            inner = f"{where}.{key}[{place}]"
            _refuse_unknown(nested, _KEYS[cls], inner, deeper - 1)
            if cls is n.Field:
                _check_field_type(nested["type"], inner)
                nested.setdefault("properties", [])


def check_depth(value: object, where: str, deeper: int = _DEEPEST) -> None:
    """Raises Refusal if free JSON is nested deeper than nodes may be."""
    if not deeper:
        raise bad_parameter(f"{where}: nested too deeply")
    if isinstance(value, dict | list):
        for nested in value.values() if isinstance(value, dict) else value:
            check_depth(nested, where, deeper - 1)


def _check_field_type(word: str, where: str) -> None:
    if word.lower() not in n.FIELD_TYPES:
        raise bad_parameter(f"{where}: unknown field type {word[:100]!r}")


def _ids(node: n.Node) -> Iterator[int]:
    yield node.id
    yield from node.parent_node_ids
    if isinstance(node, n.TransformJoin):
        yield node.left_node_id
        yield node.right_node_id
    if isinstance(node, n.TransformSql):
        yield from (source.parent_id for source in node.source_name_list)

"""Which fields there are at each node: names and types followed from the sources down the graph. Pure.

Where the documentation leaves an outcome open, every field that any reading allows is taken: what is then missing
exists under none. Where nothing can be known (a query, a join that adds a prefix) the fields are unknown, and
nothing may be refused on their account. Names compare exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from bulkjobs.graph import nodes as n
from bulkjobs.graph.order import parents_first

Fields = Mapping[str, str | None] | None
"""Field types, lower-case, by name; None for a type that is not known. None for fields that are not known."""


@dataclass(frozen=True, slots=True)
class Flow:
    """Fields by the place of a node: what all its parents together bring, and what it passes on."""

    arriving: Sequence[Fields]
    leaving: Sequence[Fields]


def fields_after(nodes: Sequence[n.Node]) -> list[Fields]:
    """The fields that leave each node. See ``flow``."""
    return list(flow(nodes).leaving)


def flow(nodes: Sequence[n.Node]) -> Flow:
    """Follows the fields through ``nodes``, in whatever order they stand.

    Takes any graph: a parent that does not exist, and a node on a cycle or below one, have unknown fields.
    """
    places = {node.id: place for place, node in enumerate(nodes)}
    arriving: list[Fields] = [None] * len(nodes)
    leaving: list[Fields] = [None] * len(nodes)
    parents = [[places[parent] for parent in node.parent_node_ids if parent in places] for node in nodes]
    for place in parents_first(parents):
        node = nodes[place]
        if parents[place] and len(parents[place]) == len(node.parent_node_ids):
            arriving[place] = _together([leaving[parent] for parent in parents[place]])
        leaving[place] = _after(node, arriving[place])
    return Flow(arriving, leaving)


def exists(name: str, fields: Fields) -> bool:
    """Whether a node may refer to ``name``: ``address.city`` reaches into a field, so its head will do."""
    return fields is None or name in fields or name.split(".", 1)[0] in fields


def _after(node: n.Node, arriving: Fields) -> Fields:
    match node:
        case n.SourceObs() | n.SourceCatalog() | n.SourceCdbMysql() | n.SourceCdbPostgresql():
            return {field.name: field.type.lower() for field in node.field_list}
        case n.TransformSelect():
            return _with_tails({field.name: field.type.lower() for field in node.field_list})
        case n.TransformRename() if arriving is not None:
            gone = {field.name for field in node.rename_field_list}
            kept = {name: kind for name, kind in arriving.items() if name not in gone}
            return kept | {field.new_name: arriving.get(field.name) for field in node.rename_field_list}
        case n.TransformDefine() if arriving is not None:
            # Whether the old name stays beside the new one is not documented: both may be there.
            return {**arriving, **{field.new_name: field.new_type.lower() for field in node.define_field_list}}
        case n.TransformAggregate():
            groups: dict[str, str | None] = {name: (arriving or {}).get(name) for name in node.group_by_list}
            # What type a sum or an average has is not documented.
            return _with_tails(groups) | {field.result_name: None for field in node.aggregate_field_list}
        case n.TransformJoin() if node.prefix:
            return None  # how a prefix is glued to a name, and to whose, is not documented
        case n.TransformSql():
            return None  # the columns of a query need a Spark to tell
        case _:
            return arriving


def _together(parts: Sequence[Fields]) -> Fields:
    """All fields of several parents; one that they give different types has none that is known."""
    if len(parts) == 1:
        return parts[0]
    together: dict[str, str | None] = {}
    for part in parts:
        if part is None:
            return None
        for name, kind in part.items():
            together[name] = kind if together.get(name, kind) == kind else None
    return MappingProxyType(together)


def _with_tails(fields: dict[str, str | None] | dict[str, str]) -> dict[str, str | None]:
    """Whether ``address.city``, taken by itself, is called that or ``city`` is not documented: both may be there."""
    named: dict[str, str | None] = dict(fields)
    nested: Iterable[str] = [name for name in fields if "." in name]
    for name in nested:
        named.setdefault(name.rsplit(".", 1)[1], fields[name])
    return named

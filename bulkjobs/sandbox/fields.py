"""Which fields a node can see: names followed from the sources down the graph. Pure.

``None`` stands for "cannot be known", and nothing is refused on its account. Where the documentation leaves
the outcome open the larger set is taken, so that only what exists under no reading is refused. As documented
(``dataflow-api.md`` §5), what is refused is a *filter or join* on a field that does not exist upstream; names
used by other transforms are let pass. Names compare exactly.
"""

from __future__ import annotations

from collections.abc import Sequence

from bulkjobs.graph import nodes as n
from bulkjobs.sandbox.errors import bad_parameter

Names = frozenset[str] | None
"""Field names, or None where they cannot be known."""


def check_fields(ordered: Sequence[n.Node]) -> None:
    """Raises Refusal for a filter or join on a missing field. ``ordered``: every parent before its children."""
    leaving: dict[int, Names] = {}
    for node in ordered:
        if isinstance(node, n.TransformJoin):
            leaving[node.id] = _joined(node, leaving)
        else:
            arriving = _together([leaving[parent] for parent in node.parent_node_ids])
            if isinstance(node, n.TransformFilter):
                for condition in node.filter_condition_list:
                    _must_exist(condition.name, arriving, f"filter node {node.id}")
            leaving[node.id] = _after(node, arriving)


def _joined(node: n.TransformJoin, leaving: dict[int, Names]) -> Names:
    left, right = leaving[node.left_node_id], leaving[node.right_node_id]
    for condition in node.join_condition_list:
        _must_exist(condition.left_field, left, f"left side of join node {node.id}")
        _must_exist(condition.right_field, right, f"right side of join node {node.id}")
    if isinstance(node.prefix, str) and node.prefix:
        return None  # how a prefix is glued to a name, and to whose, is not documented
    return _together([left, right])


def _after(node: n.Node, arriving: Names) -> Names:
    match node:
        case n.SourceObs() | n.SourceCatalog() | n.SourceCdbMysql() | n.SourceCdbPostgresql():
            return frozenset(field.name for field in node.field_list)
        case n.TransformSelect():
            return frozenset(field.name for field in node.field_list)
        case n.TransformAggregate():
            return frozenset(node.group_by_list).union(f.result_name for f in node.aggregate_field_list)
        case n.TransformSql():
            return None  # the columns of a query need a Spark to tell
        case n.TransformRename() if arriving is not None:
            gone = {field.name for field in node.rename_field_list}
            return (arriving - gone).union(field.new_name for field in node.rename_field_list)
        case n.TransformDefine() if arriving is not None:
            # Whether the old name stays beside the new one is not documented: both may be there.
            return arriving.union(field.new_name for field in node.define_field_list)
        case _:
            return arriving


def _together(parts: Sequence[Names]) -> Names:
    known = [part for part in parts if part is not None]
    return frozenset().union(*known) if len(known) == len(parts) else None


def _must_exist(name: str, names: Names, where: str) -> None:
    # `address.city` reaches into a nested field: its head is what must exist.
    if names is not None and name not in names and name.split(".", 1)[0] not in names:
        raise bad_parameter(f"{where}: field {name!r} does not exist upstream")

"""References to fields that do not exist upstream. Pure.

The API documents no such check for most transforms and would find out when the job runs; here every reference is
looked at, and refused only if the field exists under no reading of the documentation (``flow``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bulkjobs.graph import nodes as n
from bulkjobs.graph.finding import Finding, listed, quoted
from bulkjobs.graph.flow import Fields, exists, flow
from bulkjobs.graph.suggest import nearest


def check_references(nodes: Sequence[n.Node], labels: Sequence[str], places: Mapping[int, int]) -> Iterator[Finding]:
    """A finding ``missing-field`` for every reference to nothing. ``places`` of the nodes by id; ids are unique."""
    following = flow(nodes)
    for place, node in enumerate(nodes):
        label = labels[place]
        if isinstance(node, n.TransformJoin):
            for side, parent in (("left", node.left_node_id), ("right", node.right_node_id)):
                fields = following.leaving[places[parent]] if parent in places else None
                where = f"on the {side} side"
                for condition in node.join_condition_list:
                    name = condition.left_field if side == "left" else condition.right_field
                    if not exists(name, fields):
                        yield _missing(name, fields, place, label, where)
            continue
        fields = following.arriving[place]
        if fields is None:
            continue
        for name, made in _references(node):
            if not exists(name, fields) and not exists(name, made):
                yield _missing(name, fields, place, label, "upstream")


def _references(node: n.Node) -> Iterator[tuple[str, dict[str, str | None]]]:
    """The fields that a node refers to, each with those that the node itself has made before.

    Whether an entry of a rename or define sees the names that earlier entries made is not documented: it may.
    """
    made: dict[str, str | None] = {}
    match node:
        case n.TransformFilter():
            yield from ((condition.name, made) for condition in node.filter_condition_list)
        case n.TransformSelect():
            yield from ((field.name, made) for field in node.field_list)
        case n.TransformRename():
            for rename in node.rename_field_list:
                yield rename.name, made
                made[rename.new_name] = None
        case n.TransformDefine():
            for define in node.define_field_list:
                yield define.name, made
                made[define.new_name] = None
        case n.TransformAggregate():
            yield from ((name, made) for name in node.group_by_list)
            yield from ((field.name, made) for field in node.aggregate_field_list)
        case n.TransformDropDuplication():
            yield from ((name, made) for name in node.drop_field_list)
        case n.TransformFillMissingValues():
            yield from ((field.name, made) for field in node.missing_value_field_list)


def _missing(name: str, fields: Fields, place: int, label: str, where: str) -> Finding:
    known = list(fields or ())
    near = nearest(name, known)
    hint = f"did you mean {quoted(near)}?" if near else f"the fields there are {listed(known)}" if known else None
    message = f"node {quoted(label)}: field {quoted(name)} does not exist {where}"
    return Finding("error", "missing-field", message, place, hint or "no field arrives there")

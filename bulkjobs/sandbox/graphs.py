"""What makes a node graph impossible (``dataflow-api.md`` §5). Pure; written apart from the client's checks.

Only what is clearly impossible is refused; a graph that is merely unwise, such as a target that overwrites its
own source, is not the service's business.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from bulkjobs.graph import nodes as n
from bulkjobs.sandbox.errors import bad_parameter
from bulkjobs.sandbox.fields import check_fields

_SOURCES = (n.SourceObs, n.SourceCatalog, n.SourceCdbMysql, n.SourceCdbPostgresql)
_TARGETS = (n.TargetObs, n.TargetCatalog, n.TargetCdbMysql, n.TargetCdbPostgresql)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_IP_SHAPED = re.compile(r"[0-9]+(\.[0-9]+){3}")


def check_graph(graph: Sequence[n.Node]) -> None:
    """Passes a graph that could run. Raises Refusal with the first reason why it could not."""
    by_id = {node.id: node for node in graph}
    if len(by_id) < len(graph):
        raise bad_parameter("nodes: ids are not unique")
    if not any(isinstance(node, _SOURCES) for node in graph):
        raise bad_parameter("nodes: no source")
    if not any(isinstance(node, _TARGETS) for node in graph):
        raise bad_parameter("nodes: no target")
    for node in graph:
        _check_node(node, by_id)
    check_fields(_parents_first(graph))


def _check_node(node: n.Node, by_id: dict[int, n.Node]) -> None:
    parents = node.parent_node_ids
    if isinstance(node, _SOURCES):
        if parents:
            raise bad_parameter(f"node {node.id}: a source has no parents")
    elif not parents:
        # An empty list is documented "for a source"; anything else without parents has no data to work on.
        raise bad_parameter(f"node {node.id}: no parents")
    for parent in parents:
        if parent not in by_id:
            raise bad_parameter(f"node {node.id}: parent {parent} does not exist")
        if isinstance(by_id[parent], _TARGETS):
            raise bad_parameter(f"node {parent}: a target has no children")
    if isinstance(node, n.TransformJoin):
        _check_join(node)
    if isinstance(node, n.SourceObs | n.TargetObs) and not _is_bucket(node.bucket_name):
        raise bad_parameter(f"node {node.id}: bucketName {node.bucket_name[:100]!r} is not a bucket name")


def _check_join(node: n.TransformJoin) -> None:
    sides = [node.left_node_id, node.right_node_id]
    if sides[0] == sides[1] or sorted(node.parent_node_ids) != sorted(sides):
        raise bad_parameter(f"node {node.id}: the parents of a join are exactly its two sides")
    for place, condition in enumerate(node.join_condition_list):
        if (condition.condition_operator == "HEAD") != (place == 0):
            raise bad_parameter(f"node {node.id}: the first join condition is HEAD, and only the first")


def _is_bucket(name: str) -> bool:
    return _BUCKET.fullmatch(name) is not None and _IP_SHAPED.fullmatch(name) is None


def _parents_first(graph: Sequence[n.Node]) -> list[n.Node]:
    """Kahn's algorithm, since recursion would bound the depth of a graph. Raises Refusal for a cycle."""
    waiting = {node.id: len(set(node.parent_node_ids)) for node in graph}
    children: dict[int, list[n.Node]] = {}
    for node in graph:
        for parent in set(node.parent_node_ids):
            children.setdefault(parent, []).append(node)
    ordered = [node for node in graph if not waiting[node.id]]
    for node in ordered:  # grows while it is read
        for child in children.get(node.id, ()):
            waiting[child.id] -= 1
            if not waiting[child.id]:
                ordered.append(child)
    if len(ordered) < len(graph):
        raise bad_parameter("nodes: the graph has a cycle")
    return ordered

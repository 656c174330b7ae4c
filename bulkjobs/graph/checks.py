"""What makes a node graph impossible, and what makes it suspicious (``dataflow-api.md`` §5). Pure.

Graph rules are not documented: an error is only what cannot work under any reading, a warning what can but
hardly is meant. Every finding names its node as the reader calls it, and all of them are found at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bulkjobs.graph import nodes as n
from bulkjobs.graph.finding import Finding, listed, quoted
from bulkjobs.graph.node_checks import check_node
from bulkjobs.graph.order import parents_first
from bulkjobs.graph.reference_checks import check_references

__all__ = ["Finding", "check_graph"]


def check_graph(nodes: Sequence[n.Node], labels: Sequence[str]) -> list[Finding]:
    """Every error and warning of a graph; ``labels`` are what the reader calls the nodes, in their order.

    Where ids are not unique, parents mean nothing: then only what each node shows by itself is checked.
    """
    found = list(_check_ends(nodes))
    places = {node.id: place for place, node in enumerate(nodes)}
    unique = len(places) == len(nodes)
    if not unique:
        found += _check_ids(nodes, labels)
    for place, node in enumerate(nodes):
        if unique:
            found += _check_parents(nodes, labels, place, places)
        found += check_node(node, place, labels[place])
    if unique:
        found += _check_cycle(nodes, labels, places)
        found += check_references(nodes, labels, places)
    found += _check_overwrites(nodes, labels)
    return found


def _check_ends(nodes: Sequence[n.Node]) -> Iterator[Finding]:
    if not any(isinstance(node, n.Source) for node in nodes):
        yield Finding("error", "no-source", "the graph has no source", hint="add a node of a SOURCE_ type")
    if not any(isinstance(node, n.Target) for node in nodes):
        yield Finding("error", "no-target", "the graph has no target", hint="add a node of a TARGET_ type")


def _check_ids(nodes: Sequence[n.Node], labels: Sequence[str]) -> Iterator[Finding]:
    first: dict[int, int] = {}
    for place, node in enumerate(nodes):
        earlier = first.setdefault(node.id, place)
        if earlier != place:
            message = f"node {quoted(labels[place])}: its id {node.id} is also that of node {quoted(labels[earlier])}"
            yield Finding("error", "duplicate-node-id", message, place, "give each node an id of its own")


def _check_parents(
    nodes: Sequence[n.Node], labels: Sequence[str], place: int, places: Mapping[int, int]
) -> Iterator[Finding]:
    node = nodes[place]
    parents = node.parent_node_ids

    def error(code: str, what: str, hint: str) -> Finding:
        return Finding("error", code, f"node {quoted(labels[place])}: {what}", place, hint)

    if isinstance(node, n.Source):
        if parents:
            yield error("source-with-parents", "a source has no parents", "take its parents away")
    elif not parents:
        yield error("no-parents", "it has no parents, so no data to work on", "name the node it takes its data from")
    for parent in parents:
        if parent not in places:
            hint = f"the graph has these nodes: {listed(list(labels))}"
            yield error("missing-parent", f"its parent {parent} does not exist", hint)
        elif isinstance(nodes[places[parent]], n.Target):
            what = f"its parent {quoted(labels[places[parent]])} is a target, and a target has no children"
            yield error("target-with-children", what, "take the data from what the target itself is fed by")
    match node:
        case n.TransformJoin():
            sides = (node.left_node_id, node.right_node_id)
            if sides[0] == sides[1] or sorted(sides) != sorted(parents):
                what = "the parents of a join are exactly its two sides, left and right"
                yield error("join-sides", what, "set parentNodeIds to leftNodeId and rightNodeId, two different nodes")
        case n.TransformUnion():
            if len(parents) == 1:
                yield error(
                    "union-parents", "a union has two parents or more", "name the other parent, or drop the node"
                )
        case n.TransformSql():
            names = [source.new_name for source in node.source_name_list]
            for source in node.source_name_list:
                if source.parent_id not in parents:
                    what = f"the query's source {quoted(source.new_name)} is not one of the node's parents"
                    yield error("sql-parent", what, "name one of the node's parents, or add this one to them")
            if len(set(names)) < len(names):
                yield error("sql-names", "two sources of the query have one name", "give each a name of its own")


def _check_cycle(nodes: Sequence[n.Node], labels: Sequence[str], places: Mapping[int, int]) -> Iterator[Finding]:
    parents = [[places[parent] for parent in node.parent_node_ids if parent in places] for node in nodes]
    ordered = parents_first(parents)
    if len(ordered) == len(nodes):
        return
    stuck = set(range(len(nodes))).difference(ordered)
    # Up from any node that is stuck, by parents that are stuck too, until one comes again: that is a cycle.
    walk: dict[int, None] = {}
    place = min(stuck)
    while place not in walk:
        walk[place] = None
        place = next(parent for parent in parents[place] if parent in stuck)
    path = list(walk)
    around = path[path.index(place) :][::-1]
    names = listed([labels[at] for at in around])
    message = f"the graph has a cycle: each of these nodes feeds the next, and the last the first: {names}"
    yield Finding("error", "cycle", message, min(around), "take one of these connections away")


def _check_overwrites(nodes: Sequence[n.Node], labels: Sequence[str]) -> Iterator[Finding]:
    for place, target in enumerate(nodes):
        if not isinstance(target, n.Target) or target.update_type != "OVERWRITE":
            continue
        for at, source in enumerate(nodes):
            if isinstance(source, n.Source) and _overlap(source, target):
                message = (
                    f"node {quoted(labels[place])}: it overwrites what node {quoted(labels[at])} reads: "
                    "the run destroys its input"
                )
                yield Finding("warning", "overwrites-source", message, place, "write to another place, or use APPEND")


def _overlap(source: n.Source, target: n.Target) -> bool:
    """Whether both are one place, or one lies within the other."""
    match source, target:
        case n.SourceObs(), n.TargetObs():
            one, other = (f"{prefix.strip('/')}/".lstrip("/") for prefix in (source.prefix, target.prefix))
            return (source.region_no, source.bucket_name) == (target.region_no, target.bucket_name) and (
                one.startswith(other) or other.startswith(one)
            )
        case n.SourceCatalog(), n.TargetCatalog():
            return (source.database, source.table) == (target.database, target.table)
        case n.SourceCdbMysql(), n.TargetCdbMysql():
            return (source.connection_id, source.table) == (target.connection_id, target.table)
        case n.SourceCdbPostgresql(), n.TargetCdbPostgresql():
            return (source.connection_id, source.table) == (target.connection_id, target.table)
        case _:
            return False

"""The ``nodes`` column: a row's whole graph as JSON, for what a layout cannot say. The same checks hold."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

import msgspec

from bulkjobs.graph.buckets import check_prefix
from bulkjobs.graph.cell_error import CellError
from bulkjobs.graph.finding import quoted
from bulkjobs.graph.ids import key_parts, node_id, owner_part
from bulkjobs.graph.nodes import NODE_TYPES, Node, SourceObs, Target, TargetObs, TransformJoin, TransformSql
from bulkjobs.graph.suggest import nearest
from bulkjobs.graph.template import ADDRESS
from bulkjobs.graph.values import check_region
from bulkjobs.graph.verdicts import Verdict, judge_nodes
from bulkjobs.graph.wire import DEEPEST, decode_json, json_of, refuse_unknown

_MOST = 1000


def read_nodes(text: str) -> list[Node]:
    """The typed nodes of a cell. Raises CellError."""
    raw = decode_json(text, "`nodes`")
    if not isinstance(raw, list) or not raw:
        raise CellError("bad-json", "`nodes` must be a list of nodes", 'paste the value of "nodes" of a request body')
    if len(raw) > _MOST:
        raise CellError(
            "too-many-nodes", f"`nodes` has {len(raw)} nodes; at most {_MOST:,} are possible", "split the job"
        )
    return [_node(item, f"node {place}") for place, item in enumerate(raw, start=1)]


def judge_raw(nodes: Sequence[Node]) -> list[Verdict]:
    """The findings of the graph rules; a node is called by its place and type."""
    labels = [f"{place} ({_word(node)})" for place, node in enumerate(nodes, start=1)]
    return [*_bad_places(nodes, labels), *judge_nodes(nodes, labels)]


def encode_raw(name: str, nodes: Sequence[Node]) -> bytes:
    """The nodes as they travel under the job ``name``: with ids of ours in place of those that were given."""
    owner = owner_part(name)
    parts = key_parts(str(node.id) for node in nodes)
    ids = {node.id: node_id(owner, parts[str(node.id)]) for node in nodes}
    return msgspec.json.encode([_renumbered(node, ids) for node in nodes])


def shape_of_raw(nodes: Sequence[Node]) -> Hashable:
    """The types and data types of the nodes, as ``template.Template.shape`` has them."""
    words: list[bytes] = []
    for node in nodes:
        words.append(json_of(_word(node)))
        if isinstance(node, SourceObs | TargetObs):
            words.append(json_of(node.data_type))
    return tuple(words)


def addresses(nodes: Sequence[Node]) -> Iterator[tuple[bool, list[bytes], bytes]]:
    """Where the nodes read and write: whether it is a target, its address as in ``template.Place``, its update type."""
    for node in nodes:
        keys = ADDRESS.get(type(node))
        if keys is not None:
            values = msgspec.to_builtins(node)
            parts = [json_of(keys[0]), *(json_of(values[key]) for key in keys)]
            yield isinstance(node, Target), parts, json_of(values.get("updateType", ""))


def _bad_places(nodes: Sequence[Node], labels: Sequence[str]) -> Iterator[Verdict]:
    """What a layout asks of the cell of a prefix or region, and the graph rules do not."""
    for node, label in zip(nodes, labels, strict=True):
        if isinstance(node, SourceObs | TargetObs):
            for check, text in ((check_region, node.region_no), (check_prefix, node.prefix)):
                try:
                    check(text)
                except CellError as error:
                    yield Verdict(label, "error", error.code, f"node {quoted(label)}: {error.message}", error.hint)


def _node(item: object, where: str) -> Node:
    if not isinstance(item, dict):
        raise CellError("bad-json", f"{where} must be an object", 'paste the value of "nodes" of a request body')
    word = item.get("type")
    cls = NODE_TYPES.get(word) if isinstance(word, str) else None
    if cls is None:
        near = nearest(str(word)[:60], NODE_TYPES)
        raise CellError(
            "unknown-node-type",
            f"{where}: unknown type {str(word)[:60]!r}",
            f"did you mean {near}?" if near else f"one of {', '.join(NODE_TYPES)}",
        )
    refuse_unknown(item, cls, where, DEEPEST)
    try:
        return msgspec.convert(item, cls)
    except msgspec.ValidationError as error:
        raise CellError("bad-json", f"{where}: {error}", "`bulkjobs expand` shows what such nodes look like") from None


def _renumbered(node: Node, ids: dict[int, int]) -> Node:
    node = msgspec.structs.replace(
        node, id=ids[node.id], parent_node_ids=[ids[parent] for parent in node.parent_node_ids]
    )
    if isinstance(node, TransformJoin):
        return msgspec.structs.replace(node, left_node_id=ids[node.left_node_id], right_node_id=ids[node.right_node_id])
    if isinstance(node, TransformSql):
        sources = [msgspec.structs.replace(s, parent_id=ids[s.parent_id]) for s in node.source_name_list]
        return msgspec.structs.replace(node, source_name_list=sources)
    return node


def _word(node: Node) -> str:
    return str(node.__struct_config__.tag)

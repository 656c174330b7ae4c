"""The ``nodes`` column: a row's whole graph as JSON, for what a layout cannot say. The same checks hold."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bulkjobs.graph.cell_error import CellError
from bulkjobs.graph.ids import key_parts, node_id, owner_part
from bulkjobs.graph.nodes import NODE_TYPES, Node, TransformJoin, TransformSql
from bulkjobs.graph.suggest import nearest
from bulkjobs.graph.verdicts import Verdict, judge_nodes
from bulkjobs.graph.wire import DEEPEST, decode_json, refuse_unknown

_MOST = 1000


def read_nodes(text: str) -> list[Node]:
    """The typed nodes of a cell. Raises CellError."""
    raw = decode_json(text, "`nodes`")
    if not isinstance(raw, list) or not raw:
        raise CellError("bad-json", "`nodes` must be a list of nodes", 'paste the value of "nodes" of a request body')
    if len(raw) > _MOST:
        raise CellError("too-many-nodes", f"`nodes` has {len(raw)} nodes; at most {_MOST:,} are possible")
    return [_node(item, f"node {place}") for place, item in enumerate(raw, start=1)]


def judge_raw(nodes: Sequence[Node]) -> list[Verdict]:
    """The findings of the graph rules; a node is called by its place and type."""
    return judge_nodes(nodes, [f"{place} ({_word(node)})" for place, node in enumerate(nodes, start=1)])


def encode_raw(name: str, nodes: Sequence[Node]) -> bytes:
    """The nodes as they travel under the job ``name``: with ids of ours in place of those that were given."""
    owner = owner_part(name)
    parts = key_parts(str(node.id) for node in nodes)
    ids = {node.id: node_id(owner, parts[str(node.id)]) for node in nodes}
    return msgspec.json.encode([_renumbered(node, ids) for node in nodes])


def _node(item: object, where: str) -> Node:
    if not isinstance(item, dict):
        raise CellError("bad-json", f"{where} must be an object")
    word = item.get("type")
    cls = NODE_TYPES.get(word) if isinstance(word, str) else None
    if cls is None:
        near = nearest(str(word)[:60], NODE_TYPES)
        raise CellError(
            "unknown-node-type", f"{where}: unknown type {str(word)[:60]!r}", f"did you mean {near}?" if near else None
        )
    refuse_unknown(item, cls, where, DEEPEST)
    try:
        return msgspec.convert(item, cls)
    except msgspec.ValidationError as error:
        raise CellError("bad-json", f"{where}: {error}") from None


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

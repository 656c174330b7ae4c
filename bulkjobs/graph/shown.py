"""Nodes as a service shows them → typed nodes as they would be sent. Pure; what it cannot read it refuses.

A service completes and normalises what it was sent (``dataflow-api.md`` §6): keys of its own are left out, empty
values of optional keys too, and a number stands for its digits where a text is sent.
"""

from __future__ import annotations

from typing import Any, get_args, get_origin

import msgspec
from msgspec import UNSET

from bulkjobs.graph.cell_error import CellError
from bulkjobs.graph.meaning import text
from bulkjobs.graph.nodes import NODE_TYPES, Node
from bulkjobs.graph.wire import DEEPEST, item_of, keys_of
from bulkjobs.plain import plain

_LEFT = "leave this job to the console: it holds what this release does not know"


def sendable(nodes: object) -> list[Node]:
    """``nodes`` of a job, decoded JSON of untrusted origin, in their order. Raises CellError."""
    if not isinstance(nodes, list) or not nodes:
        raise CellError("no-nodes", "the job has no nodes", "a job made from a script has no graph")
    return [_node(node, f"node {place}") for place, node in enumerate(nodes, 1)]


def _node(node: object, where: str) -> Node:
    word = node.get("type") if isinstance(node, dict) else None
    cls = NODE_TYPES.get(word) if isinstance(word, str) else None
    if cls is None:
        raise CellError("unknown-node-type", f"{where}: unknown type {plain(str(word), 60)}", _LEFT)
    try:
        return msgspec.convert({"type": word} | _record(node, cls, where, DEEPEST), cls)
    except msgspec.ValidationError as error:
        raise CellError("bad-node", plain(f"{where}: {error}", 300), _LEFT) from None


def _record(value: object, cls: type[msgspec.Struct], where: str, deeper: int) -> dict[str, object]:
    if not isinstance(value, dict) or not deeper:
        raise CellError("bad-node", f"{where}: {'nested too deeply' if not deeper else 'not an object'}", _LEFT)
    found = {}
    for name, key in keys_of(cls).items():
        shown = value.get(name)
        if shown in (None, "", [], {}):
            if key.required:
                found[name] = [] if _is_list(key.type) else shown if shown is not None else UNSET
        else:
            found[name] = _value(shown, key.type, where, deeper - 1)
    return {name: each for name, each in found.items() if each is not UNSET}


def _value(value: object, annotation: Any, where: str, deeper: int) -> object:
    item = item_of(annotation)
    if isinstance(value, list):
        if item is not None:
            return [_record(each, item, where, deeper) for each in value]
        inner = next((get_args(part)[0] for part in _parts(annotation) if get_origin(part) is list), str)
        return [_value(each, inner, where, deeper) for each in value]
    if int in _parts(annotation):
        is_digits = isinstance(value, str) and len(value) < 20 and value.isascii() and value.isdigit()
        return int(str(value)) if is_digits else value
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return text(value) if is_number else value


def _is_list(annotation: Any) -> bool:
    return any(get_origin(part) is list for part in _parts(annotation))


def _parts(annotation: Any) -> tuple[Any, ...]:
    return (annotation, *get_args(annotation)) if get_origin(annotation) is not list else (annotation,)

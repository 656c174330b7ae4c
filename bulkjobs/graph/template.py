"""A layout compiled for rows that have the same nodes: one format string and the slots that fill it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bulkjobs.errors import UsageError
from bulkjobs.graph import nodes as n
from bulkjobs.graph.cell_error import CellError
from bulkjobs.graph.ids import key_parts
from bulkjobs.graph.layout import Layout, LayoutNode
from bulkjobs.graph.nodes import Node, TransformFilter, TransformJoin, TransformSql
from bulkjobs.graph.optional import optional_columns
from bulkjobs.graph.order import parents_first
from bulkjobs.graph.references import BadReference, Text, parse_text
from bulkjobs.graph.slots import Slot
from bulkjobs.graph.values import Kind, kind_of, maker, takes_plain, words_of
from bulkjobs.graph.wire import Key, json_of, keys_of

_DECIDES_GRAPH = frozenset({Kind.FIELDS, Kind.NAMES, Kind.OBJECTS, Kind.FILTER})
_FILTER_KEYS = ("filterType", "filterConditionList")
_DATA_TYPE = "dataType"
"""The key that, beside the nodes' types, decides whether a service takes jobs like this at all."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Stands where a node id begins: ten digits that are the row's own."""


OWNER = Owner()
Piece = bytes | Slot | Owner


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node reads from or writes to: the parts of its address, each a slot or JSON text.

    ``update`` is the target's update type, None if it is not sent.
    """

    node: LayoutNode
    parts: tuple[bytes | Slot, ...]
    update: bytes | Slot | None


@dataclass(frozen=True, slots=True)
class Template:
    """``text % values`` is the JSON array of nodes; ``values`` holds what each of ``arguments`` gives for the row.

    ``labels`` are the keys of its nodes in their order, ``graph`` the slots that decide which graph it is, ``shape``
    its nodes' types and data types, each a slot or JSON text.
    """

    text: bytes
    arguments: tuple[Slot | Owner, ...]
    slots: tuple[Slot, ...]
    graph: tuple[Slot, ...]
    shape: tuple[bytes | Slot, ...]
    labels: tuple[str, ...]
    nodes: tuple[LayoutNode, ...]
    places: tuple[Place, ...]


def compile_template(layout: Layout, absent: frozenset[str] = frozenset()) -> Template:
    """The template of rows in which the nodes ``absent`` are dropped; their children move up to their parents.

    Raises UsageError for a value that no row could make right.
    """
    return _Compiler(layout, absent).template()


class _Compiler:
    def __init__(self, layout: Layout, absent: frozenset[str]) -> None:
        self._layout = layout
        self._all = {node.key: node for node in layout.nodes}
        self._nodes = tuple(node for node in layout.nodes if node.key not in absent)
        self._absent = absent
        self._parts = key_parts(self._all)
        self._pieces: list[Piece] = []
        self._values: dict[tuple[str, str], bytes | Slot] = {}
        self._shape: list[bytes | Slot] = []
        self._optional = optional_columns(layout)
        self._stands_for = self._moved_up()

    def template(self) -> Template:
        self._pieces.append(b"[")
        for place, node in enumerate(self._nodes):
            self._pieces.append(b"," if place else b"")
            self._node(node)
        self._pieces.append(b"]")
        arguments = tuple(piece for piece in self._pieces if not isinstance(piece, bytes))
        text = b"".join(piece.replace(b"%", b"%%") if isinstance(piece, bytes) else b"%b" for piece in self._pieces)
        slots = tuple(piece for piece in arguments if isinstance(piece, Slot))
        return Template(
            text,
            arguments,
            slots,
            tuple(slot for slot in slots if slot.kind in _DECIDES_GRAPH),
            tuple(self._shape),
            tuple(node.key for node in self._nodes),
            self._nodes,
            tuple(found for node in self._nodes if (found := self._place(node)) is not None),
        )

    def _node(self, node: LayoutNode) -> None:
        word = json_of(node.type.__struct_config__.tag)
        self._shape.append(word)
        self._pieces.append(b'{"type":%b,"id":' % word)
        self._id(node.key)
        self._pieces.append(b',"name":')
        self._value(node, Key("name", str, True), node.values.get("name", node.key))
        self._pieces.append(b',"parentNodeIds":[')
        for place, parent in enumerate(self._parents(node)):
            self._pieces.append(b"," if place else b"")
            self._id(parent)
        self._pieces.append(b"]")
        for key in keys_of(node.type).values():
            if key.name not in ("id", "name", "parentNodeIds"):
                self._key(node, key)
        self._pieces.append(b"}")

    def _key(self, node: LayoutNode, key: Key) -> None:
        if node.type is TransformFilter and "filter" in node.values:
            if key.name == "filterType":
                self._pieces.append(b',"filterType":')
                self._value(node, Key("filter", str, True), node.values["filter"], Kind.FILTER)
        elif node.type is TransformJoin and key.name in ("leftNodeId", "rightNodeId"):
            self._pieces.append(b',"%b":' % key.name.encode())
            self._side(node, key.name.removesuffix("NodeId"))
        elif node.type is TransformSql and key.name == "sourceNameList":
            self._sources(node)
        elif key.name in node.values:
            if key.required:
                self._pieces.append(b',"%b":' % key.name.encode())
                self._value(node, key, node.values[key.name])
            else:
                self._value(node, key, node.values[key.name], prefix=b',"%b":' % key.name.encode())

    def _side(self, node: LayoutNode, side: str) -> None:
        key = node.values[side]
        found = self._stands_for[key]
        if len(found) != 1:
            self._fail(
                node, side, f"`when` drops node {key!r}, and a join needs both its sides", "take the `when` away"
            )
        self._id(found[0])

    def _sources(self, node: LayoutNode) -> None:
        sources = node.values["sources"]
        self._pieces.append(b',"sourceNameList":[')
        place = 0
        for key, name in sources.items():
            for parent in self._stands_for[key]:
                self._pieces.append((b"," if place else b"") + b'{"parentId":')
                self._id(parent)
                self._pieces.append(b',"newName":')
                self._value(node, Key(f"sources.{key}", str, True), name)
                self._pieces.append(b"}")
                place += 1
        self._pieces.append(b"]")

    def _parents(self, node: LayoutNode) -> list[str]:
        found: dict[str, None] = {}
        for parent in node.parents:
            found.update(dict.fromkeys(self._stands_for[parent]))
        return list(found)

    def _moved_up(self) -> Mapping[str, Sequence[str]]:
        """By key, the node itself, or those that stand in its place when it is dropped."""
        keys = list(self._all)
        places = {key: place for place, key in enumerate(keys)}
        found: dict[str, Sequence[str]] = {}
        for place in parents_first([[places[parent] for parent in self._all[key].parents] for key in keys]):
            key = keys[place]
            up = dict.fromkeys(above for parent in self._all[key].parents for above in found[parent])
            found[key] = list(up) if key in self._absent else [key]
        return found

    def _id(self, key: str) -> None:
        self._pieces += [OWNER, b"%03d" % self._parts[key]]

    def _value(self, node: LayoutNode, key: Key, value: Any, kind: Kind | None = None, prefix: bytes = b"") -> None:
        kind = kind or kind_of(node.type, key)
        is_number = isinstance(value, int) and not isinstance(value, bool)
        if kind in (Kind.TEXT, Kind.CHOICE, Kind.INTEGER) and not (isinstance(value, str) or is_number):
            self._fail(node, key.name, "must be a text", "write it between quotes")
        if kind is Kind.FILTER and not isinstance(value, str):
            self._fail(node, key.name, "must be a text", "several filters are several nodes")
        if kind is Kind.TEXT and value == "" and key.required:
            self._fail(node, key.name, "is empty", "write a text, or ${column}")
        if kind in (Kind.FIELDS, Kind.NAMES, Kind.OBJECTS) and not isinstance(value, str | list):
            self._fail(
                node, key.name, "must be a text or a list", "write ${column} between quotes, or a list of its items"
            )
        try:
            columns, make = maker(node.type, key, kind, value, self._parse)
            piece: bytes | Slot = prefix + make({}) if not columns else b""
        except BadReference as error:
            self._fail(node, key.name, str(error), "for example ${bucket}")
        except CellError as error:
            self._fail(node, key.name, error.message, error.hint)
        if columns:
            piece = Slot(
                node.key,
                key.name,
                kind,
                columns,
                make,
                prefix=prefix,
                may_be_empty=self._optional,
                is_optional=bool(prefix),
                words=words_of(key) if kind is Kind.CHOICE else (),
                place=len(self._values),
                takes_plain=not prefix
                and isinstance(value, str)
                and self._parse(value).whole is not None
                and takes_plain(node.type, key, kind),
            )
        self._pieces.append(piece)
        self._values[node.key, key.name] = piece
        if key.name == _DATA_TYPE:
            self._shape.append(piece)

    def _parse(self, value: object) -> Text:
        return parse_text(str(value), self._layout.variables)

    def _place(self, node: LayoutNode) -> Place | None:
        keys = ADDRESS.get(node.type)
        if keys is None:
            return None
        parts = tuple(self._values[node.key, key] for key in keys)
        return Place(node, (json_of(keys[0]), *parts), self._values.get((node.key, "updateType")))

    def _fail(self, node: LayoutNode, key: str, message: str, hint: str) -> Any:
        raise UsageError(f"layout {self._layout.source}: nodes.{node.key}.{key}: {message}", hint)


ADDRESS: Mapping[type[Node], Sequence[str]] = {
    n.SourceObs: ("bucketName", "prefix"),
    n.TargetObs: ("bucketName", "prefix"),
    n.SourceCatalog: ("database", "table"),
    n.TargetCatalog: ("database", "table"),
    n.SourceCdbMysql: ("connectionId", "table"),
    n.TargetCdbMysql: ("connectionId", "table"),
    n.SourceCdbPostgresql: ("connectionId", "table"),
    n.TargetCdbPostgresql: ("connectionId", "table"),
}
"""The keys that say where a node's data is."""

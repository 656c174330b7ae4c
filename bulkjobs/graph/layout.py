"""A layout: which nodes a row becomes, as read from TOML (``design.md``, Inventory).

``load_layout`` checks everything that does not depend on a row; what a row adds is checked when it is expanded.
Raises UsageError that names the file and the key: also for edges that no row could mend.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, NoReturn

from bulkjobs.errors import UsageError
from bulkjobs.graph.layout_edges import check_circle, check_edges
from bulkjobs.graph.nodes import NODE_TYPES, Node, TransformFilter, TransformJoin, TransformSql
from bulkjobs.graph.references import BadReference, Text, names_in, parse_text
from bulkjobs.graph.suggest import nearest
from bulkjobs.graph.wire import keys_of

BUILT_IN = "the built-in layout"

_OWN_KEYS = ("id", "parentNodeIds")
"""Ours to make; a layout names parents by key."""

_SHORTHANDS: Mapping[type[Node], Mapping[str, tuple[str, ...]]] = {
    TransformFilter: {"filter": ("filterType", "filterConditionList")},
    TransformJoin: {"left": ("leftNodeId",), "right": ("rightNodeId",)},
    TransformSql: {"sources": ("sourceNameList",)},
}
"""Keys of a layout that stand for keys on the wire: an expression, and nodes by their symbolic key."""

_RAW = "nodes"
"""The column that replaces a layout, so none of a layout's own."""

_LONG = range(-(1 << 63), 1 << 63)
_DEEPEST, _MOST_NODES = 40, 1000
"""Levels of a layout's tables and lists; nodes, whose keys have three digits of an id (``ids``)."""


@dataclass(frozen=True, slots=True)
class ColumnNote:
    """What a layout says of a column, for ``bulkjobs columns``."""

    about: str | None = None
    example: str | None = None


@dataclass(frozen=True, slots=True)
class LayoutNode:
    """A node under its symbolic key. ``values``: the TOML values by wire key or shorthand, as they stand."""

    key: str
    type: type[Node]
    parents: tuple[str, ...]
    when: Text | None
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Layout:
    """``source``: the file, for messages. ``defaults`` by canonical column name; ``variables`` as they are in force."""

    source: str
    job_name: Text
    defaults: Mapping[str, Text]
    variables: Mapping[str, str]
    nodes: tuple[LayoutNode, ...]
    notes: Mapping[str, ColumnNote] = field(default_factory=dict)


def builtin_text() -> str:
    """The TOML of the built-in layout: source, filter, target."""
    return resources.files("bulkjobs.graph").joinpath("builtin.toml").read_text(encoding="utf-8")


def load_layout(path: Path | None = None, variables: Mapping[str, str] | None = None) -> Layout:
    """The layout in ``path``, or the built-in one. ``variables``: what ``--set`` gave."""
    if path is None:
        return read_layout(builtin_text(), BUILT_IN, variables or {})
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"layout {path}: cannot be read: {error.strerror}", "check --layout") from None
    except UnicodeDecodeError:
        raise UsageError(f"layout {path}: is not UTF-8 text", "save it as UTF-8") from None
    except ValueError:  # a path with a NUL
        raise UsageError(f"layout {str(path)!r}: is not a path", "check --layout") from None
    return read_layout(text, str(path), variables or {})


def read_layout(text: str, source: str, variables: Mapping[str, str]) -> Layout:
    """The layout in ``text``. ``source`` names it in messages."""
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        message = f"layout {source}: not valid TOML: {str(error)[:300] or type(error).__name__}"
        raise UsageError(message, "`bulkjobs init DIR` writes a layout to start from") from None
    return _Reader(source, document, variables).layout()


_IN_QUOTES = "write it between quotes"


class _Reader:
    def __init__(self, source: str, document: dict[str, Any], given: Mapping[str, str]) -> None:
        self._source = source
        self._document = document
        self._check_values(document)
        self._variables = self._merged(given)

    def layout(self) -> Layout:
        sections = ("description", "job", "defaults", "variables", "columns", "nodes")
        self._only(self._document, sections, "")
        job = self._table("job")
        self._only(job, ("name",), "job")
        self._check_raw()
        nodes = tuple(self._node(key, value) for key, value in self._table("nodes").items())
        if not nodes:
            self._fail("nodes", "a layout has nodes", 'add [nodes.source] with type = "SOURCE_OBS", and so on')
        if len(nodes) > _MOST_NODES:
            self._fail("nodes", f"a job has at most {_MOST_NODES:,} nodes, these are {len(nodes):,}", "split the job")
        check_edges({node.key: node.type for node in nodes}, {node.key: node.parents for node in nodes}, self._fail)
        defaults = {
            self._column(key, "defaults"): self.text(value, f"defaults.{key}")
            for key, value in self._table("defaults").items()
        }
        check_circle("defaults.{}", {key: text.names for key, text in defaults.items()}, self._fail)
        return Layout(
            self._source,
            self.text(job.get("name", "${name}"), "job.name"),
            defaults,
            self._variables,
            nodes,
            {self._column(key, "columns"): self._note(key, value) for key, value in self._table("columns").items()},
        )

    def text(self, value: object, where: str) -> Text:
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str):
            self._fail(where, "must be a text", _IN_QUOTES)
        try:
            return parse_text(str(value), self._variables)
        except BadReference as error:
            self._fail(where, str(error), "for example ${bucket}")

    def _merged(self, given: Mapping[str, str]) -> dict[str, str]:
        declared = {}
        for key, value in self._table("variables").items():
            if not isinstance(value, str | int) or isinstance(value, bool):
                self._fail(f"variables.{key}", "must be a text", _IN_QUOTES)
            self._refuse_raw(key, f"variables.{key}")
            declared[key.strip().lower()] = str(value)
        wanted = {key.strip().lower(): value for key, value in given.items()}
        used = set(_references(self._document))
        for key, value in wanted.items():
            try:
                value.encode()
            except UnicodeEncodeError:
                message = f"layout {self._source}: --set {key}: its value is not UTF-8 text"
                raise UsageError(message, "type it again in a terminal that speaks UTF-8") from None
            if key not in declared and (key not in used or key == _RAW):
                near = nearest(key, declared)
                hint = f"did you mean {near!r}?" if near else f"write ${{{key}}} in the layout, or leave --set out"
                raise UsageError(f"layout {self._source}: --set {key}: no such variable in it", hint)
        return declared | wanted

    def _node(self, key: str, value: object) -> LayoutNode:
        where = f"nodes.{key}"
        if not isinstance(value, dict):
            self._fail(where, "must be a table", f"write [nodes.{key}]")
        word = value.get("type")
        cls = NODE_TYPES.get(word) if isinstance(word, str) else None
        if cls is None:
            near = nearest(str(word), NODE_TYPES)
            hint = f"did you mean {near!r}?" if near else f"one of {', '.join(NODE_TYPES)}"
            self._fail(f"{where}.type", f"unknown node type {word!r}" if word else "is missing", hint)
        shorthands = _SHORTHANDS.get(cls, {})
        known = [name for name in keys_of(cls) if name not in _OWN_KEYS]
        by_key = {"leftNodeId", "rightNodeId", "sourceNameList"} if cls in (TransformJoin, TransformSql) else set()
        allowed = [*(name for name in known if name not in by_key), *shorthands]
        self._only(value, ("type", "parents", "when", *allowed), where)
        self._check_required(cls, value, where)
        when = self.text(value["when"], f"{where}.when") if "when" in value else None
        values = {name: value[name] for name in allowed if name in value}
        return LayoutNode(key, cls, self._parents(cls, value, where), when, values)

    def _check_required(self, cls: type[Node], value: dict[str, Any], where: str) -> None:
        stands_for = {wire: short for short, wires in _SHORTHANDS.get(cls, {}).items() for wire in wires}
        for name, key in keys_of(cls).items():
            if name in (*_OWN_KEYS, "name") or not key.required:
                continue
            short = stands_for.get(name)
            if short is not None and short in value:
                if name in value:
                    self._fail(f"{where}.{name}", f"is given twice: {short!r} says it too", "leave one of them out")
            elif name not in value:
                self._fail(f"{where}.{short or name}", "is missing", f"a {cls.__struct_config__.tag} needs it")

    def _parents(self, cls: type[Node], value: dict[str, Any], where: str) -> tuple[str, ...]:
        implied: tuple[object, ...] = ()
        if cls is TransformJoin:
            implied = (value["left"], value["right"])
            for side in ("left", "right"):
                if not isinstance(value[side], str):
                    self._fail(f"{where}.{side}", "must be the key of a node", f'for example {side} = "orders"')
        elif cls is TransformSql:
            sources = value["sources"]
            if not isinstance(sources, dict) or not sources:
                hint = 'for example sources = { orders = "o", customers = "c" }'
                self._fail(f"{where}.sources", 'must be a table of node = "name in the SQL"', hint)
            implied = tuple(sources)
        given = value.get("parents", list(implied))
        given = [given] if isinstance(given, str) else given
        if not isinstance(given, list) or not all(isinstance(parent, str) for parent in given):
            self._fail(f"{where}.parents", "must be a list of node keys", 'for example parents = ["source"]')
        if "parents" in value and implied and set(given) != set(implied):
            self._fail(f"{where}.parents", "are not the nodes that it names otherwise", "leave `parents` out here")
        return tuple(given)

    def _check_raw(self) -> None:
        for table in ("defaults", "columns"):
            for key in self._table(table):
                self._refuse_raw(key, f"{table}.{key}")
        if _RAW in _references(self._document):
            self._fail("nodes", "no value can be ${nodes}", "a cell of that column replaces the whole layout")

    def _refuse_raw(self, key: str, where: str) -> None:
        if key.strip().lower() == _RAW:
            self._fail(where, "the column `nodes` replaces a layout and is none of its own", "call it otherwise")

    def _check_values(self, document: object) -> None:
        """No whole number that JSON cannot carry, nothing too deep to walk through."""
        level = [("", document)]
        for _ in range(_DEEPEST):
            below = []
            for where, value in level:
                if isinstance(value, int) and value not in _LONG:
                    self._fail(where, "the number is too large", "write it as a text, in quotes")
                if isinstance(value, dict):
                    below += [(f"{where}.{key}".strip("."), inner) for key, inner in value.items()]
                elif isinstance(value, list):
                    below += [(f"{where}[{place}]", inner) for place, inner in enumerate(value)]
            level = below
        if level:
            self._fail(level[0][0][:200], f"is nested more than {_DEEPEST} levels deep", "write it flatter")

    def _note(self, key: str, value: object) -> ColumnNote:
        where = f"columns.{key}"
        if not isinstance(value, dict):
            self._fail(where, "must be a table", f"write [columns.{key}]")
        self._only(value, ("about", "example"), where)
        about, example = value.get("about"), value.get("example")
        for name, text in (("about", about), ("example", example)):
            if text is not None and not isinstance(text, str):
                self._fail(f"{where}.{name}", "must be a text", _IN_QUOTES)
        return ColumnNote(about, example)

    def _column(self, name: str, section: str) -> str:
        if name.strip().lower() in self._variables:
            self._fail(f"{section}.{name}", "is a variable and cannot be a column too", "call one of them otherwise")
        return name.strip().lower()

    def _table(self, name: str) -> dict[str, Any]:
        value = self._document.get(name, {})
        if not isinstance(value, dict):
            self._fail(name, "must be a table", f"write [{name}]")
        return value

    def _only(self, table: dict[str, Any], known: tuple[str, ...], where: str) -> None:
        for key in table:
            if key not in known:
                near = nearest(key, known)
                hint = f"did you mean {near!r}?" if near else f"known here: {', '.join(known)}"
                self._fail(f"{where}.{key}".strip("."), "unknown key", hint)

    def _fail(self, where: str, message: str, hint: str) -> NoReturn:
        raise UsageError(f"layout {self._source}: {where}: {message}", hint)


def _references(document: object) -> Iterator[str]:
    """The names that any text of a document refers to."""
    if isinstance(document, str):
        yield from names_in(document)
    elif isinstance(document, dict | list):
        for value in document.values() if isinstance(document, dict) else document:
            yield from _references(value)

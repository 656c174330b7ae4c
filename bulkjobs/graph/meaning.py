"""When two values of a node mean the same: the rules of comparison in one table, and the shapes made from it.

A service adds to what it was sent and normalises it (``dataflow-api.md`` §6); none of that is a change. A rule
names keys and says how their values compare, and why. Three things hold for every key, so that no rule need
say them: null, ``""``, ``[]`` and ``{}`` are the same as no value (services complete with them: ``properties``,
``nrn``); a number is the same as its digits in a string (``regionNo``, ``value``); a key that is not documented
for a node is passed over (``description`` appears). Pure; nothing here raises, whatever JSON it is given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from itertools import zip_longest
from typing import Protocol

import msgspec
from msgspec import UNSET

from bulkjobs.graph import nodes as n


class How(Enum):
    """How the values of a key compare."""

    EXACT = auto()
    """As text. What holds for every key without a rule."""
    ANY_CASE = auto()
    SEQUENCE = auto()
    """A list whose order is part of the meaning."""
    SET = auto()
    """A list in any order."""
    IF_SENT = auto()
    """Only where we sent a value: what the service filled in is its own."""
    REFERENCE = auto()
    """The id of another node: what counts is that node's content, not its number."""
    NEVER = auto()


@dataclass(frozen=True, slots=True)
class Rule:
    """``keys`` as they travel, wherever they stand in a node."""

    keys: tuple[str, ...]
    how: How
    reason: str


RULES: tuple[Rule, ...] = (
    Rule(("id",), How.NEVER, "chosen by whoever made the job: the same graph has other ids in another's job"),
    Rule(("leftNodeId", "rightNodeId", "parentId"), How.REFERENCE, "they hold ids; a join keeps side by side"),
    Rule(("parentNodeIds",), How.REFERENCE, "the same, in any order: what tells parents apart is named elsewhere"),
    Rule(("sourceNameList",), How.REFERENCE, "each parent of a query has a name of its own: a set"),
    Rule(("type", "newType"), How.ANY_CASE, "field types are taken in any letter case (§5)"),
    Rule(("updateType", "coalesce"), How.IF_SENT, "optional, default unknown: a service may show its own"),
    Rule(("fieldList", "properties"), How.SEQUENCE, "columns: a CSV has them by position, and a table shows them so"),
    Rule(("joinConditionList",), How.SEQUENCE, "HEAD, AND, OR read from the first to the last"),
    Rule(("defineFieldList", "renameFieldList"), How.SEQUENCE, "an entry may build on an earlier one"),
    Rule(("groupByList", "aggregateFieldList"), How.SEQUENCE, "the order of the columns that come out"),
    Rule(("filterConditionList",), How.SET, "all joined by AND or all by OR: order changes nothing"),
    Rule(("dropFieldList",), How.SET, "columns that are compared together"),
    Rule(("missingValueFieldList",), How.SET, "each entry fills a field of its own"),
)
"""The first rule that names a key holds. The type of a node itself is not a key here: it is always exact."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Where two definitions part: ``path`` such as ``nodes[1].filterConditionList[0].value``.

    An index is a place in what we send; where we have nothing there, a place in what the service shows. A side
    that has nothing is ``UNSET``. ``remote`` is as the service sent it: untrusted.
    """

    path: str
    ours: object
    remote: object


Canonical = Hashable
"""What stands for a value's meaning: equal if, and only if, the meaning is. None for no value."""

_STRANGE: Canonical = ...
"""Stands for a value of a shape that no documented value has."""

_LONGEST_NUMBER = 10_000
"""Bits of an integer that are turned into decimal digits; Python refuses to beyond some 14,000."""

_DEEPEST = 64
"""Levels of nested fields that are looked at: ``wire`` lets none of ours be deeper."""


class Shape(Protocol):
    """A kind of value: its meaning, and where two of its kind part."""

    def meaning(self, value: object) -> Canonical: ...

    def differences(self, path: str, ours: object, remote: object) -> Iterator[Difference]: ...


def text(value: object) -> Canonical:
    """The meaning of a scalar: its text, None for no value."""
    if isinstance(value, str):
        return value or None
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if value.bit_length() < _LONGEST_NUMBER else hex(value)
    if isinstance(value, float):
        return repr(value)
    return _STRANGE if value else None


def _any_case(value: object) -> Canonical:
    canonical = text(value)
    return canonical.lower() if isinstance(canonical, str) else canonical


@dataclass(frozen=True, slots=True)
class _Scalar:
    meaning: Callable[[object], Canonical]

    def differences(self, path: str, ours: object, remote: object) -> Iterator[Difference]:
        if self.meaning(ours) != self.meaning(remote):
            yield _difference(path, ours, remote)


@dataclass(frozen=True, slots=True)
class Record:
    """An object with the keys that count, each with its shape."""

    shapes: tuple[tuple[str, Shape], ...]
    _readers: tuple[tuple[str, Callable[[object], Canonical]], ...]

    @classmethod
    def of(cls, shapes: Sequence[tuple[str, Shape]]) -> Record:
        return cls(tuple(shapes), tuple((key, shape.meaning) for key, shape in shapes))

    def meaning(self, value: object) -> Canonical:
        if not isinstance(value, dict):
            return text(value)
        get = value.get
        return tuple([meaning(get(key)) for key, meaning in self._readers])

    def differences(self, path: str, ours: object, remote: object) -> Iterator[Difference]:
        if isinstance(ours, dict) and isinstance(remote, dict):
            for key, shape in self.shapes:
                yield from shape.differences(f"{path}.{key}", ours.get(key), remote.get(key))
        elif self.meaning(ours) != self.meaning(remote):
            yield _difference(path, ours, remote)


@dataclass(frozen=True, slots=True)
class _Items:
    """A list; ``ordered`` says whether its order counts."""

    item: Shape
    ordered: bool

    def meaning(self, value: object) -> Canonical:
        if not isinstance(value, list):
            return text(value)
        if not value:
            return None
        items = [self.item.meaning(item) for item in value]
        if not self.ordered and len(items) > 1:
            items.sort(key=repr)  # of unlike types: their texts have an order
        return tuple(items)

    def differences(self, path: str, ours: object, remote: object) -> Iterator[Difference]:
        if self.meaning(ours) == self.meaning(remote):
            return
        left, right = ours or [], remote or []
        if not isinstance(left, list) or not isinstance(right, list):
            yield _difference(path, ours, remote)
            return
        apart = _in_order if self.ordered else _in_any_order
        for mine, theirs in apart(self._items(left), self._items(right)):
            if mine and theirs:
                yield from self.item.differences(f"{path}[{mine[0]}]", mine[1], theirs[1])
            elif mine:
                yield Difference(f"{path}[{mine[0]}]", mine[1], UNSET)
            elif theirs:
                yield Difference(f"{path}[{theirs[0]}]", UNSET, theirs[1])

    def _items(self, values: list[object]) -> list[_Item]:
        return [(place, value, self.item.meaning(value)) for place, value in enumerate(values)]


_Item = tuple[int, object, Canonical]
_Pairs = Iterator[tuple[_Item | None, _Item | None]]


def _in_order(ours: list[_Item], remote: list[_Item]) -> _Pairs:
    """Pairs what is left between a common beginning and a common end, so that one item more is one difference."""
    begin, end = 0, 0
    shorter = min(len(ours), len(remote))
    while begin < shorter and ours[begin][2] == remote[begin][2]:
        begin += 1
    while end < shorter - begin and ours[-1 - end][2] == remote[-1 - end][2]:
        end += 1
    yield from zip_longest(ours[begin : len(ours) - end], remote[begin : len(remote) - end])


def _in_any_order(ours: list[_Item], remote: list[_Item]) -> _Pairs:
    """Pairs what has no equal on the other side."""
    spare = Counter(item[2] for item in remote)
    mine = []
    for item in ours:
        if spare[item[2]]:
            spare[item[2]] -= 1
        else:
            mine.append(item)
    theirs = []
    for item in remote:
        if spare[item[2]]:
            spare[item[2]] -= 1
            theirs.append(item)
    yield from zip_longest(mine, theirs)


def _difference(path: str, ours: object, remote: object) -> Difference:
    return Difference(path, UNSET if ours is None else ours, UNSET if remote is None else remote)


@dataclass(frozen=True, slots=True)
class NodeShape:
    """What counts in a node of one type, its references apart."""

    content: Record
    if_sent: tuple[tuple[str, Shape], ...]


NESTED: Mapping[str, type[msgspec.Struct]] = {
    "fieldList": n.Field,
    "filterConditionList": n.FilterCondition,
    "defineFieldList": n.DefineField,
    "renameFieldList": n.RenameField,
    "joinConditionList": n.JoinCondition,
    "aggregateFieldList": n.AggregateField,
    "missingValueFieldList": n.MissingValueField,
}
"""The keys whose values are lists of objects, and what these are."""


def node_shapes(rules: Sequence[Rule] = RULES) -> Mapping[str, NodeShape]:
    """The shapes of the 18 node types, by the word that travels as ``type``, as ``rules`` have them."""
    how: dict[str, How] = {}
    for rule in rules:
        for key in rule.keys:
            how.setdefault(key, rule.how)
    field = _field_shape(how)

    def shape_of(key: str) -> Shape:
        match how.get(key, How.EXACT):
            case How.SEQUENCE | How.SET as order:
                nested = NESTED.get(key)
                item: Shape = _Scalar(text)
                if nested is n.Field:
                    item = field
                elif nested is not None:
                    item = Record.of([(name, shape_of(name)) for name in _keys(nested) if counts(name)])
                return _Items(item, order is How.SEQUENCE)
            case How.ANY_CASE:
                return _Scalar(_any_case)
            case _:
                return _Scalar(text)

    def counts(key: str) -> bool:
        return how.get(key, How.EXACT) not in {How.NEVER, How.REFERENCE, How.IF_SENT}

    shapes = {}
    for word, cls in n.NODE_TYPES.items():
        keys = _keys(cls)
        content = Record.of([(key, shape_of(key)) for key in keys if counts(key)])
        if_sent = tuple((key, shape_of(key)) for key in keys if how.get(key) is How.IF_SENT)
        shapes[word] = NodeShape(content, if_sent)
    return shapes


def _field_shape(how: Mapping[str, How]) -> Shape:
    """A field whose nesting ends: the shape is unrolled, so that no JSON is deep enough to break it."""
    kind = _Scalar(_any_case if how.get("type") is How.ANY_CASE else text)
    own: list[tuple[str, Shape]] = [("name", _Scalar(text))]
    if how.get("type") is not How.NEVER:
        own.append(("type", kind))
    if how.get("properties") is How.NEVER:
        return Record.of(own)
    field: Shape = Record.of([*own, ("properties", _Scalar(text))])
    for _ in range(_DEEPEST):
        field = Record.of([*own, ("properties", _Items(field, how.get("properties") is not How.SET))])
    return field


def _keys(cls: type[msgspec.Struct]) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(cls)]

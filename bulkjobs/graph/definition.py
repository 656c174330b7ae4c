"""A job's definition compared with what the service shows of it: by meaning, and but for the ids.

Ids are chosen by whoever makes a job, so they say nothing of what it does: nodes are compared by their content
and that of their parents, and theirs, up to the sources. What counts in a node, and how, is the table in
``meaning``. What the service shows is untrusted JSON: nothing here raises for any value of it. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec
from msgspec import UNSET

from bulkjobs.graph.meaning import Canonical, Difference, NodeShape, node_shapes, text
from bulkjobs.graph.order import parents_first

__all__ = ["Difference", "differences", "remote_ids", "same_definition"]

Shapes = Mapping[str, NodeShape]
"""What counts in a node, by its type."""

_SHAPES = node_shapes()

_LONGEST_ID = 19
"""Digits of a Long."""

_CYCLE, _NOWHERE = -1, -2
"""Stand for the structure of a node on a cycle, and of a parent that is not there."""


def remote_ids(nodes: object) -> list[int]:
    """The ids of the nodes that the service shows, digits in a string too; whatever is not an id is left out."""
    if not isinstance(nodes, list):
        return []
    ids = (_as_id(node.get("id")) for node in nodes if isinstance(node, dict))
    return [number for number in ids if number is not None]


def same_definition(ours: bytes, remote: object) -> bool:
    """Whether a job's ``remote`` nodes, decoded, mean the same as ``ours``, the nodes as we would send them."""
    return not differences(ours, remote)


def differences(ours: bytes, remote: object, shapes: Shapes = _SHAPES) -> list[Difference]:
    """Every place where ``remote``, decoded JSON, means something else than ``ours``; none if they are equal.

    Nodes are matched by equal structure first, then by id, name and type. Of a node that has no counterpart the
    whole node is the difference. ``ours`` is a JSON array as in ``JobSpec.nodes``; raises msgspec.DecodeError if
    it is none. ``shapes`` are those of the rules in force (``comparison``).
    """
    sent = msgspec.json.decode(ours, type=list[object])
    if not isinstance(remote, list):
        return [Difference("nodes", sent, remote)]
    if sent == remote:
        return []
    structures: dict[Canonical, int] = {}
    mine, theirs = _Graph(sent, structures, shapes), _Graph(remote, structures, shapes)
    pairs, lone, spare = _equals(mine, theirs)
    if not lone and not spare:
        return []
    pairs |= _counterparts(mine, theirs, lone, spare)
    found = list(_between(mine, theirs, pairs))
    # Two graphs of unlike structure part somewhere; a cycle of theirs can still hide where.
    return found or [Difference("nodes", sent, remote)]


class _Graph:
    """Nodes of either side with what is compared: content, references, and a number for the whole structure.

    ``structures`` gives equal structures one number, across both graphs. That keeps a graph in which nodes are
    shared from growing into the tree of all its paths.
    """

    def __init__(self, nodes: Sequence[object], structures: dict[Canonical, int], shapes: Shapes) -> None:
        self.nodes: list[dict[str, object]] = [node if isinstance(node, dict) else {} for node in nodes]
        self.raw = nodes
        self.shapes = shapes
        self.ids = [_as_id(node.get("id")) for node in self.nodes]
        places: dict[int | None, int] = {number: place for place, number in enumerate(self.ids) if number is not None}
        self.references = [
            [(key, role, places.get(number, _NOWHERE)) for key, role, number in _references(node)]
            for node in self.nodes
        ]
        self.contents: list[Canonical] = [self._content(node) for node in self.nodes]
        self.structures = self._number(structures)

    def _number(self, structures: dict[Canonical, int]) -> list[int]:
        numbers = [_CYCLE] * len(self.nodes)
        for place in parents_first([[to for _, _, to in of if to >= 0] for of in self.references]):
            above = [(key, role, numbers[to] if to >= 0 else _NOWHERE) for key, role, to in self.references[place]]
            if len(above) > 1:
                above.sort()
            numbers[place] = structures.setdefault((self.contents[place], tuple(above)), len(structures))
        return numbers

    def _content(self, node: dict[str, object]) -> Canonical:
        kind = node.get("type")
        shape = self.shapes.get(kind) if isinstance(kind, str) else None
        return (kind, shape.content.meaning(node)) if shape else None


def _references(node: dict[str, object]) -> Iterator[tuple[str, str, int | None]]:
    """The key that refers, what the node is called there (a name in a query), and the id."""
    parents = node.get("parentNodeIds")
    for parent in parents if isinstance(parents, list) else ():
        yield "parentNodeIds", "", _as_id(parent)
    match node.get("type"):
        case "TRANSFORM_JOIN":
            yield "leftNodeId", "", _as_id(node.get("leftNodeId"))
            yield "rightNodeId", "", _as_id(node.get("rightNodeId"))
        case "TRANSFORM_SQL":
            names = node.get("sourceNameList")
            for source in names if isinstance(names, list) else ():
                if isinstance(source, dict):
                    yield "sourceNameList", repr(text(source.get("newName"))), _as_id(source.get("parentId"))


def _as_id(value: object) -> int | None:
    if isinstance(value, int):
        return None if isinstance(value, bool) else value
    if isinstance(value, str) and len(value) <= _LONGEST_ID and value.isascii() and value.isdigit():
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return None


def _equals(mine: _Graph, theirs: _Graph) -> tuple[dict[int, int], list[int], list[int]]:
    """Nodes of one structure, ours to theirs, and what is left on either side."""
    spare: dict[int, list[int]] = {}
    for place, structure in enumerate(theirs.structures):
        spare.setdefault(structure, []).append(place)
    pairs, lone = {}, []
    for place, structure in enumerate(mine.structures):
        candidates = spare.get(structure, ()) if structure >= 0 else ()
        # Of twins, the one with our id first: it is the one that a hand edit left where it was.
        for other in sorted(candidates, key=lambda at: theirs.ids[at] != mine.ids[place]):
            if _as_was_sent(mine.nodes[place], theirs.nodes[other], mine.shapes):
                pairs[place] = other
                spare[structure].remove(other)
                break
        else:
            lone.append(place)
    return pairs, lone, sorted(place for places in spare.values() for place in places)


def _as_was_sent(ours: dict[str, object], remote: dict[str, object], shapes: Shapes) -> bool:
    shape = shapes.get(str(ours.get("type")))
    return shape is None or all(
        ours.get(key) is None or of.meaning(ours[key]) == of.meaning(remote.get(key)) for key, of in shape.if_sent
    )


def _counterparts(mine: _Graph, theirs: _Graph, lone: Iterable[int], spare: Iterable[int]) -> dict[int, int]:
    """Pairs the nodes that differ, by what most likely tells that one was the other."""

    def by_id(graph: _Graph, place: int) -> Canonical:
        return graph.ids[place]

    def by_content(graph: _Graph, place: int) -> Canonical:
        return graph.contents[place]

    def by_name(graph: _Graph, place: int) -> Canonical:
        name = text(graph.nodes[place].get("name"))
        return name and (name, text(graph.nodes[place].get("type")))

    def by_type(graph: _Graph, place: int) -> Canonical:
        return text(graph.nodes[place].get("type"))

    pairs: dict[int, int] = {}
    left, right = list(lone), list(spare)
    ways: tuple[Callable[[_Graph, int], Canonical], ...] = (by_id, by_content, by_name, by_type)
    for way in ways:
        places: dict[Canonical, list[int]] = {}
        for place in reversed(right):
            places.setdefault(way(theirs, place), []).append(place)
        for place in left:
            key = way(mine, place)
            if key is not None and places.get(key):
                pairs[place] = places[key].pop()
        taken = set(pairs.values())
        left = [place for place in left if place not in pairs]
        right = [place for place in right if place not in taken]
    return pairs


def _between(mine: _Graph, theirs: _Graph, pairs: dict[int, int]) -> Iterator[Difference]:
    for place, node in enumerate(mine.nodes):
        path = f"nodes[{place}]"
        if place not in pairs:
            yield Difference(path, node, UNSET)
            continue
        other = theirs.nodes[pairs[place]]
        shape = mine.shapes.get(str(node.get("type")))
        if shape is None or node.get("type") != other.get("type"):
            yield Difference(f"{path}.type", node.get("type"), other.get("type", UNSET))
            continue
        yield from shape.content.differences(path, node, other)
        for key, of in shape.if_sent:
            if node.get(key) is not None:
                yield from of.differences(f"{path}.{key}", node[key], other.get(key))
        for key in _rewired(mine, theirs, pairs, place):
            yield Difference(f"{path}.{key}", node.get(key, UNSET), other.get(key, UNSET))
    taken = set(pairs.values())
    for place, raw in enumerate(theirs.raw):
        if place not in taken:
            yield Difference(f"nodes[{place}]", UNSET, raw)


def _rewired(mine: _Graph, theirs: _Graph, pairs: dict[int, int], place: int) -> list[str]:
    """The keys by which a node refers to other nodes than its counterpart does."""
    left = list(theirs.references[pairs[place]])
    keys = set()
    for key, role, to in mine.references[place]:
        alike = (
            other
            for other in left
            if other[:2] == (key, role)
            and (pairs.get(to) == other[2] or (to >= 0 <= other[2] and _alike(mine, theirs, to, other[2])))
        )
        match = next(alike, None)
        if match is None:
            keys.add(key)
        else:
            left.remove(match)
    return sorted(keys.union(key for key, _, _ in left))


def _alike(mine: _Graph, theirs: _Graph, ours: int, other: int) -> bool:
    return mine.structures[ours] == theirs.structures[other] >= 0

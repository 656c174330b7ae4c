"""A few jobs that stand for many: one of every shape of graph, then some more from all over the inventory. Pure."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

import msgspec

from bulkjobs.graph.spec import JobSpec

_WORDS = frozenset({
    "type", "dataType", "regionNo", "updateType", "filterType", "operator", "joinType", "joinOperator",
    "conditionOperator", "unionType", "function", "newType",
})  # fmt: skip
"""Keys whose value is a word that decides what a node does; any other text is data."""


@dataclass(frozen=True, slots=True)
class SampledRow:
    """A row with its job. ``file`` as given, ``line`` where the record begins."""

    file: str
    line: int
    job: JobSpec


class Sample:
    """At most ``most`` of the rows that are offered. ``pick(n)`` gives a random whole number in [0, n)."""

    def __init__(self, most: int, pick: Callable[[int], int]) -> None:
        self._most = most
        self._pick = pick
        self._shapes: set[Hashable] = set()
        self._first: list[tuple[int, SampledRow]] = []
        self._others: list[tuple[int, SampledRow]] = []
        self.offered = 0

    def offer(self, row: SampledRow) -> None:
        """The first of its shape is taken while there is room; of all others each has the same chance."""
        place = self.offered
        self.offered += 1
        if len(self._first) < self._most:
            shape = shape_of(row.job.nodes)
            if shape not in self._shapes:
                self._shapes.add(shape)
                self._first.append((place, row))
                return
        if len(self._others) < self._most:
            self._others.append((place, row))
        elif (at := self._pick(self.offered)) < self._most:
            self._others[at] = (place, row)

    def rows(self) -> list[SampledRow]:
        """Those that were taken, in the order of the inventory."""
        taken = [*self._first, *self._others[: self._most - len(self._first)]]
        return [row for _, row in sorted(taken, key=lambda entry: entry[0])]


def shape_of(nodes: bytes) -> Hashable:
    """What two jobs have in common that differ in their data only: node types, edges, keys, words, field types.

    ``nodes`` as in ``JobSpec.nodes``.
    """
    decoded = msgspec.json.decode(nodes, type=list[dict[str, object]])
    places = {node["id"]: place for place, node in enumerate(decoded)}
    return tuple(_shape(node, "", places) for node in decoded)


def _shape(value: object, key: str, places: dict[object, int]) -> Hashable:
    if isinstance(value, dict):
        return tuple((name, _shape(item, name, places)) for name, item in value.items())
    if isinstance(value, list):
        shapes = [_shape(item, key, places) for item in value]
        return tuple(shapes) if key == "parentNodeIds" else frozenset(shapes)
    if isinstance(value, str):
        return value if key in _WORDS else ""
    return places.get(value, -1)

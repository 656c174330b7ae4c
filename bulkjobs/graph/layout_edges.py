"""How the nodes of a layout hang together: what ``checks`` would find of every row, found once, in the layout.

What becomes of the edges where a row's cells drop nodes is still asked for each distinct graph (``verdicts``).
"""

from __future__ import annotations

import graphlib
from collections.abc import Mapping
from typing import NoReturn, Protocol

from bulkjobs.graph.nodes import Node, Source, Target, TransformJoin, TransformUnion
from bulkjobs.graph.suggest import nearest

Edges = Mapping[str, tuple[str, ...]]
"""What each key names, by key."""


class Fail(Protocol):
    """Raises UsageError. ``where`` is the key of the layout, as in ``nodes.target.parents``."""

    def __call__(self, where: str, message: str, hint: str) -> NoReturn: ...


def check_edges(types: Mapping[str, type[Node]], parents: Edges, fail: Fail) -> None:
    """Fails for the first edge that cannot be. ``types`` and ``parents`` by the symbolic key of the node."""
    for key, given in parents.items():
        for parent in given:
            if parent not in types:
                near = nearest(parent, types)
                hint = f"did you mean {near!r}?" if near else f"the nodes are {', '.join(types)}"
                fail(f"nodes.{key}.parents", f"no node {parent!r}", hint)
    check_circle("nodes.{}.parents", parents, fail)
    for end, word in ((Source, "SOURCE_"), (Target, "TARGET_")):
        if not any(issubclass(of, end) for of in types.values()):
            fail("nodes", f"no node has a type that begins with {word}", f'add one: type = "{word}OBS"')
    for key, given in parents.items():
        _check_parents(types, key, set(given), fail)


def check_circle(where: str, edges: Edges, fail: Fail) -> None:
    """Fails if the edges lead back to where they began. ``where`` with ``{}`` for a key on that way."""
    try:
        graphlib.TopologicalSorter(edges).prepare()
    except graphlib.CycleError as error:
        around = error.args[1]
        fail(where.format(around[0]), f"a circle: {' → '.join(around)}", "take one of these out")


def _check_parents(types: Mapping[str, type[Node]], key: str, parents: set[str], fail: Fail) -> None:
    where = f"nodes.{key}.parents"
    if issubclass(types[key], Source):
        if parents:
            fail(where, "a source has no parents", "leave them out")
    elif not parents:
        fail(where, "is missing", "name the node that it takes its data from")
    for parent in sorted(parents):
        if issubclass(types[parent], Target):
            fail(where, f"node {parent!r} is a target, and a target has no children", "name what feeds that target")
    if types[key] is TransformJoin and len(parents) != 2:
        fail(where, "a join has two different sides", "name two nodes, left and right")
    if types[key] is TransformUnion and len(parents) < 2:
        fail(where, "a union has two parents or more", "name the other one, or drop the node")

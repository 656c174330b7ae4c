"""Three-way comparison: what was last applied, what is there, what is wanted; and which side changed. Pure.

What the service shows is untrusted: values stay as they are until somebody shows them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec
from msgspec import UNSET

from bulkjobs.graph.comparison import BUILT_IN, Comparison
from bulkjobs.graph.definition import Difference


class Side(StrEnum):
    """Who changed a value since it was last applied from here (a contract: ``plan --json``)."""

    HERE = "changed here"
    CONSOLE = "changed in the console"
    BOTH = "both"
    UNKNOWN = "not known"
    """It was never applied from here, so nobody can tell."""


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One place where wanted and shown part. ``label`` for people, ``path`` exact; ``there`` and ``wanted`` any JSON.

    A side that has nothing is ``UNSET``.
    """

    label: str
    path: str
    there: object
    wanted: object
    side: Side


def compare_three(
    base: bytes | None, wanted: bytes, remote: object, comparison: Comparison = BUILT_IN
) -> list[FieldChange]:
    """Where ``remote`` differs from ``wanted``, both the nodes of a job; none if they mean the same.

    ``base`` is what was last applied, as it was sent; None if that is not known.
    """
    found = comparison.differences(wanted, remote)
    if not found:
        return []
    names = _labels(wanted)
    side = _Sides(base, wanted, remote, comparison)
    return [FieldChange(_label(part.path, names), part.path, part.remote, part.ours, side.of(part)) for part in found]


def side_of(changes: Sequence[FieldChange]) -> Side:
    """Who changed a job: one side if all its values say so."""
    sides = {change.side for change in changes}
    return sides.pop() if len(sides) == 1 else Side.BOTH


class _Sides:
    def __init__(self, base: bytes | None, wanted: bytes, remote: object, comparison: Comparison) -> None:
        self._is_known = base is not None
        self._console: frozenset[str] = frozenset()
        self._here: frozenset[str] = frozenset()
        if base is not None:
            self._console = frozenset(part.path for part in comparison.differences(base, remote))
            self._here = frozenset(part.path for part in comparison.differences(wanted, msgspec.json.decode(base)))

    def of(self, part: Difference) -> Side:
        if not self._is_known:
            return Side.UNKNOWN
        # One of them without any change leaves no doubt, whatever the paths: a node more shifts those behind it.
        if not self._console:
            return Side.HERE
        if not self._here:
            return Side.CONSOLE
        in_console, in_here = part.path in self._console, part.path in self._here
        if in_console == in_here:
            return Side.BOTH
        return Side.CONSOLE if in_console else Side.HERE


_NODE = re.compile(r"nodes\[(\d+)\](?:\.(.*))?\Z", re.DOTALL)
_CONDITION = re.compile(r"filterConditionList\[(\d+)\]\.?")


def _labels(nodes: bytes) -> Mapping[int, str]:
    """``source``, ``filter``, ``target``, ``join``: the node's type, with a number where there are several."""
    kinds = [_kind(node.type) for node in msgspec.json.decode(nodes, type=list[_Typed])]
    totals, seen = Counter(kinds), Counter[str]()
    labels = {}
    for place, kind in enumerate(kinds):
        seen[kind] += 1
        labels[place] = kind if totals[kind] == 1 else f"{kind}#{seen[kind]}"
    return labels


class _Typed(msgspec.Struct):
    """A node of ours, which has a type."""

    type: str


def _kind(word: str) -> str:
    side, _, rest = word.partition("_")
    return rest.lower() if side == "TRANSFORM" else side.lower()


def _label(path: str, names: Mapping[int, str]) -> str:
    match = _NODE.match(path)
    if match is None:
        return path
    node, rest = names.get(int(match[1]), f"node {match[1]}"), match[2]
    if rest is None:
        return node
    condition = _CONDITION.match(rest)
    if condition is not None:  # a filter's own list is what the filter is
        place = "" if condition[1] == "0" else f"[{condition[1]}]"
        rest = rest[condition.end() :]
        return f"{node}{place}.{rest}" if rest else f"{node}[{condition[1]}]"
    return f"{node}.{rest}"


def shown(value: object, limit: int = 60) -> str:
    """A value as people read it: JSON on one line, cut to ``limit``; ``(nothing)`` for none. Not made inert yet."""
    if value is UNSET:
        return "(nothing)"
    text = msgspec.json.encode(value).decode("utf-8", "replace")
    return text if len(text) <= limit else text[: limit - 1] + "…"

"""Parents before children, without recursion: a graph may be as deep as it likes."""

from __future__ import annotations

from collections.abc import Sequence


def parents_first(parents: Sequence[Sequence[int]]) -> list[int]:
    """Places of ``parents``, each after all of its own parents (Kahn).

    ``parents[i]`` are the places of node i's parents. Nodes on a cycle, and what hangs below one, are left out.
    """
    waiting = [len(of) for of in parents]
    children: list[list[int]] = [[] for _ in parents]
    for place, of in enumerate(parents):
        for parent in of:
            children[parent].append(place)
    ordered = [place for place, count in enumerate(waiting) if not count]
    for place in ordered:  # grows while it is read
        for child in children[place]:
            waiting[child] -= 1
            if not waiting[child]:
                ordered.append(child)
    return ordered

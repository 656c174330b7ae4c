"""Which rows are created first, to find out whether jobs of their kind are taken at all. Pure."""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Sequence

from bulkjobs.counted import counted
from bulkjobs.dataflow.contract import Api
from bulkjobs.dataflow.replies import Verdict
from bulkjobs.engine.protocol import RowState
from bulkjobs.graph.slots import is_constant

SHAPES = 10
"""Distinct shapes that get a canary, at most."""

CROWD = 20
"""A plan of no more creates than this has no canary of its own accord: its rows answer for themselves."""

_REACH_LEAST, _REACH_MOST = 2_000, 10_000
"""Rows among which canaries lie: a tenth of those to create, within these bounds."""

_OTHER = 255


class Shapes:
    """The shape of every row: its node types and data types, which is what a service may take or not."""

    def __init__(self) -> None:
        self._known: dict[Hashable, int] = {}
        self._of_rows = array("B")

    def add(self, shapes: Sequence[Hashable]) -> None:
        """The next rows of the inventory."""
        if is_constant(shapes):
            self._of_rows.extend([self._number(shapes[0])] * len(shapes))
        else:
            self._of_rows.extend(map(self._number, shapes))

    def _number(self, shape: Hashable) -> int:
        number = self._known.get(shape)
        if number is None:
            number = len(self._known)
            if number == _OTHER:  # no more are told apart, and no more are kept
                return _OTHER
            self._known[shape] = number
        return number

    def of(self, row: int) -> int:
        """A number for the shape of that row; one for all beyond those that are told apart."""
        return self._of_rows[row]


class Canaries:
    """Chooses among the rows that it is told of, in order; keeps few of them, however many there are."""

    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes
        self._first: dict[int, int] = {}
        self._near: list[int] = []
        self._rows = 0

    def offer(self, row: int) -> None:
        """One more row that may be created first."""
        self._rows += 1
        if len(self._near) < _REACH_MOST:
            self._near.append(row)
        if len(self._first) < SHAPES:
            self._first.setdefault(self._shapes.of(row), row)

    def chosen(self, more: int) -> list[int]:
        """Those to create first: the first of each shape, and ``more``; two at least.

        Those beyond the shapes' lie far apart, since a mistake often spoils many rows in a row, but in the first tenth
        or so: the inventory has to be read up to them before anything else is sent, and then again.
        """
        chosen = set(self._first.values())
        wanted = min(max(len(chosen) + more, 2), self._rows)
        reach = max(_REACH_LEAST, self._rows // 10, wanted)
        near = [row for row in self._near[:reach] if row not in chosen]
        extra = wanted - len(chosen)
        chosen.update(near[(place + 1) * len(near) // extra - 1] for place in range(extra if near else 0))
        return sorted(chosen)


def refused(canaries: Sequence[RowState], left: int, api: Api) -> str | None:
    """Why the rest is not sent: the service refused every canary. None: it goes on.

    A canary that was throttled, or whose end is unknown, holds nobody up.
    """
    # A refusal that may be about the name waits for its lookup: it says nothing of others.
    answers = [row.last for row in canaries if row.last is not None and row.refusal is None]
    rejected = [answer for answer in answers if answer.verdict is Verdict.REJECTED]
    if not rejected or len(rejected) < len(canaries):
        return None
    said = f"{rejected[-1].code}: {rejected[-1].message}" if rejected[-1].code else rejected[-1].message
    hint = (
        "contract 2025-03 in use, --api 2026-09 adds `type`"
        if api is Api.V2025_03
        else "contract 2026-09 in use, --api 2025-03 leaves `type` out"
    )
    many = f"{len(rejected)} of {len(canaries)} first jobs were" if len(canaries) > 1 else "the first job was"
    return f"{many} refused: {said}: {counted(left, 'row')} not sent; {hint}"

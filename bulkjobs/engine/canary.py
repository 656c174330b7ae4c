"""Which rows are created first, to find out whether jobs of their kind are taken at all. Pure."""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Sequence

from bulkjobs.counted import counted
from bulkjobs.dataflow.contract import Api
from bulkjobs.engine.records import Outcome
from bulkjobs.engine.work import Work
from bulkjobs.graph.slots import is_constant

SHAPES = 10
"""Distinct shapes that get a canary, at most."""

CROWD = 20
"""A plan of no more creates than this has no canary of its own accord: its rows answer for themselves."""

_REACH_LEAST, _REACH_MOST = 2_000, 10_000
"""Rows among which canaries lie: a tenth of those to create, within these bounds."""

_OTHER = 255


class Shapes:
    """The shape of every row: its node types and data types, which is what a service may take or not.

    ``numbers``: a number for the shape of each row, one for all beyond those that are told apart.
    """

    def __init__(self, numbers: array[int] | None = None) -> None:
        self._known: dict[Hashable, int] = {}
        self.numbers = array("B") if numbers is None else numbers

    def add(self, shapes: Sequence[Hashable]) -> None:
        """The next rows of the inventory."""
        if is_constant(shapes):
            self.numbers.extend([self._number(shapes[0])] * len(shapes))
        else:
            self.numbers.extend(map(self._number, shapes))

    def _number(self, shape: Hashable) -> int:
        number = self._known.get(shape)
        if number is None:
            number = len(self._known)
            if number == _OTHER:  # no more are told apart, and no more are kept
                return _OTHER
            self._known[shape] = number
        return number

    def of(self, row: int) -> int:
        """The number of that row's shape."""
        return self.numbers[row]


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

        Two, since one may be refused for a mistake of its own. Those beyond the shapes' lie far apart, since a mistake
        often spoils many rows in a row, but in the first tenth or so: the inventory has to be read up to them before
        anything else is sent, and then again.
        """
        chosen = set(self._first.values())
        wanted = min(max(len(chosen) + more, 2), self._rows)
        reach = max(_REACH_LEAST, self._rows // 10, wanted)
        near = [row for row in self._near[:reach] if row not in chosen]
        extra = wanted - len(chosen)
        chosen.update(near[(place + 1) * len(near) // extra - 1] for place in range(extra if near else 0))
        return sorted(chosen)


def are_awaited(canaries: Sequence[Work]) -> bool:
    """Whether the rest still waits for them: for an answer to each, and if all were refused, for the end of each.

    A refusal that may be about the name is looked up before it counts. Its end is not unknown, as that of a canary
    without an answer is: the service did refuse, and only why is in doubt. If it refuses all, what it says next is
    most likely no, so the rest waits for the lookups, a settle time. Any canary that was made, was throttled or is of
    unknown end lets the rest go on at once.
    """
    if any(canary.row.last is None for canary in canaries):
        return True
    return all(map(_is_refused, canaries)) and any(canary.outcome is None for canary in canaries)


def _is_refused(canary: Work) -> bool:
    is_doubtful = canary.outcome is None and canary.row.refusal is not None
    return is_doubtful or canary.outcome is Outcome.REJECTED


def refused(canaries: Sequence[Work], left: int, api: Api) -> str | None:
    """Why the rest is not sent: the service refused every canary. None: it goes on.

    To be asked when they are awaited no more.
    """
    answers = [canary.row.last for canary in canaries if canary.outcome is Outcome.REJECTED]
    if not answers or len(answers) < len(canaries):
        return None
    last = answers[-1]
    assert last is not None
    said = f"{last.code}: {last.message}" if last.code else last.message
    hint = (
        "contract 2025-03 in use, --api 2026-09 adds `type`"
        if api is Api.V2025_03
        else "contract 2026-09 in use, --api 2025-03 leaves `type` out"
    )
    many = f"{len(answers)} of {len(canaries)} first jobs were" if len(canaries) > 1 else "the first job was"
    return f"{many} refused: {said}: {counted(left, 'row')} not sent; {hint}"

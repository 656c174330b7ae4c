"""Refusals that say nothing of the rate: one now and then, for whatever reason, among many that pass. Pure."""

from __future__ import annotations

from collections import deque

_ALONE = 20
_FEW, _AMONG = 3, 200


class Strays:
    """Counts ends: answers that are no refusal as they come, refusals by ``is_alone``.

    A refusal that comes of the rate has others close by: as long as more is sent than is taken, part of it is refused.
    So one refusal among 20 ends is taken for a stray, unless it is the fourth among 200: two in a hundred are what may
    be refused at all.
    """

    def __init__(self) -> None:
        self.ends = 0
        self._refusals: deque[int] = deque([-_AMONG - 1] * _FEW, maxlen=_FEW)

    def is_alone(self) -> bool:
        """A refusal came: is it alone, as far as one can know?"""
        at = self.ends
        is_alone = at - self._refusals[-1] > _ALONE and at - self._refusals[0] > _AMONG
        self.ends += 1
        self._refusals.append(at)
        return is_alone

    def since(self) -> int:
        """Ends since the last refusal, itself included."""
        return self.ends - self._refusals[-1]

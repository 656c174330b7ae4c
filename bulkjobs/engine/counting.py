"""Whether the service counts what it refuses into its limit, as some do: then each refusal brings the next. Pure.

* **For** it speaks that all is refused even after a pause that made room for what was accepted.
* **Against** it speaks a send that is accepted although it had more before it in its second than one that was refused
  a moment before: where refusals count, that one found the limit passed, too.

Each can err: a rate may be too high for the pause, and a refusal may be a stray. So the last evidence holds, but one
sign for it only cancels what spoke against it.
"""

from __future__ import annotations

import math

_WITHIN = 1.0  # seconds after a refusal for which its second tells something of others
_MORE, _MORE_MIN = 1.2, 2.0  # times as many sends, and so many: the way of each takes its own time


class Counting:
    """``is_taken_so``: whether they are taken to count. Times are of sends, ``crowd``: those of the second before."""

    def __init__(self) -> None:
        self.is_taken_so = False
        self._is_refuted = False
        self._at = -math.inf
        self._crowd = math.inf

    def refused(self, sent_at: float, crowd: int) -> None:
        """A send was refused."""
        if sent_at > self._at + _WITHIN:
            self._at, self._crowd = sent_at, crowd
        elif crowd < self._crowd:
            self._crowd = crowd

    def asks(self, sent_at: float) -> bool:
        """Whether the acceptance of that send may say something."""
        return self._at < sent_at <= self._at + _WITHIN

    def accepted(self, sent_at: float, crowd: int) -> None:
        """A send was accepted."""
        if self.asks(sent_at) and crowd >= _MORE * self._crowd + _MORE_MIN:
            self.is_taken_so, self._is_refuted = False, True

    def suspected(self) -> None:
        """All was refused after a pause that made room for what was accepted."""
        self.is_taken_so, self._is_refuted = not self._is_refuted, False

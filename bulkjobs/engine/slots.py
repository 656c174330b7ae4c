"""How long nearly all slots were taken: then ``--concurrency`` and not the rate sets the pace. Pure: times come in."""

from __future__ import annotations

_NEARLY_ALL = 0.9


class Slots:
    """Seconds in which anything was in flight (``used_s``), and in which nearly as much as may be (``full_s``).

    Time and not sends: answers that come together free all slots at once, and the sends after them find room.
    """

    def __init__(self) -> None:
        self._used_s = self._full_s = 0.0
        self._used = self._full = False
        self._at = 0.0

    def changed(self, now: float, in_flight: int, concurrency: int) -> None:
        """A send left or was answered: ``in_flight`` of ``concurrency`` are on their way from ``now`` on."""
        used, full = in_flight > 0, in_flight >= _NEARLY_ALL * concurrency
        if used is not self._used or full is not self._full:
            self._used_s, self._full_s = self.used_s(now), self.full_s(now)
            self._at, self._used, self._full = now, used, full

    def used_s(self, now: float) -> float:
        return self._used_s + (now - self._at if self._used else 0.0)

    def full_s(self, now: float) -> float:
        return self._full_s + (now - self._at if self._full else 0.0)

    @property
    def were_the_limit(self) -> bool:
        """Whether they were nearly all taken for more than half of the time in which something was in flight."""
        return 2 * self._full_s > self._used_s

"""The permitted rate over the length of a run: a few hundred figures, however long the run is. Pure."""

from __future__ import annotations

_MOST = 239  # and the first


class RateCourse:
    """Told of every send and of the rate then in force; remembers the highest of each step of time.

    A step is a second, and twice as long each time that there are too many of them.
    """

    def __init__(self) -> None:
        self._step = 1.0
        self._highest: dict[int, float] = {}
        self._first: tuple[float, float] | None = None

    def note(self, now: float, rate: float) -> None:
        """``rate`` sends a second are permitted at ``now``, in monotonic seconds."""
        if self._first is None:
            self._first = now, rate
        place = int(now // self._step)
        if rate <= self._highest.get(place, -1.0):
            return
        self._highest[place] = rate
        if len(self._highest) > _MOST:
            self._step *= 2
            halved: dict[int, float] = {}
            for at, highest in self._highest.items():
                halved[at // 2] = max(highest, halved.get(at // 2, 0.0))
            self._highest = halved

    def points(self, since: float) -> list[list[float]]:
        """``[seconds after since, rate]`` in order of time: from then on that much was permitted.

        The first is the rate that was in force at the first send, however soon it rose.
        """
        found: list[list[float]] = []
        for place, rate in sorted(self._highest.items()):
            point = [round(max(0.0, place * self._step - since), 1), round(rate, 3)]
            if not found or found[-1][1] != point[1]:
                found.append(point)
        if self._first is not None and found and found[0][1] != round(self._first[1], 3):
            found.insert(0, [found[0][0], round(self._first[1], 3)])
        return found

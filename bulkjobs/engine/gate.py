"""The pause when a throttle follows a throttle with no success between. Pure: time and chance come in."""

from __future__ import annotations

from collections.abc import Callable

_BASE = 0.5
_CAP = 60.0


class Gate:
    """Closed until ``until`` (monotonic seconds).

    Throttles that arrive while it is closed belong to the same burst and add nothing; one that arrives after it
    opened again, without a success between, doubles the pause. ``Retry-After`` is a lower bound.
    """

    def __init__(self, uniform: Callable[[float, float], float]) -> None:
        self._uniform = uniform
        self._strikes = 0
        self.until = 0.0
        self.throttles = 0

    def throttled(self, now: float, retry_after: float | None) -> None:
        self.throttles += 1
        if now >= self.until:
            self._strikes += 1
            pause = min(_CAP, _BASE * 2.0 ** min(self._strikes - 1, 16))
            self.until = now + pause + self._uniform(0, pause)
        if retry_after is not None:
            self.until = max(self.until, now + retry_after)

    def succeeded(self) -> None:
        self._strikes = 0

"""How soon a run is back at a rate that was learned some time ago, from the lower one with which it starts. Pure.

The run of ``rate_control`` as long as nothing is refused. It holds its start s, then asks for s·(1 + b) a second, where
b grows as b' = a + c·b. Where answers take long, b stops at what is put at stake in a round trip, until so much was
accepted beyond s that no bucket of the service explains it. Measured on ``rate_control``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_HOLD_S = 2.0
"""Seconds for which the start is held, beside the first answer's."""

_PART = 0.25
"""a, a second."""

_STEEP, _MULTIPLE, _LATENCIES = 2.0, 2.23, 2.2
"""c is ``_STEEP`` or, since nothing grows beyond a multiple of what was answered in the last second, that over a second
and so many latencies."""

_AT_STAKE, _AT_STAKE_MIN = 0.12, 2.0
"""Sends beyond the start in a round trip: part of the start, and at least."""

_SURPLUS_S, _EXPLAINED = 1.2, 0.03
"""Seconds' worth of the start that is to be accepted beyond it, and the part of it that does not count."""

_HALVINGS = 40


@dataclass(frozen=True, slots=True)
class Regrowth:
    """From ``start`` to ``rate``, sends a second; ``latency``: of an answer, seconds."""

    start: float
    rate: float
    latency: float

    @property
    def _steep(self) -> float:
        return min(_STEEP, _MULTIPLE / (1.0 + _LATENCIES * self.latency))

    def _grown_s(self, beyond: float) -> float:
        """Seconds until b is ``beyond``."""
        return math.log1p(self._steep * beyond / _PART) / self._steep

    def _surplus(self, growing: float) -> float:
        """The integral of b over so many seconds of growth."""
        return _PART / self._steep * (math.expm1(self._steep * growing) / self._steep - growing)

    def _stop(self) -> tuple[float, float, float]:
        """Where b stops for a while: its value, seconds of growth before that, and seconds that it takes."""
        most = max(_AT_STAKE, _AT_STAKE_MIN / self.start) / max(self.latency, 0.02)
        before = self._grown_s(most)
        surplus = self._surplus(before) - _EXPLAINED * before
        if most <= _EXPLAINED or surplus >= _SURPLUS_S:
            return most, before, 0.0
        return most, before, (_SURPLUS_S - surplus) / (most - _EXPLAINED)

    def seconds(self) -> float:
        """Until the rate is reached."""
        if self.rate <= self.start:
            return 0.0
        most, _, stopped = self._stop()
        beyond = self.rate / self.start - 1.0
        return _HOLD_S + self.latency + self._grown_s(beyond) + (stopped if beyond > most else 0.0)

    def sends_by(self, seconds: float) -> float:
        """Sends until then, not later than ``seconds()``."""
        most, before, stopped = self._stop()
        growing = max(0.0, seconds - _HOLD_S - self.latency)
        at_stop = min(max(0.0, growing - before), stopped)
        growing -= at_stop
        return self.start * (seconds + self._surplus(growing) + most * at_stop)

    def seconds_for(self, sends: float) -> float:
        """Until so many were sent, at ``rate`` once it is reached."""
        whole = self.seconds()
        before = self.sends_by(whole)
        if sends >= before:
            return whole + (sends - before) / self.rate
        low, high = 0.0, whole
        for _ in range(_HALVINGS):
            middle = (low + high) / 2.0
            low, high = (middle, high) if self.sends_by(middle) < sends else (low, middle)
        return high

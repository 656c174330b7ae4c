"""How long to wait before trying again, and how much trying again is allowed. Pure: time and chance come in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

BASE = 0.5
CAP = 30.0

_ROUNDING = 1e-9
"""Part of a token: who waits exactly as long as told gets one, however the floats fall."""


def full_jitter(failures: int, uniform: Callable[[float, float], float], base: float = BASE, cap: float = CAP) -> float:
    """Seconds before the next try after ``failures`` in a row (from 1): uniform in [0, min(cap, base·2^(n-1))].

    The "full jitter" of the AWS Architecture Blog: of all variants it makes the fewest calls under contention.
    """
    return uniform(0.0, min(cap, base * 2.0 ** min(failures - 1, 16)))


@dataclass(slots=True)
class RetryBudget:
    """A token bucket for sends that repeat an earlier one, so that an outage does not multiply traffic.

    Holds at most ``capacity`` tokens; a success gives ``per_success``, a second gives ``per_second``. An empty
    bucket delays a retry, it never ends a row.
    """

    capacity: float
    per_success: float
    per_second: float
    _tokens: float = field(init=False)
    _at: float | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._tokens = self.capacity

    @classmethod
    def for_rate(cls, rate: float) -> RetryBudget:
        """A fifth of the permitted rate, and one retry for ten successes; at least one in two seconds."""
        return cls(capacity=max(10.0, 2 * rate), per_success=0.1, per_second=max(0.5, rate / 5))

    def succeeded(self) -> None:
        self._tokens = min(self.capacity, self._tokens + self.per_success)

    def take(self, now: float) -> float:
        """Take a token: 0.0 if there was one, else the seconds until there will be."""
        if self._at is not None:
            self._tokens = min(self.capacity, self._tokens + (now - self._at) * self.per_second)
        self._at = now
        if self._tokens >= 1.0 - _ROUNDING:
            self._tokens = max(0.0, self._tokens - 1.0)
            return 0.0
        return (1.0 - self._tokens) / self.per_second

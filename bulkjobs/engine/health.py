"""Is the service as a whole failing? Then creates pause and one cheap read probes (invariant 11).

A pure state machine: the runner reports what it sees and asks what is allowed.
"""

from __future__ import annotations

from enum import Enum

THRESHOLD = 5
"""Failures in a row, of any rows, after which the service and not a row is to blame."""


class Condition(Enum):
    UP = "up"
    DOWN = "down"  # nothing but the probe is sent
    TRIAL = "trial"  # the probe came back: one create at a time until one is answered


class Health:
    """``patience``: seconds without an answer to any create after which the run gives up (``exhausted``)."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._failures = 0
        self._down_since: float | None = None
        self.condition = Condition.UP
        self.probes = 0

    def answered(self) -> None:
        """A create was answered by the service itself, with whatever verdict."""
        self._failures = 0
        self._down_since = None
        self.probes = 0
        self.condition = Condition.UP

    def failed(self, now: float) -> None:
        """A request got no answer, or one that says that the service is failing."""
        self._failures += 1
        if self._down_since is None:
            self._down_since = now
        if self.condition is Condition.TRIAL or self._failures >= THRESHOLD:
            self.condition = Condition.DOWN

    def probed(self, ok: bool, now: float) -> None:
        """The outcome of a probe."""
        self.probes += 1
        if ok and self.condition is Condition.DOWN:
            self.condition = Condition.TRIAL
        elif not ok:
            self.failed(now)

    def exhausted(self, now: float) -> bool:
        return self._down_since is not None and now - self._down_since > self._patience

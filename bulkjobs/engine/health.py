"""Is the service as a whole failing? Then creates pause and one cheap read probes (invariant 11).

A pure state machine: the runner reports what it sees and asks what is allowed.
"""

from __future__ import annotations

import math
from enum import Enum

THRESHOLD = 5
"""Failures in a row, of any rows, after which the service and not a row is to blame."""

_ASKED = 3
"""Refusals for the rate that patience needs, at least: ``Retry-After`` alone may be longer than it."""


class Condition(Enum):
    UP = "up"
    DOWN = "down"  # nothing but the probe is sent
    TRIAL = "trial"  # the probe came back: one create at a time until one is answered


class Health:
    """``patience``: seconds after which the run gives up: without an answer to any create (``exhausted``), or with
    every request, creates and reads, refused for its rate (``throttled``).
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._failures = 0
        self._down_since: float | None = None
        self._throttled_since: float | None = None
        self._throttles = 0
        self._back_at = -math.inf  # when a probe last came back
        self.condition = Condition.UP
        self.probes = 0

    def answered(self) -> None:
        """A create was answered by the service itself, with whatever verdict."""
        self._failures = 0
        self._down_since = None
        self.probes = 0
        self.condition = Condition.UP

    def served(self) -> None:
        """A request, create or read, was answered by the service itself, and was not refused for its rate."""
        self._throttled_since = None

    def throttled(self, now: float) -> bool:
        """A request was refused for its rate: has nothing else come for longer than patience?

        Such a run would go on for ever: refusals burn no attempt, and each only makes the next pause longer.
        """
        if self._throttled_since is None:
            self._throttled_since, self._throttles = now, 0
        self._throttles += 1
        return self._throttles >= _ASKED and now - self._throttled_since > self._patience

    def failed(self, now: float, sent_at: float) -> None:
        """A request got no answer, or one that says that the service is failing.

        What was sent before the last probe came back tells of the time before: hanging requests are given up late.
        """
        if sent_at < self._back_at:
            return
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
            self._back_at = now
        elif not ok:
            self.failed(now, now)

    def exhausted(self, now: float) -> bool:
        return self._down_since is not None and now - self._down_since > self._patience

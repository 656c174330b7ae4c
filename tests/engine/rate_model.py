"""A world in virtual time to drive ``RateControl``: services with hidden limits, latency, and the pacing bucket.

Nothing here sleeps or reads a clock. ``simulate`` is the sender in miniature: one dispatcher, a number of slots,
the bucket of ``pacing``, and refused work is sent again.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from bulkjobs.engine.pacing import LATENESS
from bulkjobs.engine.rate_control import RateControl


class Service(Protocol):
    """A gateway's limit. ``limit`` may be changed while it runs; ``counts_refused``: a refusal uses up room too."""

    limit: float

    def admits(self, now: float) -> bool: ...


@dataclass
class SlidingWindow:
    limit: float
    counts_refused: bool = False
    _log: deque[float] = field(default_factory=deque)

    def admits(self, now: float) -> bool:
        while self._log and self._log[0] <= now - 1.0:
            self._log.popleft()
        is_free = len(self._log) < self.limit
        if is_free or self.counts_refused:
            self._log.append(now)
        return is_free


@dataclass
class FixedWindow:
    limit: float
    counts_refused: bool = False  # makes no difference: the next window starts empty
    offset: float = 0.37
    _window: float = -1.0
    _count: int = 0

    def admits(self, now: float) -> bool:
        window = (now + self.offset) // 1.0
        if window != self._window:
            self._window, self._count = window, 0
        self._count += 1
        return self._count <= self.limit


@dataclass
class TokenBucket:
    """Holds a second's worth of tokens, and begins full. A refusal that counts takes the part that has come in."""

    limit: float
    counts_refused: bool = False
    _tokens: float = -1.0
    _at: float = 0.0

    def admits(self, now: float) -> bool:
        if self._tokens < 0:
            self._tokens = self.limit
        self._tokens = min(self.limit, self._tokens + (now - self._at) * self.limit)
        self._at = now
        if self._tokens >= 1.0:
            self._tokens -= 1.0
            return True
        if self.counts_refused:
            self._tokens = max(0.0, self._tokens - 0.5)
        return False


@dataclass
class World:
    """What lies around the service: seconds of latency, one way drawn for each send, and stray refusals."""

    latency: float = 0.03
    jitter: float = 0.01
    stray: float = 0.0
    burst_every: float = 0.0  # now and then everything in flight is refused
    retry_after: float | None = None
    ordered: float = 1.0  # part of the refusals that have the Retry-After
    changes: tuple[tuple[float, float], ...] = ()
    concurrency: int = 32


@dataclass
class Outcome:
    sent: list[float] = field(default_factory=list)
    accepted: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    rates: list[tuple[float, float]] = field(default_factory=list)
    end: float = 0.0

    def between(self, times: list[float], since: float, until: float) -> int:
        return sum(since <= at < until for at in times)


def simulate(
    control: RateControl,
    service: Service,
    world: World,
    rng: random.Random,
    *,
    work: int = 10**9,
    seconds: float = 10**9,
    capacity: Callable[[float], float] | None = None,
) -> Outcome:
    """Send until ``work`` sends were accepted or ``seconds`` have passed. Times in the outcome are send times."""
    outcome = Outcome()
    now, room, filled_at = 0.0, 1.0, 0.0
    in_flight, done = 0, 0
    events: list[tuple[float, int, str, float, bool]] = []
    number = 0
    burst_at = world.burst_every or float("inf")
    busy_until = 0.0
    for at, limit in world.changes:
        number += 1
        heapq.heappush(events, (at, number, "limit", limit, False))

    while now < seconds and done < work:
        control.tick(now)
        rate = control.rate
        room = min(1.0 + rate * LATENESS, room + (now - filled_at) * rate)
        filled_at = now
        may_send = in_flight < world.concurrency and done + in_flight < work
        ready = max(now, control.until)
        if room < 1.0 - 1e-9:
            ready = max(ready, now + (1.0 - room) / rate)
        if may_send and ready <= now + 1e-9:
            room -= 1.0
            control.sent(now)
            outcome.sent.append(now)
            outcome.rates.append((now, rate))
            in_flight += 1
            number += 1
            arrival = now + (world.latency + rng.uniform(0, world.jitter)) / 2
            heapq.heappush(events, (arrival, number, "arrive", now, False))
            continue
        upcoming = events[0][0] if events else float("inf")
        if may_send and ready < upcoming:
            now = min(ready, now + 0.05)  # the rate may have grown meanwhile
            continue
        if not events:
            raise AssertionError("nothing will ever happen again")
        now, _, what, value, ok = heapq.heappop(events)
        if what == "limit":
            service.limit = value
        elif what == "arrive":
            ok = service.admits(now) and rng.random() >= world.stray
            if now >= burst_at:
                ok = False
                if now >= burst_at + world.latency:
                    burst_at = now + world.burst_every
            back = (world.latency + rng.uniform(0, world.jitter)) / 2
            if capacity is not None:
                busy_until = max(busy_until, now) + 1 / capacity(now)
                back += busy_until - now
            number += 1
            heapq.heappush(events, (now + back, number, "answer", value, ok))
        else:
            in_flight -= 1
            if ok:
                done += 1
                outcome.accepted.append(value)
                control.accepted(value, now)
            else:
                outcome.refused.append(value)
                is_ordered = world.ordered >= 1.0 or rng.random() < world.ordered
                control.throttled(value, now, world.retry_after if is_ordered else None)
    outcome.end = now
    return outcome

"""What issue 5 promises of ``--rate auto``, as worlds and criteria, written from its text alone.

``python -m tests.engine.rate_promise`` judges every world (``--limits 3,7``: other limits; ``--only TEXT``: those whose
name contains it; ``--trace``: second by second); ``test_rate_promise`` holds a sample. The clock is virtual; the way to
a send is the program's own (``permission``, ``AdaptiveLimiter``, ``RateControl``), and slots are never short.

Worlds: limits × {sliding window, fixed window, token bucket of a second's worth} × {unchanging, halved, doubled, and
15 → 20, 15 → 40, 40 → 60, 200 → 40} × round trips of 20, 100 and 300 ms × {no stray, one request in 200, one in 500
refused though the limit would admit it}. Refused requests do not count into the gateway's limit. A run from cold has to

* ``steady``: bring 90 % of the limit through, outside of the warm-up and of the time after a change;
* ``refused``: have at most 2 % of its requests refused by the limit in that part (strays are the server's doing);
* ``worst``: bring 60 % of the limit through in every ten seconds of that part: recovery is quick, no stray starves it;
* ``cuts``: never lower its rate twice within a second;
* ``burst``: never send more in a sliding second than the highest rate of that second, and one more;
* ``whole``: bring 85 % of the limit through over a run of twenty seconds' worth of requests;
* ``learned``: do so again, and not worse, when it starts with what such a run has learned;
* ``outgrown``: do so when it starts with half, two thirds or four fifths of the limit: what was learned is old, or the
  limit has risen since (not with strays, and not at limits of a few a second, where that is less than two questions).

What no client can do, and what is asked instead:

* 2 % of the steady part at a limit of 2 are two requests a minute, so that one probe may cost all of it: one refused
  request in the part is always allowed.
* A limit that rises is noticed only by asking for more, and each question may cost a refusal: at 2 % that is one
  question in 50 requests. So the time after a rise is ``_WARM_UP`` and the time of 50 requests at the old limit, and
  over the whole run the rise counts from ``_NOTICE`` seconds and those 50 requests later.
* A limit that falls is noticed by the first refusal, a round trip after the fall, and as the rate is cut but once a
  second, a second of requests may be refused before the second cut: in the time after a fall the old limit's requests
  of a round trip and a second, and 2 % of the others, at least one, may be refused. A window that is full when the
  limit falls admits nothing until it has room again: over the whole run that is not counted.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import sys
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import Protocol

from bulkjobs.dataflow.replies import Answer, Reply, Verdict, judge
from bulkjobs.engine.clock import Clock
from bulkjobs.engine.pacing import AdaptiveLimiter
from bulkjobs.engine.rate_control import RateControl
from bulkjobs.engine.reader import permission
from tests.simulation.limiter import VirtualLimiter

from .conftest import virtually

LIMITS = (2.0, 15.0, 40.0, 200.0)
ROUND_TRIPS = (0.02, 0.1, 0.3)
STRAYS = (0.0, 1 / 200, 1 / 500)

_SLOTS = 256
_WARM_UP = 12.0
_JUDGED = 40.0
_NOTICE = 5.0
_PROBE = 50.0
"""Requests of which one may be refused."""

_CREATED = Answer(Verdict.CREATED, 201, job_id="j")
_THROTTLED = judge(Reply(429, {}, b'{"error":{"errorCode":"410","message":"Throttle Limited"}}'))


# Gateways: whether a request that arrives now is within the limit


class Gateway(Protocol):
    limit: float

    def admits(self, now: float) -> bool: ...


@dataclass
class SlidingWindow:
    """At most ``limit`` in any second."""

    limit: float
    phase: float
    admitted: deque[float] = field(default_factory=deque)

    def admits(self, now: float) -> bool:
        while self.admitted and self.admitted[0] <= now - 1:
            self.admitted.popleft()
        if len(self.admitted) >= self.limit:
            return False
        self.admitted.append(now)
        return True


@dataclass
class FixedWindow:
    """At most ``limit`` in each second of the server's clock."""

    limit: float
    phase: float
    second: int = 0
    count: int = 0

    def admits(self, now: float) -> bool:
        second = math.floor(now + self.phase)
        if second != self.second:
            self.second, self.count = second, 0
        if self.count >= self.limit:
            return False
        self.count += 1
        return True


class TokenBucket:
    """``limit`` tokens a second, a second's worth kept."""

    def __init__(self, limit: float, phase: float) -> None:
        self.limit = self.tokens = limit
        self.at = -math.inf

    def admits(self, now: float) -> bool:
        self.tokens = min(self.limit, self.tokens + max(0.0, now - self.at) * self.limit)
        self.at = max(self.at, now)
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


GATEWAYS: dict[str, Callable[[float, float], Gateway]] = {
    "sliding": SlidingWindow,
    "fixed": FixedWindow,
    "bucket": TokenBucket,
}


# Worlds


@dataclass(frozen=True)
class World:
    gateway: str
    limit: float
    then: float
    """The limit after the change; the same: there is none."""

    round_trip: float
    stray: float

    def __str__(self) -> str:
        change = f"→{self.then:g}" if self.then != self.limit else ""
        stray = f" stray 1/{1 / self.stray:.0f}" if self.stray else ""
        return f"{self.gateway} {self.limit:g}{change} {self.round_trip * 1000:.0f} ms{stray}"

    @property
    def settling(self) -> float:
        """Seconds after the change that are not steady."""
        return _WARM_UP + (_PROBE / self.limit if self.then > self.limit else 0.0)

    def permitted(self, until: float, change: float) -> float:
        """Requests that the limit admits until then."""
        return self.limit * min(until, change) + self.then * max(0.0, until - change)


def worlds(limits: Sequence[float] = LIMITS) -> Iterator[World]:
    changes = [(limit, limit * by) for limit in limits for by in (1, 0.5, 2)]
    if limits == LIMITS:
        changes += [(15.0, 40.0), (200.0, 40.0), (15.0, 20.0), (40.0, 60.0)]
    for limit, then in changes:
        for gateway in GATEWAYS:
            for round_trip in ROUND_TRIPS:
                for stray in STRAYS:
                    yield World(gateway, limit, then, round_trip, stray)


class Play:
    """A run in a world: until ``seconds`` are over or ``work`` is done. ``requests``: (sent, arrived, what became)."""

    def __init__(
        self,
        world: World,
        seed: int,
        change: float,
        *,
        work: float = math.inf,
        seconds: float = math.inf,
        learned: float | None = None,
    ) -> None:
        self._world = world
        self._random = Random(f"{world} {seed}")
        self._gateway = GATEWAYS[world.gateway](world.limit, self._random.random())
        self._change, self._seconds, self._learned = change, seconds, learned
        self._left = work
        self.requests: list[tuple[float, float, str]] = []
        self.rates: list[tuple[float, float]] = []
        self.took = 0.0
        self.learns: float | None = None
        virtually(self._main, seed)

    async def _main(self, clock: Clock) -> None:
        world, chance = self._world, self._random
        control = RateControl(clock.uniform, learned=self._learned)
        limiter = AdaptiveLimiter(lambda: control.rate, lambda rate: VirtualLimiter(rate, clock))
        slots = asyncio.Semaphore(_SLOTS)
        freed = asyncio.Event()
        sends: set[asyncio.Task[None]] = set()
        begun = clock.monotonic()

        async def send(sent_at: float) -> None:
            await asyncio.sleep(world.round_trip / 2 * chance.uniform(0.8, 1.2))
            arrived = clock.monotonic() - begun
            if chance.random() < world.stray:
                became = "stray"
            else:
                became = "admitted" if self._gateway.admits(arrived) else "refused"
            self.requests.append((sent_at - begun, arrived, became))
            await asyncio.sleep(world.round_trip / 2 * chance.uniform(0.8, 1.2))
            slots.release()
            if became == "admitted":
                self.took = clock.monotonic() - begun
            else:
                self._left += 1
            control.answered(_CREATED if became == "admitted" else _THROTTLED, sent_at, clock.monotonic())
            self._note(clock.monotonic() - begun, control.rate)

        def ended(task: asyncio.Task[None]) -> None:
            sends.discard(task)
            freed.set()

        if world.then != world.limit:
            asyncio.get_running_loop().call_later(self._change, setattr, self._gateway, "limit", world.then)
        self._note(0.0, control.rate)
        while clock.monotonic() - begun < self._seconds and (self._left > 0 or sends):
            if self._left <= 0:
                freed.clear()
                await freed.wait()
                continue
            await slots.acquire()
            self._left -= 1
            task = asyncio.create_task(send(await permission(control, limiter, clock)))
            self._note(clock.monotonic() - begun, control.rate)
            sends.add(task)
            task.add_done_callback(ended)
        if sends:
            await asyncio.wait(sends)
        found = control.learned(clock.wall_ms())
        self.learns = found.start(clock.wall_ms()) if found is not None else None

    def _note(self, at: float, rate: float) -> None:
        if not self.rates or self.rates[-1][1] != rate:
            self.rates.append((at, rate))

    def count(self, what: str, since: float, until: float) -> int:
        """How many of the requests that arrived in that time came to that."""
        return sum(1 for _, at, became in self.requests if since <= at < until and became == what)


# Criteria

Missed = dict[str, float]
"""What was missed, and by which figure."""


def judged(world: World, seed: int) -> tuple[Missed, Missed]:
    """What a seed's runs came to, and what of it misses the promise."""
    figures = _long(world, seed)
    figures |= _short(world, seed)
    return figures, {name: value for name, value in figures.items() if not _HOLDS[name](value)}


_HOLDS: dict[str, Callable[[float], bool]] = {
    "steady": lambda value: value >= 0.9,
    "refused": lambda value: value <= 0.02,
    "worst": lambda value: value >= 0.6,
    "cuts": lambda value: value >= 1,
    "burst": lambda value: value <= 1,
    "fall": lambda value: value <= 1,
    "whole": lambda value: value >= 0.85,
    "learned": lambda value: value >= 0.85,
    "learns": lambda value: value >= -0.02,
    "outgrown": lambda value: value >= 0.85,
}


def long_run(world: World, seed: int) -> tuple[Play, list[tuple[float, float, float]]]:
    """A run with its steady parts: since, until, limit."""
    more = 2 * _PROBE / min(world.limit, world.then)  # for a small limit, so that 2 % are something
    change = _WARM_UP + _JUDGED / 2 + more / 2
    if world.then == world.limit:
        end = _WARM_UP + _JUDGED + more
        return Play(world, seed, math.inf, seconds=end), [(_WARM_UP, end, world.limit)]
    again = change + world.settling
    end = again + _JUDGED / 2 + more / 2
    return Play(world, seed, change, seconds=end), [(_WARM_UP, change, world.limit), (again, end, world.then)]


def _long(world: World, seed: int) -> Missed:
    play, parts = long_run(world, seed)
    admitted = sum(play.count("admitted", since, until) for since, until, _ in parts)
    refused = sum(play.count("refused", since, until) for since, until, _ in parts)
    figures = {
        "steady": min(play.count("admitted", a, b) / (limit * (b - a)) for a, b, limit in parts),
        "refused": refused / (admitted + refused) if refused > 1 else 0.0,
        "worst": min(_worst(play, *part) for part in parts),
        "cuts": _between_cuts(play),
        "burst": _burst(play),
    }
    if world.then < world.limit:
        change, again = parts[0][1], parts[1][0]
        sent = play.count("admitted", change, again) + play.count("refused", change, again)
        unavoidable = world.limit * (world.round_trip + 1)
        figures["fall"] = play.count("refused", change, again) / (unavoidable + max(1.0, 0.02 * sent))
    return figures


def _worst(play: Play, since: float, until: float, limit: float) -> float:
    """The least part of the limit in ten seconds."""
    return min(play.count("admitted", at, at + 10) / (10 * limit) for at in range(math.ceil(since), int(until) - 9))


def _between_cuts(play: Play) -> float:
    """The shortest time between two cuts."""
    cuts = [at for (_, before), (at, rate) in pairwise(play.rates) if rate < 0.99 * before]
    return min((b - a for a, b in pairwise(cuts)), default=math.inf)


def _burst(play: Play) -> float:
    """The most sends beyond the highest rate of a sliding second."""
    sends = sorted(sent for sent, _, _ in play.requests)
    times = [at for at, _ in play.rates]
    worst = -math.inf
    first = 0
    for place, sent in enumerate(sends):
        while sends[first] <= sent - 1:
            first += 1
        since = max(0, bisect_left(times, sent - 1) - 1)
        permitted = max(rate for _, rate in play.rates[since : bisect_left(times, sent) + 1])
        worst = max(worst, place - first + 1 - math.ceil(permitted))
    return worst


def _short(world: World, seed: int) -> Missed:
    """Twenty seconds' worth from cold and, where the limit stays, again with what was learned."""
    change = 10.0 if world.then != world.limit else math.inf
    work = 10 * world.limit + 10 * world.then
    cold = Play(world, seed, change, work=work)
    rises = world.then > world.limit
    noticed = change + (_NOTICE + _PROBE / world.limit if rises else 0.0)
    permitted = world.permitted(cold.took, noticed)
    if world.then < world.limit:  # a second that is full when the limit falls admits nothing more
        permitted -= world.then * (1 - world.then / world.limit)
    figures = {"whole": work / permitted}
    if world.then == world.limit:
        again = Play(world, seed, change, work=work, learned=cold.learns)
        figures["learned"] = work / world.permitted(again.took, math.inf)
        if work > 2 * _PROBE and not world.stray:  # else there is no time to ask for more
            figures["outgrown"] = min(outgrown(world, seed, part) for part in (0.5, 0.67, 0.8))
        figures["learns"] = figures["learned"] - figures["whole"] + 1.5 / work  # a request more or less is chance
    return figures


def outgrown(world: World, seed: int, part: float) -> float:
    """Part of the limit that twenty seconds' worth use that begin at ``part`` of it."""
    work = 20 * world.limit
    play = Play(world, seed, math.inf, work=work, learned=part * world.limit)
    return work / world.permitted(play.took, math.inf)


# The tool


def _ask(question: tuple[World, int]) -> tuple[World, int, Missed, Missed]:
    return (*question, *judged(*question))


def _trace(world: World, seed: int) -> None:
    play, parts = long_run(world, seed)
    print(f"{world}, seed {seed}; steady: {parts}")
    for second in range(int(parts[-1][1])):
        sent = sum(1 for at, _, _ in play.requests if second <= at < second + 1)
        rates = [rate for at, rate in play.rates if second <= at < second + 1] or [
            [rate for at, rate in play.rates if at < second][-1]
        ]
        counts = [play.count(what, second, second + 1) for what in ("admitted", "refused", "stray")]
        print(
            f"{second:4} sent {sent:4} admitted {counts[0]:4} refused {counts[1]:3} stray {counts[2]:2} "
            f"rate {min(rates):7.2f} … {max(rates):7.2f} … {rates[-1]:7.2f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--limits", default="")
    parser.add_argument("--only", default="")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--trace", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    asked = parser.parse_args()
    limits = tuple(map(float, asked.limits.split(","))) if asked.limits else LIMITS
    seeds = [int(seed) for seed in asked.seeds.split(",")]
    chosen = [world for world in worlds(limits) if asked.only in f"{world}"]
    if asked.trace:
        for world in chosen:
            _trace(world, seeds[0])
        return
    failed: Counter[World] = Counter()
    missed: Counter[str] = Counter()
    by_kind: dict[tuple[str, str], list[int]] = {}
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        questions = [(world, seed) for world in chosen for seed in seeds]
        for world, seed, figures, misses in pool.map(_ask, questions, chunksize=4):
            failed[world] += bool(misses)
            missed.update(misses.keys())
            change = "unchanging" if world.then == world.limit else "falls" if world.then < world.limit else "rises"
            for kind in (
                ("limit", f"{world.limit:g}"),
                ("change", change),
                ("round trip", f"{world.round_trip:g}"),
                ("gateway", world.gateway),
                ("stray", f"{world.stray:g}"),
            ):
                counts = by_kind.setdefault(kind, [0, 0])
                counts[0] += not misses
                counts[1] += 1
            if misses or asked.verbose:
                shown = figures if asked.verbose else misses
                print(f"{world} seed {seed}: " + ", ".join(f"{name} {value:.3f}" for name, value in shown.items()))
            sys.stdout.flush()
    print(f"worlds kept on every seed: {sum(not count for count in failed.values())} of {len(failed)}")
    print(f"runs kept: {sum(c for c, _ in (by_kind[k] for k in by_kind if k[0] == 'gateway'))} of {len(questions)}")
    print("missed: " + ", ".join(f"{name} {count}" for name, count in missed.most_common()))
    for (name, value), (kept, of) in sorted(by_kind.items()):
        print(f"  {name} {value}: {kept} of {of}")


if __name__ == "__main__":
    main()

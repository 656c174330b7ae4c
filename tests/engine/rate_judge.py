"""An independent judge of the adaptive rate: worlds that were not used to tune it, on the engine's own way to a send.

``python -m tests.engine.rate_judge`` prints a line for each world and what missed the promise. Nothing here is shared
with ``rate_model``, on which ``RateControl`` was tuned: other services, other latencies, other limits, refusals that
are read from replies, and the real ``permission`` and ``AdaptiveLimiter`` on a virtual loop instead of a model of
them. Change ``RateControl`` by what ``rate_model`` shows, then ask here; a constant that was chosen here would end
the independence.
"""

from __future__ import annotations

import asyncio
import math
import statistics
import sys
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from bulkjobs.dataflow.replies import Answer, Reply, Verdict, judge
from bulkjobs.engine.clock import Clock
from bulkjobs.engine.pacing import AdaptiveLimiter
from bulkjobs.engine.rate_control import RateControl
from bulkjobs.engine.reader import permission
from tests.simulation.limiter import VirtualLimiter

from .conftest import virtually

WARM_UP = 12.0
SLOTS = 128
CREATED = Answer(Verdict.CREATED, 201, job_id="j")


# Services: whether a request that arrives now is admitted


class Gateway(Protocol):
    limit: float

    def admits(self, now: float) -> bool: ...


@dataclass
class Trailing:
    """No more than ``limit`` admitted in the trailing second, by a log of them."""

    limit: float
    log: deque[float] = field(default_factory=deque)

    def admits(self, now: float) -> bool:
        while self.log and now - self.log[0] >= 1.0:
            self.log.popleft()
        if len(self.log) >= self.limit:
            return False
        self.log.append(now)
        return True


@dataclass
class Punishing(Trailing):
    """The same, and what is refused counts, too."""

    def admits(self, now: float) -> bool:
        is_free = super().admits(now)
        if not is_free:
            self.log.append(now)
        return is_free


@dataclass
class Clockwork:
    """A new ration at each full second of the service's clock, which is ``offset`` off."""

    limit: float
    offset: float
    second: int = -1
    used: int = 0

    def admits(self, now: float) -> bool:
        second = math.floor(now - self.offset)
        if second != self.second:
            self.second, self.used = second, 0
        self.used += 1
        return self.used <= self.limit


@dataclass
class Blended:
    """The estimate of a trailing second that gateways like Kong and nginx-lua make of two clock seconds."""

    limit: float
    second: int = -1
    used: int = 0
    before: int = 0

    def admits(self, now: float) -> bool:
        second = math.floor(now)
        if second != self.second:
            self.before = self.used if second == self.second + 1 else 0
            self.second, self.used = second, 0
        if self.before * (1.0 - (now - second)) + self.used >= self.limit:
            return False
        self.used += 1
        return True


@dataclass
class Bucket:
    """``burst`` seconds' worth of tokens, full at the start."""

    limit: float
    burst: float
    level: float = math.inf
    at: float = 0.0

    def admits(self, now: float) -> bool:
        size = max(1.0, self.burst * self.limit)
        self.level = min(size, self.level + (now - self.at) * self.limit)
        self.at = now
        if self.level < 1.0:
            return False
        self.level -= 1.0
        return True


GATEWAYS: dict[str, Callable[[float], Gateway]] = {
    "trailing": Trailing,
    "punishing": Punishing,
    "clock +.61": lambda limit: Clockwork(limit, 0.61),
    "clock +.08": lambda limit: Clockwork(limit, 0.08),
    "blended": Blended,
    "bucket .3 s": lambda limit: Bucket(limit, 0.3 if limit > 10 else 1.0),
    "bucket 2 s": lambda limit: Bucket(limit, 2.0),
}

LATENCIES: dict[str, Callable[[Random], float]] = {
    "15 ms": lambda random: random.uniform(0.012, 0.018),
    "60 ms log-normal": lambda random: min(5.0, random.lognormvariate(math.log(0.06), 0.5)),
    "180 ms ± 80": lambda random: random.uniform(0.1, 0.26),
}

# Refusals, as bytes: what the gateway may say


def _refusal(status: int, code: str, retry_after: str | None) -> Answer:
    body = f'{{"error":{{"errorCode":"{code}","message":"Throttle Limited","details":"-"}}}}'
    headers = {"Retry-After": retry_after} if retry_after is not None else {}
    return judge(Reply(status, headers, body.encode()))


MIXED = (
    _refusal(429, "410", None),
    _refusal(429, "410", None),
    _refusal(429, "420", None),
    _refusal(429, "410", "1"),
)
assert all(answer.slow_down for answer in MIXED)


@dataclass(frozen=True, slots=True)
class World:
    """``changes``: limits from a time on. ``clients``: that share the limit, one process each. ``stray``: odds of a
    refusal for no reason. ``mixed``: some refusals have a Retry-After."""

    gateway: str
    limit: float
    latency: str
    stray: float = 0.0
    mixed: bool = False
    clients: int = 1
    changes: tuple[tuple[float, float], ...] = ()
    steady_from: float = WARM_UP

    def __str__(self) -> str:
        parts = [self.gateway, f"{self.limit:g}/s", self.latency]
        parts += [f"→ {limit:g} at {at:g} s" for at, limit in self.changes]
        parts += ["strays"] * bool(self.stray) + ["mixed"] * self.mixed
        return ", ".join([*parts, f"{self.clients} clients"] if self.clients > 1 else parts)


@dataclass(slots=True)
class Verdicts:
    """Of one world: part of the limit used in the steady part and over the whole run, part refused."""

    world: World
    steady: float = 0.0
    refused: float = 0.0
    whole: float | None = None

    @property
    def misses(self) -> list[str]:
        found = []
        if self.steady < 0.9:
            found.append(f"steady {self.steady:.3f}")
        if self.refused > 0.02:
            found.append(f"refused {self.refused:.3%}")
        if self.whole is not None and self.whole < 0.85:
            found.append(f"whole {self.whole:.3f}")
        return found


class Play:
    """One or several clients against one gateway. ``ends``: (send time, was it admitted), in order of their answers."""

    def __init__(self, world: World, seed: int, *, work: float = math.inf, seconds: float = math.inf) -> None:
        self._world = world
        self._random = Random(seed)
        self._gateway = GATEWAYS[world.gateway](world.limit)
        self._latency = LATENCIES[world.latency]
        self._work = self._left = work
        self._seconds = seconds
        self.ends: list[tuple[float, bool]] = []
        self.admitted = 0
        self.took = 0.0
        virtually(self._main, seed)

    async def _main(self, clock: Clock) -> None:
        loop = asyncio.get_running_loop()
        self._begun = loop.time()
        self._freed = asyncio.Event()
        for at, limit in self._world.changes:
            loop.call_later(at, setattr, self._gateway, "limit", limit)
        await asyncio.gather(*(self._client(clock) for _ in range(self._world.clients)))
        self.took = loop.time() - self._begun

    async def _client(self, clock: Clock) -> None:
        control = RateControl(clock.uniform)
        limiter = AdaptiveLimiter(lambda: control.rate, lambda rate: VirtualLimiter(rate, clock))
        slots = asyncio.Semaphore(SLOTS)
        sends: set[asyncio.Task[None]] = set()
        freed = self._freed

        async def send(sent_at: float) -> None:
            there, back = self._latency(self._random) / 2, self._latency(self._random) / 2
            await asyncio.sleep(there)
            is_admitted = self._gateway.admits(clock.monotonic()) and self._random.random() >= self._world.stray
            await asyncio.sleep(back)
            slots.release()
            self.ends.append((sent_at - self._begun, is_admitted))
            answer = CREATED
            if not is_admitted:
                answer = self._random.choice(MIXED) if self._world.mixed else MIXED[0]
                self._left += 1
            else:
                self.admitted += 1
            control.answered(answer, sent_at, clock.monotonic())
            freed.set()

        while self.admitted < self._work and clock.monotonic() - self._begun < self._seconds:
            if self._left <= 0:
                freed.clear()
                await freed.wait()
                continue
            await slots.acquire()
            self._left -= 1
            task = asyncio.create_task(send(await permission(control, limiter, clock)))
            sends.add(task)
            task.add_done_callback(sends.discard)
        if sends:
            await asyncio.wait(sends)


def judged(world: World, seeds: Sequence[int] = (11, 12, 13)) -> Verdicts:
    """Medians over the seeds: two runs for each, one for the steady part and one of twenty times the limit."""
    last = world.changes[-1][1] if world.changes else world.limit
    steady, refused, whole = [], [], []
    for seed in seeds:
        long = Play(world, seed, seconds=world.steady_from + 45)
        part = [ok for at, ok in long.ends if world.steady_from <= at < world.steady_from + 45]
        steady.append(sum(part) / 45 / last)
        refused.append(1 - sum(part) / len(part))
        if not world.changes:
            whole.append(20 / Play(world, seed, work=20 * world.limit).took)
    return Verdicts(
        world, statistics.median(steady), statistics.median(refused), statistics.median(whole) if whole else None
    )


LIMITS = (3, 7, 25, 90, 350)
WORLDS = [
    *(World(gateway, limit, latency) for gateway in GATEWAYS for limit in LIMITS for latency in LATENCIES),
    *(World(gateway, limit, "60 ms log-normal", stray=1 / 200) for gateway in GATEWAYS for limit in LIMITS),
    *(World(gateway, limit, "60 ms log-normal", mixed=True) for gateway in GATEWAYS for limit in LIMITS),
    *(
        World(gateway, limit, "60 ms log-normal", clients=2, steady_from=20)
        for gateway in GATEWAYS
        for limit in LIMITS[1:]
    ),
    *(
        World(gateway, before, "60 ms log-normal", changes=((25.0, after),), steady_from=40)
        for gateway in GATEWAYS
        for before, after in ((25, 90), (90, 25), (3, 7), (7, 3), (350, 90))
    ),
]
"""Five limits behind seven gateways: at three latencies, with strays, with mixed refusals, shared, changing."""


def main(parts: Sequence[str]) -> None:
    """Judge the worlds whose description has all of ``parts``."""
    missed = 0
    worlds = [world for world in WORLDS if all(part in str(world) for part in parts)]
    for world in worlds:
        verdicts = judged(world)
        missed += bool(verdicts.misses)
        whole = f"{verdicts.whole:.3f}" if verdicts.whole is not None else "    -"
        print(
            f"{world!s:60} steady {verdicts.steady:.3f}  refused {verdicts.refused:6.2%}  whole {whole}"
            f"  {', '.join(verdicts.misses) or 'kept'}",
            flush=True,
        )
    print(f"{len(worlds) - missed} of {len(worlds)} worlds keep the promise")


if __name__ == "__main__":
    main(sys.argv[1:])

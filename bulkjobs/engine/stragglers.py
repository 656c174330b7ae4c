"""How long the last rows take, where some sends have no known end. Pure: figures in, seconds out.

A send of unknown end is given up, waits for settle, and is looked up: the job is there, or the row is sent again after
a back-off. What the last such rows cost is the mean of the latest of them, not of one.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from bulkjobs.engine.backoff import BASE, CAP
from bulkjobs.engine.resolver import READERS

PAGE = 1_000
"""Jobs that one call of getJobs lists."""

_NEGLIGIBLE = 1e-7
_ROUNDS = 40
_FIXED = 10  # rounds in which a figure that depends on itself has settled
_STEPS = 200


@dataclass(frozen=True, slots=True)
class Lost:
    """Sends of unknown end. ``unknown``: the odds of a send that no answer tells its end, ``made``: of such a send
    that it made the job all the same, ``silence``: seconds until it is given up; None: as long as an answer takes.
    """

    unknown: float = 0.0
    made: float = 0.5
    silence: float | None = None


NONE_LOST = Lost()


@dataclass(frozen=True, slots=True)
class Sends:
    """``pace``: a second, in the long run. ``latency``: seconds until an answer. The others: as in ``Lost``."""

    pace: float
    latency: float
    unknown: float
    made: float
    silence: float

    @property
    def again(self) -> float:
        """The odds that a send has to be repeated."""
        return self.unknown * (1.0 - self.made)


def mean_backoff_s(failures: int) -> float:
    """The mean of ``backoff.full_jitter``."""
    return min(CAP, BASE * 2.0 ** min(failures - 1, 16)) / 2.0


def look_s(sends: Sends, due: float, pages: int) -> float:
    """Seconds from a row's due time until its lookup tells, where ``due`` rows a second are looked up.

    What is due while a batch is looked up is the next batch, so a row waits half of one and is looked up in the next.
    Few names are asked for one by one; more than twice the ``pages`` by two passes through the list. Then each job
    that is there is read. How many are due in the time that a batch takes is a matter of luck: Poisson.
    """
    read = max(sends.latency, 1.0 / sends.pace)

    def read_s(count: float) -> float:
        return max(math.ceil(count / READERS) * sends.latency, count / sends.pace)

    batch_s = 2.0 * pages * read
    for _ in range(_FIXED):
        batch = max(1.0, due * batch_s)
        by_name = max(
            (1.0 + sends.made) * math.ceil(batch / READERS) * sends.latency, read_s((1.0 + sends.made) * batch)
        )
        by_list = 2.0 * pages * read + read_s(batch * sends.made)
        batch_s = by_name + _odds_of_more(2.0 * pages + 0.5, batch, batch) * (by_list - by_name)
    return batch_s * (1.0 + 0.5 * min(1.0, due * batch_s))


def rounds_s(sends: Sends, settle: float, due: float, pages: int) -> list[float]:
    """When a row that is sent at 0 is looked up for the first, second, … time; ``due``: as in ``look_s``, at first."""
    ends: list[float] = []
    at = 0.0
    for number in range(1, _ROUNDS):
        at += sends.silence + settle + look_s(sends, due * sends.again ** (number - 1), pages)
        ends.append(at)
        at += mean_backoff_s(number)
        if sends.again**number < _NEGLIGIBLE:
            break
    return ends


def again_within(sends: Sends, rounds: Sequence[float], seconds: float) -> float:
    """How many times a row is sent again, on average, before ``seconds`` are over in which all rows are sent."""
    return sum(
        sends.again**number * max(0.0, 1.0 - (end + mean_backoff_s(number)) / seconds)
        for number, end in enumerate(rounds, start=1)
    )


def tail_s(sends: Sends, density: float, sending: float, rounds: Sequence[float]) -> float:
    """The mean of how long after the last row's answer the last of all rows ends.

    Rows are sent ``density`` a second for ``sending`` seconds. One that was sent x seconds ago has no end yet with
    odds S(x), a step function: ``unknown`` until the first lookup, ``again`` until the answer to the second send, and
    so on. All have ended by t with F(t) = Π (1 - S), over all that were sent; the mean of the latest is ∫ 1 - F.
    """
    if sends.unknown <= 0.0:
        return 0.0
    edges, slopes, sums = [0.0], [], [0.0]  # ∫ log(1 - S) from 0 is a line between two edges

    def odds_until(edge: float, odds: float) -> None:
        slopes.append(math.log1p(-min(odds, 0.999)))
        sums.append(sums[-1] + (edge - edges[-1]) * slopes[-1])
        edges.append(edge)

    odds = sends.unknown
    for number, end in enumerate(rounds, start=1):
        odds_until(end, odds)
        odds_until(end + mean_backoff_s(number) + sends.latency, sends.again**number)
        odds = sends.unknown * sends.again**number

    def log_odds(at: float) -> float:
        place = min(bisect_right(edges, at), len(slopes)) - 1
        return sums[place] + (min(at, edges[-1]) - edges[place]) * slopes[place]

    last = edges[-1]
    step = last / _STEPS
    total = 0.0
    at = sends.latency + step / 2.0
    while at < last:
        lacking = 1.0 - math.exp(density * (log_odds(at + sending) - log_odds(at)))
        total += lacking * step
        if lacking < _NEGLIGIBLE:
            break
        at += step
    return total


def _odds_of_more(than: float, mean: float, variance: float) -> float:
    """That a normal variable is more than ``than``."""
    return 0.5 * math.erfc((than - mean) / math.sqrt(2.0 * variance))

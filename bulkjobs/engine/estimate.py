"""How long a run will take, or what is left of one. Pure: figures in, seconds out.

The model is the engine's own. Sends leave one after the other at the pace of the limiter's bucket, or as quickly as
slots become free. A send of unknown end is looked up once settle has passed; the job is there, or the row is sent
again behind the others. What the last such rows cost is the mean of the latest of them, not of one.
"""

from __future__ import annotations

import math

from bulkjobs.engine.backoff import BASE, CAP
from bulkjobs.engine.canary import CROWD
from bulkjobs.engine.learned import START
from bulkjobs.engine.pacing import bucket
from bulkjobs.engine.traffic import WINDOW

PAGE = 1_000
"""Jobs that one call of getJobs lists."""

_GROWTH = 2.5
"""By how much the rate grows each second while its limit is searched for (``rate_control``)."""

_SLOT_S = 0.004
"""Seconds between a slot's release and the next send, beside the limiter: mostly the sync of the intent."""

_STEPS = 40
_NEGLIGIBLE = 1e-4


def estimate_s(
    to_send: int,
    rate: float | None,
    concurrency: int,
    latency: float,
    *,
    odds_of_unknown: float = 0.0,
    odds_of_made: float = 0.5,
    silence: float = 0.0,
    settle: float = 15.0,
    reads: int = 0,
    listed_pages: int = 0,
    survey: float = 0.0,
    waits_a_window: bool = False,
) -> float:
    """Seconds until ``to_send`` rows have their job, and ``reads`` existing ones are compared.

    ``rate``: sends a second, permitted or learned; None: it is to be found out, which takes a while, too.
    ``latency``: seconds from a send to its answer. ``odds_of_unknown``: of a send that no answer tells the end of,
    ``odds_of_made``: that it made the job all the same, ``silence``: seconds until it is given up (0: the connection
    breaks at once). ``listed_pages``: pages of existing jobs that are listed first, once or, if there is something
    to send, twice. ``survey``: seconds to check the inventory. ``waits_a_window``: a run that begins lets the rate's
    window pass before it asks anything, the time of the survey included.
    """
    unknown = min(max(odds_of_unknown, 0.0), 0.99)
    again = unknown * (1.0 - odds_of_made)
    sends = to_send / (1.0 - again)
    slot = latency + _SLOT_S + unknown * max(0.0, silence - latency)
    width = concurrency / slot
    before = max(survey, WINDOW if waits_a_window else 0.0)
    if listed_pages:
        passes = 2 if listed_pages > 1 and to_send else 1
        before += listed_pages * passes * max(latency, 1.0 / _pace(rate, width))
    reading = reads / min(_pace(rate, width), 16 / max(latency, _SLOT_S))
    if to_send <= 0:
        return before + reading + (latency if reads else 0.0)
    sending = _sending_s(sends, rate, width)
    spread = max(sending, latency, _SLOT_S)
    if to_send > CROWD:
        before += latency  # the crowd waits for the canaries' answers
    pages = max(1, listed_pages, math.ceil(to_send / PAGE))
    look = _look_s(latency, _pace(rate, width), pages, unknown * sends / spread * settle)
    end = latency + _tail_s(to_send / spread, spread, unknown, again, settle + look)
    return before + max(reading, sending + end)


def _pace(rate: float | None, width: float) -> float:
    """Sends a second in the long run: the leak of the limiter's bucket, or what the slots let through."""
    return min(bucket(rate)[1], width) if rate is not None else min(START, width)


def _sending_s(sends: float, rate: float | None, width: float) -> float:
    """Seconds from the first send to the last."""
    if rate is None:
        # The search: START times GROWTH to the power of the seconds, until the slots are the limit.
        log_growth = math.log(_GROWTH)
        climb = max(0.0, math.log(width / START) / log_growth)
        climbed = START * (math.exp(log_growth * climb) - 1.0) / log_growth
        if sends <= climbed:
            return math.log(1.0 + sends * log_growth / START) / log_growth
        return climb + (sends - climbed) / width
    size, _ = bucket(rate)
    return max(0.0, sends - size) / _pace(rate, width)


def _look_s(latency: float, pace: float, pages: int, at_a_time: float) -> float:
    """Seconds from a row's due time to what a lookup says of it: its name in the list, then its job.

    Where many are due at a time, the whole list is read twice instead, and half of them came while one was read.
    """
    reads = 2.0 if at_a_time <= 2 * pages else 1.5 * 2 * pages
    return reads * max(latency, 1.0 / pace)


def _tail_s(density: float, sending: float, unknown: float, again: float, settle: float) -> float:
    """The mean of how long after the last send the last row ends, beyond its answer.

    Rows are sent ``density`` a second for ``sending`` seconds. One more than j times unknown has the odds
    ``unknown`` · ``again``^j, and ends j + 1 times ``settle`` and j back-offs after it was first sent. All have ended
    by t with the product of the odds of each; the mean of the latest is the integral of what lacks to 1.
    """
    if unknown <= 0.0 or settle <= 0.0:
        return 0.0
    rounds = 1
    while density * sending * unknown * again**rounds > _NEGLIGIBLE and rounds < 50:
        rounds += 1
    rounds += 1
    ages = [j * settle + min(BASE / 2 * (2.0 ** max(0, j - 1) - 1.0), CAP) for j in range(rounds + 1)]
    step = settle / _STEPS
    total = 0.0
    for number in range(math.ceil(ages[-1] / step)):
        since_last = (number + 0.5) * step
        log_odds = 0.0
        for j in range(rounds):
            newest, oldest = ages[j] - since_last, ages[j + 1] - since_last
            span = min(oldest, sending) - max(newest, 0.0)
            if span > 0.0:
                log_odds += density * span * math.log1p(-min(unknown * again**j, 0.999))
        total += 1.0 - math.exp(log_odds)
    return total * step

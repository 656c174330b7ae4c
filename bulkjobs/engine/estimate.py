"""How long a run will take, or what is left of one. Pure: figures in, seconds out.

The model is the engine's own. Sends leave one after the other at the pace of the limiter's bucket, or as quickly as
slots become free. What sends of unknown end cost is told by ``stragglers`` and ``false_alarms``.
"""

from __future__ import annotations

import math

from bulkjobs.engine.canary import CROWD
from bulkjobs.engine.false_alarms import alarms_s, last_alarm_s
from bulkjobs.engine.learned import START
from bulkjobs.engine.pacing import bucket
from bulkjobs.engine.resolver import READERS
from bulkjobs.engine.stragglers import NONE_LOST, PAGE, Lost, Sends, again_within, rounds_s, tail_s
from bulkjobs.engine.traffic import WINDOW

_FOLD_S, _FOLD_LATENCIES = 0.15, 0.8
"""Seconds in which the rate grows e-fold while its limit is searched for, and as many latencies: measured on
``rate_control``, from 0.02 to 0.3 s and up to 1,000 a second."""

_SLOT_S = 0.004
"""Seconds between a slot's release and the next send, beside the limiter: mostly the sync of the intent."""

_FIXED = 5  # rounds in which the time that sending takes, on which the number of sends depends, has settled
_INSTANT = 1e-3


def estimate_s(
    to_send: int,
    rate: float | None,
    concurrency: int,
    latency: float,
    *,
    lost: Lost = NONE_LOST,
    settle: float = 15.0,
    reads: int = 0,
    listed_pages: int = 0,
    survey: float = 0.0,
    waits_a_window: bool = False,
) -> float:
    """Seconds until ``to_send`` rows have their job, and ``reads`` existing ones are compared.

    ``rate``: sends a second, permitted or learned; None: it is to be found out, which takes a while, too.
    ``latency``: seconds from a send to its answer. ``lost``: what of it has no known end. ``listed_pages``: pages of
    existing jobs that are listed first, once or, if there is something to send, twice. ``survey``: seconds to check the
    inventory. ``waits_a_window``: a run after one that was killed lets the rate's window pass before it asks anything,
    the time of the survey included.
    """
    unknown = _odds(lost)
    silence = latency if lost.silence is None else lost.silence
    width = _width(concurrency, latency, lost)
    pace = _pace(rate, width)
    sends = Sends(pace, latency, unknown, lost.made, silence)
    before = max(survey, WINDOW if waits_a_window else 0.0)
    if listed_pages:
        passes = 2 if listed_pages > 1 and to_send else 1
        before += listed_pages * passes * max(latency, 1.0 / pace)
    reading = reads / min(pace, READERS / max(latency, _SLOT_S))
    if to_send <= 0:
        return before + reading + (latency if reads else 0.0)
    if to_send > CROWD:
        before += latency  # the crowd waits for the canaries' answers
    pages = max(1, listed_pages, math.ceil(to_send / PAGE))
    count = to_send / (1.0 - sends.again)
    sending = max(_INSTANT, _sending_s(count, rate, width, latency))
    rounds: list[float] = []
    for _ in range(_FIXED if unknown else 0):
        rounds = rounds_s(sends, settle, unknown * count / max(sending, latency, _SLOT_S), pages)
        count = to_send * (1.0 + again_within(sends, rounds, sending))
        sending = max(_INSTANT, _sending_s(count, rate, width, latency) + alarms_s(sends, count))
    end = latency + tail_s(sends, to_send / sending, sending, rounds)
    if unknown:
        end += last_alarm_s(sends, settle)
    return before + max(reading, sending + end)


def is_narrow(rate: float, concurrency: int, latency: float, lost: Lost = NONE_LOST) -> bool:
    """Whether ``concurrency`` and not ``rate`` sets the pace. Arguments: as in ``estimate_s``."""
    return _width(concurrency, latency, lost) < bucket(rate)[1]


def _odds(lost: Lost) -> float:
    return min(max(lost.unknown, 0.0), 0.99)


def _width(concurrency: int, latency: float, lost: Lost) -> float:
    """Sends a second that the slots let through."""
    unknown, silence = _odds(lost), latency if lost.silence is None else lost.silence
    return concurrency / (_SLOT_S + (1.0 - unknown) * latency + unknown * silence)


def _pace(rate: float | None, width: float) -> float:
    """Sends a second in the long run: the leak of the limiter's bucket, or what the slots let through."""
    return min(bucket(rate)[1], width) if rate is not None else min(START, width)


def _sending_s(sends: float, rate: float | None, width: float, latency: float) -> float:
    """Seconds from the first send to the last."""
    if rate is None:
        # The search grows exponentially from START, until the slots are the limit.
        log_growth = 1.0 / (_FOLD_S + _FOLD_LATENCIES * latency)
        climb = max(0.0, math.log(width / START) / log_growth)
        climbed = START * (math.exp(log_growth * climb) - 1.0) / log_growth
        if sends <= climbed:
            return math.log(1.0 + sends * log_growth / START) / log_growth
        return climb + (sends - climbed) / width
    size, _ = bucket(rate)
    return max(0.0, sends - size) / _pace(rate, width)

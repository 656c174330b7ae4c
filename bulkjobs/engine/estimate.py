"""How long a run will take, or what is left of one. Pure: figures in, seconds out.

The model is the engine's own. Sends leave one after the other at the pace of the limiter's bucket, or as quickly as
slots become free. What sends of unknown end cost is told by ``stragglers`` and ``false_alarms``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from bulkjobs.engine.canary import CROWD
from bulkjobs.engine.false_alarms import alarms_s, last_alarm_s
from bulkjobs.engine.learned import START
from bulkjobs.engine.pacing import bucket
from bulkjobs.engine.regrowth import Regrowth
from bulkjobs.engine.resolver import READERS
from bulkjobs.engine.stragglers import NONE_LOST, PAGE, Lost, Sends, again_within, rounds_s, tail_s

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
    window: float = 0.0,
    start: float | None = None,
) -> float:
    """Seconds until ``to_send`` rows have their job, and ``reads`` existing ones are compared.

    ``rate``: sends a second, permitted or learned; None: it is to be found out, which takes a while, too. ``start``:
    with how many a second the run begins that then comes to ``rate``; None: with as many, as if it is not less.
    ``latency``: seconds from a send to its answer. ``lost``: what of it has no known end. ``listed_pages``: pages of
    existing jobs that are listed first, once or, if there is something to send, twice. ``survey``: seconds to check the
    inventory. ``window``: seconds that a run after one that was killed lets pass before it asks anything, the time of
    the survey included.
    """
    unknown = _odds(lost)
    silence = latency if lost.silence is None else lost.silence
    width = _width(concurrency, latency, lost)
    speed = _Speed(rate, start, latency)
    sends = Sends(speed.mean(to_send, width), latency, unknown, lost.made, silence)
    before = max(survey, window)
    if listed_pages:  # one after the other
        passes = 2 if listed_pages > 1 and to_send else 1
        before += speed.sending_s(listed_pages * passes, 1.0 / max(latency, _SLOT_S)) + latency
    after = 1 if listed_pages else 0  # reads have one limiter: the first comes after the last page
    reading = speed.sending_s(reads + after, READERS / max(latency, _SLOT_S)) if reads else 0.0
    if to_send <= 0:
        return before + reading + (latency if reads else 0.0)
    if to_send > CROWD:
        before += latency  # the crowd waits for the canaries' answers
    pages = max(1, listed_pages, math.ceil(to_send / PAGE))
    count = to_send / (1.0 - sends.again)
    sending = max(_INSTANT, speed.sending_s(count, width))
    rounds: list[float] = []
    for _ in range(_FIXED if unknown else 0):
        rounds = rounds_s(sends, settle, unknown * count / max(sending, latency, _SLOT_S), pages)
        count = to_send * (1.0 + again_within(sends, rounds, sending))
        sending = max(_INSTANT, speed.sending_s(count, width) + alarms_s(sends, count))
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


@dataclass(frozen=True, slots=True)
class _Speed:
    """How quickly sends leave, creates and reads alike. The figures are those of ``estimate_s``."""

    rate: float | None
    start: float | None
    latency: float

    def mean(self, sends: float, width: float) -> float:
        """Sends a second: the leak of the limiter's bucket, or what the slots let through, in the long run.

        Where the rate is to be found out, that of this run.
        """
        if self.rate is not None:
            return min(bucket(self.rate)[1], width)
        return min(width, max(START, sends / max(_INSTANT, self.sending_s(sends, width))))

    def sending_s(self, sends: float, width: float) -> float:
        """Seconds from the first send to the last, where ``width`` a second have room."""
        if self.rate is None:
            return self._searching_s(max(0.0, sends - 1.0), width)
        size, leak = bucket(self.rate)
        left, pace = max(0.0, sends - size), min(leak, width)
        if self.start is not None and self.start < pace:
            return Regrowth(self.start, pace, self.latency).seconds_for(left)
        return left / pace

    def _searching_s(self, sends: float, width: float) -> float:
        """The search grows exponentially from START, until the slots are the limit."""
        log_growth = 1.0 / (_FOLD_S + _FOLD_LATENCIES * self.latency)
        climb = max(0.0, math.log(width / START) / log_growth)
        climbed = START * (math.exp(log_growth * climb) - 1.0) / log_growth
        if sends <= climbed:
            return math.log(1.0 + sends * log_growth / START) / log_growth
        return climb + (sends - climbed) / width

"""What it costs that a service which loses some answers is now and then taken to be down (``health``). Pure.

Five sends of unknown end in a row, and nothing is sent until another is answered, or a probe is and then, when all that
was on its way has ended, one create.
"""

from __future__ import annotations

import math

from bulkjobs.engine.health import THRESHOLD
from bulkjobs.engine.stragglers import Sends, mean_backoff_s

_FIRST = 2
"""Failures that the back-off before the first probe counts (``probing``)."""

_TRIALS = 30
_RARELY = 1e-3


def alarms_s(sends: Sends, count: float) -> float:
    """Seconds without a send, in a run of ``count``: a row of failures begins after any answer that is none."""
    return count * (1.0 - sends.unknown) * sends.unknown**THRESHOLD * _alarm_s(sends)


def last_alarm_s(sends: Sends, settle: float) -> float:
    """Seconds that the last rows wait for their lookup beyond ``settle``.

    What hangs longer than an answer takes comes last, so it is a row of failures whatever came before it, and nothing
    is looked up until a probe was answered.
    """
    hanging = sends.pace * sends.unknown * (sends.silence - sends.latency)
    if hanging <= THRESHOLD:
        return 0.0
    left = (sends.silence - sends.latency) * (1.0 - THRESHOLD / hanging)
    return max(0.0, mean_backoff_s(_FIRST) + sends.latency - left - settle)


def _alarm_s(sends: Sends) -> float:
    """If answers are on their way, the next of them ends it; their number is Poisson's."""
    coming = sends.pace * (1.0 - sends.unknown) * sends.latency
    hanging = sends.pace * sends.unknown * sends.silence
    brief = sends.latency / (coming + 1.0)
    seconds = _cleared_s(sends, sends.silence * hanging / (hanging + 1.0))
    odds = 1.0
    for number in range(_FIRST + 1, _FIRST + _TRIALS):  # one create after each probe, until one is answered
        if odds < _RARELY:
            break
        again = sends.silence + mean_backoff_s(number) + sends.latency
        seconds += odds * ((1.0 - sends.unknown) * sends.latency + sends.unknown * again)
        odds *= sends.unknown
    none = math.exp(-coming)
    return none * seconds + (1.0 - none) * brief


def _cleared_s(sends: Sends, left: float) -> float:
    """The mean time until the first probe was answered and, ``left`` seconds after the alarm, the last send given up.

    The probe's wait is uniform up to twice its mean.
    """
    longest = 2.0 * mean_backoff_s(_FIRST)
    later = max(0.0, left - sends.latency)
    wait = later if later >= longest else (longest**2 + later**2) / (2.0 * longest)
    return sends.latency + wait

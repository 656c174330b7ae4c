"""What it costs that a service which loses some answers is now and then taken to be down (``health``). Pure.

Five sends of unknown end in a row, and nothing is sent until another is answered, or a probe is and then one create.
"""

from __future__ import annotations

import math

from bulkjobs.engine.health import THRESHOLD
from bulkjobs.engine.stragglers import Sends, mean_backoff_s

_FIRST = 2
"""Failures that the back-off before the first probe counts (``probing``)."""

_PROBES = 30
_RARELY = 1e-3


def alarms_s(sends: Sends, count: float) -> float:
    """Seconds without a send, in a run of ``count``: a row of failures begins after any answer that is none."""
    return count * (1.0 - sends.unknown) * sends.unknown**THRESHOLD * _alarm_s(sends)


def last_alarm_s(sends: Sends, settle: float) -> float:
    """Seconds that the last rows wait for their lookup beyond ``settle``.

    What hangs longer than an answer takes comes last, so it is a row of failures whatever came before it, and nothing
    is looked up until a probe was answered after the last of them.
    """
    hanging = sends.pace * sends.unknown * (sends.silence - sends.latency)
    if hanging <= THRESHOLD:
        return 0.0
    left = (sends.silence - sends.latency) * (1.0 - THRESHOLD / hanging)
    return max(0.0, _probed_s(sends, left)[0] - left - settle)


def _alarm_s(sends: Sends) -> float:
    """If answers are on their way, the next of them ends it; their number is Poisson's."""
    coming = sends.pace * (1.0 - sends.unknown) * sends.latency
    hanging = sends.pace * sends.unknown * sends.silence
    brief = sends.latency / (coming + 1.0)
    seconds, probes = _probed_s(sends, sends.silence * hanging / (hanging + 1.0))
    odds, next_one = 1.0, _FIRST + round(probes)
    for number in range(next_one, next_one + _PROBES):  # one create after each probe, until one is answered
        if odds < _RARELY:
            break
        again = sends.silence + mean_backoff_s(number) + sends.latency
        seconds += odds * ((1.0 - sends.unknown) * sends.latency + sends.unknown * again)
        odds *= sends.unknown
    none = math.exp(-coming)
    return none * seconds + (1.0 - none) * brief


def _probed_s(sends: Sends, silence: float) -> tuple[float, float]:
    """The mean time of the first probe after ``silence``, and how many there were: what hangs fails after a probe that
    was answered, and each probe then waits longer. Their times are sums of uniform ones, nearly normal.
    """
    seconds = probes = at = variance = 0.0
    odds = 1.0
    for number in range(_FIRST, _FIRST + _PROBES):
        wait = mean_backoff_s(number)
        seconds += odds * (wait + sends.latency)
        probes += odds
        at += wait + sends.latency
        variance += wait * wait / 3.0
        odds = 0.5 * math.erfc((at - silence) / math.sqrt(2.0 * variance)) if silence > 0.0 else 0.0
        if odds < _RARELY:
            break
    return seconds, probes

"""The rate that a run to come is reckoned with, from what is given and what was learned. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from bulkjobs.engine.learned import START, Learned


@dataclass(frozen=True, slots=True)
class ExpectedRate:
    """``start``: sends a second with which the run begins, ``rate``: to which it comes; None: it is to be found out.

    ``age_s``: seconds since it was learned; None: it was not. ``asked``: what ``--rate`` permits, where the service
    permitted less when ``rate`` was learned.
    """

    start: float
    rate: float | None
    age_s: float | None = None
    asked: float | None = None


NOT_KNOWN = ExpectedRate(START, None)


def expected_rate(given: float | None, learned: Learned | None, *, is_limit: bool, now_ms: int) -> ExpectedRate:
    """``given``: ``--rate``, None: auto. ``is_limit``: more than ``learned`` was refused, not only never asked for."""
    if given is not None and (learned is None or not is_limit or learned.rate >= given):
        return ExpectedRate(given, given)
    if learned is None:
        return NOT_KNOWN
    age_s = max(0, now_ms - learned.at_ms) / 1000
    return ExpectedRate(given if given is not None else learned.start(now_ms), learned.rate, age_s, given)

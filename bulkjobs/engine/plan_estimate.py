"""How long a plan will take to carry out, from what was measured while it was made. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bulkjobs.engine.estimate import estimate_s, is_narrow
from bulkjobs.engine.stragglers import NONE_LOST, Lost

_OF_AN_UPDATE = 3
"""Calls: the job is read, updated, and read back."""

_OF_A_DELETE = 2


@dataclass(frozen=True, slots=True)
class Measured:
    """``rate``: sends a second, permitted or learned; None: to be found out. ``start``: with how many the run begins;
    None: with ``rate``. ``latency``: of a call, ``survey``: of checking the inventory, seconds. ``pages`` of the list,
    ``reads``: jobs that were compared. ``lost``: of what the last runs sent. ``window``: seconds that pass first,
    since the run before was killed.
    """

    rate: float | None
    concurrency: int
    settle: float
    latency: float
    survey: float = 0.0
    pages: int = 1
    reads: int = 0
    lost: Lost = NONE_LOST
    window: float = 0.0
    start: float | None = None


def plan_estimate_s(creates: int, updates: int, deletes: int, measured: Measured) -> float:
    """Seconds for a whole run, from checking the inventory on; one phase after the other, as ``reconcile`` does it."""
    rate, width, latency = measured.rate, measured.concurrency, measured.latency
    changes = [(updates, _OF_AN_UPDATE), (deletes, _OF_A_DELETE)]
    most = max(count * calls for count, calls in changes)
    is_grown_before = max(creates, measured.reads) >= most  # the rate grows once, in the longest phase or before it
    total = estimate_s(
        creates,
        rate,
        width,
        latency,
        lost=measured.lost,
        settle=measured.settle,
        reads=measured.reads,
        listed_pages=measured.pages,
        survey=measured.survey,
        window=measured.window,
        start=measured.start if is_grown_before else None,
    )
    for count, calls in changes:
        if count:
            lost = replace(measured.lost, unknown=measured.lost.unknown / calls)  # only one of them is a write
            start = measured.start if count * calls == most and not is_grown_before else None
            total += estimate_s(calls * count, rate, width, latency, lost=lost, settle=measured.settle, start=start)
    return total


def narrow_in(measured: Measured) -> bool:
    """Whether the concurrency sets the pace, and not a rate that is known."""
    if measured.rate is None:
        return False
    return is_narrow(measured.rate, measured.concurrency, measured.latency, measured.lost)

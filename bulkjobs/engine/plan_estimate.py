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
    """``rate``: sends a second, permitted or learned; None: to be found out. ``latency``: of a call, ``survey``: of
    checking the inventory, seconds. ``pages`` of the list, ``reads``: jobs that were compared. ``lost``: of what
    the last runs sent. ``after_a_kill``: the run before it was killed, so this one lets a window pass first.
    """

    rate: float | None
    concurrency: int
    settle: float
    latency: float
    survey: float = 0.0
    pages: int = 1
    reads: int = 0
    lost: Lost = NONE_LOST
    after_a_kill: bool = False


def plan_estimate_s(creates: int, updates: int, deletes: int, measured: Measured) -> float:
    """Seconds for a whole run, from checking the inventory on; one phase after the other, as ``reconcile`` does it."""
    rate, width, latency = measured.rate, measured.concurrency, measured.latency
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
        waits_a_window=measured.after_a_kill,
    )
    for changes, calls in ((updates, _OF_AN_UPDATE), (deletes, _OF_A_DELETE)):
        if changes:
            lost = replace(measured.lost, unknown=measured.lost.unknown / calls)  # only one of them is a write
            total += estimate_s(calls * changes, rate, width, latency, lost=lost, settle=measured.settle)
    return total


def narrow_in(measured: Measured) -> bool:
    """Whether the concurrency sets the pace, and not a rate that is known."""
    if measured.rate is None:
        return False
    return is_narrow(measured.rate, measured.concurrency, measured.latency, measured.lost)

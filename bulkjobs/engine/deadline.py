"""``--deadline``: when sending stops, and when what is still on its way is waited for no longer.

A request that is given up at the deadline ends as after any timeout: it is of unknown end if it may have left, so its
row is ``unresolved``, its intent stays open, and the next run looks it up before it sends (invariants 1 and 3).
"""

from __future__ import annotations

from collections.abc import Callable

from bulkjobs.engine.clock import Clock
from bulkjobs.engine.work import NOTICED_S, Stop, Tally

_TIMES, _MORE_S = 2.0, 1.0
"""Margin over the slowest of the last answers."""

_ASKED_S = 1.0
"""Seconds between two looks at how long answers take."""


def reserve_s(deadline: float, timeout: float, slowest: float | None) -> float:
    """Seconds before ``deadline`` at which sending stops, so that what is on its way can end.

    ``slowest``: of the last answers, in seconds; None: there were none yet. At most ``timeout``, after which nothing
    is on its way any more, and half of a deadline that is short.
    """
    most = min(timeout, deadline / 2)
    return most if slowest is None else min(most, _MORE_S + _TIMES * slowest)


async def keep_deadline(
    deadline: float,
    begun: float,
    longest: float,
    clock: Clock,
    tally: Tally,
    stop: Callable[[Stop], None],
    give_up: Callable[[], None],
) -> None:
    """Call ``stop`` in time, and ``give_up`` when ``deadline`` seconds have passed since ``begun`` (monotonic).

    ``longest``: seconds that an answer is waited for. ``tally``: where answers are noted as they come. To be cancelled
    when the run has ended.
    """
    end = begun + deadline
    while (left := end - clock.monotonic()) > (reserve := reserve_s(deadline, longest, tally.slowest)):
        await clock.sleep(min(left - reserve, _ASKED_S))
    reason = f"sending stopped {left:.3g} s before --deadline {deadline:g}s"
    if (pause := tally.paused_until - clock.monotonic()) >= NOTICED_S:
        reason += f", in a pause that the service asked for (refused for the rate: {pause:,.0f} s of it were left)"
    if tally.in_flight:
        reason += ", to wait for what is on its way"
    if left <= 0:
        reason = f"--deadline {deadline:g}s is over"
    stop(Stop("halted", reason, "run the same command again: it goes on", is_rule=True))
    await clock.sleep(max(0.0, end - clock.monotonic()))
    give_up()

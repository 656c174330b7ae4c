"""What may be done to the service, and who agrees to it: asked once, before anything is sent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from bulkjobs.counted import counted
from bulkjobs.engine.change import NOTHING_MORE, Leave
from bulkjobs.engine.plan import Plan, SavedPlan, what_changed
from bulkjobs.engine.work import Stop
from bulkjobs.errors import ExitCode


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a plan is not carried out, and how the run ends then."""

    stop: Stop
    exit_code: ExitCode


@dataclass(frozen=True, slots=True)
class MaxDelete:
    """How many jobs may be deleted at most: ``count``, or ``percent`` of those that were made, rounded down."""

    count: int | None = None
    percent: float | None = 10.0

    def refuses(self, deletes: int, made: int, by: str) -> Refusal | None:
        """``made``: jobs that may be deleted at all, ``by``: who made them."""
        if self.count is not None:
            if deletes <= self.count:
                return None
        elif self.percent is None or deletes * 100 <= self.percent * made:
            return None
        reason = f"{counted(deletes, 'job')} would be deleted, more than --max-delete {self}"
        if self.count is None:
            reason += f" of the {made:,} that {by} has made"
        stop = Stop("refused", reason, f"nothing was sent; look at them, then say --max-delete {deletes}")
        return Refusal(stop, ExitCode.NEEDS_DECISION)

    def __str__(self) -> str:
        return f"{self.count}" if self.count is not None else f"{self.percent:g}%"


@dataclass(frozen=True, slots=True)
class Mode:
    """What may be done. ``include``: jobs that are otherwise left alone.

    ``only_checks``: no change is expected, so the run takes no names for its namespace either.
    """

    prune: bool = False
    max_delete: MaxDelete = MaxDelete()
    include: Leave = NOTHING_MORE
    only_checks: bool = False


Approve = Callable[[Plan], Awaitable[Refusal | None]]
"""None lets the plan be carried out."""


async def approve_all(_plan: object) -> Refusal | None:
    """Carry every plan out: for programs, and for ``--yes``."""
    return None


async def expect_nothing(plan: Plan) -> Refusal | None:
    """``--expect-no-changes``: a plan that would send anything is refused, with exit code 10."""
    if not plan.pending:
        return None
    changes = "1 change is" if plan.pending == 1 else f"{plan.pending:,} changes are"
    reason = f"{changes} pending, and none were expected"
    return Refusal(Stop("refused", reason, "nothing was sent; `bulkjobs plan` shows them"), ExitCode.PENDING)


def hold_to(saved: SavedPlan | Mapping[str, Any]) -> Approve:
    """``--plan FILE``: whatever is not exactly the saved plan is refused, and what changed is said.

    ``saved``: as ``read_plan`` reads it, or the document itself. Raises ValueError for one that is none.
    """
    held = saved if isinstance(saved, SavedPlan) else msgspec.convert(saved, SavedPlan)

    async def approve(plan: Plan) -> Refusal | None:
        changed = what_changed(held, plan)
        if not changed:
            return None
        reason = "this is not what was planned: " + "; ".join(changed)
        return Refusal(Stop("refused", reason, "nothing was sent; make a new plan"), ExitCode.NEEDS_DECISION)

    return approve

"""``submit --plan FILE``: the saved plan, or nothing."""

from __future__ import annotations

from pathlib import Path

from bulkjobs.cli.given import Given, comparison_of, expander_of, limits_of, target_of
from bulkjobs.counted import counted
from bulkjobs.errors import BulkJobsError, ExitCode, UsageError
from bulkjobs.logs import Log
from bulkjobs.settings import Settings


class PlanDiffers(BulkJobsError):
    """What would be done is not what was planned; nothing was sent."""

    exit_code = ExitCode.NEEDS_DECISION


async def hold_to_plan(inventories: list[Path], plan_file: Path, given: Given, settings: Settings, log: Log) -> None:
    """Plan once more, and raise PlanDiffers unless that is the saved plan and it only creates.

    Raises UsageError for a file that is no plan, and with ``--shard``, of which a plan knows nothing.
    """
    from bulkjobs.engine.plan import read_plan, what_changed  # noqa: PLC0415  # not for --help
    from bulkjobs.engine.planned import Action  # noqa: PLC0415
    from bulkjobs.library import Places  # noqa: PLC0415
    from bulkjobs.reconciliation import Around, make_plan  # noqa: PLC0415

    if given["shard"] is not None:
        raise UsageError("--plan and --shard do not go together: a plan is of all rows", "leave one of them out")
    saved = read_plan(plan_file)
    around = Around(target_of(given), Places(given["state"]), settings, limits_of(given), comparison_of(), log=log)
    plan = await make_plan(inventories, around, expander_of(given))
    changed = what_changed(saved, plan)
    if changed:
        reason = "this is not what was planned: " + "; ".join(changed)
        raise PlanDiffers(reason, "nothing was sent; make a new plan")
    others = plan.rows.counts[Action.UPDATE] + plan.rows.counts[Action.DELETE]
    if others:
        raise PlanDiffers(
            f"--plan {plan_file}: it updates or deletes {counted(others, 'job')}, and submit only creates",
            "nothing was sent; `bulkjobs reconcile --plan` carries it out",
        )

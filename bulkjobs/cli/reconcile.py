"""``bulkjobs reconcile``."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bulkjobs.cli import options
from bulkjobs.cli.changing import RUN_ID, YES, Stage, around_of, ask, events_of, mode_of, staged, tell
from bulkjobs.cli.given import expander_of
from bulkjobs.cli.plan_view import in_numbers, show_plan
from bulkjobs.cli.submit import listen

if TYPE_CHECKING:
    from bulkjobs.engine.consent import Approve, Refusal
    from bulkjobs.engine.plan import Plan

_EXAMPLES = """\b
Examples:
  bulkjobs reconcile jobs.csv
  bulkjobs reconcile jobs.csv --prune --max-delete 5 --yes
  bulkjobs reconcile jobs.csv --plan plan.json --yes
  bulkjobs reconcile jobs.csv --expect-no-changes     (for monitoring: 10 if there would be any)
"""


@click.command("reconcile", epilog=_EXAMPLES)
@click.argument("inventories", nargs=-1, required=True, type=click.Path(path_type=Path))
@YES
@options.option("--dry-run", is_flag=True, help="Only show the plan.")
@options.option("--expect-no-changes", is_flag=True, help="Change nothing: end with 10 if anything is pending.")
@click.option(
    "--plan", "plan_file", type=click.Path(path_type=Path), help="Do exactly what this saved plan says, or refuse."
)
@options.config
@options.target
@options.graph
@options.pace
@options.state
@options.namespace
@options.report_dir
@RUN_ID
@options.mode
@options.inventory
@options.events
@options.output
def command(inventories: tuple[Path, ...], plan_file: Path | None, **given: Any) -> int:
    """Make the service equal to the inventory: create what is missing, update what differs.

    With --prune also delete jobs that were made from here and that no row lists any more. A person is asked first.
    """
    if given["dry_run"]:
        from bulkjobs.cli.plan import plan_inventory  # noqa: PLC0415  # another command's

        return asyncio.run(plan_inventory(list(inventories), None, False, given))
    return asyncio.run(_reconcile(list(inventories), plan_file, given))


async def _reconcile(inventories: list[Path], plan_file: Path | None, given: dict[str, Any]) -> int:
    from bulkjobs.engine.plan import read_plan  # noqa: PLC0415  # not for --help
    from bulkjobs.library import Places  # noqa: PLC0415  # aiohttp, pandas
    from bulkjobs.reconciliation import expect_nothing, hold_to, named, reconcile  # noqa: PLC0415

    conditions: list[Approve] = []
    if plan_file is not None:
        conditions.append(hold_to(read_plan(plan_file)))
    if given["expect_no_changes"]:
        conditions.append(expect_nothing)
    places = Places(given["state"], given["report_dir"], given["run_id"])
    async with staged(given) as stage:
        around, run_id = named(around_of(given, places, stage.log))

        async def approve(plan: Plan) -> Refusal | None:
            for condition in conditions:
                refusal = await condition(plan)
                if refusal is not None:
                    return refusal
            return await _ask(plan, stage, given)

        with events_of(given, run_id, inventories, stage.tally) as events:
            ended = await reconcile(
                inventories,
                around,
                expander_of(given),
                mode_of(given),
                approve,
                tally=stage.tally,
                on_start=lambda run, _: listen(run.stop, stage.console),
            )
            if events is not None:
                events.finish(stage.tally, places.state, ended.exit_code, ended.summary, ended.folder)
    code = tell(stage.console, ended, given)
    if events is not None:
        events.check()
    return code


async def _ask(plan: Plan, stage: Stage, given: dict[str, Any]) -> Refusal | None:
    if not plan.pending:
        return None
    if given["yes"]:
        stage.log.info("approved", **plan.counts)
        return None
    with stage.display.aside():
        if not given["as_json"]:
            show_plan(stage.console, plan)
        return await ask(stage.console, f"{in_numbers(plan)}. Go on?")

"""``bulkjobs rollback``."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from bulkjobs.cli import options
from bulkjobs.cli.amounts import Limit
from bulkjobs.cli.changing import RUN_ID, YES, Stage, around_of, ask, events_of, max_delete_of, staged, tell
from bulkjobs.cli.submit import listen
from bulkjobs.counted import counted
from bulkjobs.plain import plain

if TYPE_CHECKING:
    from bulkjobs.engine.consent import Refusal
    from bulkjobs.engine.rollback import Candidate

_SHOWN = 200

_EXAMPLES = """\b
Examples:
  bulkjobs rollback 20261124T090000Z
  bulkjobs rollback 20261124T090000Z --max-delete 50 --yes
"""


@click.command("rollback", epilog=_EXAMPLES)
@options.run
@YES
@options.option("--dry-run", is_flag=True, help="Only show the list.")
@options.option(
    "--max-delete",
    type=Limit(),
    default="100%",
    show_default=True,
    help="Delete no more: a number, or a percentage of the jobs that the run made.",
)
@options.config
@options.target
@options.pace
@options.state
@options.report_dir
@RUN_ID
@options.inventory
@options.events
@options.output
def command(run: str, **given: Any) -> int:
    """Delete the jobs that RUN created and nobody has touched since: same definition, never executed.

    The list is shown first, and a person is asked. Running it again goes on where it was.
    """
    return asyncio.run(_rollback(run, given))


async def _rollback(run_id_of: str, given: dict[str, Any]) -> int:
    from bulkjobs.engine.consent import Refusal  # noqa: PLC0415  # not for --help
    from bulkjobs.engine.work import Stop  # noqa: PLC0415
    from bulkjobs.errors import ExitCode  # noqa: PLC0415
    from bulkjobs.library import Places  # noqa: PLC0415  # aiohttp, pandas
    from bulkjobs.reconciliation import named, rollback  # noqa: PLC0415

    places = Places(given["state"], given["report_dir"], given["run_id"])
    async with staged(given) as stage:
        around, run_id = named(around_of(given, places, stage.log))

        async def approve(candidates: Sequence[Candidate]) -> Refusal | None:
            deletes = sum(candidate.kept is None for candidate in candidates)
            with stage.display.aside():
                if not given["quiet"] and not given["as_json"]:
                    _show(stage, candidates)
                if given["dry_run"]:
                    return Refusal(Stop("refused", "only shown (--dry-run)"), ExitCode.OK)
                return None if given["yes"] else await ask(stage.console, f"Delete {counted(deletes, 'job')}?")

        with events_of(given, run_id, (), stage.tally) as events:
            ended = await rollback(
                run_id_of,
                around,
                max_delete_of(given["max_delete"]),
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


def _show(stage: Stage, candidates: Sequence[Candidate]) -> None:
    for candidate in candidates[:_SHOWN]:
        name, job_id = plain(candidate.owned.name, 100), plain(candidate.owned.job_id, 60)
        if candidate.kept is None:
            stage.console.print(Text(f"- {name}  {job_id}", style="red"))
        else:
            stage.console.print(
                Text(f"= {name}  {job_id}  kept: {plain(candidate.kept.message or '', 200)}", style="cyan")
            )
    if len(candidates) > _SHOWN:
        stage.console.print(Text(f"  and {len(candidates) - _SHOWN:,} more"))

"""``bulkjobs plan``."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bulkjobs.cli import options
from bulkjobs.cli.changing import around_of, mode_of, staged
from bulkjobs.cli.documents import inert_json, write_text
from bulkjobs.cli.given import expander_of
from bulkjobs.cli.plan_view import show_plan
from bulkjobs.cli.submit import listen
from bulkjobs.errors import ExitCode, StateError

if TYPE_CHECKING:
    from bulkjobs.engine.plan import Plan

_EXAMPLES = """\b
Examples:
  bulkjobs plan jobs.csv
  bulkjobs plan jobs.csv --prune --exit-code
  bulkjobs plan jobs.csv --out plan.json && bulkjobs reconcile jobs.csv --plan plan.json
"""


@click.command("plan", epilog=_EXAMPLES)
@click.argument("inventories", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Save the plan in this file, for --plan.")
@click.option("--exit-code", is_flag=True, help="End with 10 if something is pending.")
@options.config
@options.target
@options.graph
@options.pace
@options.state
@options.namespace
@options.mode
@options.inventory
@options.output
def command(inventories: tuple[Path, ...], out: Path | None, exit_code: bool, **given: Any) -> int:
    """Show what reconcile would do with every row, and how long it would take. Nothing is changed.

    INVENTORIES are CSV or Parquet files. Only reads are sent, and another run may hold the state meanwhile.
    """
    return asyncio.run(plan_inventory(list(inventories), out, exit_code, given))


async def plan_inventory(inventories: list[Path], out: Path | None, exit_code: bool, given: dict[str, Any]) -> int:
    """The command, also as ``reconcile --dry-run``."""
    from bulkjobs.library import Places  # noqa: PLC0415  # aiohttp
    from bulkjobs.reconciliation import make_plan  # noqa: PLC0415

    mode = mode_of(given)
    async with staged(given) as stage:
        plan = await make_plan(
            inventories,
            around_of(given, Places(given["state"]), stage.log),
            expander_of(given),
            mode,
            tally=stage.tally,
            on_start=lambda run, _: listen(run.stop, stage.console),
        )
    if out is not None:
        _save(out, _document(plan))
    if given["as_json"]:
        for part in _document(plan):
            write_text(part, at_once=False)
        write_text("")
    elif not given["quiet"]:
        show_plan(stage.console, plan)
        too_many = mode.max_delete.refuses(plan.counts["delete"], plan.owned, "this namespace")
        if too_many is not None:
            stage.console.print(f"reconcile would refuse it: {too_many.stop.reason}", soft_wrap=True, markup=False)
    return int(ExitCode.PENDING if exit_code and plan.pending else ExitCode.OK)


def _document(plan: Plan) -> Iterator[str]:
    """The plan's JSON document in parts, a row a line: it may have millions."""
    yield json.dumps(plan.head(), indent=2)[: -len("\n}")] + ',\n  "rows": ['
    separator = ""
    for line in plan.rows.lines():
        yield f"{separator}\n    {inert_json(line.decode())}"
        separator = ","
    yield "\n  ]\n}\n"


def _save(path: Path, parts: Iterable[str]) -> None:
    """Whole or not at all; readable by its owner only, as it holds definitions."""
    draft = path.with_name(path.name + ".new")
    try:
        draft.unlink(missing_ok=True)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.writelines(parts)
        draft.replace(path)
    except OSError as error:
        raise StateError(f"--out {path}: cannot be written: {error.strerror}", "name another file with --out") from None

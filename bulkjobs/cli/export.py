"""``bulkjobs export``."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.text import Text

from bulkjobs.cli import options
from bulkjobs.cli.documents import write_text
from bulkjobs.cli.given import comparison_of, target_of
from bulkjobs.cli.log_setup import open_log
from bulkjobs.cli.summary import write_json
from bulkjobs.counted import counted
from bulkjobs.errors import ExitCode, UsageError
from bulkjobs.plain import plain
from bulkjobs.settings import Settings

if TYPE_CHECKING:
    from bulkjobs.graph.exported import Refused
    from bulkjobs.library import ExportSummary

_EXAMPLES = """\b
Examples:
  bulkjobs export > jobs.csv
  bulkjobs export --name 'shop_*' --out shop.parquet
"""
_SHOWN = 10


@click.command("export", epilog=_EXAMPLES)
@options.config
@options.target
@options.asking_pace
@click.option("--name", "pattern", default="*", metavar="GLOB", help="Only jobs whose name matches: * ? [seq].")
@click.option(
    "--out", type=click.Path(path_type=Path), help="CSV or Parquet, by its suffix.  [default: CSV on standard output]"
)
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@options.output
def command(pattern: str, out: Path | None, force: bool, as_json: bool, **given: Any) -> int:
    """Write live jobs as an inventory: submitted with the built-in layout, all of them are found to exist.

    Jobs of source, filter and target get the flat columns, all others the `nodes` column. Ends with 4 if there are
    jobs that no row can hold; they are named.
    """
    if as_json and out is None:
        raise UsageError("--json: standard output holds the inventory", "add --out FILE")
    summary = asyncio.run(_export(pattern, out, force, given))
    if as_json:
        write_json(
            {
                "jobs": summary.rows,
                "as_nodes": summary.as_nodes,
                "refused": [
                    {"name": each.name, "job_ids": list(each.job_ids), "reason": each.reason}
                    for each in summary.refused
                ],
            }
        )
    if summary.refused or not given["quiet"]:
        _tell(Console(stderr=True, highlight=False), summary, quiet=given["quiet"])
    return int(ExitCode.NEEDS_DECISION if summary.refused else ExitCode.OK)


async def _export(pattern: str, out: Path | None, force: bool, given: dict[str, Any]) -> ExportSummary:
    from bulkjobs.graph.exported import COLUMNS  # noqa: PLC0415  # not for --help
    from bulkjobs.library import export  # noqa: PLC0415  # aiohttp
    from bulkjobs.report.inventory_file import CsvText, InventoryOut  # noqa: PLC0415  # pyarrow

    target = target_of(given)
    settings = Settings(
        rate=given["rate"],
        concurrency=given["concurrency"],
        timeout=given["timeout"],
        patience=given["patience"],
    )
    level = given["log_level"] or ("error" if given["quiet"] else "warning")
    with (
        open_log(given["log_file"], given["log_format"], level, command="export") as log,
        InventoryOut(out, COLUMNS, replace=force) if out is not None else nullcontext() as file,
    ):
        sink = file if file is not None else CsvText(COLUMNS, partial(write_text, at_once=False))
        summary = await export(target, sink.write, pattern, settings, comparison=comparison_of(), log=log)
    if out is None:
        write_text("")
    return summary


def _tell(console: Console, summary: ExportSummary, *, quiet: bool) -> None:
    if not quiet:
        nodes = f", {summary.as_nodes:,} of them in the `nodes` column" if summary.as_nodes else ""
        console.print(Text(f"Exported {counted(summary.rows, 'job')}{nodes}"), soft_wrap=True)
        if not summary.rows:
            console.print(Text("  an inventory without rows cannot be submitted"), soft_wrap=True)
    for each in _first(summary.refused):
        ids = f" ({', '.join(plain(job_id, 60) for job_id in each.job_ids[:5])})" if each.job_ids else ""
        console.print(Text(f"Left out {plain(each.name, 120)}{ids}: {plain(each.reason, 300)}"), soft_wrap=True)
    if len(summary.refused) > _SHOWN:
        console.print(Text(f"… and {counted(len(summary.refused) - _SHOWN, 'job')} more; --json lists all"))


def _first(refused: Sequence[Refused]) -> Sequence[Refused]:
    return refused[:_SHOWN]

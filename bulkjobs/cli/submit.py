"""``bulkjobs submit``."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from bulkjobs.cli import options
from bulkjobs.cli.collector import collect_rarely
from bulkjobs.cli.given import comparison_of, expander_of, limits_of, target_of
from bulkjobs.cli.log_setup import open_log
from bulkjobs.cli.progress import watch
from bulkjobs.cli.summary import show_problems, show_summary, write_json
from bulkjobs.engine.work import Stop, Tally
from bulkjobs.errors import ExitCode
from bulkjobs.settings import Settings

_EXAMPLES = """\b
Examples:
  bulkjobs submit inputs/sample.csv --sandbox
  bulkjobs submit jobs.csv --rate 20
  bulkjobs submit jobs.parquet --api 2026-09 --json
"""


@click.command("submit", epilog=_EXAMPLES)
@click.argument("inventories", nargs=-1, required=True, type=click.Path(path_type=Path))
@options.config
@options.target
@options.graph
@options.pace
@options.budget
@options.state
@options.report_dir
@options.option("--run-id", help="Name of the run and of its report's folder.  [default: from the time]")
@options.inventory
@options.output
def command(inventories: tuple[Path, ...], **given: Any) -> int:
    """Validate the inventory, plan, create what is missing, report.

    INVENTORIES are CSV or Parquet files. Running the same command again is always safe.
    """
    return asyncio.run(_submit(list(inventories), given))


async def _submit(inventories: list[Path], given: dict[str, Any]) -> int:
    from bulkjobs.library import Places, checked_run_id, new_run_id, submit  # noqa: PLC0415  # aiohttp, pandas

    collect_rarely()
    target = target_of(given)
    settings = Settings(
        rate=given["rate"],
        concurrency=given["concurrency"],
        timeout=given["timeout"],
        settle=given["settle"],
        max_attempts=given["max_attempts"],
        patience=given["patience"],
        max_problems=given["max_problems"],
        halt=given["halt"],
        canary=given["canary"],
        deadline=given["deadline"],
        max_jobs=given["max_jobs"],
        shard=given["shard"],
    )
    clock_now = _now_ms()
    places = Places(given["state"], given["report_dir"])
    run_id = checked_run_id(given["run_id"]) if given["run_id"] else new_run_id(clock_now, places)
    places = replace(places, run_id=run_id)
    console = Console(stderr=True)
    has_bar = console.is_terminal and not (given["quiet"] or given["as_json"])
    level = given["log_level"] or ("error" if given["quiet"] else "warning" if has_bar else "info")
    tally = Tally()
    with open_log(given["log_file"], given["log_format"], level, run=run_id) as log:
        async with watch(tally, console, log, quiet=given["quiet"]):
            submitted = await submit(
                inventories,
                target,
                places,
                settings,
                expander_of(given),
                limits=limits_of(given),
                tally=tally,
                log=log,
                comparison=comparison_of(),
                on_start=lambda run, _: _listen(run.stop, console),
            )
    result = submitted.result
    if given["as_json"]:
        write_json(submitted.summary)
    if not given["quiet"] or result.exit_code is not ExitCode.OK:
        if result.problems:
            show_problems(console, result.problems, result.errors, result.warnings)
        show_summary(console, submitted, _again(given) if _is_unfinished(result.exit_code) else None)
    return int(result.exit_code)


def _now_ms() -> int:
    from bulkjobs.engine.clock import Clock  # noqa: PLC0415  # beside the library

    return Clock().wall_ms()


def _listen(stop: Any, console: Console) -> None:
    """Ctrl-C once: drain. Twice: leave at once; the journal knows what is open. SIGTERM is Ctrl-C."""
    presses = 0

    def pressed(number: int) -> None:
        nonlocal presses
        presses += 1
        name = signal.Signals(number).name
        if presses > 1:
            with contextlib.suppress(OSError):
                os.write(2, b"\nleft at once: run the same command again; it settles what was on its way first\n")
            os._exit(ExitCode.INTERRUPTED)
        console.print(f"{name}: waiting for what is on its way, then the report. Once more leaves at once.")
        stop(Stop("interrupted", f"interrupted by {name}"))

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, pressed, number)


def _is_unfinished(code: ExitCode) -> bool:
    return code in (ExitCode.NOT_FINISHED, ExitCode.UNRESOLVED)


def _again(given: dict[str, Any]) -> str | None:
    """The command that goes on, as it was typed; none with a service that is gone when we are."""
    if given["sandbox"]:
        return None
    return shlex.join([Path(sys.argv[0]).name.replace("__main__.py", "bulkjobs"), *sys.argv[1:]])

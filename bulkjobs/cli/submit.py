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
from bulkjobs.cli.colours import is_lively
from bulkjobs.cli.console import console_for_people
from bulkjobs.cli.events import open_events, refuse_two_documents
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
@options.namespace
@click.option(
    "--plan", "plan_file", type=click.Path(path_type=Path), help="Do exactly what this saved plan says, or refuse."
)
@options.report_dir
@options.option("--run-id", help="Name of the run and of its report's folder.  [default: from the time]")
@options.inventory
@options.events
@options.output
def command(inventories: tuple[Path, ...], **given: Any) -> int:
    """Validate the inventory, plan, create what is missing, report.

    INVENTORIES are CSV or Parquet files. Running the same command again is always safe.
    """
    return asyncio.run(_submit(list(inventories), given))


async def _submit(inventories: list[Path], given: dict[str, Any]) -> int:
    from bulkjobs.library import Places, checked_run_id, new_run_id, submit  # noqa: PLC0415  # aiohttp, pandas

    refuse_two_documents(given["json_events"], as_json=given["as_json"])
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
        namespace=given["namespace"],
    )
    clock_now = _now_ms()
    places = Places(given["state"], given["report_dir"])
    run_id = checked_run_id(given["run_id"]) if given["run_id"] else new_run_id(clock_now, places)
    places = replace(places, run_id=run_id)
    console = console_for_people()
    has_bar = is_lively(console) and not (given["quiet"] or given["as_json"])
    level = given["log_level"] or ("error" if given["quiet"] else "warning" if has_bar else "info")
    tally = Tally()
    with (
        open_log(
            given["log_file"], given["log_format"], level, has_bar=has_bar and not given["log_level"], run=run_id
        ) as log,
        open_events(given["json_events"], run_id, [str(path) for path in inventories]) as events,
    ):
        if given["plan_file"] is not None:
            from bulkjobs.cli.held import hold_to_plan  # noqa: PLC0415  # only then

            await hold_to_plan(inventories, given["plan_file"], given, settings, log)
        tally.on_outcome = events.row if events is not None else None
        async with watch(tally, console, log, given["quiet"], settings):
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
                on_start=lambda run, _: listen(run.stop, console),
            )
        result = submitted.result
        if events is not None:
            events.finish(tally, places.state, result.exit_code, submitted.summary, submitted.folder)
    if not given["quiet"] or result.exit_code is not ExitCode.OK:
        if result.problems:
            show_problems(console, result.problems, result.errors, result.warnings)
        show_summary(console, submitted, again(given) if is_unfinished(result.exit_code) else None)
    if given["as_json"]:  # after what people read: it may raise
        with contextlib.suppress(BrokenPipeError):  # who does not read it still wants to know how the run ended
            write_json(submitted.summary)
    if events is not None:
        events.check()
    return int(result.exit_code)


def _now_ms() -> int:
    from bulkjobs.engine.clock import Clock  # noqa: PLC0415  # beside the library

    return Clock().wall_ms()


def listen(stop: Any, console: Console) -> None:
    """Ctrl-C once: drain. Twice: leave at once; the journal knows what is open. SIGTERM is Ctrl-C.

    A terminal that goes away (SIGHUP) is too, unless the command was told not to mind (``nohup``).
    """
    presses = 0

    def pressed(number: int) -> None:
        nonlocal presses
        presses += 1
        name = signal.Signals(number).name
        if presses > 1:
            with contextlib.suppress(OSError):
                os.write(2, b"\nleft at once: run the same command again; it settles what was on its way first\n")
            os._exit(ExitCode.INTERRUPTED)
        stop(Stop("interrupted", f"interrupted by {name}"))
        console.print(
            f"{name}: waiting for what is on its way, then the report. Once more leaves at once.", soft_wrap=True
        )

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, pressed, number)


def is_unfinished(code: ExitCode) -> bool:
    return code in (ExitCode.NOT_FINISHED, ExitCode.UNRESOLVED)


def again(given: dict[str, Any]) -> str | None:
    """The command that goes on, as it was typed; none with a service that is gone when we are.

    A run id names one run: the next has another.
    """
    if given["sandbox"]:
        return None
    words = [word for word in sys.argv[1:] if not word.startswith("--run-id=")]
    if "--run-id" in words:
        at = words.index("--run-id")
        del words[at : at + 2]
    return shlex.join([Path(sys.argv[0]).name.replace("__main__.py", "bulkjobs"), *words])

"""``bulkjobs validate``."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.text import Text

from bulkjobs.cli import options
from bulkjobs.cli.collector import collect_rarely
from bulkjobs.cli.colours import is_lively
from bulkjobs.cli.documents import write_text
from bulkjobs.cli.given import Given, expander_of, limits_of, target_of
from bulkjobs.cli.log_setup import open_log
from bulkjobs.cli.problems import (
    Cause,
    Group,
    counts,
    document,
    github_annotations,
    show_error,
    show_grouped,
)
from bulkjobs.cli.summary import write_json
from bulkjobs.counted import counted
from bulkjobs.errors import AccessError, BulkJobsError, ExitCode, NotFinished, UsageError, worst
from bulkjobs.inventory.problems import Problem
from bulkjobs.logs import Log
from bulkjobs.settings import Settings

if TYPE_CHECKING:
    from bulkjobs.engine.verify import Verified
    from bulkjobs.engine.work import Stop
    from bulkjobs.graph.expand import Expander
    from bulkjobs.graph.sample import Sample
    from bulkjobs.graph.survey import Survey
    from bulkjobs.inventory.reader import InventoryFile

_SAMPLE = 10
_TOLD_EVERY = 10.0
_REFRESH = 0.2

_EXAMPLES = """\b
Examples:
  bulkjobs validate inputs/sample.csv
  bulkjobs validate jobs.csv --layout join.toml --set env=prod
  bulkjobs validate jobs.csv --json > problems.json
  bulkjobs validate jobs.csv --github            (in a workflow: problems beside the lines)
  bulkjobs validate jobs.csv --server            (the service judges a sample, too)
  bulkjobs validate jobs.csv --server=all --rate 20
"""


class _Command(click.Command):
    """``--server`` alone must not take the next argument, an inventory, for its value."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        args = [f"--server={_SAMPLE}" if arg == "--server" else arg for arg in args[:end]] + args[end:]
        return super().parse_args(ctx, args)


class _HowMany(click.ParamType[int]):
    """Rows to ask the service about: a number, or -1 for all of them."""

    name = "N|all"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if value in ("all", -1):
            return -1
        try:
            number = int(value)
        except (TypeError, ValueError):
            number = 0
        if not 0 < number <= 1_000_000:
            self.fail(f"{value!r} is not a number of rows (1 to 1,000,000) or 'all'; write --server=10", param, ctx)
        return number


@click.command("validate", cls=_Command, epilog=_EXAMPLES)
@click.argument("inventories", nargs=-1, required=True, type=click.Path(path_type=Path))
@options.config
@options.graph
@options.inventory
@options.option("--github", is_flag=True, help="Annotations for GitHub Actions, on standard output.")
@options.option(
    "--server",
    type=_HowMany(),
    help=f"Ask the service's verifyJob about N rows of different shapes, {_SAMPLE} if N is left out, or all.",
)
@options.target
@options.asking_pace
@options.output
def command(inventories: tuple[Path, ...], **given: Any) -> int:
    """List every problem of the whole inventory; nothing is created.

    INVENTORIES are CSV or Parquet files. Ends with 0 if there is no error (warnings are none), 3 if there is one.
    """
    if given["as_json"] and given["github"]:
        raise UsageError("--json and --github both write to standard output", "choose one of them")
    from bulkjobs.inventory.reader import InventoryFile  # noqa: PLC0415  # not for --help

    collect_rarely()
    if given["server"] is not None:
        target_of(given)  # its mistakes come before the long work
    console = Console(stderr=True, highlight=False)
    files = [InventoryFile(path, limits_of(given)) for path in inventories]
    found = _check(files, expander_of(given), given, console)
    _report(found, given, console)
    return int(found.exit_code)


@dataclass(slots=True)
class _Found:
    """What the check of the inventory and the service said together. ``error``: why not all could be asked."""

    survey: Survey
    verified: Verified | None = None
    error: BulkJobsError | None = None
    problems: list[Problem] = field(default_factory=list)
    groups: dict[Cause, Group] = field(default_factory=dict)

    @property
    def errors(self) -> int:
        return self.survey.errors + (self.verified.refused if self.verified is not None else 0)

    @property
    def exit_code(self) -> ExitCode:
        codes = {ExitCode.INVALID_INVENTORY} if self.errors else set()
        return worst(codes | ({self.error.exit_code} if self.error is not None else set()))


def _check(files: list[InventoryFile], expander: Expander, given: Given, console: Console) -> _Found:
    from bulkjobs.graph.sample import Sample  # noqa: PLC0415  # not for --help

    wanted = given["server"]
    sample = Sample(max(wanted, 1), random.Random(0).randrange) if wanted is not None else None  # noqa: S311  # chance
    found = _Found(
        _survey(files, expander, given["max_problems"], sample, console if _is_lively(given, console) else None)
    )
    if sample is not None and sample.offered:
        found.verified, found.error = asyncio.run(_ask(files, expander, sample, given, console))
    _merge(found, [file.path for file in files], given["max_problems"])
    return found


def _survey(
    files: list[InventoryFile], expander: Expander, max_problems: int, sample: Sample | None, console: Console | None
) -> Survey:
    from bulkjobs.graph.validation import validate  # noqa: PLC0415  # numpy

    if console is None:
        return validate(files, expander, max_problems=max_problems, sample=sample)
    with console.status("checking"):
        return validate(files, expander, max_problems=max_problems, sample=sample)


async def _ask(
    files: list[InventoryFile], expander: Expander, sample: Sample, given: Given, console: Console
) -> tuple[Verified, BulkJobsError | None]:
    from bulkjobs.engine.verify import Verified  # noqa: PLC0415  # not without --server
    from bulkjobs.graph.validation import sendable_rows  # noqa: PLC0415
    from bulkjobs.library import verify  # noqa: PLC0415

    asks_all = given["server"] == -1
    rows = sendable_rows(files, expander) if asks_all else iter(sample.rows())
    total = sample.offered if asks_all else min(sample.offered, given["server"])
    settings = Settings(
        rate=given["rate"],
        concurrency=given["concurrency"],
        timeout=given["timeout"],
        patience=given["patience"],
        max_problems=given["max_problems"],
    )
    verified = Verified()
    lively = _is_lively(given, console)
    level = given["log_level"] or ("error" if given["quiet"] else "warning" if lively else "info")
    with open_log(given["log_file"], given["log_format"], level) as log:
        watching = asyncio.create_task(_watch(verified, total, console if lively else None, log))
        try:
            await verify(rows, target_of(given), settings, log=log, verified=verified)
        except BulkJobsError as error:
            return verified, error
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
    return verified, _error_of(verified.stop)


async def _watch(verified: Verified, total: int, console: Console | None, log: Log) -> None:
    if console is None:
        while True:
            await asyncio.sleep(_TOLD_EVERY)
            log.info("verifying", asked=verified.asked, of=total, refused=verified.refused)
    with console.status("asking the service") as status:
        while True:
            await asyncio.sleep(_REFRESH)
            status.update(f"asking the service: {verified.asked:,} of {total:,}")


def _error_of(stop: Stop | None) -> BulkJobsError | None:
    from bulkjobs.dataflow.replies import Cause as Why  # noqa: PLC0415  # not without --server
    from bulkjobs.engine.work import AGAIN  # noqa: PLC0415

    if stop is None:
        return None
    kind = NotFinished if stop.cause in (None, Why.QUOTA) else AccessError
    return kind(f"verifyJob: {stop.reason}", stop.hint or AGAIN)


def _merge(found: _Found, paths: list[str], most: int) -> None:
    """The survey's problems and the refusals, in the order of files and lines."""
    refusals = found.verified.problems if found.verified is not None else []
    place = {path: number for number, path in reversed(list(enumerate(paths)))}
    merged = [*found.survey.problems, *refusals]
    merged.sort(key=lambda problem: (place.get(problem.file, 0), problem.line or 0))
    found.problems = merged[:most]
    found.groups = dict(found.survey.groups)
    for problem in refusals:
        cause = (problem.code, problem.column, problem.message)
        found.groups[cause] = _Counted(getattr(found.groups.get(cause), "count", 0) + 1)


@dataclass(frozen=True, slots=True)
class _Counted:
    count: int


def _report(found: _Found, given: Given, console: Console) -> None:
    survey, verified = found.survey, found.verified
    if given["as_json"]:
        told = document(survey.rows, found.errors, survey.warnings, found.problems)
        if verified is not None:
            error = found.error.message if found.error is not None else None
            told["server"] = {"asked": verified.asked, "refused": verified.refused, "error": error}
        write_json(told)
    elif given["github"]:
        for line in github_annotations(found.problems):
            write_text(line + "\n")
    elif given["quiet"]:
        errors = [problem for problem in found.problems if problem.severity == "error"]
        show_grouped(console, errors, found.groups, found.errors)
    else:
        show_grouped(console, found.problems, found.groups, found.errors + survey.warnings)
    if not given["quiet"]:
        if verified is not None:
            console.print(Text(f"verifyJob: {counted(verified.asked, 'row')} asked, {verified.refused:,} refused"))
        console.print(Text(f"{counted(survey.rows, 'row')}: {counts(found.errors, survey.warnings)}", style="bold"))
    if found.error is not None:
        show_error(console, found.error)


def _is_lively(given: Given, console: Console) -> bool:
    return is_lively(console) and not given["quiet"]

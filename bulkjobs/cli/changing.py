"""What ``plan``, ``reconcile`` and ``rollback`` share: their surroundings, a person who is asked, how a run is told."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from bulkjobs.cli import options
from bulkjobs.cli.colours import is_lively, is_terminal
from bulkjobs.cli.console import console_for_people
from bulkjobs.cli.events import Events, open_events, refuse_two_documents
from bulkjobs.cli.given import Given, comparison_of, limits_of, target_of
from bulkjobs.cli.log_setup import open_log
from bulkjobs.cli.progress import Display, watch
from bulkjobs.cli.submit import again, is_unfinished
from bulkjobs.cli.summary import show_problems, show_summary, write_json
from bulkjobs.engine.work import Stop, Tally
from bulkjobs.errors import ExitCode
from bulkjobs.logs import Log
from bulkjobs.plain import plain
from bulkjobs.settings import Settings

if TYPE_CHECKING:
    from bulkjobs.engine.consent import MaxDelete, Mode, Refusal
    from bulkjobs.library import Places
    from bulkjobs.reconciliation import Around, Ended

RUN_ID = options.option("--run-id", help="Name of the run and of its report's folder.  [default: from the time]")
YES = options.option("--yes", "-y", is_flag=True, help="Do not ask. Needed where nobody can be asked.")

_SHOWN = 20


@dataclass(slots=True)
class Stage:
    """What a command has around it while it runs."""

    console: Console
    log: Log
    tally: Tally
    display: Display


@contextmanager
def events_of(given: Given, run_id: str, files: Sequence[Path], tally: Tally) -> Iterator[Events | None]:
    """What ``--json-events`` asks for, fed by ``tally``. Raises UsageError, and StateError as ``open_events``."""
    refuse_two_documents(given["json_events"], as_json=given["as_json"])
    with open_events(given["json_events"], run_id, [str(path) for path in files]) as events:
        tally.on_outcome = events.row if events is not None else None
        yield events


@asynccontextmanager
async def staged(given: Given, **context: object) -> AsyncIterator[Stage]:
    """Log and progress for the length of a command."""
    console = console_for_people()
    has_bar = is_lively(console) and not (given["quiet"] or given["as_json"])
    level = given["log_level"] or ("error" if given["quiet"] else "warning" if has_bar else "info")
    tally = Tally()
    with open_log(
        given["log_file"], given["log_format"], level, has_bar=has_bar and not given["log_level"], **context
    ) as log:
        async with watch(tally, console, log, given["quiet"], settings_of(given)) as display:
            yield Stage(console, log, tally, display)


def around_of(given: Given, places: Places, log: Log) -> Around:
    """Raises UsageError for options that do not fit."""
    from bulkjobs.reconciliation import Around  # noqa: PLC0415  # aiohttp

    return Around(target_of(given), places, settings_of(given), limits_of(given), comparison_of(), log=log)


def settings_of(given: Given) -> Settings:
    return Settings(
        rate=given["rate"],
        concurrency=given["concurrency"],
        timeout=given["timeout"],
        settle=given["settle"],
        max_attempts=given["max_attempts"],
        patience=given["patience"],
        max_problems=given["max_problems"],
        namespace=given.get("namespace"),
    )


def mode_of(given: Given) -> Mode:
    from bulkjobs.engine.change import Leave  # noqa: PLC0415  # not for --help
    from bulkjobs.engine.consent import Mode  # noqa: PLC0415

    include = Leave(given["include_running"], given["include_edited"])
    return Mode(given["prune"], max_delete_of(given["max_delete"]), include, bool(given.get("expect_no_changes")))


def max_delete_of(text: str) -> MaxDelete:
    from bulkjobs.engine.consent import MaxDelete  # noqa: PLC0415  # not for --help

    if text.endswith("%"):
        return MaxDelete(percent=float(text[:-1]))
    return MaxDelete(int(text), None)


async def ask(console: Console, question: str) -> Refusal | None:
    """A person's yes; anything else refuses, and so does a place where nobody can be asked."""
    from bulkjobs.engine.consent import Refusal  # noqa: PLC0415  # not for --help

    if not (sys.stdin is not None and sys.stdin.isatty() and is_terminal(console)):
        hint = "nothing was changed; say --yes, or look at it with --dry-run first"
        return Refusal(Stop("refused", f"{question} Nobody can be asked here", hint), ExitCode.USAGE)
    console.print(Text(f"{question} [y/N] "), end="")
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[str] = loop.create_future()

    def read() -> None:
        if not answered.done():
            answered.set_result(sys.stdin.readline())

    loop.add_reader(sys.stdin.fileno(), read)  # a thread that reads could not be stopped by Ctrl-C
    try:
        answer = await answered
    finally:
        loop.remove_reader(sys.stdin.fileno())
    if answer.strip().lower() in ("y", "yes"):
        return None
    return Refusal(Stop("refused", "the answer was no", "nothing was changed"), ExitCode.NOT_FINISHED)


def tell(console: Console, ended: Ended, given: Given) -> int:
    """How a run ended, as JSON or for people; its exit code."""
    from bulkjobs.engine.ending import Result  # noqa: PLC0415  # not for --help
    from bulkjobs.library import Submitted  # noqa: PLC0415

    if not given["quiet"] or ended.exit_code is not ExitCode.OK:
        result = ended.result
        if result is not None and result.problems:
            show_problems(console, result.problems, result.errors, result.warnings)
        _show_removals(console, ended)
        closing = Submitted(ended.run_id, Result(ended.exit_code, ended.stop, (), 0, 0), ended.folder, ended.summary)
        show_summary(console, closing, again(dict(given)) if is_unfinished(ended.exit_code) else None)
    if given["as_json"]:  # after what people read: it may raise
        write_json(ended.summary)
    return int(ended.exit_code)


def _show_removals(console: Console, ended: Ended) -> None:
    removals = ended.summary.get("deleted")
    if not isinstance(removals, list) or not removals:
        return
    deleted = sum(removal["outcome"] == "deleted" for removal in removals)
    console.print(Text(f"Jobs that no row lists: {deleted:,} deleted, {len(removals) - deleted:,} not"))
    for removal in [removal for removal in removals if removal["outcome"] != "deleted"][:_SHOWN]:
        why = plain(str(removal["detail"] or removal["code"] or removal["outcome"]), 300)
        console.print(Text(f"  {plain(str(removal['name']), 100)}: {why}"), soft_wrap=True)

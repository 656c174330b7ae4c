"""``bulkjobs explain``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bulkjobs.cli import options
from bulkjobs.cli.colours import is_terminal
from bulkjobs.cli.given import expander_of
from bulkjobs.cli.summary import write_json
from bulkjobs.plain import plain

if TYPE_CHECKING:
    from bulkjobs.report.steps import Event
    from bulkjobs.report.story import Story

_EXAMPLES = """\b
Examples:
  bulkjobs explain 20261123T090000Z job017
  bulkjobs explain 20261123T090000Z 17
  bulkjobs explain 20261123T090000Z more.csv:17 --layout join.toml --json
"""
_CELLS = 30


@click.command("explain", epilog=_EXAMPLES)
@options.run
@click.argument("row")
@options.config
@options.graph
@options.state
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def command(run: str, row: str, state: Path, as_json: bool, **given: Any) -> int:
    """Tell everything that happened to one ROW of a RUN, in order.

    ROW is the job's name, the line on which the row begins, or FILE:LINE. Works while the run goes on, and for one
    that was killed. Takes no lock.
    """
    from bulkjobs.report.story import tell  # noqa: PLC0415  # pyarrow

    story = tell(state, run, row, expander_of(given))
    if as_json:
        write_json(story.document())
    else:
        _show(Console(highlight=False), story)
    return 0


def _show(console: Console, story: Story) -> None:
    title = f"{story.name or 'a row without a name'} in run {story.run.run_id} ({story.run.state})"
    console.print(Text(plain(title), style="bold"), soft_wrap=True)
    last: int | None = None
    for event in story.events:
        _print(console, f"{_time(event.at, last)}  ", Text(plain(event.text, 1_000)))
        last = event.at if event.at is not None else last
        for line in _details(event):
            _print(console, f"{'':25}", Text(line, style="dim"))


def _print(console: Console, head: str, text: Text) -> None:
    """One line; on a terminal that is too narrow for it, several lines below one another, broken between words."""
    if not is_terminal(console) or console.width < 2 * len(head):
        console.print(Text(head).append_text(text), soft_wrap=True)
        return
    table = Table.grid()
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row(head, text)
    console.print(table)


def _time(at: int | None, last: int | None) -> str:
    """The moment, UTC; its date only where it is another than the one before."""
    if at is None:
        return " " * 24
    moment = datetime.fromtimestamp(at / 1000, UTC)
    before = None if last is None else datetime.fromtimestamp(last / 1000, UTC)
    clock = f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
    is_same_day = before is not None and before.date() == moment.date()
    return f"{'' if is_same_day else f'{moment:%Y-%m-%d} ':11}{clock}"


def _details(event: Event) -> list[str]:
    cells = event.facts.get("cells")
    if isinstance(cells, dict):
        filled = [(name, cell) for name, cell in cells.items() if cell][:_CELLS]
        return [f"{plain(name, 60)} = {plain(cell, 200)}" for name, cell in filled]
    problems = event.facts.get("problems")
    return [plain(str(problem), 300) for problem in problems] if isinstance(problems, list) else []

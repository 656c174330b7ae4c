"""What people read when a run has ended; ``--json`` prints the same summary as it stands in its file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bulkjobs.cli.documents import inert_json, write_text
from bulkjobs.cli.problems import counts, show_problem
from bulkjobs.engine.work import Again
from bulkjobs.inventory.problems import Problem
from bulkjobs.plain import plain
from bulkjobs.report.share import share
from bulkjobs.report.unseen import unseen_said

if TYPE_CHECKING:
    from bulkjobs.library import Submitted

_SHOWN = 10
_MANY = 100
_STYLES = {
    "created": "green",
    "adopted": "green",
    "existing": "green",
    "updated": "green",
    "deleted": "green",
    "drifted": "yellow",
    "not_sent": "yellow",
    "unresolved": "magenta",
    "conflict": "red",
    "rejected": "red",
    "invalid": "red",
}


def write_json(document: Mapping[str, object]) -> None:
    """One JSON document on standard output."""
    write_text(inert_json(json.dumps(document, indent=2, ensure_ascii=False)) + "\n")


def show_problems(console: Console, problems: Sequence[Problem], errors: int, warnings: int) -> None:
    """The first problems of an inventory, how often each kind occurs, and how many there are in all."""
    for problem in problems[:_SHOWN]:
        show_problem(console, problem)
    total = errors + warnings
    kinds = ""
    if total > _SHOWN:
        counted = Counter(problem.code for problem in problems)
        kinds = ": " + ", ".join(f"{count:,} {code}" for code, count in counted.most_common(5))
        kinds += "; `bulkjobs validate` lists them"
    console.print(Text(f"{counts(errors, warnings)}{kinds}"), soft_wrap=True)


def show_summary(console: Console, submitted: Submitted, again: str | None) -> None:
    """Counts by outcome, errors by cause, why it ended, where the report is, how to go on."""
    summary: Mapping[str, Any] = submitted.summary
    table = Table(title=None, show_header=True, box=None, pad_edge=False)
    table.add_column("outcome")
    table.add_column("rows", justify="right")
    for outcome, count in summary["counts"].items():
        if count:
            table.add_row(Text(outcome, style=_STYLES.get(outcome, "")), f"{count:,}")
    table.add_row(Text("in all", style="bold"), Text(f"{summary['rows']:,}", style="bold"))
    console.print(table)
    if summary["shard"] is not None:
        part = share(str(summary["shard"]), summary["rows"], [file["rows"] for file in summary["inventories"]])
        console.print(Text(plain(f"shard {part}", 100)), soft_wrap=True)
    stop = submitted.result.stop
    for group in summary["errors"][:5]:
        if stop is not None and group["example"] == stop.reason:
            continue  # said below, once
        code = f" {plain(str(group['error_code']), 60)}" if group["error_code"] else ""
        status = f" HTTP {group['http_status']}" if group["http_status"] else ""
        console.print(
            Text(f"{group['count']:,} × {group['outcome']}{status}{code}: {plain(str(group['example']), 300)}"),
            soft_wrap=True,
        )
    if stop is not None:
        console.print(Text(f"Ended early: {plain(stop.reason)}", style="bold yellow"), soft_wrap=True)
        if stop.hint:
            console.print(Text(f"  {plain(stop.hint)}"), soft_wrap=True)
    if unseen := unseen_said(summary["state"], summary["facts"], summary["counts"]):
        console.print(Text(unseen), soft_wrap=True)
    if summary["facts"].get("limited_by") == "concurrency" and summary["facts"].get("sends", 0) >= _MANY:
        said = "Limited by --concurrency, not by the rate: with a larger one it may be quicker"
        console.print(Text(said), soft_wrap=True)
    # Whole lines, whatever the width: what is to be copied must not be cut.
    console.print(Text(f"Report: {plain(str(_near(submitted.folder)), 4096)}"), soft_wrap=True)
    good_for = Again.GOES_ON if stop is None else stop.again
    if again is not None and good_for is not Again.ENDS_ALIKE:
        console.print(Text(f"{good_for.value}: {plain(again, 100_000)}"), soft_wrap=True)


def _near(path: Path) -> Path:
    """A path as a person would type it from here."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path

"""``bulkjobs runs``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bulkjobs.cli import options
from bulkjobs.cli.amounts import Duration
from bulkjobs.cli.problems import number_of
from bulkjobs.cli.summary import write_json
from bulkjobs.plain import plain

if TYPE_CHECKING:
    from bulkjobs.engine.journal.overview import RunOverview
    from bulkjobs.engine.journal.pruning import Pruned

_EXAMPLES = """\b
Examples:
  bulkjobs runs
  bulkjobs runs --json
  bulkjobs runs --delete-older 90d
"""
_STATES = {"finished": "green", "running": "cyan", "killed": "magenta", "invalid": "red"}


@click.command("runs", epilog=_EXAMPLES)
@options.config
@options.state
@click.option("--delete-older", type=Duration(), metavar="AGE", help="Delete runs that ended longer ago, e.g. 90d.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def command(state: Path, delete_older: float | None, as_json: bool) -> int:
    """List every run, the newest last; with --delete-older, keep the state small.

    What later runs rest on stays: sends of unknown end, what is known of jobs, and the last run of each account.
    Reports that were written stay too. Rows that a program gave (rows_from) go with the last run made from them.
    """
    if delete_older is not None:
        return _delete(state, delete_older, as_json)
    from bulkjobs.engine.journal.overview import Overview  # noqa: PLC0415  # not for --help

    with Overview(state) as overview:
        found = overview.overviews()
    if as_json:
        write_json({"runs": [_document(run) for run in found]})
    else:
        _show(Console(highlight=False), found)
    return 0


def _delete(state: Path, age: float, as_json: bool) -> int:
    from bulkjobs.engine.journal.pruning import delete_older  # noqa: PLC0415  # not for --help

    pruned = delete_older(state, int((time.time() - age) * 1000))
    if as_json:
        write_json(
            {
                "deleted": list(pruned.run_ids),
                "rows": pruned.rows,
                "attempts": pruned.attempts,
                "open_intents_kept": pruned.open_intents,
                "files": [str(file) for file in pruned.files],
                "kept": [{"run": run_id, "reason": reason} for run_id, reason in pruned.kept],
                "bytes_before": pruned.bytes_before,
                "bytes_after": pruned.bytes_after,
            }
        )
    else:
        _tell(Console(stderr=True, highlight=False), pruned)
    return 0


def _tell(console: Console, pruned: Pruned) -> None:
    said = [f"Deleted {number_of(len(pruned.run_ids), 'run')}, {number_of(pruned.rows, 'row')}"]
    said += [f"  {run_id}" for run_id in pruned.run_ids]
    said += [f"Kept {run_id}: {reason}" for run_id, reason in pruned.kept]
    if pruned.open_intents:
        said.append(f"Kept {number_of(pruned.open_intents, 'send')} of unknown end: the next run settles them")
    if pruned.files:
        said.append(f"Deleted {number_of(len(pruned.files), 'file')} of rows that a program gave")
    if pruned.run_ids:
        said.append(f"State file: {_size(pruned.bytes_before)} before, {_size(pruned.bytes_after)} now")
    if pruned.not_shrunk:
        said.append(f"  it could not be made smaller: {plain(pruned.not_shrunk)}")
    for line in said:
        console.print(Text(plain(line)), soft_wrap=True)


def _show(console: Console, runs: Sequence[RunOverview]) -> None:
    if not runs:
        console.print("no runs yet")
        return
    places = list(dict.fromkeys((run.record.endpoint, run.record.account) for run in runs))
    if len(places) == 1:
        console.print(Text(plain(f"{places[0][0]}, account {places[0][1]}", 300)), soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for name in ("run", "started (UTC)", "took", "state"):
        table.add_column(name, no_wrap=True)
    table.add_column("rows", justify="right")
    table.add_column("outcomes", overflow="fold")
    if len(places) > 1:
        table.add_column("endpoint, account", overflow="fold")
    for run in runs:
        record = run.record
        code = "" if run.exit_code is None else f" ({run.exit_code})"
        place = [Text(plain(f"{record.endpoint}, {record.account}", 200))] if len(places) > 1 else []
        table.add_row(
            Text(plain(record.run_id, 64)),
            f"{datetime.fromtimestamp(record.started_at / 1000, UTC):%Y-%m-%d %H:%M:%S}",
            _took(run),
            Text(f"{record.state}{code}", style=_STATES.get(record.state, "yellow")),
            f"{run.rows:,}",
            Text(_outcomes(run)),
            *place,
        )
    console.print(table)


def _document(run: RunOverview) -> dict[str, object]:
    record = run.record
    return {
        "run": record.run_id,
        "state": record.state,
        "reason": record.reason,
        "exit_code": run.exit_code,
        "started_at": _iso(record.started_at),
        "ended_at": None if record.ended_at is None else _iso(record.ended_at),
        "duration_s": _seconds(run),
        "rows": run.rows,
        "counts": dict(sorted(run.counts.items())),
        "pending": run.pending,
        "endpoint": record.endpoint,
        "account": record.account,
        "api": record.api,
        "inventories": [inventory.path for inventory in record.inventories],
    }


def _seconds(run: RunOverview) -> float | None:
    """How long it took: to its end, to now if it is still at work, to its last trace if it was killed."""
    now = int(time.time() * 1000) if run.record.state == "running" else None
    end = now if now is not None else run.last_at
    return None if end is None else round(max(0, end - run.record.started_at) / 1000, 3)


def _took(run: RunOverview) -> str:
    seconds = _seconds(run)
    if seconds is None:
        return "?"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"


def _outcomes(run: RunOverview) -> str:
    parts = [f"{count:,} {outcome}" for outcome, count in sorted(run.counts.items(), key=lambda item: -item[1])]
    if run.pending:
        parts.append(f"{run.pending:,} pending")
    return ", ".join(parts)


def _iso(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def _size(count: int) -> str:
    return f"{count / 1_000_000:,.1f} MB" if count >= 100_000 else f"{count / 1_000:,.1f} kB"

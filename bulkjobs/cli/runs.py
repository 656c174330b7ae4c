"""``bulkjobs runs``."""

from __future__ import annotations

import os
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
from bulkjobs.cli.colours import is_terminal
from bulkjobs.cli.summary import write_json
from bulkjobs.counted import counted
from bulkjobs.plain import plain
from bulkjobs.report.share import shard_of, share

if TYPE_CHECKING:
    from bulkjobs.engine.journal.overview import RunOverview
    from bulkjobs.engine.journal.pruning import Pruned

_EXAMPLES = """\b
Examples:
  bulkjobs runs
  bulkjobs runs --json
  bulkjobs runs --delete-older 90d
"""
_NARROWEST, _WIDEST = 72, 1_000
"""Terminal columns that a table needs, and of a console that no line may break in."""
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
        _show(_whole_lines(), found)
    return 0


def _whole_lines() -> Console:
    """A console that breaks no line where a program reads it: cells are to be searched and cut."""
    console = Console(highlight=False)
    if not is_terminal(console) and "COLUMNS" not in os.environ:
        console.width = _WIDEST
    return console


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
    said = [f"Deleted {counted(len(pruned.run_ids), 'run')}, {counted(pruned.rows, 'row')}"]
    said += [f"  {run_id}" for run_id in pruned.run_ids]
    said += [f"Kept {run_id}: {reason}" for run_id, reason in pruned.kept]
    if pruned.open_intents:
        said.append(f"Kept {counted(pruned.open_intents, 'send')} of unknown end: the next run settles them")
    if pruned.files:
        said.append(f"Deleted {counted(len(pruned.files), 'file')} of rows that a program gave")
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
    places = list(dict.fromkeys(map(_place, runs)))
    if len(places) == 1:
        console.print(Text(plain(places[0], 300)), soft_wrap=True)
    if console.width < _NARROWEST:
        for run in runs:
            where = f", {_place(run)}" if len(places) > 1 else ""
            console.print(Text(plain(f"{run.record.run_id}  {_state(run)}{where}", 300), _style(run)))
            rows = ": ".join(filter(None, (_rows(run), _outcomes(run))))
            console.print(Text(f"  {_started(run)}, {_took(run)}, {rows}"))
        return
    table = Table(box=None, pad_edge=False)
    for name in ("run", "started (UTC)", "took", "state"):
        table.add_column(name, no_wrap=True)
    table.add_column("rows", justify="right")
    has_shards = any(shard_of(run.record.facts) for run in runs)
    if has_shards:
        table.add_column("shard", no_wrap=True)
    table.add_column("outcomes", overflow="fold")
    if len(places) > 1:
        table.add_column("service, account", overflow="fold")
    for run in runs:
        record = run.record
        part = [Text(plain(shard_of(record.facts) or "", 20))] if has_shards else []
        place = [Text(plain(_place(run), 200))] if len(places) > 1 else []
        table.add_row(
            Text(plain(record.run_id, 64)),
            _started(run),
            _took(run),
            Text(_state(run), style=_style(run)),
            f"{run.rows:,}",
            *part,
            Text(_outcomes(run)),
            *place,
        )
    console.print(table)


def _state(run: RunOverview) -> str:
    return run.record.state if run.exit_code is None else f"{run.record.state} ({run.exit_code})"


def _style(run: RunOverview) -> str:
    return _STATES.get(run.record.state, "yellow")


def _started(run: RunOverview) -> str:
    return f"{datetime.fromtimestamp(run.record.started_at / 1000, UTC):%Y-%m-%d %H:%M:%S}"


def _place(run: RunOverview) -> str:
    """Where its jobs are. Every embedded service is one of its own, and gone."""
    endpoint = "sandbox" if run.record.endpoint.startswith("sandbox:") else run.record.endpoint
    return f"{endpoint}, {run.record.account}"


def _rows(run: RunOverview) -> str:
    """How many, and which part of its inventory they are, if it is one."""
    shard = shard_of(run.record.facts)
    if shard is None:
        return counted(run.rows, "row")
    return f"shard {share(shard, run.rows, [file.rows for file in run.record.inventories])}"


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
        "shard": shard_of(record.facts),
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
    """Of a run that was killed: to what it did last, for when it ended nobody wrote down."""
    seconds = _seconds(run)
    if seconds is None:
        return "?"
    least = "at least " if run.record.state == "killed" else ""
    if seconds < 60:
        return f"{least}{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{least}{hours}:{minutes:02d}:{rest:02d}"


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

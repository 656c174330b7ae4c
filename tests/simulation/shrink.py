"""Makes a failing schedule smaller: leaves out runs, rows, faults and oddities while the same promise still breaks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from .play import Played, play
from .schedule import Schedule
from .variants import Variant
from .watch import Broken

MOST = 2_000
"""Plays that one shrinking may cost: some seconds."""

_PARTS = ("runs", "events", "outages", "reads", "creates", "rows")
_PLAIN: tuple[tuple[str, object], ...] = (
    ("crowd", 0),
    ("page", 1000),
    ("part", False),
    ("newest_first", False),
    ("refuses", False),
    ("reserved", 0.0),
    ("latency", 0.01),
    ("concurrency", 1),
    ("max_attempts", 8),
    ("patience", 900.0),
    ("rate", 10.0),
)


def shrink(schedule: Schedule, broken: Broken, variant: Variant | None = None) -> tuple[Schedule, Played]:
    """The smallest schedule found in which ``broken`` still breaks, and how it plays, with its trace."""
    left = MOST
    is_smaller = True
    while is_smaller and left > 0:
        is_smaller = False
        for candidate in _smaller(schedule):
            left -= 1
            if _breaks(candidate, broken, variant):
                schedule, is_smaller = candidate, True
                break
            if left <= 0:
                break
    return schedule, play(schedule, variant, traced=True)


def describe(schedule: Schedule) -> str:
    """The schedule in people's words, one thing a line."""
    s = schedule
    lines = [
        f"seed {s.seed}: {len(s.rows)} rows ({', '.join(s.rows)})",
        f"service: list lag up to {s.lag:.3f} s, late commits up to {s.late:.3f} s, latency {s.latency} s, "
        f"{'refuses' if s.refuses else 'takes'} a name twice, {s.page} jobs a page, "
        f"{'newest' if s.newest_first else 'oldest'} first, {s.crowd} other jobs",
        f"run: rate {s.rate or 'auto'}, concurrency {s.concurrency}, settle {s.settle:.3f} s"
        f"{'' if s.is_within_promise else ' (beyond the promise: less than lag and late commit)'}, "
        f"{s.max_attempts} attempts, patience {s.patience} s",
    ]
    lines += [f"createJob {fault.index} {fault.fate.value} ({fault.delay:.3f} s)" for fault in s.creates]
    lines += [f"read {fault.index} {fault.fate.value} ({fault.delay:.3f} s)" for fault in s.reads]
    lines += [
        f"outage ({o.kind}) {o.begin:.3f} s after {f'createJob {o.after}' if o.after else 'the beginning'}, "
        f"for {o.length:.3f} s"
        for o in s.outages
    ]
    lines += [f"at {event.at:.3f} s somebody {event.deed.value}: {event.name}" for event in s.events]
    for number, run in enumerate(s.runs):
        begin = f" after createJob {run.after}" if run.after else ""
        edit = f", row {run.edit.row} {run.edit.what}" if run.edit is not None else ""
        place = ", on another machine" if run.is_elsewhere else ""
        lines.append(f"run {number}, {run.pause:.3f} s later{place}{edit}: {run.ending.value} at step {run.at}{begin}")
    return "\n".join(lines)


def _smaller(schedule: Schedule) -> Iterator[Schedule]:
    for part in _PARTS:
        items = getattr(schedule, part)
        for i in range(len(items) - 1, -1, -1):
            if part != "rows" or len(items) > 1:
                yield replace(schedule, **{part: items[:i] + items[i + 1 :]})
    for i, run in enumerate(schedule.runs):
        if run.edit is not None or run.is_elsewhere:
            plain = replace(run, edit=None, is_elsewhere=False)
            yield replace(schedule, runs=(*schedule.runs[:i], plain, *schedule.runs[i + 1 :]))
    for name, value in _PLAIN:
        if getattr(schedule, name) != value:
            yield replace(schedule, **{name: value})  # type: ignore[arg-type]  # each value has its field's type


def _breaks(schedule: Schedule, broken: Broken, variant: Variant | None) -> bool:
    return any(violation.broken is broken for violation in play(schedule, variant).violations)

"""A plan for people: each row that asks for something, with its difference, then the numbers. Shows no text raw."""

from __future__ import annotations

from itertools import islice

from rich.console import Console
from rich.text import Text

from bulkjobs.cli.paces import about, ago, per_second
from bulkjobs.engine.plan import Plan
from bulkjobs.engine.planned import Action, Planned
from bulkjobs.engine.three_way import FieldChange, Side, shown
from bulkjobs.plain import plain

_SHOWN = 100
"""Rows of one action that are shown, and differences of one row."""

_SIGNS = {
    Action.CREATE: ("+", "green"),
    Action.UPDATE: ("~", "yellow"),
    Action.DELETE: ("-", "red"),
    Action.CONFLICT: ("!", "magenta"),
    Action.KEEP: ("=", "cyan"),
}


def show_plan(console: Console, plan: Plan) -> None:
    """Every row but the unchanged ones, then what it comes to."""
    for action, (sign, style) in _SIGNS.items():
        for row in islice(plan.rows.of(action), _SHOWN):
            _show_row(console, row, sign, style, is_alike=action is Action.UPDATE)
        more = plan.rows.counts[action] - _SHOWN
        if more > 0:
            console.print(Text(f"  and {more:,} more to {action.value}", style=style))
    console.print(Text(in_numbers(plan), style="bold"))
    calls = ", ".join(f"{count:,} {call}" for call, count in plan.calls.items() if count)
    if calls:
        console.print(Text(f"Calls: {calls}; {_time(plan)}"), soft_wrap=True)


def in_numbers(plan: Plan) -> str:
    """``Plan: 3 to create, 1 to update, 12 unchanged``."""
    words = {
        Action.CREATE: "to create",
        Action.UPDATE: "to update",
        Action.DELETE: "to delete",
        Action.CONFLICT: "in conflict",
        Action.KEEP: "kept",
        Action.UNCHANGED: "unchanged",
    }
    counts = plan.counts
    parts = [f"{counts[action.value]:,} {word}" for action, word in words.items() if counts[action.value]]
    return "Plan: " + (", ".join(parts) or "nothing at all")


def _time(plan: Plan) -> str:
    """How long it will take, and what that rests on."""
    time, expected = about(plan.eta_s), plan.expected
    if expected.rate is None:
        return f"no rate is known yet: {time} if the service sets no limit"
    rate = f"{per_second(expected.rate)}/s"
    if plan.narrow is not None:
        return f"{time}, limited by --concurrency {plan.narrow:,} and not by the rate of {rate}"
    if expected.age_s is None:
        return f"{time} at {rate}"
    if expected.asked is not None:
        learned = f"learned {ago(expected.age_s)}: the service permitted less than --rate {per_second(expected.asked)}"
        return f"{time} at {rate}, {learned}"
    return f"{time} at {rate}, the rate learned {ago(expected.age_s)}"


def _show_row(console: Console, row: Planned, sign: str, style: str, *, is_alike: bool) -> None:
    line = Text(f"{sign} {plain(row.name, 100)}", style=style)
    if row.reason:
        line.append(f"  {plain(row.reason, 300)}", style="default")
    console.print(line, soft_wrap=True)
    sides = {change.side for change in row.diff}
    for change in row.diff[:_SHOWN]:
        console.print(_difference(change, has_side=len(sides) > 1 or not is_alike), soft_wrap=True)
    if len(row.diff) > _SHOWN:
        console.print(Text(f"    and {len(row.diff) - _SHOWN:,} more"))


def _difference(change: FieldChange, *, has_side: bool) -> Text:
    text = Text(f"    {plain(change.label, 120)}: ")
    text.append(plain(shown(change.there), 80), style="red")
    text.append(" → ")
    text.append(plain(shown(change.wanted), 80), style="green")
    if has_side and change.side is not Side.UNKNOWN:
        text.append(f"  ({change.side.value})", style="dim")
    return text

"""The permitted rate in ``report.html``: what the run's facts tell of it, as a line of steps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from bulkjobs.engine.records import RunRecord

Course = Sequence[tuple[float, float]]
"""Milliseconds since the epoch, and how many sends a second were permitted from then on; in order of time."""

_MOST = 1_000


@dataclass(frozen=True, slots=True)
class Line:
    """From one place to another: across in per cent, down in pixels."""

    x1: float
    x2: float
    y1: float
    y2: float


def course_of(run: RunRecord) -> Course:
    """From the facts of a run; without one, its fixed rate from the beginning on. What makes no sense is left out."""
    raw = run.facts.get("rate_course")
    points = [
        (run.started_at + 1000 * float(point[0]), float(point[1]))
        for point in (raw[:_MOST] if isinstance(raw, list) else [])
        if isinstance(point, list) and len(point) == 2 and (point[0] == 0 or is_rate(point[0])) and is_rate(point[1])
    ]
    fixed = fixed_rate(run.facts)
    return points or ([(float(run.started_at), fixed)] if fixed is not None else [])


def fixed_rate(facts: Mapping[str, object]) -> float | None:
    """The rate that was given with ``--rate N``; None if the run found one out, or did not say."""
    rate = facts.get("rate_permitted")
    return rate if is_rate(rate) and not facts.get("rate_auto") else None


def is_rate(value: object) -> TypeGuard[int | float]:
    """Whether it can be drawn."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf


def within(course: Course, start: float, end: float) -> Course:
    """The part between two times, beginning with what was in force at ``start``."""
    before = [rate for at, rate in course if at <= start]
    after = [(at, rate) for at, rate in course if start < at <= end]
    first = before[-1] if before else after[0][1] if after else None
    return [] if first is None else [(start, first), *after]


def steps(course: Course, start: float, end: float, top: float, bottom: float, height_of: float) -> Sequence[Line]:
    """Lines across and up for what ``within`` gave. A rate that is too high for the chart runs along its upper edge."""
    lines: list[Line] = []
    level = None
    for index, (at, rate) in enumerate(course):
        x1 = 100 * (at - start) / (end - start)
        x2 = 100 * (course[index + 1][0] - start) / (end - start) if index + 1 < len(course) else 100.0
        y = max(top, bottom - rate * height_of)
        if level is not None and abs(level - y) > 0.5:
            lines.append(_line(x1, x1, level, y))
        lines.append(_line(x1, x2, y, y))
        level = y
    return lines


def _line(*places: float) -> Line:
    return Line(*(round(place, 3) for place in places))

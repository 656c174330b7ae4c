"""Geometry of the charts in ``report.html``: numbers in, places out; the template only draws.

Across, places are percentages of a chart's width, so that a chart fits any screen and its text keeps its size. Down,
they are pixels. Everything is rounded, so that the same figures give the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from bulkjobs.engine.records import Outcome
from bulkjobs.report.html_course import Course, Line, steps, within
from bulkjobs.report.html_words import MEANING, duration

TOP, BOTTOM = 22, 172
"""Where the plot is, in pixels from the upper edge."""

_MOST_BARS = 120
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 86_400)
_LEAST_SHARE = 0.7  # per cent: one row in a million is still to be seen
_TICKS = 5
_BINS = 12  # of a histogram, per factor of ten
_AT_ONCE = 1 << 16

Times = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle. ``x`` and ``width`` in per cent, ``y`` and ``height`` in pixels; ``title`` is shown on pointing."""

    x: float
    width: float
    y: float
    height: float
    title: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A label at a place: in per cent on an axis across, in pixels on one that goes up."""

    at: float
    label: str

    @property
    def anchor(self) -> str:
        """The label's end that is at the place, so that none leaves the chart."""
        return "start" if self.at < 4 else "end" if self.at > 96 else "middle"


@dataclass(frozen=True, slots=True)
class Segment:
    """One outcome's part of the bar of all rows."""

    outcome: str
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class RateChart:
    """Sends over time. ``width_s``: seconds that a bar stands for. ``permitted``: the steps of that rate."""

    first: Sequence[Bar]
    again: Sequence[Bar]
    throttles: Sequence[Bar]
    permitted: Sequence[Line]
    width_s: str
    across: Sequence[Tick]
    up: Sequence[Tick]
    throttled: int


@dataclass(frozen=True, slots=True)
class LatencyChart:
    """How many rows took how long, on a logarithmic scale. ``marks``: the percentiles."""

    bars: Sequence[Bar]
    marks: Sequence[Tick]
    across: Sequence[Tick]


def outcome_bar(counts: Mapping[str, int]) -> Sequence[Segment]:
    """The parts of the bar, the good outcomes first. Rare ones are drawn wider than they are, to be seen at all."""
    present = [outcome for outcome in MEANING if counts.get(outcome)]
    rows = sum(counts[outcome] for outcome in present)
    shares = [max(_LEAST_SHARE, 100 * counts[outcome] / rows) for outcome in present]
    scale = 100 / sum(shares) if shares else 0.0
    places = accumulate((share * scale for share in shares), initial=0.0)
    return [
        Segment(outcome.value, _rounded(place), _rounded(share * scale))
        for outcome, place, share in zip(present, places, shares, strict=False)
    ]


def rate_chart(
    first: Times, again: Times, throttled: Times, fixed: float | None, course: Course = ()
) -> RateChart | None:
    """Sends a second, from the first send on; times in milliseconds since the epoch. None if nothing was sent.

    ``first``: a row's first send, ``again``: further ones, ``throttled``: refusals for being too fast. A bar stands
    for a whole number of the windows in which the rate is kept (``engine.pacing``), so a run that keeps its rate has
    no bar above the permitted one. ``fixed``: the rate that was given, if one was; ``course``: what was permitted when.
    """
    if not len(first) and not len(again):
        return None
    start = int(min(times.min() for times in (first, again) if len(times)))
    end = int(max(times.max() for times in (first, again, throttled) if len(times)))
    window = math.ceil(fixed) / fixed if fixed else 1.0
    width = window * _step((end - start) / 1000 / window)
    bars = int((end - start) / 1000 // width) + 1
    counts, retries, refusals = (_binned(times, start, width, bars) for times in (first, again, throttled))
    span = bars * width
    permitted = within(course, start, start + 1000 * span)
    peak = float((counts + retries).max()) / width
    # A rate far beyond what was sent would press the bars flat.
    highest = max(peak, fixed or 0.0, min(1.3 * peak, max((rate for _, rate in permitted), default=0.0)))
    up = _upward(highest)
    top = up[-1]
    height_of = (BOTTOM - TOP) / top
    solid, stacked, marks = [], [], []
    gap = min(0.15 * 100 / bars, 0.4)
    most = int(refusals.max())
    for index in range(bars):
        x, wide = index * 100 / bars + gap / 2, 100 / bars - gap
        low, high = (float(n) / width * height_of for n in (counts[index], counts[index] + retries[index]))
        when = f"{duration(index * width)} after the first send"
        title = f"{when}: {(counts[index] + retries[index]) / width:,.4g}/s"
        if retries[index]:
            title += f", {retries[index]:,} of them sent again"
        if counts[index]:
            solid.append(_bar(x, wide, BOTTOM - low, low, title))
        if retries[index]:
            stacked.append(_bar(x, wide, BOTTOM - high, high - low, title))
        if refusals[index]:
            tall = 4 + 10 * float(refusals[index]) / most
            marks.append(
                _bar(
                    x,
                    wide,
                    0,
                    tall,
                    f"{when}: throttled {refusals[index]:,} {'time' if refusals[index] == 1 else 'times'}",
                )
            )
    return RateChart(
        solid,
        stacked,
        marks,
        steps(permitted, start, start + 1000 * span, TOP, BOTTOM, height_of),
        duration(width),
        _across(span),
        [Tick(_rounded(BOTTOM - value * height_of), f"{value:,.4g}/s") for value in up],
        len(throttled),
    )


def latency_chart(elapsed: Times, percentiles: Mapping[str, int | None]) -> LatencyChart | None:
    """``elapsed`` in milliseconds. None if there are none."""
    if not len(elapsed):
        return None
    lowest, highest = _log_bins(np.array([elapsed.min(), elapsed.max()])).tolist()
    low, bins = lowest - 1, highest - lowest + 3
    counts = _counted((_log_bins(part) - low for part in _parts(elapsed)), bins)
    tallest = (BOTTOM - TOP - 44) / float(counts.max())  # room for the labels of the percentiles above
    bars = [
        _bar(
            index * 100 / bins + 0.1,
            100 / bins - 0.2,
            BOTTOM - max(1.0, count * tallest),
            max(1.0, count * tallest),
            f"{_edge(low + index)} to {_edge(low + index + 1)}: {count:,} {'row' if count == 1 else 'rows'}",
        )
        for index, count in enumerate(counts.tolist())
        if count
    ]
    marks = [
        Tick(_log_place(value, low, bins), f"{word} {duration(value / 1000)}")
        for word, value in percentiles.items()
        if value is not None and word != "max"
    ]
    powers = range(low // _BINS, (low + bins) // _BINS + 1)
    for factors in ((1, 2, 5), (1,)):
        round_ones = [factor * 10**power for power in powers if power >= 0 for factor in factors]
        labels = [Tick(_log_place(value, low, bins), duration(value / 1000)) for value in round_ones]
        across = [label for label in labels if 0 <= label.at <= 100]
        if len(across) <= _TICKS:
            break
    return LatencyChart(bars, marks, across)


def by_outcome(counts: Mapping[str, int]) -> Sequence[tuple[Outcome, int, str]]:
    """Outcome, rows and meaning of those that occurred, the good ones first."""
    return [(outcome, counts[outcome], meaning) for outcome, meaning in MEANING.items() if counts.get(outcome)]


def _binned(times: Times, start: int, width: float, bars: int) -> npt.NDArray[np.int64]:
    """How many of ``times`` fall under each bar. A clock that was set back may put one before the start."""
    places = (((part - start) / 1000 / width + 1e-9).astype(np.int64) for part in _parts(times))
    return _counted((np.clip(part, 0, bars - 1) for part in places), bars)


def _log_bins(elapsed: Times) -> npt.NDArray[np.int64]:
    """The bin of a histogram that each falls in."""
    return np.floor(np.log10(np.maximum(elapsed, 1)) * _BINS + 1e-9).astype(np.int64)


def _counted(places: Iterable[npt.NDArray[np.int64]], bins: int) -> npt.NDArray[np.int64]:
    counts = np.zeros(bins, np.int64)
    for part in places:
        counts += np.bincount(part, minlength=bins)
    return counts


def _parts(times: Times) -> Iterator[Times]:
    """All of them, some at a time: what is computed on the way takes several times their memory."""
    for start in range(0, len(times), _AT_ONCE):
        yield times[start : start + _AT_ONCE]


def _step(windows: float) -> int:
    """The number of windows that a bar stands for: a round one, for at most ``_MOST_BARS`` bars."""
    least = windows / _MOST_BARS
    return next((step for step in _STEPS if step > least), math.ceil(least) + 1)


def _across(span: float) -> Sequence[Tick]:
    """Round times along ``span`` seconds."""
    step = next((step for step in _STEPS if span / step <= _TICKS), math.ceil(span / _TICKS / 86_400) * 86_400)
    count = int(span // step)
    # A label that would touch the right edge would stand closer to its neighbour than to its own place.
    return [
        Tick(_rounded(100 * n * step / span), "0" if not n else duration(n * step))
        for n in range(count + 1)
        if n * step <= 0.97 * span or n * step == span
    ]


def _upward(highest: float) -> Sequence[float]:
    """Round values from 0 to a little above ``highest``."""
    raw = highest * 1.05 / 4
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw)
    return [n * step for n in range(math.ceil(highest * 1.05 / step) + 1)]


def _log_place(value: float, low: int, bins: int) -> float:
    return _rounded((math.log10(max(value, 1)) * _BINS - low) * 100 / bins)


def _edge(place: int) -> str:
    """Where a bin of the histogram begins. Times are whole milliseconds: none is less than one."""
    return duration(round(10.0 ** (max(0, place) / _BINS), 1) / 1000)


def _bar(x: float, width: float, y: float, height: float, title: str) -> Bar:
    return Bar(_rounded(x), _rounded(width), _rounded(y), _rounded(height), title)


def _rounded(value: float) -> float:
    return round(float(value), 3)

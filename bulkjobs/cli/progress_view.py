"""What the progress display shows of a run: two lines that fit any width, made from a ``Tally`` and the time.

The first has the phase, a bar, how far it is and the time left; the second the figures, the least important of which
are left out where there is no room. The bar never goes back: what was shown once as done stays done.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from rich.console import Console, ConsoleOptions, RenderResult
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from bulkjobs.cli.paces import per_second
from bulkjobs.counted import counted
from bulkjobs.engine.clock import Clock
from bulkjobs.engine.estimate import estimate_s
from bulkjobs.engine.records import SUCCEEDED, Outcome
from bulkjobs.engine.stragglers import Lost
from bulkjobs.engine.work import Tally
from bulkjobs.settings import Settings

_WINDOW = 10.0
"""Seconds over which a rate is told."""

_TRUSTED = 5.0
"""Seconds of sending after which the rate that was seen counts more than the permitted one."""

_COUNTED = frozenset({"reading", "checking", "listing", "listing again", "looking for jobs to delete"})
"""Phases whose end nobody knows: they count up."""

_CHANGING = {"updating": 3, "deleting": 2}
"""Phases in which jobs are changed, and how many calls each job takes: it is read before, and an update after, too."""

_SEPARATOR = "  "
_NARROWEST_BAR = 8
_NARROW = 0.5


def phase_of(tally: Tally, now: float) -> str:
    """What the run is doing, in people's words. ``now``: monotonic seconds."""
    if tally.service_down:
        return "service down, probing"
    if tally.phase == "reporting":
        return "writing the report"
    if tally.phase != "sending" or tally.in_flight or (tally.waiting and tally.to_send):
        return tally.phase
    if tally.looking or (tally.settling and tally.settle_until <= now):
        return "looking up" if tally.to_send else "comparing"
    return "settling" if tally.settling else tally.phase


def failed(tally: Tally) -> int:
    """Rows that ended without what they ask for, but for those that nobody tried."""
    return sum(
        count
        for outcome, count in tally.outcomes.items()
        if outcome not in SUCCEEDED and outcome is not Outcome.NOT_SENT
    )


class Speed:
    """Sends and reads a second over the last ten seconds."""

    def __init__(self) -> None:
        self._points: deque[tuple[float, int, int, float]] = deque()

    def note(self, now: float, tally: Tally) -> None:
        self._points.append((now, tally.sends, tally.reads, tally.slots.full_s(now)))
        while now - self._points[0][0] > _WINDOW:
            self._points.popleft()

    @property
    def seconds(self) -> float:
        return self._points[-1][0] - self._points[0][0] if self._points else 0.0

    @property
    def sends(self) -> float:
        return self._a_second(1)

    @property
    def reads(self) -> float:
        return self._a_second(2)

    @property
    def full(self) -> float:
        """The part of the time in which nearly all slots were taken."""
        return self._a_second(3)

    def _a_second(self, place: int) -> float:
        if self.seconds <= 0:
            return 0.0
        return (self._points[-1][place] - self._points[0][place]) / self.seconds


@dataclass
class ProgressView:
    """A renderable of rich's: every rendering shows ``tally`` as it is. ``local``: seconds → local time of day."""

    tally: Tally
    clock: Clock = field(default_factory=Clock)
    settings: Settings = field(default_factory=Settings)
    local: Callable[[float], datetime] = datetime.fromtimestamp

    def __post_init__(self) -> None:
        self._speed = Speed()
        self._furthest = 0
        self._spinner = Spinner("dots", style="cyan")

    def note(self) -> None:
        """Take the figures down; to be called regularly, several times a second."""
        self._speed.note(self.clock.monotonic(), self.tally)

    def left_s(self) -> float | None:
        """Seconds until the run has ended, as far as can be told now; None: it cannot."""
        tally = self.tally
        if tally.service_down or tally.rate <= 0:
            return None
        if tally.phase in _CHANGING:
            calls = _CHANGING[tally.phase] * (tally.changes - tally.changed)
            return self.pause_s() + estimate_s(calls, tally.rate, self.settings.concurrency, tally.latency)
        if tally.phase != "sending":
            return None
        odds = tally.unknown / tally.sends if tally.sends else 0.0
        rate, waiting = tally.rate, tally.waiting + tally.in_flight
        was_paused = self.clock.monotonic() - tally.paused_until < _WINDOW
        if self._speed.seconds >= _TRUSTED and 0 < self._speed.sends < rate and tally.to_send and not was_paused:
            rate = self._speed.sends if tally.waiting else rate
        left = self.pause_s() + estimate_s(
            waiting if tally.to_send else 0,
            rate,
            self.settings.concurrency,
            tally.latency,
            lost=Lost(min(odds, 0.9), silence=tally.silence),
            settle=self.settings.settle,
            reads=tally.looking + (0 if tally.to_send else waiting + tally.settling),
        )
        if tally.settling:
            left = max(left, tally.settle_until - self.clock.monotonic() + 2 * tally.latency)
        return max(0.0, left)

    def pause_s(self) -> float:
        """Seconds until something may be sent again, where the service asked for a pause."""
        return max(0.0, self.tally.paused_until - self.clock.monotonic())

    def figures(self) -> list[Text]:
        """The second line's parts, the most important first."""
        tally, now = self.tally, self.clock.monotonic()
        reads_only = not tally.sends or (self._speed.sends == 0 and self._speed.reads > 0)
        speed = self._speed.reads if reads_only else self._speed.sends
        parts = [Text(f"{per_second(speed)}/s of {per_second(tally.rate)}")]
        if pause := math.ceil(self.pause_s()):
            parts.insert(0, Text(f"paused by the service: {pause:,} s more", style="yellow"))
        if bad := failed(tally):
            parts.append(Text(f"{bad:,} failed", style="red"))
        if left := tally.outcomes[Outcome.NOT_SENT]:
            parts.append(Text(f"{left:,} not sent", style="yellow"))
        if tally.settling:
            parts.append(Text(f"{tally.settling:,} settling{self._until(now)}", style="yellow"))
        if tally.looking:
            parts.append(Text(f"looking up {tally.looking:,}"))
        if tally.in_flight:
            parts.append(Text(f"{tally.in_flight:,} in flight"))
        if tally.retries:
            parts.append(Text("1 retry" if tally.retries == 1 else f"{tally.retries:,} retries", style="yellow"))
        if self._speed.full > _NARROW:
            parts.append(Text(f"limited by --concurrency {self.settings.concurrency:,}"))
        if tally.throttles:
            parts.append(Text(f"{tally.throttles:,} throttled", style="yellow"))
        return parts

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        now, width = self.clock.monotonic(), options.max_width
        yield self._bar(now, width)
        line = Text("  ", no_wrap=True, overflow="crop")
        for number, part in enumerate(self.figures()):
            gap = _SEPARATOR if number else ""
            if line.cell_len + len(gap) + part.cell_len > width:
                break
            line.append(gap).append_text(part)
        yield line

    def _bar(self, now: float, width: int) -> Table:
        tally = self.tally
        is_counted = tally.phase in _COUNTED
        if not is_counted:
            self._furthest = min(max(self._furthest, tally.done), max(tally.rows, 1))
        phase = Text(phase_of(tally, now), no_wrap=True, overflow="ellipsis")
        many = Text(self._amount(is_counted), no_wrap=True)
        left = self.left_s()
        rest = Text("" if left is None else f"{duration(left)} left", no_wrap=True)
        taken = 2 + phase.cell_len + 1 + many.cell_len + 1 + rest.cell_len + (1 if rest else 0)
        table = Table.grid(padding=(0, 1, 0, 0), pad_edge=False)
        cells: list[Spinner | Text | ProgressBar] = [self._spinner, phase]
        if width - taken - 1 >= _NARROWEST_BAR:
            total, done = None if is_counted else max(tally.rows, 1), self._furthest
            if tally.phase in _CHANGING:
                total, done = max(tally.changes, 1), tally.changed
            bar = ProgressBar(total, done, width=width - taken - 1, pulse=is_counted, animation_time=now)
            cells.append(bar)
        cells.append(many)
        if rest:
            cells.append(rest)
        for _ in cells:
            table.add_column(no_wrap=True)
        table.add_row(*cells)
        return table

    def _amount(self, is_counted: bool) -> str:
        tally = self.tally
        if tally.phase in _CHANGING:
            return f"{tally.changed:,}/{tally.changes:,}"
        if not is_counted:
            return f"{self._furthest:,}/{tally.rows:,}"
        return counted(tally.rows, "row") if tally.phase in ("reading", "checking") else counted(tally.listed, "job")

    def _until(self, now: float) -> str:
        left = self.tally.settle_until - now
        if left <= 0:
            return ""
        return f" until {self.local(self.clock.wall_ms() / 1000 + left):%H:%M:%S}"


def duration(seconds: float) -> str:
    """``0:07``, ``12:05``, ``1:02:03``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"

"""A benchmark's table: figures beside their aims, as text and as JSON."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

Cell = str | int | float | None


@dataclass(frozen=True, slots=True)
class Table:
    """``notes`` say what was compared, and what the aim is."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    notes: Sequence[str] = field(default=())

    def text(self) -> str:
        """For people: columns aligned, numbers to the right."""
        cells = [list(self.columns), *([shown(cell) for cell in row] for row in self.rows)]
        widths = [max(len(row[i]) for row in cells) for i in range(len(self.columns))]
        lines = [
            "  ".join(cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in columns).rstrip()
            for columns in (list(enumerate(zip(row, widths, strict=True))) for row in cells)
        ]
        lines.insert(1, "  ".join("-" * width for width in widths))
        return "\n".join([f"## {self.title}", "", *lines, *([""] if self.notes else []), *self.notes, ""])

    def plain(self) -> dict[str, object]:
        """For machines."""
        return asdict(self)


def shown(cell: Cell) -> str:
    """A number with as many digits as a noisy measurement deserves."""
    if cell is None:
        return "-"
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 100 else f"{cell:.1f}" if abs(cell) >= 10 else f"{cell:.2f}"
    return f"{cell:,}" if isinstance(cell, int) else cell


def median(values: Sequence[float]) -> float:
    return float(statistics.median(values))


def median_ratio(these: Sequence[float], those: Sequence[float]) -> float:
    """Turn by turn, so that what slows the machine for a while slows both sides of a ratio."""
    return median([this / that for this, that in zip(these, those, strict=True)])


def machine() -> str:
    """What the figures were measured on, and how busy it was."""
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"Python {platform.python_version()}, {os.cpu_count()} cores, load {load}"

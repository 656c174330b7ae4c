"""Why the CSV reader refused a record: looked at again, slowly, so that the reader itself can stay quick."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class Fault(Enum):
    OPEN = "a quoted cell does not end within the lines at hand"
    TEXT_AFTER = "text follows the quote that ends a cell"
    NONE = "the quotes are in order"


@dataclass(frozen=True, slots=True)
class Finding:
    """``cell`` counts from 1. ``line`` is where that cell begins, ``end`` the line after the record: list indexes."""

    fault: Fault
    cell: int
    line: int
    end: int


def examine(lines: Sequence[str], start: int) -> Finding:
    """The record that begins at ``lines[start]``. A line keeps its line end."""
    at, position, cell = start, 0, 1
    text = lines[at]
    while True:
        if not text.startswith('"', position):
            comma = text.find(",", position)
            if comma < 0:
                return Finding(Fault.NONE, cell, at, at + 1)
            position = comma + 1
        else:
            begun = at
            position += 1
            while (quote := text.find('"', position)) < 0 or text.startswith('"', quote + 1):
                if quote >= 0:  # a doubled quote is part of the cell
                    position = quote + 2
                    continue
                at += 1
                if at == len(lines):
                    return Finding(Fault.OPEN, cell, begun, at)
                text, position = lines[at], 0
            position = quote + 1
            follows = text[position : position + 1]
            if follows in ("", "\r", "\n"):
                return Finding(Fault.NONE, cell, begun, at + 1)
            if follows != ",":
                return Finding(Fault.TEXT_AFTER, cell, begun, at + 1)
            position += 1
        cell += 1

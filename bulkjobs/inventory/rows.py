"""Rows as they stand in a file: text, in chunks, nothing interpreted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bulkjobs.inventory.problems import Problem


@dataclass(frozen=True, slots=True)
class Header:
    """The columns of one file. ``names`` as written; ``index`` maps the canonical name to its position."""

    names: tuple[str, ...]
    index: Mapping[str, int]

    @staticmethod
    def canonical(name: str) -> str:
        """Header names are case-insensitive and padding does not count."""
        return name.strip().lower()


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some consecutive records of one file.

    ``lines[i]`` is where ``rows[i]`` begins: the physical line in CSV (from 1, the header included), the row
    number in Parquet (from 1). ``rows[i]`` holds one text per header name; a record with too few or too many
    cells keeps its own cells and has a problem of its own. A missing Parquet value is the empty text.
    """

    file: str
    header: Header
    lines: Sequence[int]
    rows: Sequence[Sequence[str]]
    problems: Sequence[Problem] = field(default=())

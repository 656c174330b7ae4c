"""Which columns a report has: ours, then the inventory's own, which several files may share.

Two files' columns are one if their canonical names are (``Header.canonical``), in whatever order the files have
them; the first file's spelling stays. A name that occurs twice in one header is two columns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from bulkjobs.inventory.rows import Header

_TIME = pa.timestamp("ms", tz="UTC")

RESULT = pa.schema(
    [
        ("file", pa.string()),
        ("line", pa.int64()),
        ("name", pa.string()),
        ("outcome", pa.string()),
        ("job_id", pa.string()),
        ("status", pa.string()),
        ("http_status", pa.int64()),
        ("error_code", pa.string()),
        ("error", pa.string()),
        ("attempts", pa.int64()),
        ("first_sent_at", _TIME),
        ("finished_at", _TIME),
        ("elapsed_ms", pa.int64()),
    ]
)
"""Our columns (a contract: ``design.md``, Report)."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The inventory's own columns of a whole run.

    ``names``: as an inventory has them. ``shown``: the same beside our own, ``in_`` put before a name that is taken.
    ``places[file][i]``: where the ``i``-th column of that file went; files that could not be read are missing.
    """

    names: tuple[str, ...]
    shown: tuple[str, ...]
    places: Mapping[int, Sequence[int]]

    @property
    def schema(self) -> pa.Schema:
        """All columns of ``results.parquet``, in order."""
        return pa.schema([*RESULT, *((name, pa.string()) for name in self.shown)])


def columns_of(headers: Mapping[int, Header]) -> Columns:
    """The union of the files' columns, in order of first appearance."""
    found: dict[tuple[str, int], int] = {}
    names: list[str] = []
    places: dict[int, list[int]] = {}
    for file, header in headers.items():
        seen: Counter[str] = Counter()
        places[file] = []
        for name in header.names:
            canonical = Header.canonical(name)
            key = (canonical, seen[canonical])
            seen[canonical] += 1
            if key not in found:
                found[key] = len(names)
                names.append(name)
            places[file].append(found[key])
    return Columns(tuple(names), tuple(_shown(names)), places)


def _shown(names: Sequence[str]) -> list[str]:
    """Each name, free of ours and of each other's. Letter case does not tell names apart: SQL tools ignore it."""
    ours = {name.lower() for name in RESULT.names}
    reserved = ours | {Header.canonical(name) for name in names}
    used = set(ours)
    shown = []
    for name in names:
        free = name
        while Header.canonical(free) in (used if free == name else used | reserved):
            free = "in_" + free
        used.add(Header.canonical(free))
        shown.append(free)
    return shown

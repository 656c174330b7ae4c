"""Checks of inventories that found nothing to tell: by which rules, so that the same is not checked again."""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from bulkjobs.engine.journal.journal import Journal


@dataclass(frozen=True, slots=True)
class EarlierCheck:
    """``run`` has the rows. ``files``: SHA-256 and number of rows, in their order. ``shapes``: a number a row."""

    run: int
    files: Sequence[tuple[str, int]]
    shapes: array[int]


class Checks:
    """Those that ``journal`` knows."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def are_any(self) -> bool:
        """Whether there was one at all."""
        return bool(self._journal.one("SELECT EXISTS (SELECT 1 FROM checks)"))

    def last(self, rules: bytes) -> EarlierCheck | None:
        """The last one by these rules."""
        rows = self._journal.ask("SELECT run, shapes FROM checks WHERE rules = ? ORDER BY run DESC LIMIT 1", rules)
        if not rows:
            return None
        run, shapes = rows[0]
        files = self._journal.ask("SELECT sha256, rows FROM files WHERE run = ? ORDER BY file", run)
        try:
            return EarlierCheck(run, files, array("B", zlib.decompress(shapes)))
        except zlib.error:
            return None

    def keep(self, rules: bytes, shapes: array[int]) -> None:
        """The current run's inventory has nothing wrong. Its rows and files are in the journal already."""
        packed = zlib.compress(shapes.tobytes(), 1)
        self._journal.change(
            "INSERT INTO checks (run, rules, shapes) VALUES (?, ?, ?)", self._journal.run, rules, packed
        )

    def forget(self) -> None:
        """Believe none any more."""
        self._journal.change("DELETE FROM checks")

    def rows_between(self, run: int, first: int, count: int) -> int:
        """How many rows ``run`` has among ``count`` places from ``first`` on."""
        sql = "SELECT count(*) FROM rows WHERE run = ? AND seq >= ? AND seq < ?"
        return self._journal.one(sql, run, first, first + count)

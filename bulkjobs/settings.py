"""Every setting of a run with its default: the one place where defaults are written down."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class HaltRule:
    """Stop when so many rows are rejected: a number, or a percentage of those that were answered."""

    count: int | None = None
    percent: float | None = 10.0

    def __str__(self) -> str:
        return f"{self.count}" if self.count is not None else f"{self.percent:g}%"


@dataclass(frozen=True, slots=True)
class Shard:
    """Part ``number`` (from 1) of ``count`` of an inventory that several hosts submit. Raises ValueError.

    By name, so that the order of rows does not matter; every name belongs to exactly one part.
    """

    number: int
    count: int

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError("must be from 1/1 on: an inventory has one part at least")
        if not 1 <= self.number <= self.count:
            raise ValueError(f"must be from 1/{self.count} to {self.count}/{self.count}")

    def holds(self, name: str | None) -> bool:
        """Whether a job of this name is in this part. A row without a name is never sent: it is the first's.

        CRC-32 of the name, divided by a prime first: its low bits alone may follow patterns in names.
        """
        return self._number_of(name) == self.number

    def having(self, name: str | None) -> Shard:
        """The one of as many parts that a job of this name is in."""
        return Shard(self._number_of(name), self.count)

    def _number_of(self, name: str | None) -> int:
        return 1 + zlib.crc32(name.encode()) // 2_003 % self.count if name else 1

    @classmethod
    def read(cls, text: str) -> Shard:
        """From ``2/4``."""
        number, _, count = text.partition("/")
        return cls(int(number), int(count))

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


@dataclass(frozen=True, slots=True)
class Settings:
    """How a run sends. Seconds, unless a name says otherwise; ``rate`` in sends a second, a ceiling; None: find it out.

    ``settle``: how long the service may work on a request plus how long a created job stays invisible in its
    list. ``max_attempts``: sends of one row that may have reached the service. ``patience``: how long the service
    may give no answer, or refuse everything for its rate, before the run ends unfinished; ``first_patience``: how long
    it may give none when it never gave one.
    ``canary``: rows that are created first beyond one of each shape, two in all at least; None: 0, before a crowd only.
    ``deadline``: seconds from the start after which nothing is waited for any more: what is on its way then is of
    unknown end. ``max_jobs``: creates that a plan may have.
    ``namespace``: whose names these are, for pruning; None: the inventory's (``namespace_of``).
    """

    rate: float | None = None
    concurrency: int = 32
    timeout: float = 30.0
    settle: float = 15.0
    max_attempts: int = 8
    patience: float = 900.0
    first_patience: float = 60.0
    max_problems: int = 1_000
    halt: HaltRule = HaltRule()
    canary: int | None = None
    deadline: float | None = None
    max_jobs: int | None = None
    shard: Shard | None = None
    namespace: str | None = None


def namespace_of(locations: Iterable[str]) -> str:
    """The namespace of an inventory that was given none: its files' absolute paths without what comes after a dot.

    So an inventory may move from CSV to Parquet, and no two inventories on one machine ever share one.
    """
    paths = (Path(location) for location in locations)
    return ", ".join(sorted(str(path.with_name(path.name.partition(".")[0] or path.name)) for path in paths))


STATE = Path("reports/journal.db")
REPORT_DIR = Path("reports")
ACCOUNT = "default"

"""The inventory files of a past run, as far as they can still be trusted.

What was read is what the journal's rows were made from only if the bytes are the same. So a file counts as
``read`` only if its SHA-256 is the one that the journal keeps, before and after it is read. Of all others nothing
is shown: no cell is better than one that belongs to another row.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from bulkjobs.engine.records import InventoryRecord
from bulkjobs.errors import BulkJobsError
from bulkjobs.inventory.limits import Limits
from bulkjobs.inventory.reader import InventoryFile, file_sha256
from bulkjobs.inventory.rows import Chunk, Header


class Found(StrEnum):
    """What became of an inventory file (a contract: ``inventories[].state`` of ``summary.json``)."""

    READ = "read"
    CHANGED = "changed"
    MISSING = "missing"
    """Gone, or it cannot be read."""
    UNCHECKED = "unchecked"
    """The run ended before it had read the file to its end, so there is nothing to compare with."""


@dataclass(frozen=True, slots=True)
class Source:
    """One inventory file. ``file`` and ``header`` are there exactly if it is ``read``."""

    record: InventoryRecord
    state: Found
    file: InventoryFile | None = None
    header: Header | None = None

    def given_up(self, state: Found) -> Source:
        """The same file, when reading it showed that it cannot be used."""
        return replace(self, state=state, file=None, header=None)


def find(records: Sequence[InventoryRecord]) -> list[Source]:
    """The files of a run, in order. Never raises for what the files are."""
    return [_find(record) for record in records]


@contextmanager
def one_pass(file: InventoryFile) -> Iterator[Iterator[Chunk]]:
    """The file's chunks; the file is closed even if not all of them are taken."""
    chunks = file.chunks()
    try:
        yield chunks
    finally:
        if isinstance(chunks, Generator):
            chunks.close()


_MOST = 1 << 62
_NO_LIMITS = Limits(_MOST, _MOST, _MOST, _MOST)
"""These very bytes were checked and taken: whatever limits were in force then."""


def _find(record: InventoryRecord) -> Source:
    if not record.sha256:
        return Source(record, Found.UNCHECKED)
    path = Path(record.location)
    try:
        if file_sha256(path) != record.sha256:
            return Source(record, Found.CHANGED)
        file = InventoryFile(path, _NO_LIMITS)
        return Source(record, Found.READ, file, _header(file))
    except (OSError, ValueError, BulkJobsError):  # ValueError: a path that no file can have
        return Source(record, Found.MISSING)


def _header(file: InventoryFile) -> Header:
    with one_pass(file) as chunks:
        first = next(chunks, None)
    return first.header if first is not None else Header((), {})

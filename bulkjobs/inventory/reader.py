"""One inventory file, read as often as needed, and known by the SHA-256 of its bytes.

Whatever is wrong inside the file comes as a ``Problem`` on a chunk, never as an exception. Only a file that cannot
be opened (``UsageError``) and one that changes while it is used (``InventoryChanged``) end a pass that way.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bulkjobs.errors import NotFinished
from bulkjobs.inventory import defects
from bulkjobs.inventory.csv_file import csv_chunks
from bulkjobs.inventory.limits import Limits
from bulkjobs.inventory.problems import Problem
from bulkjobs.inventory.rows import Chunk, Header
from bulkjobs.inventory.source import Content, HashedFile, open_inventory, unreadable
from bulkjobs.plain import plain

_GZIP = b"\x1f\x8b"
_PARQUET = (b"PAR1", b"PARE")
"""PARE: Parquet with an encrypted footer."""
_PARQUET_SUFFIXES = (".parquet", ".pq", ".parq")
_OTHER = (
    (b"PK\x03\x04", "a ZIP file or an Excel workbook (.xlsx)"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls)"),
    (b"\x28\xb5\x2f\xfd", "a file packed with zstd"),
    (b"\xfd7zXZ\x00", "a file packed with xz"),
    (b"BZh", "a file packed with bzip2"),
)


class InventoryChanged(NotFinished):
    """The file's bytes are no longer those that were checked: what was validated is not what would be sent."""

    def __init__(self, path: str) -> None:
        super().__init__(f"inventory {plain(path)}: the file changed while it was used", "run the same command again")


class InventoryFile:
    """A CSV, gzip'd CSV or Parquet file; which one is told by its first bytes.

    ``path`` as given, ``location`` absolute. ``sha256``: hex, of the bytes on disk, known after the first pass that
    came to its end; None before. ``limits``: of what a pass reads.
    """

    def __init__(self, path: Path, limits: Limits = Limits()) -> None:  # noqa: B008  # frozen, so safe to share
        self.path = str(path)
        self.location = str(Path(path).absolute())
        self.sha256: str | None = None
        self.limits = limits

    def check_open(self) -> None:
        """Raises UsageError if the file cannot be opened: to be asked before anything is begun."""
        with open_inventory(Path(self.location), self.path):
            pass

    def chunks(self) -> Iterator[Chunk]:
        """The whole file in chunks of some 2,000 rows, in its order; may be called again. Memory does not grow.

        A file with a defect has at least one chunk, perhaps without rows, that carries the problem. The file is
        closed when the pass ends or the generator is closed. Raises UsageError if the file cannot be read,
        InventoryChanged at the end of a pass over other bytes than the first pass saw.
        """
        with open_inventory(Path(self.location), self.path) as raw:
            try:
                start = raw.read(16)
                raw.seek(0)
                if problem := self._foreign(start):
                    yield Chunk(self.path, Header((), {}), (), (), (problem,))
                elif not start.startswith(_PARQUET):
                    hashed = HashedFile(raw)
                    content = Content(self.path, hashed, start.startswith(_GZIP), self.limits)
                    yield from csv_chunks(self.path, content, self.limits)
                    self._compare(hashed.drain())
                    return
                else:
                    from bulkjobs.inventory.parquet_file import parquet_chunks  # noqa: PLC0415  # pyarrow: 0.1 s

                    before = HashedFile(raw).drain()  # Parquet is not read from start to end, so hash on both sides
                    yield from parquet_chunks(self.path, raw, self.limits)
                    raw.seek(0)
                    if HashedFile(raw).drain() != before:
                        raise InventoryChanged(self.path)
                raw.seek(0)
                self._compare(HashedFile(raw).drain())
            except OSError as reason:
                raise unreadable(self.path, reason) from None

    def _foreign(self, start: bytes) -> Problem | None:
        for magic, what in _OTHER:
            if start.startswith(magic):
                return defects.unsupported_format(self.path, what)
        if start and self.path.lower().endswith(_PARQUET_SUFFIXES) and not start.startswith(_PARQUET):
            return defects.parquet_damaged(self.path, "it does not begin as Parquet does (with PAR1)")
        return None

    def _compare(self, sha256: str) -> None:
        if self.sha256 is None:
            self.sha256 = sha256
        elif self.sha256 != sha256:
            raise InventoryChanged(self.path)


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hex. Raises UsageError if it cannot be read."""
    with open_inventory(path, str(path)) as raw:
        try:
            return HashedFile(raw).drain()
        except OSError as reason:
            raise unreadable(str(path), reason) from None

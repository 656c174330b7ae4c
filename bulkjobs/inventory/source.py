"""The bytes of one pass over a file: read once, hashed as they stand on disk, unpacked within bounds."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
import zlib
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from bulkjobs.errors import UsageError
from bulkjobs.inventory import defects
from bulkjobs.inventory.defects import Defect
from bulkjobs.inventory.limits import RATIO_APPLIES_FROM, Limits
from bulkjobs.plain import plain

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer as Buffer

_BLOCK = 1024**2


def open_inventory(path: Path, name: str) -> BinaryIO:
    """``name`` is what a message calls it. Raises UsageError if it is not a regular file that can be read.

    A pipe is refused: the file is read more than once, to check it, to send it, and to report on it.
    """
    try:
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):
            raise UsageError(
                f"inventory {plain(name)}: cannot be read: {'Is a directory' if stat.S_ISDIR(mode) else 'Not a file'}",
                "give a CSV or Parquet file; it is read more than once, so a pipe cannot serve",
            )
        return path.open("rb", buffering=0)
    except (OSError, ValueError) as reason:
        raise unreadable(name, reason) from None


def unreadable(name: str, reason: OSError | ValueError) -> UsageError:
    """What the system said, without the path a second time. ValueError: a path that holds a NUL."""
    said = (reason.strerror if isinstance(reason, OSError) else None) or plain(str(reason), 200)
    hint = "check the path and the permissions"
    if isinstance(reason, FileNotFoundError) and (near := _near(Path(name))) is not None:
        hint = f"did you mean {plain(str(near))}?"
    return UsageError(f"inventory {plain(name)}: cannot be read: {said}", hint)


def _near(path: Path) -> Path | None:
    """The file beside it whose name is most like it."""
    try:
        names = [entry.name for entry in islice(os.scandir(path.parent), 1000)]
    except OSError:
        return None
    found = get_close_matches(path.name, names, 1, 0.6) if len(path.name) <= 100 else []
    return path.with_name(found[0]) if found else None


class HashedFile(io.RawIOBase):
    """``raw``, read from its start to its end, with the SHA-256 and the count of what went by."""

    def __init__(self, raw: BinaryIO) -> None:
        super().__init__()
        self._raw = raw
        self._hash = hashlib.sha256()
        self.count = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        data = self._raw.read(size)
        self._hash.update(data)
        self.count += len(data)
        return data

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer)
        data = self.read(view.nbytes)
        view[: len(data)] = data
        return len(data)

    def drain(self) -> str:
        """Read what is left and return the SHA-256 of the whole file, in hex."""
        while self.read(_BLOCK):
            pass
        return self._hash.hexdigest()


class Content:
    """The bytes of a CSV file, unpacked if they are gzip'd. ``read`` raises Defect where a bound or gzip ends it."""

    def __init__(self, file: str, hashed: HashedFile, packed: bool, limits: Limits) -> None:
        self._file = file
        self._hashed = hashed
        self._packed = packed
        self._limits = limits
        self._count = 0
        self._bytes: HashedFile | gzip.GzipFile = (
            gzip.GzipFile(fileobj=io.BufferedReader(hashed, 1 << 16)) if packed else hashed
        )

    def read(self, count: int) -> bytes:
        """At most ``count`` bytes; none at the end."""
        try:
            found = self._bytes.read(count)
        except (EOFError, zlib.error, gzip.BadGzipFile) as reason:
            raise Defect(
                defects.error(
                    self._file,
                    "gzip-damaged",
                    f"the gzip file is damaged or cut off ({plain(str(reason), 100)})",
                    "copy or pack it again",
                )
            ) from None
        if self._packed:
            self._count += len(found)
            if self._count > self._limits.max_unpacked_bytes:
                raise Defect(defects.too_large_unpacked(self._file, self._limits))
            ratio_bound = self._hashed.count * self._limits.max_unpacked_ratio
            if self._count > max(RATIO_APPLIES_FROM, ratio_bound):
                raise Defect(defects.packed_too_well(self._file, self._limits))
        return found

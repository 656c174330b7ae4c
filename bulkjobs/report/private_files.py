"""Files for their owner only, each written whole or not at all.

A ``PrivateFolder`` is held open and locked while a report is written, so that a draft that lies in it when it is
entered is what a killed process left, and goes. All names are looked up in the open folder, never along its path
again; a draft is made anew (``O_EXCL``), so a link that somebody planted under its name is removed, not followed.
A link planted under a final name is replaced by the rename.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import takewhile
from pathlib import Path
from types import TracebackType
from typing import Self

from bulkjobs.errors import StateBusy, StateError
from bulkjobs.plain import plain

_BUFFER = 1 << 18


class Draft:
    """A file in the making, for bytes, under a hidden name. Looks like a binary file to those who write into it.

    Raises StateError, naming the file, when the disk refuses. Once it is given up it takes what is written and
    keeps nothing: pyarrow's writer completes its file even when it is thrown away after an error.
    """

    def __init__(self, folder: PrivateFolder, name: str) -> None:
        self.name = name
        self.hidden = _hidden(name)
        self._folder = folder
        self._hash = hashlib.sha256()
        self._size = 0
        self._given_up = False
        with folder.errors_of(name):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            handle = os.open(self.hidden, flags, 0o600, dir_fd=folder.handle)
            self._file = os.fdopen(handle, "wb", buffering=_BUFFER)

    @property
    def closed(self) -> bool:
        return self._file.closed and not self._given_up

    @property
    def sha256(self) -> str:
        """Hexadecimal, of all that was written so far."""
        return self._hash.hexdigest()

    def write(self, data: bytes) -> int:
        if self._given_up:
            return len(data)
        with self._folder.errors_of(self.name):
            self._file.write(data)
        self._hash.update(data)
        self._size += len(data)
        return len(data)

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        """Does nothing: what counts is ``seal``."""

    def seal(self) -> None:
        """All bytes are on disk when this returns."""
        with self._folder.errors_of(self.name):
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()

    def discard(self) -> None:
        """Give the file up. One that is published stays."""
        self._given_up = True
        with suppress(OSError):  # a full disk refuses the buffer's last bytes, which nobody wants any more
            self._file.close()
        with suppress(OSError):
            os.unlink(self.hidden, dir_fd=self._folder.handle)


class PrivateFolder:
    """A context manager. Makes the folder and missing parents, mode 0700.

    Raises StateError when the folder is a link, belongs to somebody else or cannot be written; StateBusy when
    another process is writing into it. ``again`` is the command that writes the same files later.
    """

    def __init__(self, path: Path, names: Sequence[str], again: str) -> None:
        self.path = path
        self.handle = -1
        self._names = names
        self._again = again
        self._drafts: list[Draft] = []

    def __enter__(self) -> Self:
        with self.errors_of():
            _make(self.path)
            self.handle = self._open()
        try:
            self._take()
        except BaseException:
            os.close(self.handle)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.discard()
        os.close(self.handle)

    def draft(self, name: str) -> Draft:
        """An empty file that becomes ``name`` when it is published."""
        draft = Draft(self, name)
        self._drafts.append(draft)
        return draft

    def discard(self) -> None:
        """Give up all that is not published."""
        for draft in self._drafts:
            draft.discard()
        self._drafts.clear()

    def publish(self, drafts: Sequence[Draft], last: Draft) -> None:
        """Replace the files by their drafts, which are sealed, each atomically.

        ``last`` goes first and comes back when all others are in place: while it exists, they belong together.
        """
        with self.errors_of(last.name):
            with suppress(FileNotFoundError):
                os.unlink(last.name, dir_fd=self.handle)
            os.fsync(self.handle)
        for draft in drafts:
            self._rename(draft)
        with self.errors_of():
            os.fsync(self.handle)
        self._rename(last)
        with self.errors_of():
            os.fsync(self.handle)

    def _rename(self, draft: Draft) -> None:
        with self.errors_of(draft.name):
            os.replace(draft.hidden, draft.name, src_dir_fd=self.handle, dst_dir_fd=self.handle)

    @contextmanager
    def errors_of(self, name: str | None = None) -> Iterator[None]:
        """Turn the disk's errors into ours, with the file and what to do."""
        try:
            yield
        except OSError as error:
            where = self.path if name is None else self.path / name
            raise StateError(
                f"report {plain(str(where))}: cannot be written: {error.strerror or error}",
                f"free or mend the disk, then render it again: {self._again}",
            ) from None

    def _open(self) -> int:
        try:
            return os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR):
                raise self._refused("is a link or a file, not a folder") from None
            raise

    def _take(self) -> None:
        if os.fstat(self.handle).st_uid != os.geteuid():
            raise self._refused("belongs to another user")
        with self.errors_of():
            try:
                fcntl.flock(self.handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StateBusy(
                    f"report folder {plain(str(self.path))}: another process is writing this report",
                    "wait until it ends",
                ) from None
            os.fchmod(self.handle, 0o700)
            for name in self._names:
                with suppress(FileNotFoundError):
                    os.unlink(_hidden(name), dir_fd=self.handle)

    def _refused(self, why: str) -> StateError:
        return StateError(
            f"report folder {plain(str(self.path))}: {why}; nothing was written",
            f"move it away, or render the report elsewhere: {self._again} --report-dir DIR",
        )


def _hidden(name: str) -> str:
    return f".{name}.partial"


def _make(path: Path) -> None:
    missing = list(takewhile(lambda folder: not folder.exists(), (path, *path.parents)))
    for folder in reversed(missing):
        with suppress(FileExistsError):  # made meanwhile, or a link that leads nowhere: opening it tells
            folder.mkdir(mode=0o700)

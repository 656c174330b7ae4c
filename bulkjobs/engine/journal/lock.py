"""One process writes a journal at a time; the second is refused at once and told who holds it.

The lock is the kernel's (``flock``), so it goes with its process however that ends. The text in the file is for
people only.
"""

from __future__ import annotations

import fcntl
import os
import socket
import time
from contextlib import suppress
from itertools import takewhile
from pathlib import Path

from bulkjobs.errors import StateBusy, StateError
from bulkjobs.plain import plain

_TRIES = 5
_PAUSE = 0.01
_MEND = "mend the permissions or the disk, or choose another place with --state FILE"


class Lock:
    """Held from construction until ``release``; makes the folder. Raises StateBusy, StateError if it cannot be had."""

    def __init__(self, state: Path, holder: str) -> None:
        path = state.with_name(state.name + ".lock")
        try:
            _make_folder(state.parent)
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StateError(f"lock file {path}: cannot be made: {error.strerror}", _MEND) from None
        try:
            _lock_exclusively(self._handle)
        except BlockingIOError:
            who = plain(os.pread(self._handle, 300, 0).decode("utf-8", "replace").strip()) or "another process"
            os.close(self._handle)
            raise StateBusy(
                f"state file {state} is in use by {who}", "wait until it ends, or use another --state FILE"
            ) from None
        except OSError as error:
            os.close(self._handle)
            raise StateError(f"lock file {path}: cannot be locked: {error.strerror}", _MEND) from None
        text = f"{holder}, process {os.getpid()} on {socket.gethostname()}\n".encode()
        try:
            os.fchmod(self._handle, 0o600)
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, text, 0)
        except OSError as error:
            os.close(self._handle)
            raise StateError(f"lock file {path}: cannot be written: {error.strerror}", _MEND) from None

    def release(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def _make_folder(folder: Path) -> None:
    """With missing parents, for their owner only. Their names are on disk when this returns."""
    missing = list(takewhile(lambda each: not each.exists(), (folder, *folder.parents)))
    for each in reversed(missing):
        with suppress(FileExistsError):  # made meanwhile, or a link that leads nowhere: opening the lock tells
            each.mkdir(mode=0o700)
        sync_folder(each.parent)


def sync_folder(folder: Path) -> None:
    """The names in it are on disk when this returns: or one could be lost with the power, and all that is behind it."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _lock_exclusively(handle: int) -> None:
    """Raises BlockingIOError when another process holds it, not when one only asks (``is_held``)."""
    for _ in range(_TRIES):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_PAUSE)
        else:
            return
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_held(state: Path) -> bool:
    """Whether some process writes this journal now. Asking shares the lock for some microseconds."""
    path = state.with_name(state.name + ".lock")
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(handle)
    return False

"""One process writes a journal at a time; the second is refused at once and told who holds it.

The lock is the kernel's (``flock``), so it goes with its process however that ends. The text in the file is for
people only.
"""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path

from bulkjobs.errors import StateBusy, StateError
from bulkjobs.plain import plain


class Lock:
    """Held from construction until ``release``. Raises StateBusy, or StateError when the file cannot be had."""

    def __init__(self, state: Path, holder: str) -> None:
        path = state.with_name(state.name + ".lock")
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StateError(f"lock file {path}: {error.strerror}") from None
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            who = plain(os.pread(self._handle, 300, 0).decode("utf-8", "replace").strip()) or "another process"
            os.close(self._handle)
            raise StateBusy(
                f"state file {state} is in use by {who}", "wait until it ends, or use another --state FILE"
            ) from None
        except OSError as error:
            os.close(self._handle)
            raise StateError(f"lock file {path}: cannot be locked: {error.strerror}") from None
        text = f"{holder}, process {os.getpid()} on {socket.gethostname()}\n".encode()
        try:
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, text, 0)
        except OSError as error:
            os.close(self._handle)
            raise StateError(f"lock file {path}: {error.strerror}") from None

    def release(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def is_held(state: Path) -> bool:
    """Whether some process writes this journal now. Takes nothing."""
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

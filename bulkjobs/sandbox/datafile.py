"""Jobs on disk: one JSON line per change, written before the reply, so a killed sandbox loses no answered job.

The line is handed to the operating system in one unbuffered write and not synced: it survives the death of
the process (SIGKILL), not of the machine. The file is readable by its owner only and used by one sandbox at
a time. A last line without its newline is a write that was cut off and was never answered: it is dropped.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import msgspec

from bulkjobs.sandbox.jobs import Job

_HEADER = b'{"format":"bulkjobs-sandbox","version":1}\n'


class DataFileError(OSError):
    """The file of a sandbox is in use, or holds something else. Nothing in it was changed."""


class _Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """``put`` a job (new, or a newer state of it), made ``at`` seconds since the epoch; or ``delete`` an id."""

    put: Job | None = None
    at: float = 0.0
    delete: str | None = None


class DataFile:
    """Opens ``path``, made if it is missing. Raises OSError; DataFileError if it is taken or foreign."""

    def __init__(self, path: Path) -> None:
        self._path = path
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        self._fd = os.open(path, flags, 0o600)
        try:
            self._take()
        except BaseException:
            os.close(self._fd)
            raise

    def _take(self) -> None:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataFileError(f"{self._path}: another sandbox uses this file; stop it first") from None
        content = self._content()
        if content[: len(_HEADER)] != _HEADER[: len(content)]:
            raise DataFileError(f"{self._path}: not a file of a sandbox; name another one")
        # Only now: a file that is not ours keeps its permissions.
        os.fchmod(self._fd, 0o600)
        self._size = content.rfind(b"\n") + 1
        os.ftruncate(self._fd, self._size)
        if not self._size:
            self._append(_HEADER)

    def load(self) -> list[tuple[Job, float]]:
        """The live jobs in the order they were made, each with the time it was made."""
        live: dict[str, tuple[Job, float]] = {}
        decoder = msgspec.json.Decoder(_Line)
        for number, text in enumerate(self._content().splitlines()[1:], start=2):
            try:
                line = decoder.decode(text)
            except ValueError as error:
                raise DataFileError(f"{self._path}:{number}: not a line of a sandbox: {error}") from None
            if line.put is not None:
                live[line.put.job_id] = (line.put, line.at)
            elif line.delete is not None:
                live.pop(line.delete, None)
        return list(live.values())

    def put(self, job: Job, at: float) -> None:
        """Raises OSError if it could not be written; the file is then as it was."""
        self._append(msgspec.json.encode(_Line(put=job, at=at)) + b"\n")

    def delete(self, job_id: str) -> None:
        """Raises OSError as ``put``."""
        self._append(msgspec.json.encode(_Line(delete=job_id)) + b"\n")

    def close(self) -> None:
        os.close(self._fd)

    def _append(self, line: bytes) -> None:
        written = 0
        try:
            while written < len(line):  # a disk that fills up takes a part first
                written += os.write(self._fd, line[written:])
        except OSError:
            os.ftruncate(self._fd, self._size)
            raise
        self._size += len(line)

    def _content(self) -> bytes:
        with open(self._fd, "rb", closefd=False) as file:
            file.seek(0)
            return file.read()

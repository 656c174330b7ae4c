"""``--json-events``: one JSON object a line for every outcome, as it happens, for other programs.

``{"event": "begin"}``, then ``{"event": "row"}`` with the columns of ``results.csv``, then ``{"event": "end"}`` with
what ``summary.json`` counts. A row may be told twice, if a later look at it found more: the last one counts. Rows that
the run never came to follow before the end. A job that no row lists is told as a row whose ``file`` is null; and its
``line``, unless it is the one that a rolled back run read it from. Each line is flushed. A reader that is slow does not
hold the run up; one that goes away, and a disk that is full, end the stream, never the run.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

import msgspec

from bulkjobs.cli.documents import inert_json
from bulkjobs.engine.records import NO_FILE, Outcome, RowRecord
from bulkjobs.engine.work import Tally
from bulkjobs.errors import StateError, UsageError

STDOUT = "-"
_DESCRIPTORS = Path("/dev/fd")
_STREAMS = (Path("/dev/stdout"), Path("/dev/stderr"))
_LATE = frozenset({Outcome.NOT_SENT, Outcome.INVALID, Outcome.UNRESOLVED})
"""Outcomes that a row may have without its run having come to it."""
_KEYS = (
    *("file", "line", "name", "outcome", "job_id", "status", "http_status", "error_code", "error"),
    *("attempts", "first_sent_at", "finished_at", "elapsed_ms"),
)
_TIMES = ("first_sent_at", "finished_at")


class Events:
    """Writes to ``descriptor`` from a thread of its own, until ``close``. ``files``: the inventories, as named."""

    def __init__(self, descriptor: int, run_id: str, files: Sequence[str]) -> None:
        self._descriptor = descriptor
        self._run_id = run_id
        self._files = files
        self._told: set[tuple[int, int]] = set()
        self._failed: OSError | None = None
        self._queue: SimpleQueue[bytes | None] = SimpleQueue()
        self._thread = Thread(target=self._write, name="json-events", daemon=True)
        self._thread.start()
        self._say("begin", inventories=list(files))

    def row(self, record: RowRecord) -> None:
        """An outcome; a hook of ``Tally``."""
        if record.outcome in _LATE:
            self._told.add((record.file, record.line))
        values: dict[str, Any] = {key: getattr(record, key) for key in _KEYS}
        values["file"] = None if record.file == NO_FILE else self._files[record.file]
        values["line"] = record.line or None
        for key in _TIMES:
            values[key] = None if values[key] is None else _iso(values[key])
        self._say("row", **values)

    def rest(self, records: Iterator[RowRecord]) -> None:
        """Of all the run's rows, those that were not told: the run did not come to them."""
        for record in records:
            if record.outcome in _LATE and (record.file, record.line) not in self._told:
                self.row(record)

    def finish(self, tally: Tally, state: Path, exit_code: int, summary: Mapping[str, Any], folder: Path) -> None:
        """The rows that the run never came to, and how it ended. ``state``: its journal."""
        from bulkjobs.engine.journal.history import History  # noqa: PLC0415  # not for --help

        if tally.done < tally.rows or any(tally.outcomes[outcome] for outcome in _LATE):
            with History(state) as history:
                self.rest(history.rows(history.run(self._run_id)))
        self.end(exit_code, summary, folder)

    def end(self, exit_code: int, summary: Mapping[str, Any], folder: Path) -> None:
        """How the run ended."""
        told = {key: summary.get(key) for key in ("state", "reason", "rows", "counts")}
        self._say("end", exit_code=exit_code, **told, report=str(folder))

    def close(self) -> None:
        """Return when all is written, or nobody reads, or it cannot be written."""
        self._queue.put(None)
        self._thread.join()

    def check(self) -> None:
        """Raises StateError if what was to be written is incomplete, and not because nobody reads it."""
        if self._failed is not None:
            raise StateError(
                f"--json-events: cannot be written: {self._failed.strerror}",
                f"it is incomplete; the run went on, and `bulkjobs report {self._run_id}` has every row",
            )

    def _say(self, event: str, **values: object) -> None:
        line = msgspec.json.encode({"event": event, "run": self._run_id, **values})
        self._queue.put(inert_json(line.decode()).encode() + b"\n")

    def _write(self) -> None:
        while (line := self._queue.get()) is not None:
            try:
                while line:
                    line = line[os.write(self._descriptor, line) :]
            except BrokenPipeError:
                return  # whoever read has gone
            except OSError as error:
                self._failed = error
                return


def refuse_two_documents(where: str | None, *, as_json: bool) -> None:
    """Raises UsageError for ``--json --json-events -``."""
    if as_json and where == STDOUT:
        raise UsageError("--json and --json-events - both write to standard output", "name a file: --json-events FILE")


@contextmanager
def open_events(where: str | None, run_id: str, files: Sequence[str]) -> Iterator[Events | None]:
    """A stream for the length of a run; None if nobody asked. Raises StateError when ``where`` cannot be written.

    If that turns out in the middle of the run, ``check`` raises it.
    """
    if where is None:
        yield None
        return
    descriptor = os.dup(sys.stdout.fileno()) if where == STDOUT else _opened(Path(where))
    events = Events(descriptor, run_id, files)
    try:
        yield events
    finally:
        events.close()
        os.close(descriptor)


def _opened(path: Path) -> int:
    """A file for its owner only, made anew, no link to one; a pipe or a device as it is.

    Links of the system's are followed, such as ``/dev/fd/3``. Below ``/dev/shm`` anybody may plant one.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
    if path.parent != _DESCRIPTORS and path not in _STREAMS:
        flags |= os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags, 0o600)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.ftruncate(descriptor, 0)
            os.fchmod(descriptor, 0o600)
    except OSError as error:
        why = "is a symbolic link, and links are not followed" if error.errno == errno.ELOOP else error.strerror
        hint = "name a file that can be written, or - for standard output"
        raise StateError(f"--json-events {path}: {why}", hint) from None
    return descriptor


def _iso(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

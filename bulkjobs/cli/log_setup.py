"""Where a command's log goes: standard error, above the progress bar if there is one, or a private file."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO, cast

from bulkjobs.cli.colours import wants_colour
from bulkjobs.errors import StateError
from bulkjobs.logs import Log, make_log


class _StandardError:
    """Standard error as it is at the moment of a line: a progress display puts itself in its place."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


@contextmanager
def open_log(
    log_file: Path | None, log_format: str, level: str, *, has_bar: bool = False, **context: object
) -> Iterator[Log]:
    """A log for the length of a command. Raises StateError when its file cannot be opened.

    ``has_bar``: beside a progress bar, and nobody asked for a level: each cause is told once, for the bar counts.
    """
    if log_file is None:
        colours = wants_colour(os.environ, sys.stderr.isatty())
        once = has_bar and log_format == "console"
        yield make_log(cast(TextIO, _StandardError()), log_format, level, colours=colours, once=once, **context)
        return
    try:
        handle = os.open(log_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        os.fchmod(handle, 0o600)
    except OSError as error:
        raise StateError(f"log file {log_file}: {error.strerror}", "name another file with --log-file") from None
    with os.fdopen(handle, "a", encoding="utf-8") as stream:
        yield make_log(stream, log_format, level, colours=False, once=False, **context)

"""The console for people: standard error, which may go away while a command runs. The command goes on without it."""

from __future__ import annotations

import contextlib
import sys
from typing import IO, TextIO, cast

from rich.console import Console


def console_for_people() -> Console:
    """A console on standard error that never raises: a closed pipe or a terminal that is gone ends its words only."""
    return Console(file=cast("IO[str]", _Lasting(sys.stderr)))


class _Lasting:
    """What rich asks of a file."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.encoding = stream.encoding

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

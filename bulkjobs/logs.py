"""Logs: structlog events with keys, one line each, never a value that could be a secret or a second line.

Nothing is configured at import, and nothing global ever: ``make_log`` returns a logger of its own.
"""

from __future__ import annotations

import contextlib
import logging
from typing import Any, Protocol, TextIO, cast

import structlog

from bulkjobs.plain import plain


class Log(Protocol):
    """What the library needs of a logger: structlog's own, or an embedding program's."""

    def debug(self, event: str, **values: object) -> None: ...
    def info(self, event: str, **values: object) -> None: ...
    def warning(self, event: str, **values: object) -> None: ...
    def error(self, event: str, **values: object) -> None: ...


class SilentLog:
    """Says nothing: the library's default."""

    def debug(self, event: str, **values: object) -> None:
        """Nothing."""

    info = warning = error = debug


class _Stream:
    """Writes lines to a stream that may go away: a closed pipe ends the log, never the run."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def msg(self, message: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(message + "\n")
            self._stream.flush()

    debug = info = warning = error = msg


def make_log(stream: TextIO, log_format: str, level: str, *, colours: bool = False, **context: object) -> Log:
    """A logger on ``stream``: ``log_format`` is ``console`` or ``json``, ``level`` a name of ``logging``.

    ``context`` (a run id) goes with every event.
    """
    renderer: Any = (
        structlog.processors.JSONRenderer(sort_keys=False, ensure_ascii=True)
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=colours, pad_event_to=24)
    )
    log = structlog.wrap_logger(
        _Stream(stream),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _inert,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        context_class=dict,
        cache_logger_on_first_use=True,
    )
    return cast(Log, log.bind(**context))


def _inert(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Untrusted text cannot break the line or drive the terminal."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = plain(value)
    return event

"""Logs: structlog events with keys, one line each, never a value that could be a secret or a second line.

Nothing is configured at import, and nothing global ever: ``make_log`` returns a logger of its own.
"""

from __future__ import annotations

import contextlib
import logging
from typing import Any, Protocol, TextIO, cast

import structlog

from bulkjobs.plain import plain

_CAUSES = 100


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


class _Once:
    """Of warnings about a row or job, the first of each cause: what the service refuses, it refuses by the hundred.

    A cause is what was refused or failed, with HTTP status and code; the answer and the row's end are one. Causes
    beyond the first hundred are dropped: the service chooses the codes.
    """

    def __init__(self) -> None:
        self._told: set[tuple[object, ...]] = set()

    def __call__(self, _logger: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        if method != "warning" or "name" not in event:
            return event
        kind = event.get("verdict") or str(event["event"]).rpartition(".")[2]
        cause = kind, event.get("http_status"), event.get("code")
        if cause in self._told or len(self._told) >= _CAUSES:
            raise structlog.DropEvent
        self._told.add(cause)
        event["more"] = "the like are only counted"
        return event


def make_log(
    stream: TextIO, log_format: str, level: str, *, colours: bool = False, once: bool = False, **context: object
) -> Log:
    """A logger on ``stream``: ``log_format`` is ``console`` or ``json``, ``level`` a name of ``logging``.

    ``once``: of what befalls many rows alike, the first is told only. ``context`` (a run id) goes with every event.
    """
    renderer: Any = (
        structlog.processors.JSONRenderer(sort_keys=False, ensure_ascii=True)
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=colours, pad_event_to=24)
    )
    log = structlog.wrap_logger(
        _Stream(stream),
        processors=[
            *([_Once()] if once else []),
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

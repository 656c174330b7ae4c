"""Every error that bulkjobs raises on purpose.

    BulkJobsError                     exit code
    ├── UsageError                    2   options, configuration, layout
    ├── InventoryError                3   the inventory is wrong; carries its problems
    ├── NotFinished                   5   the run ended early; running again goes on
    ├── AccessError                   7   credentials, permission or endpoint
    ├── StateBusy                     8   another run holds the state
    └── StateError                    9   disk or journal

A mistake of the program itself is not in this tree: it surfaces as what it is, with exit code 1.
No message in this tree ever holds a secret, a signature or a request header.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum


class ExitCode(IntEnum):
    """The process's exit codes (a contract: scripts use them)."""

    OK = 0
    DEFECT = 1
    USAGE = 2
    INVALID_INVENTORY = 3
    NEEDS_DECISION = 4
    NOT_FINISHED = 5
    UNRESOLVED = 6
    ACCESS = 7
    BUSY = 8
    STATE = 9
    PENDING = 10
    INTERRUPTED = 130


_WORST_FIRST = (
    ExitCode.DEFECT,
    ExitCode.STATE,
    ExitCode.BUSY,
    ExitCode.ACCESS,
    ExitCode.USAGE,
    ExitCode.INVALID_INVENTORY,
    ExitCode.UNRESOLVED,
    ExitCode.NOT_FINISHED,
    ExitCode.NEEDS_DECISION,
)


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """The code that wins when several apply, in the order 1 9 8 7 2 3 6 5 4, else 0."""
    found = set(codes)
    return next((code for code in _WORST_FIRST if code in found), ExitCode.OK)


class BulkJobsError(Exception):
    """Root of the tree. ``message`` says what happened and where, ``hint`` what to do next, always."""

    exit_code = ExitCode.DEFECT

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(BulkJobsError):
    """An option, a setting or a layout is wrong."""

    exit_code = ExitCode.USAGE


class InventoryError(BulkJobsError):
    """The inventory cannot be used; nothing was sent."""

    exit_code = ExitCode.INVALID_INVENTORY


class NotFinished(BulkJobsError):
    """The run ended before every row had its job; running again goes on."""

    exit_code = ExitCode.NOT_FINISHED


class AccessError(BulkJobsError):
    """Credentials, permission or endpoint keep us from the service."""

    exit_code = ExitCode.ACCESS


class StateBusy(BulkJobsError):
    """Another process holds the state file."""

    exit_code = ExitCode.BUSY


class StateError(BulkJobsError):
    """The journal or the disk under it cannot be trusted."""

    exit_code = ExitCode.STATE

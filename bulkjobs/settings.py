"""Every setting of a run with its default: the one place where defaults are written down."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    """How a run sends. Seconds, unless a name says otherwise; ``rate`` in sends a second, a ceiling; None: find it out.

    ``settle``: how long the service may work on a request plus how long a created job stays invisible in its
    list. ``max_attempts``: sends of one row that may have reached the service. ``patience``: how long the service
    may give no answer before the run ends unfinished; ``first_patience`` the same when it never gave one.
    """

    rate: float | None = None
    concurrency: int = 32
    timeout: float = 30.0
    settle: float = 15.0
    max_attempts: int = 8
    patience: float = 900.0
    first_patience: float = 60.0
    max_problems: int = 1_000


STATE = Path("reports/journal.db")
REPORT_DIR = Path("reports")
ACCOUNT = "default"

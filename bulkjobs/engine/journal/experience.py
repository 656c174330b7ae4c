"""What earlier runs of a scope tell of the next one, beside the rate (``Journal.learned``)."""

from __future__ import annotations

from bulkjobs.engine.journal.journal import Journal

_RUNS = 5
_ENOUGH = 20
"""Sends below which nothing is concluded."""


def odds_of_unknown(journal: Journal) -> float:
    """The share of the last runs' sends whose end no answer told; 0 if there were too few to say."""
    rows = journal.ask(
        "SELECT count(*), coalesce(sum(verdict IS NULL OR verdict = 'unknown'), 0) FROM attempts WHERE run IN"
        " (SELECT id FROM runs WHERE scope = ? AND id != ? ORDER BY id DESC LIMIT ?)"
        " AND (verdict IS NULL OR verdict NOT IN ('throttled', 'not_sent'))",
        journal.scope,
        journal.run,
        _RUNS,
    )
    ((sends, unknown),) = rows
    return float(unknown / sends) if sends >= _ENOUGH else 0.0

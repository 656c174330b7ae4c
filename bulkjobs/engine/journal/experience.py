"""What earlier runs of a scope tell of the next one."""

from __future__ import annotations

import json

from bulkjobs.engine.expected_rate import ExpectedRate, expected_rate
from bulkjobs.engine.journal.journal import Journal
from bulkjobs.engine.learned import START
from bulkjobs.engine.stragglers import NONE_LOST, Lost

_RUNS = 5
_ENOUGH = 20
"""Sends below which nothing is concluded."""


def expected_of(journal: Journal, given: float | None, now_ms: int) -> ExpectedRate:
    """The rate that a run is reckoned with. ``given``: ``--rate``, None: auto.

    Less than START is learned only of refusals; more may be the most that was ever asked for, unless some were refused.
    """
    learned = journal.learned()
    is_limit = learned is not None and (learned.rate < START or _refused_for_rate(journal))
    return expected_rate(given, learned, is_limit=is_limit, now_ms=now_ms)


def _refused_for_rate(journal: Journal) -> bool:
    """Whether the service refused something for its rate in one of the last runs."""
    runs = journal.ask(
        "SELECT u.facts, EXISTS (SELECT 1 FROM attempts a WHERE a.run = u.id AND a.verdict = 'throttled')"
        " FROM runs u WHERE scope = ? AND id != ? ORDER BY id DESC LIMIT ?",
        journal.scope,
        journal.run,
        _RUNS,
    )
    return any(of_a_send or json.loads(facts).get("throttles") for facts, of_a_send in runs)


def lost_before(journal: Journal) -> Lost:
    """What became of the last runs' sends whose end no answer told; none of them where there were too few to say.

    What is not known of a run that was killed is unknown, too, but it says nothing of how long an answer is waited for.
    """
    rows = journal.ask(
        "SELECT count(*), coalesce(sum(verdict IS NULL OR verdict = 'unknown'), 0),"
        " coalesce(sum(verdict = 'unknown'), 0),"
        " avg(CASE WHEN verdict = 'unknown' THEN max(0, ended_at - intended_at - coalesce(waited_ms, 0)) END),"
        " coalesce(sum(CASE WHEN verdict = 'unknown' THEN EXISTS (SELECT 1 FROM rows r WHERE r.run = a.run"
        " AND r.seq = a.seq AND r.outcome = 'adopted' AND r.attempts = a.n) END), 0)"
        " FROM attempts a WHERE run IN (SELECT id FROM runs WHERE scope = ? AND id != ? ORDER BY id DESC LIMIT ?)"
        " AND (verdict IS NULL OR verdict NOT IN ('throttled', 'not_sent'))",
        journal.scope,
        journal.run,
        _RUNS,
    )
    ((sends, unknown, told, silence_ms, made),) = rows
    if sends < _ENOUGH:
        return NONE_LOST
    return Lost(
        unknown / sends,
        made / told if told >= _ENOUGH else NONE_LOST.made,
        silence_ms / 1000 if silence_ms is not None else None,
    )

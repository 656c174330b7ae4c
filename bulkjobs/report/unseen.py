"""Rows that a run did not send and of which it does not know whether their jobs are there. Pure.

A run may end before it has read the list, or the jobs that the list shows: what was not sent may have its job all the
same, and nothing may say that it has none.
"""

from __future__ import annotations

from collections.abc import Mapping

from bulkjobs.engine.records import Outcome

_ENDS_WITH_ALL_KNOWN = "finished"


def not_looked_at(state: str, facts: Mapping[str, object], counts: Mapping[str, int]) -> int:
    """How many of the rows that were not sent. ``counts``: rows by outcome.

    As the run counted them; of a run that was killed, or is older than that figure, all.
    """
    not_sent = counts.get(Outcome.NOT_SENT, 0)
    counted = facts.get("not_looked_at")
    if isinstance(counted, int):
        return min(counted, not_sent)
    return 0 if state == _ENDS_WITH_ALL_KNOWN else not_sent


def unseen_said(state: str, facts: Mapping[str, object], counts: Mapping[str, int]) -> str | None:
    """A sentence about them. None: there are none, or the run was not going to look (``invalid``)."""
    rows, not_sent = not_looked_at(state, facts, counts), counts.get(Outcome.NOT_SENT, 0)
    if not rows or state == "invalid":
        return None
    before = "the run ended before it looked" if state != "running" else "the run has not looked yet"
    if not_sent == 1:
        return f"The row that was not sent may have its job already: {before}."
    whose = "The" if rows == not_sent else f"{rows:,} of the"
    return f"{whose} {not_sent:,} rows that were not sent may have their jobs already: {before}."

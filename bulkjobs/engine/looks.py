"""What a look at a job is in the journal: how it was done, what was seen, what followed and why. For ``explain`` only.

Decision and reason are one text there, ``word`` or ``word: reason``.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from bulkjobs.engine.three_way import FieldChange, shown

_DIFFERENCES = 5
"""Differences that a look's record names."""


class How(StrEnum):
    """Words that the journal keeps, and ``explain --json`` shows."""

    LOOK = "look"
    """By name, or in a whole list."""
    READ = "read"
    """The job that was listed."""
    BELIEVE = "believe"
    """None: the list does not show a job that the journal saw less than settle ago."""
    PLAN = "plan"
    """For a plan, which it may follow or not."""
    CHANGE = "change"
    """Right before an update or a delete, or after one: what was seen is a ``Sight``."""


def decision_text(word: str, reason: str | None) -> str:
    return f"{word}: {reason}" if reason else word


def decision_parts(text: str) -> tuple[str, str | None]:
    """Word and reason of ``decision_text``."""
    word, _, reason = text.partition(": ")
    return word, reason or None


def difference_text(diff: Sequence[FieldChange]) -> str:
    """``filter.value: "100" → "200"``, of the first few differences."""
    told = [f"{change.label}: {shown(change.there)} → {shown(change.wanted)}" for change in diff[:_DIFFERENCES]]
    if len(diff) > _DIFFERENCES:
        told.append(f"and {len(diff) - _DIFFERENCES} more")
    return ", ".join(told)

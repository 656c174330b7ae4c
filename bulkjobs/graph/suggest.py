"""The known word that was most likely meant: "did you mean …?"."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from functools import lru_cache

_LONGEST = 100
"""Longer words are not compared: difflib takes the square of the length, and no name of ours is as long."""

_MOST = 1000
"""Known words that are looked at."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The one of ``known`` that ``word`` resembles most, whatever the letter case, or None if it resembles none.

    Remembers what it found: an inventory repeats one mistake in many rows.
    """
    if len(word) > _LONGEST:
        return None
    return _nearest(word.lower(), tuple(known)[:_MOST])


@lru_cache(maxsize=1024)
def _nearest(word: str, known: tuple[str, ...]) -> str | None:
    originals = {candidate.lower(): candidate for candidate in reversed(known) if len(candidate) <= _LONGEST}
    found = difflib.get_close_matches(word, originals, n=1, cutoff=0.6)
    return originals[found[0]] if found else None

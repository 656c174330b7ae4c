"""Numbers as sentences say them."""

from __future__ import annotations


def counted(count: int, word: str) -> str:
    """``1 row``, ``4,812 rows``."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"

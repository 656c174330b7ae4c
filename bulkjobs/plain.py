"""Untrusted text made inert: one line, no terminal commands, no reordering of what stands beside it."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

_ACTIVE = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Control, format (bidirectional marks, zero width), surrogates, private use, line and paragraph separators."""


def plain(text: str, limit: int = 500) -> str:
    """``text`` with every active character escaped (``\\x1b``, ``\\u202e``), cut to ``limit`` characters."""
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    if cut.isprintable():
        return cut
    return "".join(c if c.isprintable() or unicodedata.category(c) not in _ACTIVE else _escape(c) for c in cut)


def plain_texts(texts: Sequence[str | None], limit: int = 500) -> list[str | None]:
    """``plain`` of each, None stays: where nothing is to be done to any, they are looked at all together."""
    present = [text for text in texts if text is not None]
    if "".join(present).isprintable() and max(map(len, present), default=0) <= limit:
        return list(texts)
    return [None if text is None else plain(text, limit) for text in texts]


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")

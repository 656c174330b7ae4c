"""What stands for a default that cannot be made, since a cell that it needs is empty: a text that no cell can hold.

``out/${team}`` without a team is neither ``out/``, the folder of all teams, nor nothing, which would drop a filter in
silence. Whatever meets this text says which cell is empty; where nothing meets it, nothing is wrong.
"""

from __future__ import annotations

_MARK = "\0lacks "


def lacking(column: str) -> str:
    """In place of a text that needs the cell of ``column``, which is empty."""
    return f"{_MARK}{column}\0"


def lacked(text: str) -> str | None:
    """The column whose empty cell ``text`` needs, wherever that was found out; None for an ordinary text."""
    _, mark, rest = text.partition(_MARK)
    return rest.partition("\0")[0] if mark else None

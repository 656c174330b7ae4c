"""What is wrong with the text of one cell.

Raised by the parsers and checks of this room; the expander turns it into a problem with file, line and column. It
never leaves the room, and so is no part of the tree in ``errors``.
"""

from __future__ import annotations


class CellError(Exception):
    """One cell cannot be used.

    ``code`` is a stable word in kebab-case, ``message`` says what is wrong and where in the cell (characters count
    from 1), ``hint`` how to mend it. All of them are one line and safe to print.
    """

    def __init__(self, code: str, message: str, hint: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


def shown(character: str) -> str:
    """One character as a message names it; those that are hard to see or to tell apart get their code point."""
    if character == " ":
        return "a blank"
    code = f"U+{ord(character):04X}"
    if not character.isprintable():
        return code
    return f"'{character}'" if character.isascii() else f"'{character}' ({code})"

"""Standard output, for programs: UTF-8 whatever the locale, and JSON that a terminal shows safely too."""

from __future__ import annotations

import json
import re
import sys
import unicodedata

from bulkjobs.errors import StateError

_SUSPECT = re.compile(r"[^\x20-\x7e\n]")
_ACTIVE = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


def inert_json(text: str) -> str:
    """The same JSON document, with every character escaped that a terminal would act on (as ``\\u202e``)."""
    if text.isprintable() or (text.isascii() and "\x7f" not in text):
        return text  # the quick way; JSON itself escapes the control characters of ASCII but for the last
    return _SUSPECT.sub(_escape, text)


def write_text(text: str, *, at_once: bool = True) -> None:
    """Write it; ``at_once`` False: with what comes after it.

    Raises BrokenPipeError when whoever read it has gone, StateError when it cannot be written: a full disk.
    """
    try:
        sys.stdout.buffer.write(text.encode())
        if at_once:
            sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise unwritable(error) from None


def unwritable(error: OSError) -> StateError:
    """The error for what standard output leads to."""
    return StateError(
        f"standard output: cannot be written: {error.strerror or error}",
        "what was written is incomplete; free the disk, or send it elsewhere",
    )


def _escape(found: re.Match[str]) -> str:
    character = found.group()
    return json.dumps(character)[1:-1] if unicodedata.category(character) in _ACTIVE else character

"""Job names: the rule of the service (``dataflow-api.md`` §4), and the name of a row that gives none.

A name has 3 to 100 ASCII letters, digits, ``_`` and ``-``, and starts with a letter or ``_``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from bulkjobs.counted import counted
from bulkjobs.graph.cell_error import CellError, shown

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{2,99}")
_NAMES = re.compile(r"(?:[A-Za-z_][A-Za-z0-9_-]{2,99}\n)*+[A-Za-z_][A-Za-z0-9_-]{2,99}")
_STRANGE = re.compile(r"[^A-Za-z0-9_-]")
_LEAST, _MOST = 3, 100
_SLUG_MOST = 91

_SLUG = bytes(byte if re.fullmatch(rb"[A-Za-z0-9_-]", bytes([byte])) else ord("-") for byte in range(256))


def check_name(text: str) -> None:
    """Raises CellError (``empty``, ``bad-name``) if the service takes no job of this name, and why."""
    if _NAME.fullmatch(text):
        return
    if not text.strip():
        hint = "write a name, or leave the column out: then the name is made from bucket and prefix"
        raise CellError("empty", "the name is empty", hint)
    raise CellError("bad-name", _fault(text), _hint(text))


def are_names(texts: Sequence[str]) -> bool:
    """Whether the service takes all of them: one search, for the many columns in which nothing is wrong."""
    together = "\n".join(texts)  # a line break within a text would make two good ones of it
    return _NAMES.fullmatch(together) is not None and together.count("\n") == len(texts) - 1


def default_name(bucket: str, prefix: str) -> str:
    """The name of a row that has none: ``SLUG_HASH``. This rule never changes: the name is the job's identity.

    HASH is 8 lower-case hex digits: BLAKE2b with a digest of 4 bytes over bucket, NUL, prefix in UTF-8. Two pairs
    of cells never give the same bytes, since no valid cell holds a NUL.

    SLUG is made from bucket, ``-``, prefix, in these steps: every character (code point) but ASCII letters, digits,
    ``_`` and ``-`` becomes ``-``; runs of ``-`` become one; ``-`` at either end goes; ``_`` is put before a leading
    digit; the first 91 characters are kept; ``-`` at the end goes. It may be empty (``_HASH``). Letter case is kept,
    nothing is normalised.

    Any two texts give a name that ``check_name`` takes.
    """
    pair = f"{bucket}\0{prefix}".encode("utf-8", "surrogatepass")
    slug = pair.translate(_SLUG)  # byte by byte, which the shrinking of runs makes the same as by character
    if b"--" in slug:
        slug = b"-".join(filter(None, slug.split(b"-")))
    slug = slug.strip(b"-")
    if slug[:1].isdigit():
        slug = b"_" + slug
    return f"{slug[:_SLUG_MOST].rstrip(b'-').decode('ascii')}_{hashlib.blake2b(pair, digest_size=4).hexdigest()}"


def _fault(text: str) -> str:
    strange = _STRANGE.search(text)
    if strange:
        return f"a job name cannot have {shown(strange.group())}, at character {strange.end()}"
    if len(text) > _MOST:
        return f"the job name has {counted(len(text), 'character')}, {len(text) - _MOST} too many"
    if len(text) < _LEAST:
        return f"the job name has {counted(len(text), 'character')}, {_LEAST - len(text)} too few"
    return f"a job name starts with a letter or '_', not with {shown(text[0])}"


def _hint(text: str) -> str:
    """The nearest name that is allowed, where there is one."""
    close = _STRANGE.sub("_", text.strip())
    if close[:1].isdigit() or close[:1] == "-":
        close = f"_{close}"
    if text.isascii() and close.strip("_-") and _NAME.fullmatch(close):
        return f"for example {close}"
    return "3 to 100 letters (A to Z), digits, '_' and '-', the first a letter or '_'"

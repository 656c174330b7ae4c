"""Bucket names and prefixes: what Object Storage and the service can take (``dataflow-api.md`` §5).

A prefix is refused only for what nobody can mean: nothing at all, a leading slash (an object's key has none, so the
prefix would match nothing) and characters that cannot be seen or sent (control characters, halves of surrogate
pairs). Everything else passes as it is: Korean, emoji, blanks at either end, doubled and trailing slashes.
"""

from __future__ import annotations

import re

from bulkjobs.graph.cell_error import CellError, shown

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_STRANGE = re.compile(r"[^a-z0-9.-]")
_IP_ADDRESS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
_UNSENDABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_LIMITS = (3, 63)
_RULE = "a bucket name has 3 to 63 lower-case letters, digits, '.' and '-', first and last a letter or digit"


def check_bucket(text: str) -> None:
    """Raises CellError (``empty``, ``bad-bucket``) if no bucket can have this name; its place in the cell is named."""
    if _BUCKET.fullmatch(text) and not _IP_ADDRESS.fullmatch(text):
        return
    if not text.strip():
        raise CellError("empty", "the bucket is empty", "write the name of a bucket")
    raise CellError("bad-bucket", _bucket_fault(text), _bucket_hint(text))


def check_prefix(text: str) -> None:
    """Raises CellError (``empty``, ``leading-slash``, ``control-character``) if the text cannot be a prefix."""
    if not text.strip():
        raise CellError("empty", "the prefix is empty", "write the folder in the bucket, for example logs/2024")
    if text[0] == "/":
        hint = "leave the leading slash out: keys in a bucket do not begin with one"
        raise CellError("leading-slash", "the prefix begins with a slash", hint)
    unsendable = None if text.isprintable() else _UNSENDABLE.search(text)
    if unsendable:
        message = f"the prefix has the control character {shown(unsendable.group())} at character {unsendable.end()}"
        raise CellError("control-character", message, "delete that character; it may be a line break or a tab")


def _bucket_fault(text: str) -> str:
    strange = _STRANGE.search(text)
    if strange:
        return f"a bucket name cannot have {shown(strange.group())}, at character {strange.end()}"
    least, most = _LIMITS
    if len(text) < least:
        return f"a bucket name has at least {least} characters, this one has {len(text)}"
    if len(text) > most:
        return f"a bucket name has at most {most} characters, this one has {len(text)}"
    if _IP_ADDRESS.fullmatch(text):
        return "a bucket name cannot look like an IP address"
    at = 0 if text[0] in ".-" else len(text) - 1
    return f"a bucket name begins and ends with a letter or digit, not with {shown(text[at])}, at character {at + 1}"


def _bucket_hint(text: str) -> str:
    """What is most likely meant: the same name trimmed and in lower case, or the bucket of an address."""
    bare = text.strip().lower().removeprefix("s3://").removeprefix("obs://")
    bucket = bare.split("/", 1)[0]
    if bucket != text and _BUCKET.fullmatch(bucket) and not _IP_ADDRESS.fullmatch(bucket):
        return f"did you mean {bucket}?"
    return _RULE

"""Python values → cells, by the same rules by which ``arrow_text`` reads Parquet. Pure.

    None                 the empty text
    str                  as it stands
    bool                 true, false
    int                  decimal digits
    float                shortest digits that give the value back; a whole number up to 2**53 without ``.0``
    Decimal              digits, no exponent
    date, time, datetime ISO 8601 without trailing zeros; with a zone: the instant in UTC, ``Z``
    list, tuple, dict    compact JSON

Anything else has no text form, and none is guessed.
"""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Mapping
from decimal import Decimal

_WHOLE = 2**53


def cell_text(value: object) -> str:
    """The cell of a value. Raises TypeError for a type without a text form, ValueError for text that is not Unicode.

    Subclasses count as what they extend, whatever their own ``str`` says: a row is data.
    """
    if value is None:
        return ""
    text = _json(value) if isinstance(value, list | tuple | Mapping) else _scalar(value)
    text.encode()  # half a surrogate pair cannot be written
    return text


def _json(value: object) -> str:
    return json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"))


def _scalar(value: object) -> str:
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        whole = math.isfinite(value) and value == int(value) and abs(value) <= _WHOLE
        return str(int(value)) if whole else float.__repr__(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime.datetime):
        if value.tzinfo is None:
            return _moment(value.isoformat())
        return _moment(value.astimezone(datetime.UTC).replace(tzinfo=None).isoformat()) + "Z"
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, datetime.time) and value.tzinfo is None:
        return _moment(value.isoformat())
    raise TypeError(type(value).__name__)


def _moment(text: str) -> str:
    whole, point, fraction = text.partition(".")
    fraction = fraction.rstrip("0")
    return f"{whole}{point if fraction else ''}{fraction}"


def _plain(value: object) -> object:
    """What JSON knows, for a value within a list or an object."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {_scalar(key): _plain(item) for key, item in value.items()}
    return _scalar(value)

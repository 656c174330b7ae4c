"""Arrow columns → text, so that CSV and Parquet of one table give the same cells.

    string, large string, dictionary of these   as they stand
    integers                                     decimal digits
    booleans                                     true, false
    floats                                       shortest digits that give the value back; a whole number up to 2**53
                                                 without ``.0``, because pandas stores whole numbers beside a missing
                                                 value as floats, and a CSV of that table says ``1``
    decimals                                     digits with the column's scale, no exponent
    date, time, timestamp                        ISO 8601 without trailing zeros; with a zone: the instant in UTC, ``Z``
    list, struct, map                            compact JSON (map: an object, keys as text)
    null                                         the empty text

Binary, durations and anything else have no text form: ``unsupported``.
"""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kinds

_WHOLE = 2**53
_JSON_LEAVES = (kinds.is_boolean, kinds.is_integer, kinds.is_floating, kinds.is_decimal, kinds.is_date, kinds.is_null)


class NotText(Exception):
    """``row`` (from 0) of a text column holds bytes that are not UTF-8; Parquet does not forbid them."""

    def __init__(self, row: int) -> None:
        super().__init__(row)
        self.row = row


def is_text(kind: Any) -> bool:
    return bool(kinds.is_string(kind) or kinds.is_large_string(kind) or kinds.is_string_view(kind))


def is_nested(kind: Any) -> bool:
    return bool(_is_list(kind) or kinds.is_struct(kind) or kinds.is_map(kind))


def is_supported(kind: Any) -> bool:
    """Whether a column of this Arrow type has a text form."""
    if isinstance(kind, pa.BaseExtensionType):
        return is_supported(kind.storage_type)
    if kinds.is_dictionary(kind):
        return is_supported(kind.value_type)
    return _is_json(kind) if is_nested(kind) else _is_json(kind) or kinds.is_timestamp(kind) or kinds.is_time(kind)


def column_text(column: Any) -> list[str]:
    """One text per value of a supported Arrow array. Raises NotText, pa.ArrowException, ValueError."""
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return column_text(column.storage)
    if kinds.is_dictionary(kind):
        return column_text(column.dictionary_decode())
    if is_text(kind):
        if column.null_count:
            column = pc.fill_null(column, "")
        try:
            texts: list[str] = column.to_numpy(zero_copy_only=False).tolist()
        except pa.ArrowException:
            _look_for_bad_text(column)
            raise
        return texts
    if kinds.is_integer(kind) or kinds.is_boolean(kind):
        return column_text(column.cast(pa.string()))
    if kinds.is_timestamp(kind):
        zone = "Z" if kind.tz else ""
        instants = column.cast(pa.timestamp(kind.unit)).cast(pa.string())
        return [_moment(text, zone) for text in instants.to_pylist()]
    if kinds.is_time(kind):
        return [_moment(text, "") for text in column.cast(pa.string()).to_pylist()]
    if kinds.is_floating(kind) and kind.bit_width < 64:
        return [
            "" if v.as_py() is None else _float(v.as_py(), str(column.type.to_pandas_dtype()(v.as_py())))
            for v in column
        ]
    if is_nested(kind):
        return ["" if value is None else _json(value, kind) for value in column.to_pylist()]
    return ["" if value is None else _scalar(value) for value in column.to_pylist()]


def _look_for_bad_text(column: Any) -> None:
    for row, data in enumerate(column.cast(pa.large_binary()).to_pylist()):
        try:
            data.decode()
        except UnicodeDecodeError:
            raise NotText(row) from None


def _is_list(kind: Any) -> bool:
    return bool(kinds.is_list(kind) or kinds.is_large_list(kind) or kinds.is_fixed_size_list(kind))


def _is_json(kind: Any) -> bool:
    if _is_list(kind):
        return _is_json(kind.value_type)
    if kinds.is_struct(kind):
        return all(_is_json(kind.field(i).type) for i in range(kind.num_fields))
    if kinds.is_map(kind):
        return _is_json(kind.key_type) and not is_nested(kind.key_type) and _is_json(kind.item_type)
    if kinds.is_dictionary(kind):
        return _is_json(kind.value_type)
    return is_text(kind) or any(is_kind(kind) for is_kind in _JSON_LEAVES)


def _moment(text: str | None, zone: str) -> str:
    """Arrow's text of a time. Raises ValueError where Arrow itself has none (a year beyond its range)."""
    if text is None:
        return ""
    if text.startswith("<"):
        raise ValueError("a time out of range")
    whole, point, fraction = text.replace(" ", "T").partition(".")
    fraction = fraction.rstrip("0")
    return f"{whole}{point if fraction else ''}{fraction}{zone}"


def _float(value: float, shortest: str) -> str:
    return str(int(value)) if math.isfinite(value) and value == int(value) and abs(value) <= _WHOLE else shortest


def _scalar(value: Any) -> str:
    if isinstance(value, float):
        return _float(value, repr(value))
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.isoformat() if isinstance(value, datetime.date) else str(value)


def _json(value: Any, kind: Any) -> str:
    return json.dumps(_plain_value(value, kind), ensure_ascii=False, separators=(",", ":"), default=_scalar)


def _plain_value(value: Any, kind: Any) -> Any:
    """Maps arrive as lists of pairs; everything else is already what JSON knows, or a scalar with a text form."""
    if value is None:
        return None
    inner: Callable[[Any, Any], Any] = _plain_value
    if kinds.is_map(kind):
        return {k if isinstance(k, str) else _scalar(k): inner(v, kind.item_type) for k, v in value}
    if kinds.is_struct(kind):
        return {
            kind.field(i).name: inner(value[kind.field(i).name], kind.field(i).type) for i in range(kind.num_fields)
        }
    if _is_list(kind):
        return [inner(item, kind.value_type) for item in value]
    return value

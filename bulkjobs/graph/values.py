"""The values of a layout: what each key of a node takes, and how the text of cells becomes its JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum, auto
from typing import Any, Literal, get_args, get_origin

from bulkjobs.graph.buckets import check_bucket, check_prefix
from bulkjobs.graph.cell_error import CellError
from bulkjobs.graph.fields import parse_fields
from bulkjobs.graph.filters import parse_filter
from bulkjobs.graph.nodes import Field, FilterCondition, SourceObs, TargetObs
from bulkjobs.graph.references import BadReference, Text
from bulkjobs.graph.suggest import nearest
from bulkjobs.graph.wire import Key, decode_json, item_of, json_of, read_list

_INTEGER = range(1, 1 << 31)
"""What `coalesce` takes, the one number there is: a count of files."""


class Kind(Enum):
    """What a value is. All but TEXT, INTEGER and CHOICE decide which graph a row has, and are checked as one."""

    TEXT = auto()
    INTEGER = auto()
    CHOICE = auto()
    FIELDS = auto()
    NAMES = auto()
    OBJECTS = auto()
    FILTER = auto()


Make = Callable[[Mapping[str, str]], bytes]
"""Cells by column to JSON. Raises CellError."""


def takes_plain(cls: type, key: Key, kind: Kind) -> bool:
    """Whether any plain text will do for a value."""
    return kind is Kind.TEXT and _text_check(cls, key.name) in (None, check_prefix)


def kind_of(cls: type, key: Key) -> Kind:
    """What the annotation of a node's key asks for."""
    annotation = without_unset(key.type)
    if get_origin(annotation) is Literal:
        return Kind.CHOICE
    if annotation is int:
        return Kind.INTEGER
    item = item_of(annotation)
    if item is Field:
        return Kind.FIELDS
    if item is not None:
        return Kind.OBJECTS
    if get_origin(annotation) is list:
        return Kind.NAMES
    assert annotation is str, (cls, key)
    return Kind.TEXT


def maker(cls: type, key: Key, kind: Kind, value: Any, parse: Callable[[object], Text]) -> tuple[tuple[str, ...], Make]:
    """The columns that a layout's value needs, and what makes JSON of their cells.

    ``parse`` turns a text of the layout into a ``Text``. Raises BadReference for a value that can never be one.
    """
    match kind:
        case Kind.TEXT:
            return _text(parse(value), _text_check(cls, key.name))
        case Kind.INTEGER:
            return _text(parse(value), None, _integer)
        case Kind.CHOICE:
            words = words_of(key)
            return _text(parse(value), None, lambda text: json_of(_choice(text, words)))
        case Kind.FIELDS:
            return _structure(
                value, parse, lambda v: json_of(parse_fields(v if isinstance(v, str) else json_of(v).decode()))
            )
        case Kind.NAMES:
            return _structure(value, parse, _names)
        case Kind.OBJECTS:
            item = item_of(key.type)
            assert item is not None
            return _structure(value, parse, lambda v: _objects(v, item, key.name))
        case Kind.FILTER:
            return _structure(value, parse, _filter)


def _text(
    text: Text, check: Callable[[str], None] | None, encode: Callable[[str], bytes] = json_of
) -> tuple[tuple[str, ...], Make]:
    whole = text.whole

    def make(cells: Mapping[str, str]) -> bytes:
        filled = cells[whole] if whole is not None else text.fill(cells)
        if check is not None:
            check(filled)
        return encode(filled)

    return text.names, make


def _structure(
    value: Any, parse: Callable[[object], Text], encode: Callable[[Any], bytes]
) -> tuple[tuple[str, ...], Make]:
    """A text (whole cell or expression), or TOML lists and tables with texts in them."""
    parsed = _parsed(value, parse)
    names: dict[str, None] = {}
    _collect(parsed, names)
    return tuple(names), lambda cells: encode(_filled(parsed, cells))


def _parsed(value: Any, parse: Callable[[object], Text]) -> Any:
    if isinstance(value, list):
        return [_parsed(item, parse) for item in value]
    if isinstance(value, dict):
        return {key: _parsed(item, parse) for key, item in value.items()}
    if isinstance(value, str):
        return parse(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise BadReference(f"must be texts, lists and tables, not {type(value).__name__}")


def _collect(value: Any, names: dict[str, None]) -> None:
    if isinstance(value, Text):
        names.update(dict.fromkeys(value.names))
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            _collect(item, names)


def _filled(value: Any, cells: Mapping[str, str]) -> Any:
    if isinstance(value, Text):
        return value.fill(cells)
    if isinstance(value, list):
        return [_filled(item, cells) for item in value]
    if isinstance(value, dict):
        return {key: _filled(item, cells) for key, item in value.items()}
    return value


def _text_check(cls: type, key: str) -> Callable[[str], None] | None:
    if cls in (SourceObs, TargetObs):
        return {"bucketName": check_bucket, "prefix": check_prefix, "regionNo": check_region}.get(key)
    return None


_ACCEPTED = {
    "bucketName": "3 to 63 lower-case letters, digits, '.' and '-'",
    "prefix": "a folder in the bucket, without a leading slash",
    "regionNo": "a number",
}


def accepted_text(cls: type, key: str) -> str | None:
    """In words, what a text must be that is checked; None: any will do."""
    return _ACCEPTED.get(key) if _text_check(cls, key) is not None else None


def check_region(text: str) -> None:
    """Raises CellError (``bad-region``) for what is no region number."""
    if not (text.isascii() and text.isdigit()):
        raise CellError("bad-region", f"{text[:60]!r} is not a region number", "1 is Korea")


def _choice(text: str, words: Sequence[str]) -> str:
    word = text.strip().upper()
    if word not in words:
        near = nearest(text, words)
        known = ", ".join(words)
        raise CellError(
            "not-allowed", f"{text[:60]!r} is not one of {known}", f"did you mean {near!r}?" if near else f"use {known}"
        )
    return word


def _integer(text: str) -> bytes:
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) < 12 and int(digits) in _INTEGER):
        raise CellError(
            "not-a-number", f"{text[:60]!r} is not a whole number from 1 on", "for example 4; it counts files"
        )
    return b"%d" % int(digits)


def _names(value: Any) -> bytes:
    if isinstance(value, str):
        is_json = value.lstrip().startswith("[")
        value = decode_json(value, "the list") if is_json else [name.strip() for name in value.split(",")]
    if not isinstance(value, list) or not all(isinstance(name, str) and name for name in value):
        raise CellError(
            "bad-names", "must be names with commas between them, or a JSON list of texts", "for example id, name"
        )
    return json_of(value)


def _objects(value: Any, item: type[Any], what: str) -> bytes:
    if isinstance(value, str):
        if item is FilterCondition and not value.lstrip().startswith("["):
            parsed = parse_filter(value)
            if parsed.filter_type != "AND":
                raise CellError("mixed-and-or", "OR needs its filterType", "write `filter` in the layout instead")
            return json_of(parsed.conditions)
        value = decode_json(value, what)
    return json_of(read_list(value, item, what))


def _filter(value: str) -> bytes:
    parsed = parse_filter(value)
    return b'%b,"filterConditionList":%b' % (json_of(parsed.filter_type), json_of(parsed.conditions))


def words_of(key: Key) -> tuple[str, ...]:
    """The words that a choice allows."""
    words: tuple[str, ...] = get_args(without_unset(key.type))
    return words


def without_unset(annotation: Any) -> Any:
    """The annotation of a key that may be left out, without that possibility."""
    parts = [part for part in get_args(annotation) if getattr(part, "__name__", "") != "UnsetType"]
    return annotation if get_origin(annotation) in (Literal, list) or not parts else parts[0]

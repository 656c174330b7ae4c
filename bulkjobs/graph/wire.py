"""How the node structures look on the wire: their keys, and untrusted JSON turned into them with no tolerance."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, get_args, get_origin

import msgspec

from bulkjobs.graph.cell_error import CellError
from bulkjobs.graph.suggest import nearest

DEEPEST = 30
"""Levels of nesting that are taken; undocumented, and far beyond what a table has."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a structure as it travels. ``type`` is its annotation; ``required`` keys are always sent."""

    name: str
    type: Any
    required: bool


@cache
def keys_of(cls: type[msgspec.Struct]) -> dict[str, Key]:
    """The keys of a structure, but for its tag, in the order in which they are encoded."""
    return {
        field.encode_name: Key(field.encode_name, field.type, field.required) for field in msgspec.structs.fields(cls)
    }


def item_of(annotation: Any) -> type[msgspec.Struct] | None:
    """``X`` of ``list[X]`` or ``list[X] | UnsetType`` if it is a structure, else None."""
    for part in (annotation, *get_args(annotation)):
        if get_origin(part) is list:
            (item,) = get_args(part)
            return item if isinstance(item, type) and issubclass(item, msgspec.Struct) else None
    return None


_AS_DOCUMENTED = "write it as the documentation of createJob has it; `bulkjobs expand` shows others"


def read_list(value: object, item: type[msgspec.Struct], what: str) -> list[Any]:
    """``value`` as a list of ``item``. Raises CellError for a wrong type, and for a key that is not known."""
    if not isinstance(value, list):
        raise CellError("bad-json", f"{what} must be a list", "write its items between [ and ]")
    for place, element in enumerate(value, start=1):
        refuse_unknown(element, item, f"{what}, item {place}", DEEPEST)
    try:
        return msgspec.convert(value, list[item])  # type: ignore[valid-type]  # a class known at run time
    except msgspec.ValidationError as error:
        raise CellError("bad-json", f"{what}: {error}", _AS_DOCUMENTED) from None


def refuse_unknown(value: object, cls: type[msgspec.Struct], where: str, deeper: int) -> None:
    """Raises CellError for a key that ``cls`` does not have, here and in the lists below."""
    if not deeper:
        raise CellError("nested-too-deeply", f"{where}: nested more than {DEEPEST} levels deep", "write it flatter")
    if not isinstance(value, dict):
        raise CellError("bad-json", f"{where} must be an object", "write it between { and }")
    known = keys_of(cls)
    tag = cls.__struct_config__.tag_field
    for key, inner in value.items():
        if key == tag:
            continue
        if key not in known:
            near = nearest(key, known)
            raise CellError(
                "unknown-key",
                f"{where}: unknown key {key[:60]!r}",
                f"did you mean {near!r}?" if near else f"known here: {', '.join(known)}",
            )
        item = item_of(known[key].type)
        if item is not None and isinstance(inner, list):
            for place, element in enumerate(inner, start=1):
                refuse_unknown(element, item, f"{where}.{key}, item {place}", deeper - 1)


def json_of(value: object) -> bytes:
    """Compact JSON in UTF-8."""
    return msgspec.json.encode(value)


def decode_json(text: str, what: str) -> Any:
    """A cell's JSON. Raises CellError."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise CellError(
            "bad-json",
            f"{what} is not valid JSON: {error}",
            "texts and keys stand in double quotes, with a comma between items",
        ) from None

"""The language of a cell that lists fields.

    fields = field { "," field }          field = name ":" type
    name   = bare | quoted                bare: printable, without `,` `:` `"`; quoted: any text, `""` for one `"`

Blanks and line breaks around names and types do not count. A type is one of ``nodes.FIELD_TYPES`` in any letter case
and is kept as written. A cell that begins with ``[`` is the JSON of a ``fieldList`` instead: a list of objects with
``name``, ``type`` and perhaps ``properties``, which nests fields (the short form does not). ``"properties": []``, as
the service shows a field without any, means that there are none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType

from bulkjobs.graph.cell_error import CellError, shown
from bulkjobs.graph.nodes import FIELD_TYPES, Field
from bulkjobs.graph.suggest import nearest
from bulkjobs.plain import plain

DEEPEST = 30
"""Levels of nested fields that are taken; the documentation names no limit."""

_SYNTAX = "fields-syntax"
_FIELD = re.compile(r'(?:\s*+"((?:[^"]++|"")*+)"\s*+|([^,:"]*+)):([^,:"(<]*+)(?:(,)|\Z)')
_NAME_AND_TYPE = re.compile(r'\s*+(?:"(?:[^"]++|"")*+("?)\s*+|([^,:"]*+))')
_TYPE = re.compile(r'\s*+([^,:"(<]*+)')
_TYPES = frozenset(FIELD_TYPES)

_FOREIGN = {
    "text": "string", "str": "string", "utf8": "string", "clob": "string", "json": "string", "uuid": "string",
    "object": "string", "time": "string", "varchar2": "varchar", "nvarchar": "varchar", "nvarchar2": "varchar",
    "character": "char", "nchar": "char", "byte": "tinyint", "int8": "tinyint", "short": "smallint",
    "int16": "smallint", "integer": "int", "int32": "int", "long": "bigint", "int64": "bigint", "biginteger": "bigint",
    "bool": "boolean", "bit": "boolean", "number": "decimal", "numeric": "decimal", "dec": "decimal",
    "real": "float", "float32": "float", "float64": "double", "double precision": "double",
    "datetime2": "datetime", "timestamptz": "timestampwithtimezone", "timestamp with time zone":
    "timestampwithtimezone", "blob": "binary", "bytes": "binary", "bytea": "binary", "varbinary": "binary",
    "list": "array", "dict": "map", "record": "struct", "row": "struct", "union": "uniontype", "null": "void",
}  # fmt: skip
"""What other systems call these types."""


def parse_fields(text: str) -> tuple[Field, ...]:
    """The fields of a cell, at least one.

    Raises CellError: ``empty``, ``fields-syntax``, ``unknown-field-type``, ``duplicate-field``, ``nested-too-deeply``.
    Messages give the place in the cell: the character, counted from 1; in JSON the item.
    """
    start = text.lstrip()[:1]
    if not start:
        raise CellError("empty", "there are no fields", "for example id:string, name:string")
    if start in "[{":
        return _from_json(json_items(text, _SYNTAX, "fieldList"), "", DEEPEST)
    refuse_surrogates(text, _SYNTAX)
    fields: dict[str, Field] = {}
    at = 0
    while True:
        found = _FIELD.match(text, at)
        if found is None:
            raise _fault(text, at)
        quoted, bare, word, comma = found.groups()
        kind = word.strip()
        name = bare.strip() if quoted is None else quoted.replace('""', '"')
        if not name or (quoted is None and not name.isprintable()):
            raise _name_fault(text, found, name)
        if kind.lower() not in _TYPES:
            raise _type_fault(name, kind, f"at character {_begin(text, found.start(3))}")
        if name in fields:
            raise _duplicate(name, f"at character {_begin(text, at)}")
        fields[name] = Field(name=name, type=kind)
        if comma is None:
            return tuple(fields.values())
        at = found.end()


def print_fields(fields: Sequence[Field]) -> str:
    """The shortest cell that ``parse_fields`` reads as these fields: the short form, or JSON if any is nested.

    Holds for every value ``parse_fields`` can return.
    """
    if any(field.properties is not UNSET for field in fields):
        return msgspec.json.encode(fields).decode()
    return ", ".join(f"{_print_name(field.name)}:{field.type}" for field in fields)


def json_items(text: str, code: str, key: str) -> list[object]:
    """The items of a cell that holds the JSON list which travels as ``key``.

    Raises CellError: ``code`` for what is no JSON, no list or an empty one, ``nested-too-deeply``.
    """
    refuse_surrogates(text, code)
    data = text.encode()
    try:
        value = msgspec.json.decode(data)
    except RecursionError:
        raise CellError("nested-too-deeply", "the JSON is nested too deeply", f"write a flat {key}") from None
    except msgspec.ValidationError:  # of a value without a schema: only numbers can be out of range
        raise CellError(code, "the JSON holds a number that is out of range", "all values are text in quotes") from None
    except msgspec.DecodeError as error:
        hint = f"a cell that begins with [ is read as the JSON of a {key}; mend it, or use the short form"
        raise CellError(code, _json_fault(data, str(error)), hint) from None
    if not isinstance(value, list):
        raise CellError(code, "the JSON is not a list", f"write the {key} alone, between [ and ]")
    if not value:
        raise CellError("empty", "the JSON list is empty", f"write the items of the {key} between [ and ]")
    return value


def json_texts(item: object, where: str, code: str, wanted: Sequence[str], optional: Sequence[str] = ()) -> list[str]:
    """The texts under the ``wanted`` keys of one item, which has no other key but ``optional`` ones.

    Raises CellError with ``code``, naming the item by ``where``.
    """
    example = ", ".join(f'"{key}": "…"' for key in wanted)
    if not isinstance(item, dict):
        raise CellError(code, f"{where} is not an object", f"an item looks like {{{example}}}")
    known = (*wanted, *optional)
    for key in item:
        if key not in known:
            close = nearest(key, known)
            hint = f"did you mean {close}?" if close else f"known keys: {', '.join(known)}"
            raise CellError(code, f"{where} has the unknown key '{plain(key, 60)}'", hint)
    for key in wanted:
        if key not in item:
            raise CellError(code, f"{where} has no {key}", f"an item looks like {{{example}}}")
        if not isinstance(item[key], str):
            raise CellError(code, f"the {key} of {where} is not a text", "write it between double quotes")
    return [item[key] for key in wanted]


def refuse_surrogates(text: str, code: str) -> None:
    """Raises CellError with ``code`` for half a surrogate pair, which cannot travel as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        message = f"at character {error.start + 1}: {shown(text[error.start])} is half a character"
        raise CellError(code, message, "type that character again, or delete it") from None


def _from_json(items: list[object], above: str, deeper: int) -> tuple[Field, ...]:
    if not deeper:
        message = f"fields are nested more than {DEEPEST} levels deep"
        raise CellError("nested-too-deeply", message, "flatten them")
    fields: dict[str, Field] = {}
    for number, item in enumerate(items, 1):
        where = f"{above}item {number}"
        name, kind = json_texts(item, where, _SYNTAX, ("name", "type"), ("properties",))
        if not name:
            raise CellError(_SYNTAX, f"{where} has an empty name", "write the name of the field")
        if kind.lower() not in _TYPES:
            raise _type_fault(name, kind, f"in {where}")
        if name in fields:
            raise _duplicate(name, f"in {where}")
        inner = item["properties"] if isinstance(item, dict) and "properties" in item else []
        if not isinstance(inner, list):
            raise CellError(_SYNTAX, f"the properties of {where} are not a list", "write [] or leave them out")
        nested: list[Field] | UnsetType = (
            list(_from_json(inner, f"{where}, properties, ", deeper - 1)) if inner else UNSET
        )
        fields[name] = Field(name=name, type=kind, properties=nested)
    return tuple(fields.values())


def _print_name(name: str) -> str:
    plainly = name.isprintable() and name == name.strip() and name[0] not in "[{" and not set(name) & set(',:"')
    return name if plainly else '"' + name.replace('"', '""') + '"'


def _begin(text: str, at: int) -> int:
    """Where what begins at ``at`` begins for a reader: past the blanks, counted from 1."""
    return at + len(text[at:]) - len(text[at:].lstrip()) + 1


def _fault(text: str, at: int) -> CellError:
    """Why no field could be read at ``at``."""
    begin = _begin(text, at)
    head = _NAME_AND_TYPE.match(text, at)
    assert head is not None  # every part of the pattern may be empty
    closed, bare = head.groups()
    name, end = plain(text[begin - 1 : head.end()].rstrip(), 60), head.end()
    stop = text[end : end + 1]
    if closed == "":
        hint = "close it; a double quote within the name is written twice"
        return CellError(_SYNTAX, f"at character {begin}: the quoted name is not closed", hint)
    if stop in ("", ",") and not name:
        missing = "the list ends with a comma" if not stop and at else "a field is missing before the comma"
        place = at if not stop else end + 1
        return CellError(_SYNTAX, f"at character {place}: {missing}", "delete the comma, or write the field")
    if stop in ("", ","):
        hint = "name and type are separated by ':', not by '：'" if "：" in name else f"for example {name}:string"
        return CellError(_SYNTAX, f"at character {begin}: the field {name} has no type", hint)
    if stop != ":":
        what = shown(stop)
        if bare is None:
            return CellError(
                _SYNTAX,
                f"at character {end + 1}: expected ':' after the quoted name, found {what}",
                'as in "name":string',
            )
        hint = "put the whole name in double quotes and write the double quote within it twice"
        return CellError(_SYNTAX, f"at character {end + 1}: a double quote within a name", hint)
    return _after_colon(text, end + 1, name)


def _after_colon(text: str, at: int, name: str) -> CellError:
    """Why no type could be read at ``at``, which follows the colon of the field ``name``."""
    found = _TYPE.match(text, at)
    assert found is not None  # every part of the pattern may be empty
    kind, end = found.group(1).strip(), found.end()
    stop = text[end]  # the end or a comma would have made it a field
    if stop in "(<":
        known = kind if kind.lower() in _TYPES else _close_type(kind)
        hint = f"write {known or 'the type'} alone; fields within fields need the JSON of a fieldList with properties"
        message = f"at character {end + 1}: the type of {name} cannot have {shown(stop)}"
        return CellError("unknown-field-type", message, hint)
    hint = "fields are separated by commas; a name with ':' stands in double quotes"
    if ";" in kind:
        hint = "fields are separated by commas, not by semicolons"
    return CellError(
        _SYNTAX, f"at character {end + 1}: expected ',' after the type of {name}, found {shown(stop)}", hint
    )


def _name_fault(text: str, found: re.Match[str], name: str) -> CellError:
    if not name:
        place = f"at character {_begin(text, found.start())}"
        return CellError(_SYNTAX, f"{place}: a field has no name before its ':'", "for example id:string")
    offset = next(index for index, character in enumerate(name) if not character.isprintable())
    place = f"at character {_begin(text, found.start(2)) + offset}"
    hint = "delete that character, or put the name in double quotes if it is meant"
    return CellError(_SYNTAX, f"{place}: a field name with {shown(name[offset])}, which cannot be seen", hint)


def _type_fault(name: str, kind: str, place: str) -> CellError:
    label = plain(name, 60)
    if not kind:
        return CellError(_SYNTAX, f"{place}: the field {label} has no type", f"for example {label}:string")
    close = _close_type(kind)
    hint = f"did you mean {close}?" if close else f"types are {', '.join(FIELD_TYPES)}"
    if ";" in kind:
        hint = "fields are separated by commas, not by semicolons"
    return CellError("unknown-field-type", f"{place}: the field {label} has the unknown type '{plain(kind, 60)}'", hint)


def _close_type(kind: str) -> str | None:
    word = " ".join(kind.lower().split())
    return _FOREIGN.get(word) or nearest(word, FIELD_TYPES)


def _duplicate(name: str, place: str) -> CellError:
    message = f"{place}: the field {plain(name, 60)} is there twice"
    return CellError("duplicate-field", message, "delete one of them, or rename it")


def _json_fault(data: bytes, message: str) -> str:
    """What msgspec says, with a character of the cell in place of a byte of its UTF-8."""
    byte = re.search(r" \(byte (\d+)\)", message)
    if byte is None:
        return "the JSON ends too early"
    character = len(data[: int(byte[1])].decode(errors="ignore")) + 1
    return f"at character {character}: {message[: byte.start()].replace('JSON is malformed: ', 'no valid JSON, ')}"

"""The language of a cell that filters rows of data.

    filter    = condition { "AND" condition }  |  condition { "OR" condition }
    condition = name operator value
    name      = bare | `"…"` | a backtick-quoted text
    operator  = EQ NE GT LT GTE LTE  |  == != > < >= <=  |  = (as EQ: what a spreadsheet says)  |  <> (as NE)
    value     = bare | `"…"` | `'…'`

Words count in any letter case; blanks and line breaks between the parts do not count. The quote itself is written
twice within quotes; a backslash is a character like any other. A bare text is printable and has no blanks, quotes,
brackets, ``= ! < > , ; & |``; as a name it is none of the words of the language, as a value not AND or OR. A value
always travels as text, exactly as written: ``007`` stays ``007``. There are no parentheses, and AND and OR do not
mix, for a filter node holds one flat list: several filter nodes in a row are what a layout is for.

A cell that begins with ``[`` is the JSON of a ``filterConditionList`` instead, joined by AND: a list of objects with
``name``, ``operator`` (one of the six words) and ``value``, all of them texts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from bulkjobs.graph.cell_error import CellError, shown
from bulkjobs.graph.fields import json_items, json_texts, refuse_surrogates
from bulkjobs.graph.nodes import FilterCondition, FilterType, Operator
from bulkjobs.plain import plain

_SYNTAX = "filter-syntax"
_CHAINED = "a filter node holds one flat list; put several filter nodes in a row in a layout"

_WORD = r"""[^\s"'`“”„‘’=!<>(),;&|\[\]{}]++"""
_TOKEN = re.compile(
    rf"""\s*+(?:
        (?P<double>"(?:[^"]++|"")*+") | (?P<single>'(?:[^']++|'')*+') | (?P<tick>`(?:[^`]++|``)*+`)
      | (?P<symbol>==|!=|<>|<=|>=|[=<>])
      | (?P<bare>{_WORD})
    )""",
    re.VERBOSE,
)
_BARE = re.compile(_WORD)
_QUOTES = {"double": '"', "single": "'", "tick": "`"}

_WORDS: dict[str, Operator] = {"EQ": "EQ", "NE": "NE", "GT": "GT", "LT": "LT", "GTE": "GTE", "LTE": "LTE"}
_SYMBOLS: dict[str, Operator] = {
    "==": "EQ", "=": "EQ", "!=": "NE", "<>": "NE", ">": "GT", "<": "LT", ">=": "GTE", "<=": "LTE",
}  # fmt: skip
_JOINERS: dict[str, FilterType] = {"AND": "AND", "OR": "OR"}
_RESERVED = frozenset({*_WORDS, *_JOINERS, "NOT"})

_BITS = {"tinyint": 8, "smallint": 16, "int": 32, "bigint": 64}
_WHOLE = re.compile(r"[+-]?[0-9]{1,30}")
_NUMBER = re.compile(r"[+-]?(?:[0-9]++\.?[0-9]*+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(r"[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?")

_OPERATOR_HINT = "operators are EQ NE GT LT GTE LTE, or == != > < >= <="
_FOREIGN = {
    "EQUALS": "write EQ or ==", "EQUAL": "write EQ or ==", "IS": "write EQ or ==", "NEQ": "write NE or !=",
    "NOT": "write NE or !=", "GE": "write GTE or >=", "LE": "write LTE or <=", "BETWEEN":
    "write two conditions: name GTE low AND name LTE high", "IN": "write several EQ conditions joined by OR",
    "LIKE": f"patterns do not exist; {_OPERATOR_HINT}", "CONTAINS": f"patterns do not exist; {_OPERATOR_HINT}",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Filter:
    """At least one condition; all of them hold (AND) or at least one does (OR). One alone is joined by AND."""

    filter_type: FilterType
    conditions: tuple[FilterCondition, ...]

    def __post_init__(self) -> None:
        if not self.conditions:
            raise ValueError("a filter has at least one condition")
        if len(self.conditions) == 1 and self.filter_type != "AND":
            raise ValueError("one condition alone is joined by AND")


class _Token(NamedTuple):
    """A piece of the cell ``text[start:end]`` without the blanks before it. ``kind`` is a group of ``_TOKEN``."""

    kind: str
    raw: str
    start: int
    end: int


def parse_filter(text: str) -> Filter:
    """The filter of a cell that has one.

    Raises CellError: ``empty``, ``filter-syntax``, ``filter-parentheses``, ``mixed-and-or``. Messages give the place
    in the cell (the character, counted from 1; in JSON the item), what was expected there and what was found.
    """
    start = text.lstrip()[:1]
    if not start:
        raise CellError("empty", "there is no filter", 'for example name EQ "A"')
    if start in "[{":
        return Filter("AND", _from_json(text))
    refuse_surrogates(text, _SYNTAX)
    conditions: list[FilterCondition] = []
    joined_by: FilterType | None = None
    at, end = 0, len(text.rstrip())
    while True:
        condition, at = _condition(text, at)
        conditions.append(condition)
        if at == end:
            return Filter(joined_by or "AND", tuple(conditions))
        joiner, start_of_it, at = _joiner(text, at)
        if joined_by and joiner != joined_by:
            message = f"at character {start_of_it + 1}: {joiner} after {joined_by}; AND and OR do not mix in one filter"
            raise CellError("mixed-and-or", message, _CHAINED)
        joined_by = joiner


def print_filter(kept: Filter) -> str:
    """A cell that ``parse_filter`` reads as this filter, for every value it can return."""
    return f" {kept.filter_type} ".join(
        f"{_print_name(each.name)} {each.operator} {_quoted(each.value)}" for each in kept.conditions
    )


def value_problem(condition: FilterCondition, field_type: str) -> str | None:
    """Why comparing a field of this type with the condition's value cannot be meant, or None: a warning.

    How the service compares is not documented, so only this is found: a number, truth value or (ISO 8601) date that
    is none, a whole number that the type cannot hold, an order among truth values, a type without single values.
    """
    kind, value = field_type.lower(), condition.value
    wanted = None
    if kind in ("array", "map", "struct", "uniontype", "void"):
        return f"a field of type {kind} has no single value to compare with"
    if kind == "boolean" and condition.operator not in ("EQ", "NE"):
        return f"{condition.operator} asks for an order, and a boolean has none; use EQ or NE"
    if kind == "boolean" and value.lower() not in ("true", "false"):
        wanted = "true or false"
    elif kind in _BITS and not (_WHOLE.fullmatch(value) and -1 <= int(value) >> _BITS[kind] - 1 <= 0):
        wanted = f"a whole number of {_BITS[kind]} bits"
    elif kind in ("float", "double", "decimal") and not _NUMBER.fullmatch(value):
        wanted = None if kind != "decimal" and value.lower() in ("nan", "infinity", "-infinity") else "a number"
    elif kind == "date" and not _is_date(value, with_time=False):
        wanted = "a date such as 2024-01-31"
    elif kind in ("datetime", "timestamp", "timestampwithtimezone") and not _is_date(value, with_time=True):
        wanted = "a time such as 2024-01-31T09:30:00"
    return (
        f"'{plain(value, 60)}' is not {wanted}, as the type {kind} of {plain(condition.name, 60)} asks"
        if wanted
        else None
    )


def _is_date(value: str, *, with_time: bool) -> bool:
    if not _DATE.fullmatch(value[:10]) or not (len(value) == 10 or (with_time and _TIME.fullmatch(value, 10))):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _condition(text: str, at: int) -> tuple[FilterCondition, int]:
    token = _take(text, at, "a field name")
    name = _name(token)
    place, token = token.end, _take(text, token.end, "an operator")
    operator = _SYMBOLS.get(token.raw) if token.kind == "symbol" else _WORDS.get(token.raw.upper())
    if operator is None:
        usual = f"{_OPERATOR_HINT}; a field name with blanks stands in double quotes"
        raise _unexpected(text, place, "an operator", _FOREIGN.get(token.raw.upper(), usual))
    place, token = token.end, _take(text, token.end, "a value")
    if token.kind in ("double", "single"):
        value = _unquoted(token)
    elif token.kind == "bare" and token.raw.upper() not in _JOINERS:
        value = _visible(token)
    else:
        raise _unexpected(text, place, "a value", _value_hint(text, token))
    return FilterCondition(name=name, operator=operator, value=value), token.end


def _name(token: _Token) -> str:
    place = f"at character {token.start + 1}"
    if token.kind == "bare" and token.raw.upper() not in _RESERVED:
        return _visible(token)
    if token.kind in ("double", "tick"):
        name = _unquoted(token)
        if name:
            return name
        raise CellError(_SYNTAX, f"{place}: the field name is empty", "write the name of a field")
    hint = 'a condition looks like name EQ "A"'
    if token.kind == "single":
        hint = "single quotes are for values; a field name stands in double quotes or backticks"
    elif token.kind == "bare":
        named_so = f"if a field is called {token.raw}, write it in double quotes"
        hint = _FOREIGN.get(token.raw.upper(), named_so)
    raise CellError(_SYNTAX, f"{place}: expected a field name, found {_label(token.raw)}", hint)


def _joiner(text: str, at: int) -> tuple[FilterType, int, int]:
    """The word between two conditions, where it begins and where it ends."""
    token = _take(text, at, "AND or OR")
    joiner = _JOINERS.get(token.raw.upper())
    if token.kind != "bare" or joiner is None:
        raise _unexpected(text, at, "AND or OR", "a value with blanks or with signs such as = stands in double quotes")
    return joiner, token.start, token.end


def _take(text: str, at: int, expected: str) -> _Token:
    found = _TOKEN.match(text, at)
    if found is None:
        raise _unexpected(text, at, expected)
    kind = found.lastgroup
    assert kind is not None  # one of the groups always takes part in a match
    return _Token(kind, found[kind], found.start(kind), found.end())


def _visible(token: _Token) -> str:
    """The text of a bare token, which holds nothing that cannot be seen."""
    if not token.raw.isprintable():
        index = next(index for index, character in enumerate(token.raw) if not character.isprintable())
        place = f"at character {token.start + index + 1}"
        hint = "delete that character, or put the text in double quotes if it is meant"
        raise CellError(_SYNTAX, f"{place}: {shown(token.raw[index])}, which cannot be seen", hint)
    return token.raw


_EXAMPLE = 'as in name EQ "A"'


def _unexpected(text: str, at: int, expected: str, hint: str | None = None) -> CellError:
    """What stands at ``at``, past the blanks, in place of what was expected."""
    start = len(text) - len(text[at:].lstrip())
    place, stop = f"at character {start + 1}", text[start : start + 1]
    if not stop:
        return CellError(_SYNTAX, f"{place}: expected {expected}, but the filter ends", hint or _EXAMPLE)
    if stop in "()":
        return CellError("filter-parentheses", f"{place}: a filter cannot have parentheses", _CHAINED)
    token = _TOKEN.match(text, start)
    if token is None and stop in "\"'`":
        close = f"close it; {shown(stop)} within the text is written twice"
        return CellError(_SYNTAX, f"{place}: the text that begins with {shown(stop)} is not closed", close)
    if token is None:
        hint = _stray_hint(stop, expected) or hint
    found = _label(token[0]) if token else shown(stop)
    return CellError(_SYNTAX, f"{place}: expected {expected}, found {found}", hint or _EXAMPLE)


def _stray_hint(stop: str, expected: str) -> str | None:
    """How to mend a character that begins no part of the language."""
    if stop in "“”„‘’":
        return "these are typographic quotes; use straight ones"
    if stop == "!":
        return "did you mean !=?"
    if stop in "&|,;" and expected == "AND or OR":
        return f"write {'OR' if stop == '|' else 'AND'} between two conditions; a value with {stop} needs double quotes"
    return f"a name or value with {shown(stop)} stands in double quotes"


def _value_hint(text: str, token: _Token) -> str:
    before = text[: token.start].rstrip()[-1:]
    if token.kind == "symbol" and before in ("=", "<", ">"):
        swapped = token.raw + before
        return f"did you mean {swapped}?" if swapped in _SYMBOLS else _OPERATOR_HINT
    if token.kind == "bare":
        return f"if {token.raw} is the value, write it in double quotes"
    return 'a value is a word or a number, or stands in quotes, as in name EQ "A"'


def _label(raw: str) -> str:
    return plain(raw, 60) if raw[0] in _QUOTES.values() else f"'{plain(raw, 60)}'"


def _unquoted(token: _Token) -> str:
    quote = _QUOTES[token.kind]
    return token.raw[1:-1].replace(quote * 2, quote)


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _print_name(name: str) -> str:
    bare = _BARE.fullmatch(name) and name.isprintable() and name.upper() not in _RESERVED
    return name if bare else _quoted(name)


def _from_json(text: str) -> tuple[FilterCondition, ...]:
    conditions = []
    for number, item in enumerate(json_items(text, _SYNTAX, "filterConditionList"), 1):
        where = f"item {number}"
        name, word, value = json_texts(item, where, _SYNTAX, ("name", "operator", "value"))
        if not name:
            raise CellError(_SYNTAX, f"{where} has an empty name", "write the name of a field")
        operator = _WORDS.get(word.upper())
        if operator is None:
            hint = _FOREIGN.get(word.upper(), "operators are EQ NE GT LT GTE LTE")
            raise CellError(_SYNTAX, f"{where} has the unknown operator '{plain(word, 60)}'", hint)
        conditions.append(FilterCondition(name=name, operator=operator, value=value))
    return tuple(conditions)

"""What is wrong within one node, whatever stands around it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec
from msgspec import UNSET

from bulkjobs.graph import nodes as n
from bulkjobs.graph.buckets import check_bucket
from bulkjobs.graph.cell_error import CellError
from bulkjobs.graph.finding import Finding, listed, quoted
from bulkjobs.graph.suggest import nearest

_TYPES = frozenset(n.FIELD_TYPES)
_LONG = range(-(1 << 63), 1 << 63)
_COALESCE = range(1, 1 << 31)

_MAY_BE_EMPTY = frozenset({"parentNodeIds", "groupByList"})
"""A source has no parents, and an aggregate without groups is one over everything. Every other list is what its
node is there for."""


def _lists(cls: type[msgspec.Struct]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (field.name, field.encode_name)
        for field in msgspec.structs.fields(cls)
        if field.encode_name.endswith(("List", "Ids")) and field.encode_name not in _MAY_BE_EMPTY
    )


_LISTS = {cls: _lists(cls) for cls in n.NODE_TYPES.values()}
"""By node type, the lists that must hold something: attribute, and key as it travels."""


def check_node(node: n.Node, place: int, label: str) -> Iterator[Finding]:
    """Findings about ``node`` alone; ``place`` is its place in the graph, ``label`` what the reader calls it."""
    if node.id not in _LONG:
        hint = "ids have 13 digits in the documentation's examples"
        yield _error("node-id-range", place, label, "the id does not fit a Long (64 bits)", hint)
    for attribute, key in _LISTS[type(node)]:
        if not getattr(node, attribute):
            yield _error("empty-list", place, label, f"{key} is empty", f"put at least one entry into {key}")
    match node:
        case n.TransformFilter():
            if node.filter_type == "OR":
                message = f"node {quoted(label)}: OR is documented in the user guide only, not in the API reference"
                hint = "if the service refuses it, use one job for each condition and a union"
                yield Finding("warning", "filter-or", message, place, hint)
        case n.TransformDefine():
            for define in node.define_field_list:
                yield from _check_type(define.new_type, define.name, place, label)
        case n.TransformJoin():
            yield from _check_conditions(node, place, label)
        case n.TransformSql():
            if not node.sql.strip():
                yield _error("empty-sql", place, label, "sql is empty", "write a query, such as SELECT * FROM t")
        case _:
            yield from _check_ends(node, place, label)


def _check_ends(node: n.Node, place: int, label: str) -> Iterator[Finding]:
    """What sources, targets and a select have: fields; buckets; how many files to write."""
    if isinstance(node, n.Source | n.Target | n.TransformSelect):
        yield from _check_fields(node.field_list, place, label)
    if isinstance(node, n.SourceObs | n.TargetObs):
        try:
            check_bucket(node.bucket_name)
        except CellError as error:
            message = f"bucketName {quoted(node.bucket_name)}: {error.message}"
            yield _error(error.code, place, label, message, error.hint)
    if (
        isinstance(node, n.TargetObs | n.TargetCatalog)
        and node.coalesce is not UNSET
        and node.coalesce not in _COALESCE
    ):
        hint = "it is a number of files: write 1 or more, or leave it out"
        yield _error("bad-coalesce", place, label, "coalesce is not a positive 32-bit number", hint)


def _check_fields(fields: Sequence[n.Field], place: int, label: str) -> Iterator[Finding]:
    levels = [(fields, "")]
    for level, above in levels:  # grows while it is read
        if len({field.name for field in level}) < len(level):
            counts = Counter(field.name for field in level)
            names = listed([above + name for name, count in counts.items() if count > 1])
            yield _error(
                "duplicate-field",
                place,
                label,
                f"these fields come twice: {names}",
                "give each field a name of its own",
            )
        for field in level:
            if field.type not in _TYPES:
                yield from _check_type(field.type, above + field.name, place, label)
            if field.properties:
                levels.append((field.properties, f"{above}{field.name}."))


def _check_type(word: str, name: str, place: int, label: str) -> Iterator[Finding]:
    if word.lower() not in _TYPES:
        near = nearest(word.split("(", 1)[0].split("<", 1)[0], n.FIELD_TYPES)
        hint = f"did you mean {near}?" if near else f"types are {', '.join(n.FIELD_TYPES)}"
        yield _error("unknown-field-type", place, label, f"field {quoted(name)} has unknown type {quoted(word)}", hint)


def _check_conditions(node: n.TransformJoin, place: int, label: str) -> Iterator[Finding]:
    for number, condition in enumerate(node.join_condition_list):
        if (condition.condition_operator == "HEAD") != (number == 0):
            word = condition.condition_operator
            message = f"joinConditionList[{number}] has conditionOperator {word}"
            hint = "the first condition has HEAD, the ones after it AND or OR"
            yield _error("join-head", place, label, message, hint)


def _error(code: str, place: int, label: str, what: str, hint: str) -> Finding:
    return Finding("error", code, f"node {quoted(label)}: {what}", place, hint)

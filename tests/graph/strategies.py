"""Graphs as they travel: valid ones of all 18 node types, and ones that are impossible in exactly one way."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from hypothesis import strategies as st

from bulkjobs.graph.nodes import FIELD_TYPES

Json = dict[str, Any]
Draw = st.DrawFn
Names = frozenset[str] | None
"""Fields that are there after a node under every reading; None where nobody can tell, so that any name will do."""
Grown = tuple[str, Json, Names]
"""A transform: its type, its own keys, what leaves it."""

NAMES = ("a", "b", "c", "d", "e", "이름", "with blank", "tab\tbed")
OPERATORS = st.sampled_from(["EQ", "NE", "GT", "LT", "GTE", "LTE"])
MAX_NODES = 12

words = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=6)
values = st.one_of(words, st.sampled_from(["1", "007", "NA", "1.50", str(2**53 + 1), "-3"]))
types = st.sampled_from(FIELD_TYPES).flatmap(lambda word: st.sampled_from([word, word.title(), word.upper()]))
buckets = st.sampled_from(["raw-data", "out.2024", "abc", "0" * 63])


def some_of(names: Names) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(sorted(names or NAMES)), min_size=1, max_size=3, unique=True)


@st.composite
def fields(draw: Draw, names: Names = None, nested: bool = True) -> list[Json]:
    made: list[Json] = [{"name": name, "type": draw(types)} for name in draw(some_of(names))]
    if nested and draw(st.booleans()):
        made[0]["properties"] = draw(fields(nested=False))
    return made


class _Builder:
    """A graph that grows: each node takes its data from nodes that are already there."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.nodes: list[Json] = []
        self.leaving: dict[int, Names] = {}
        ids = st.integers(10**12, 10**13 - 1)
        self._ids = iter(draw(st.lists(ids, min_size=MAX_NODES, max_size=MAX_NODES, unique=True)))

    def add(self, kind: str, parents: list[int], **keys: Any) -> int:
        number = next(self._ids)
        self.nodes.append({"type": kind, "id": number, "name": self.draw(words), "parentNodeIds": parents, **keys})
        return number

    def parents(self, least: int, most: int) -> list[int]:
        there = st.sampled_from(list(self.leaving))
        return self.draw(st.lists(there, min_size=least, max_size=most, unique=True))

    def end(self, side: str, parents: list[int], field_list: list[Json]) -> int:
        """A source or a target of one of four kinds."""
        draw = self.draw
        keys: Json = {"fieldList": field_list}
        kind = draw(st.sampled_from(["OBS", "CATALOG", "CDB_MYSQL", "CDB_POSTGRESQL"]))
        if kind == "OBS":
            data_types = ["JSON", "CSV", "PARQUET", *(["NDJSON"] if side == "SOURCE" else [])]
            keys |= {"regionNo": "1", "bucketName": draw(buckets), "prefix": draw(words)}
            keys |= {"dataType": draw(st.sampled_from(data_types))}
        elif kind == "CATALOG":
            keys |= {"database": draw(words), "table": draw(words), "schemaVersion": draw(values)}
        else:
            keys |= {"connectionId": draw(values), "table": draw(words)}
        if side == "TARGET":
            if draw(st.booleans()):
                keys["updateType"] = draw(st.sampled_from(["OVERWRITE", "APPEND", "IGNORE"]))
            if kind in {"OBS", "CATALOG"} and draw(st.booleans()):
                keys["coalesce"] = draw(st.integers(1, 99))
        return self.add(f"{side}_{kind}", parents, **keys)

    def source(self) -> None:
        field_list = self.draw(fields())
        self.leaving[self.end("SOURCE", [], field_list)] = frozenset(field["name"] for field in field_list)

    def target(self) -> None:
        (parent,) = self.parents(1, 1)
        self.end("TARGET", [parent], self.draw(fields(self.leaving[parent])))

    def transform(self) -> None:
        choices: list[Callable[[], None]] = [partial(self._single, grow) for grow in _TRANSFORMS]
        choices += [self._sql, *([self._union, self._join] if len(self.leaving) > 1 else [])]
        self.draw(st.sampled_from(choices))()

    def _single(self, grow: Callable[[Draw, Names], Grown]) -> None:
        (parent,) = self.parents(1, 1)
        kind, keys, leaving = grow(self.draw, self.leaving[parent])
        self.leaving[self.add(kind, [parent], **keys)] = leaving

    def _union(self) -> None:
        parents = self.parents(2, 3)
        number = self.add("TRANSFORM_UNION", parents, unionType=self.draw(st.sampled_from(["ALL", "DISTINCT"])))
        self.leaving[number] = self._all(parents)

    def _join(self) -> None:
        draw = self.draw
        left, right = self.parents(2, 2)
        conditions = [
            {
                "leftField": draw(some_of(self.leaving[left]))[0],
                "rightField": draw(some_of(self.leaving[right]))[0],
                "joinOperator": draw(OPERATORS),
                "conditionOperator": draw(st.sampled_from(["AND", "OR"])) if place else "HEAD",
            }
            for place in range(draw(st.integers(1, 3)))
        ]
        how = draw(st.sampled_from(["INNER", "LEFT_OUTER", "RIGHT_OUTER", "FULL_OUTER"]))
        prefix = {"prefix": draw(words)} if draw(st.booleans()) else {}
        number = self.add(
            "TRANSFORM_JOIN", draw(st.permutations([left, right])), joinType=how, leftNodeId=left, rightNodeId=right,
            joinConditionList=conditions, **prefix,
        )  # fmt: skip
        self.leaving[number] = None if prefix else self._all([left, right])

    def _sql(self) -> None:
        parents = self.parents(1, 2)
        names = [{"parentId": parent, "newName": f"t{place}"} for place, parent in enumerate(parents)]
        number = self.add("TRANSFORM_SQL", parents, sourceNameList=names, sql="SELECT * FROM t0")
        self.leaving[number] = None

    def _all(self, parents: list[int]) -> Names:
        parts = [self.leaving[parent] for parent in parents]
        known = [part for part in parts if part is not None]
        return frozenset[str]().union(*known) if len(known) == len(parts) else None


def _filter(draw: Draw, names: Names) -> Grown:
    conditions = [{"name": name, "operator": draw(OPERATORS), "value": draw(values)} for name in draw(some_of(names))]
    return "TRANSFORM_FILTER", {"filterType": "AND", "filterConditionList": conditions}, names


def _define(draw: Draw, names: Names) -> Grown:
    old, new = draw(some_of(names))[0], draw(st.sampled_from(NAMES))
    entry = {"name": old, "newType": draw(types), "newName": new}
    return "TRANSFORM_DEFINE", {"defineFieldList": [entry]}, names and (names - {old}) | {new}


def _select(draw: Draw, names: Names) -> Grown:
    field_list = draw(fields(names))
    return "TRANSFORM_SELECT", {"fieldList": field_list}, frozenset(field["name"] for field in field_list)


def _rename(draw: Draw, names: Names) -> Grown:
    old, new = draw(some_of(names))[0], draw(st.sampled_from(NAMES))
    leaving = names and (names - {old}) | {new}
    return "TRANSFORM_RENAME", {"renameFieldList": [{"name": old, "newName": new}]}, leaving


def _aggregate(draw: Draw, names: Names) -> Grown:
    groups = draw(some_of(names))
    function = draw(st.sampled_from(["SUM", "AVG", "MAX", "MIN"]))
    entry = {"name": draw(some_of(names))[0], "ResultName": "total", "function": function}
    keys = {"groupByList": groups, "aggregateFieldList": [entry]}
    return "TRANSFORM_AGGREGATE", keys, frozenset([*groups, "total"])


def _drop(draw: Draw, names: Names) -> Grown:
    return "TRANSFORM_DROP_DUPLICATION", {"dropFieldList": draw(some_of(names))}, names


def _fill(draw: Draw, names: Names) -> Grown:
    entries = [{"name": name, "defaultValue": draw(values)} for name in draw(some_of(names))]
    return "TRANSFORM_FILL_MISSING_VALUES", {"missingValueFieldList": entries}, names


_TRANSFORMS: list[Callable[[Draw, Names], Grown]] = [_filter, _define, _select, _rename, _aggregate, _drop, _fill]


@st.composite
def graphs(draw: Draw) -> list[Json]:
    """A valid graph: one to three sources, up to six transforms, one or two targets, in any order."""
    builder = _Builder(draw)
    for _ in range(draw(st.integers(1, 3))):
        builder.source()
    for _ in range(draw(st.integers(0, 6))):
        builder.transform()
    for _ in range(draw(st.integers(1, 2))):
        builder.target()
    return draw(st.permutations(builder.nodes))


@st.composite
def broken_graphs(draw: Draw) -> tuple[str, list[Json]]:
    """A valid graph made impossible in one place, and the code of what is wrong with it."""
    nodes = draw(graphs())
    ids = [node["id"] for node in nodes]
    of = {code: [node for node in nodes if fits(node)] for code, fits in _FITS.items()}
    code = draw(st.sampled_from([code for code, fitting in of.items() if fitting]))
    node = draw(st.sampled_from(of[code]))
    match code:
        case "duplicate-node-id":
            nodes.append(node | {"name": "again"})
        case "missing-parent":
            # Beside the parent that it has: a join has other parents than its sides then, which is as impossible.
            node["parentNodeIds"] = [*node["parentNodeIds"], 1]
        case "cycle":
            node["parentNodeIds"] = [*node["parentNodeIds"], node["id"]]
        case "source-with-parents":
            node["parentNodeIds"] = [draw(st.sampled_from([number for number in ids if number != node["id"]]))]
        case "no-parents":
            node["parentNodeIds"] = []
        case "target-with-children":
            nodes.append(node | {"id": 1, "parentNodeIds": [node["id"]]})
        case "join-sides":
            node["leftNodeId"] = node["rightNodeId"]
        case "join-head":
            node["joinConditionList"][0]["conditionOperator"] = "AND"
        case "no-source" | "no-target":
            nodes = [other for other in nodes if not other["type"].startswith(code[3:].upper())]
        case "missing-field":
            nodes += [
                {
                    "type": "TRANSFORM_FILTER", "id": 1, "name": "f", "parentNodeIds": [node["id"]],
                    "filterType": "AND",
                    "filterConditionList": [{"name": "nowhere", "operator": "EQ", "value": "1"}],
                }
            ]  # fmt: skip
        case "bad-bucket":
            node["bucketName"] = draw(st.sampled_from(["A", "ab", "under_score", "-abc", "10.0.0.1", "a" * 64]))
        case "unknown-field-type":
            node["fieldList"][-1]["type"] = "text"
    return code, nodes


def _starts(*words: str) -> Callable[[Json], bool]:
    return lambda node: node["type"].startswith(words)


_FITS: dict[str, Callable[[Json], bool]] = {
    "duplicate-node-id": _starts(""),
    "missing-parent": _starts("TRANSFORM", "TARGET"),
    "cycle": lambda node: node["type"].startswith("TRANSFORM") and node["type"] != "TRANSFORM_JOIN",
    "source-with-parents": _starts("SOURCE"),
    "no-parents": _starts("TRANSFORM", "TARGET"),
    "target-with-children": _starts("TARGET"),
    "join-sides": _starts("TRANSFORM_JOIN"),
    "join-head": _starts("TRANSFORM_JOIN"),
    "no-source": _starts("SOURCE"),
    "no-target": _starts("TARGET"),
    "missing-field": _starts("SOURCE"),
    "bad-bucket": lambda node: "bucketName" in node,
    "unknown-field-type": lambda node: "fieldList" in node,
}

"""Live jobs → rows of an inventory for the built-in layout, each proved to mean the same as its job. Pure.

A graph of source, filter and target as the built-in layout makes it gets the flat columns; any other one, and any
with a character that cannot be seen or that would act on a terminal, gets the ``nodes`` column, in which JSON writes
such characters as escapes. A row is taken only if it expands to what the service shows, by the rules in force; a job
of which no row can be made is refused with the reason. What is no part of a graph (run conditions) is not exported.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
from msgspec import UNSET

from bulkjobs.graph.cell_error import CellError
from bulkjobs.graph.comparison import Comparison
from bulkjobs.graph.expand import Expander
from bulkjobs.graph.fields import print_fields
from bulkjobs.graph.filters import Filter, print_filter
from bulkjobs.graph.nodes import Node, SourceObs, TargetObs, TransformFilter
from bulkjobs.graph.shown import sendable
from bulkjobs.inventory.problems import Problem
from bulkjobs.inventory.rows import Chunk, Header

COLUMNS = (
    "name", "bucket", "prefix", "fields", "filter", "data_type", "region_no", "target_bucket", "target_prefix",
    "target_data_type", "target_region_no", "update_type", "nodes",
)  # fmt: skip
"""The columns of an exported inventory, always all of them."""

_HEADER = Header(COLUMNS, {name: place for place, name in enumerate(COLUMNS)})
_NOT_ASCII = re.compile(r"[^\x20-\x7e]")

Row = tuple[str, ...]
"""A cell for each of ``COLUMNS``."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A live job as the service shows it. ``nodes`` is decoded JSON of untrusted origin."""

    name: str
    job_id: str
    nodes: object


@dataclass(frozen=True, slots=True)
class Refused:
    """A job that no row can be made of. Texts are as the service sent them."""

    name: str
    job_ids: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Exported:
    """Rows and refusals of some jobs, each in their order. ``as_nodes``: rows with the ``nodes`` column."""

    rows: Sequence[Row]
    refused: Sequence[Refused]
    as_nodes: int


def export_rows(jobs: Sequence[Shown], expander: Expander, comparison: Comparison) -> Exported:
    """Rows for ``jobs``. ``expander``: of the built-in layout."""
    rows: list[Row | None] = [None] * len(jobs)
    reasons: dict[int, str] = {}
    raw: dict[int, Row] = {}
    flat: dict[int, Row] = {}
    for place, job in enumerate(jobs):
        try:
            nodes = sendable(job.nodes)
            raw[place] = _row(name=job.name, nodes=_inert_json(nodes))
            cells = _flat(nodes)
        except CellError as error:
            reasons[place] = error.message
            continue
        except UnicodeEncodeError:
            reasons[place] = "it holds half a character, which no file can hold"
            continue
        if cells is not None:
            flat[place] = _row(name=job.name, **cells)
    for place in _proved(flat, jobs, expander, comparison, {}):
        rows[place] = flat[place]
    left = {place: row for place, row in raw.items() if rows[place] is None}
    proved = _proved(left, jobs, expander, comparison, reasons)
    for place in proved:
        rows[place] = left[place]
    refused = [
        Refused(job.name, (job.job_id,), reasons.get(place, "its row would mean something else"))
        for place, job in enumerate(jobs)
        if rows[place] is None
    ]
    return Exported([row for row in rows if row is not None], refused, len(proved))


def _proved(
    rows: Mapping[int, Row], jobs: Sequence[Shown], expander: Expander, comparison: Comparison, reasons: dict[int, str]
) -> list[int]:
    """The places whose row expands to its job; of the others ``reasons`` gets why, where there is a problem to name."""
    places = list(rows)
    expansion = expander.expand(Chunk("export", _HEADER, places, [rows[place] for place in places]))
    for problem in expansion.problems:
        if problem.severity == "error" and problem.line is not None:
            reasons.setdefault(problem.line, _said(problem))
    return [
        place
        for place, spec in zip(places, expansion.jobs, strict=True)
        if spec is not None and spec.name == jobs[place].name and comparison.same(spec.nodes, jobs[place].nodes)
    ]


def _said(problem: Problem) -> str:
    return problem.message if problem.column in (None, "nodes") else f"{problem.column}: {problem.message}"


def _row(**cells: str) -> Row:
    return tuple(cells.get(name, "") for name in COLUMNS)


def _flat(nodes: Sequence[Node]) -> dict[str, str] | None:
    """The cells of a graph that has the built-in layout's nodes; None for any other. How they hang together, and what
    they are called, is for the proof."""
    sources = [node for node in nodes if isinstance(node, SourceObs)]
    filters = [node for node in nodes if isinstance(node, TransformFilter)]
    targets = [node for node in nodes if isinstance(node, TargetObs)]
    if len(sources) != 1 or len(targets) != 1 or len(filters) > 1 or len(nodes) != 2 + len(filters):
        return None
    source, target = sources[0], targets[0]
    if target.coalesce is not UNSET or not source.field_list or not all(field.name for field in source.field_list):
        return None
    try:
        kept = [Filter(node.filter_type, tuple(node.filter_condition_list)) for node in filters]
    except ValueError:  # no conditions, or a single one joined by OR
        return None
    cells = {
        "bucket": source.bucket_name,
        "prefix": source.prefix,
        "fields": print_fields(source.field_list),
        "filter": print_filter(kept[0]) if kept else "",
        "data_type": source.data_type,
        "region_no": source.region_no,
        "target_bucket": target.bucket_name,
        "target_prefix": target.prefix,
        "target_data_type": target.data_type,
        "target_region_no": target.region_no,
        "update_type": "" if target.update_type is UNSET else target.update_type,
    }
    return cells if all(cell.isprintable() for cell in cells.values()) else None


def _inert_json(nodes: Sequence[Node]) -> str:
    """The nodes' JSON; every character that is not printable is an escape."""
    encoded = msgspec.json.encode(nodes).decode()
    if encoded.isprintable():
        return encoded
    return _NOT_ASCII.sub(lambda found: found[0] if found[0].isprintable() else json.dumps(found[0])[1:-1], encoded)

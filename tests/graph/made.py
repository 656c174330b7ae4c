"""Inventories and layouts made in a test, and what becomes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bulkjobs.graph.expand import Expander, Expansion
from bulkjobs.graph.layout import Layout, read_layout
from bulkjobs.graph.spec import JobSpec
from bulkjobs.graph.survey import Survey
from bulkjobs.inventory.header import read_header
from bulkjobs.inventory.problems import Problem
from bulkjobs.inventory.reader import InventoryFile
from bulkjobs.inventory.rows import Chunk
from bulkjobs.sandbox.graphs import check_graph
from bulkjobs.sandbox.shapes import read_nodes

Json = dict[str, Any]

GOOD = {
    "name": "job001",
    "bucket": "shop-raw",
    "prefix": "orders",
    "fields": "id:bigint, name:string",
    "filter": 'name EQ "A"',
    "target_bucket": "shop-clean",
    "target_prefix": "orders-out",
}
"""A row that the built-in layout takes."""


def layout(text: str, **variables: str) -> Layout:
    return read_layout(text, "mine.toml", variables)


def chunk(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    first_line: int = 2,
    problems: Sequence[Problem] = (),
) -> Chunk:
    made, _ = read_header("t.csv", header, 1)
    return Chunk("t.csv", made, range(first_line, first_line + len(rows)), rows, problems)


def table(*rows: Mapping[str, str]) -> Chunk:
    """A chunk with the columns of the first row."""
    header = list(rows[0])
    return chunk(header, [[row[name] for name in header] for row in rows])


def expand(*rows: Mapping[str, str], by: Layout | None = None) -> Expansion:
    return Expander(by).expand(table(*rows))


def nodes(job: JobSpec | None) -> list[Json]:
    assert job is not None
    decoded: list[Json] = msgspec.json.decode(job.nodes)
    return decoded


def only(expansion: Expansion) -> list[Json]:
    """The nodes of the one row, of which nothing was said."""
    assert not expansion.problems
    (job,) = expansion.jobs
    return nodes(job)


def codes(expansion: Expansion) -> list[tuple[str | None, str]]:
    """Column and code of each problem."""
    return [(problem.column, problem.code) for problem in expansion.problems]


def assert_the_sandbox_takes(job: JobSpec | None) -> None:
    raw = nodes(job)
    check_graph(read_nodes(raw))


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> InventoryFile:
    def line(cells: Sequence[str]) -> str:
        return ",".join('"' + cell.replace('"', '""') + '"' for cell in cells) + "\n"

    path.write_text("".join(map(line, [header, *rows])), encoding="utf-8", newline="")
    return InventoryFile(path)


def survey(*files: InventoryFile, by: Layout | None = None, most: int = 1_000) -> Survey:
    """A survey that has been through all of them."""
    surveyed = Survey(files, Expander(by), most)
    for _ in surveyed:
        pass
    return surveyed

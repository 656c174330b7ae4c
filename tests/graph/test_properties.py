"""Any table becomes jobs or problems, and any good one the jobs that a naive expander makes of it."""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bulkjobs.errors import UsageError
from bulkjobs.graph.columns import columns_of
from bulkjobs.graph.expand import Expander
from bulkjobs.graph.layout import builtin_text, read_layout
from bulkjobs.graph.nodes import FIELD_TYPES

from .made import assert_the_sandbox_takes, chunk, nodes

Json = dict[str, Any]
LAYOUTS = [path.read_text(encoding="utf-8") for path in (Path(__file__).parents[2] / "inputs/layouts").glob("*.toml")]
EXAMPLES = int(os.environ.get("BULKJOBS_FUZZ_EXAMPLES", "80"))
"""More by hand: BULKJOBS_FUZZ_EXAMPLES=20000 pytest tests/graph/test_properties.py."""
longer = settings(max_examples=EXAMPLES, deadline=None)

# Good cells, with what they mean

COLUMNS = [
    "name", "bucket", "prefix", "fields", "filter", "data_type", "region_no", "target_bucket", "target_prefix",
    "target_data_type", "target_region_no", "update_type",
]  # fmt: skip
texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)
job_names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{2,20}", fullmatch=True)
buckets = st.from_regex(r"[a-z0-9][a-z0-9-]{1,12}[a-z0-9]", fullmatch=True)
prefixes = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=12).filter(
    lambda text: bool(text.strip()) and text[0] != "/"
)
field_names = (
    st.text(st.characters(categories=["L", "N"], include_characters="_ 한국%"), min_size=1, max_size=6)
    .map(str.strip)
    .filter(bool)
)
OPERATORS = {"EQ": "EQ", "==": "EQ", "!=": "NE", ">": "GT", "lte": "LTE", "<>": "NE"}


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


@st.composite
def good_rows(draw: st.DrawFn, name: str) -> tuple[list[str], list[Json]]:
    """The cells of a row, and its nodes with places for ids."""
    fields = [
        {"name": field, "type": draw(st.sampled_from(FIELD_TYPES))}
        for field in draw(st.lists(field_names, min_size=1, max_size=4, unique=True))
    ]
    conditions = draw(
        st.lists(st.tuples(st.sampled_from(fields), st.sampled_from(sorted(OPERATORS)), texts), max_size=3)
    )
    joiner = draw(st.sampled_from(["AND", "OR"]))
    data_type, region = draw(st.sampled_from(["", "csv", "JSON", "Parquet"])), draw(st.sampled_from(["", "1", "12"]))
    target_type, target_region = draw(st.sampled_from(["", "JSON"])), draw(st.sampled_from(["", "2"]))
    update = draw(st.sampled_from(["", "APPEND", "overwrite"]))
    bucket, prefix, to_bucket, to_prefix = draw(buckets), draw(prefixes), draw(buckets), draw(prefixes)
    cells = [
        name, bucket, prefix, ", ".join(f"{_quoted(field['name'])}:{field['type']}" for field in fields),
        f" {joiner} ".join(f"{_quoted(field['name'])} {word} {_quoted(value)}" for field, word, value in conditions),
        data_type, region, to_bucket, to_prefix, target_type, target_region, update,
    ]  # fmt: skip
    source = {
        "type": "SOURCE_OBS", "id": 115, "name": "Object Storage", "parentNodeIds": [], "regionNo": region or "1",
        "bucketName": bucket, "prefix": prefix, "dataType": data_type.upper() or "CSV", "fieldList": fields,
    }  # fmt: skip
    keep = {
        "type": "TRANSFORM_FILTER", "id": 837, "name": "필터", "parentNodeIds": [115],
        "filterType": joiner if len(conditions) > 1 else "AND",
        "filterConditionList": [
            {"name": field["name"], "operator": OPERATORS[word], "value": value} for field, word, value in conditions
        ],
    }  # fmt: skip
    target: Json = {
        "type": "TARGET_OBS", "id": 900, "name": "Object Storage", "parentNodeIds": [837 if conditions else 115],
        "regionNo": target_region or region or "1", "bucketName": to_bucket, "prefix": to_prefix,
        "dataType": target_type or data_type.upper() or "CSV",
        **({"updateType": update.upper()} if update else {}), "fieldList": fields,
    }  # fmt: skip
    return cells, [source, *([keep] if conditions else []), target]


@st.composite
def good_tables(draw: st.DrawFn) -> tuple[list[list[str]], list[list[Json]]]:
    """Cells, and the bodies' nodes as a naive expander makes them."""
    rows, bodies = [], []
    for name in draw(st.lists(job_names, min_size=1, max_size=5)):
        cells, graph = draw(good_rows(name))
        owner = 10**9 + zlib.crc32(name.encode())
        for node in graph:
            node["id"] += owner * 1000
            node["parentNodeIds"] = [owner * 1000 + parent for parent in node["parentNodeIds"]]
        rows.append(cells)
        bodies.append(graph)
    return rows, bodies


@settings(max_examples=100, deadline=None)
@given(good_tables(), st.permutations(range(len(COLUMNS))))
def test_good_rows_become_the_jobs_of_a_naive_expander_and_the_sandbox_takes_them(
    made: tuple[list[list[str]], list[list[Json]]], order: list[int]
) -> None:
    rows, bodies = made
    shuffled = chunk([COLUMNS[i] for i in order], [[row[i] for i in order] for row in rows])
    expansion = Expander().expand(shuffled)
    assert not [problem for problem in expansion.problems if problem.severity == "error"]
    for job, body in zip(expansion.jobs, bodies, strict=True):
        assert nodes(job) == body
        assert_the_sandbox_takes(job)


def test_a_large_column_takes_the_quick_way_to_the_same_jobs() -> None:
    rows = [[f"job_{i}", "raw", f"in/{i}", "a:int", "", "", "", "out", f"out/{i} 한", "", "", ""] for i in range(300)]
    at_once = Expander().expand(chunk(COLUMNS, rows))
    expander = Expander()
    one_by_one = [expander.expand(chunk(COLUMNS, [row])).jobs[0] for row in rows]
    assert at_once.jobs == one_by_one
    assert not at_once.problems


# Any cells

RAW = '[{"type":"SOURCE_OBS","id":1,"name":"s","parentNodeIds":[],"regionNo":"1","bucketName":"raw","prefix":"%s"'
some_cells = st.one_of(
    texts,
    st.sampled_from(
        ["", " ", "a", "raw", "job1", "a:int", "a:int,a:int", 'a == "1"', "(", "a == 1 OR b == 2 AND c == 3", "CSV",
         "NDJSON", "OVERWRITE", "1", "/", "a/b", "[", "{}", "[]", "[[[", '[{"name":"a","type":"int"}]', "null", "%",
         RAW, RAW + ',"dataType":"CSV","fieldList":[]}]', "job\nname", "\x00", "${bucket}", "9" * 5000, "[" * 5000]
    ),
)  # fmt: skip
headers = st.lists(
    st.sampled_from([*COLUMNS, *COLUMNS, "nodes", "owner", "bukcet", "Name ", "", "files", "when"]),
    min_size=1,
    max_size=14,
)


@longer
@given(st.data(), st.sampled_from([builtin_text(), *LAYOUTS]))
def test_any_row_of_any_table_has_a_job_or_an_error_and_nothing_else_happens(data: st.DataObject, text: str) -> None:
    layout = read_layout(text, "l.toml", {})
    known = st.lists(
        st.sampled_from([column.name for column in columns_of(layout)]), unique=True, min_size=1, max_size=12
    )
    header = data.draw(st.one_of(headers, known))
    width = st.integers(max(len(header) - 1, 0), len(header) + 1) if data.draw(st.booleans()) else st.just(len(header))
    rows = [[data.draw(some_cells) for _ in range(data.draw(width))] for _ in range(data.draw(st.integers(0, 3)))]
    made = chunk(header, rows)
    expansion = Expander(layout).expand(made)
    assert len(expansion.jobs) == len(expansion.names) == len(rows)
    errors = {problem.line for problem in expansion.problems if problem.severity == "error"}
    of_header = None in errors
    for line, job, name in zip(made.lines, expansion.jobs, expansion.names, strict=True):
        assert (job is None) == (line in errors) or (of_header and job is None)
        if job is not None:
            assert job.name == name
            assert_the_sandbox_takes(job)


# Any layout

pieces = st.sampled_from(
    ["[nodes.a]", "[nodes.b]", "[job]", "[defaults]", "[variables]", "[columns.a]", "type = 'SOURCE_OBS'",
     "type = 'TARGET_OBS'", "type = 'TRANSFORM_JOIN'", "type = 'TRANSFORM_SQL'", "parents = ['a']", "parents = 'b'",
     "when = '${x}'", "name = '${name}'", "left = 'a'", "right = 'b'", "sources = {a = 'x'}", "fieldList = 'a:int'",
     "fieldList = [{name = '${x}', type = 'int'}]", "x = '${y}'", "y = '${x}'", "bucketName = 'abc'", "prefix = '$'",
     "regionNo = 1", "dataType = 'CSV'", "a = 1.5", "b = 2026-11-24", "c = [[[]]]", "d = {e = {}}", '"" = ""',
     "nodes = 5", "[[nodes]]", "about = 5", "type = []", "left = {}", "sources = 5", "parents = {}", "when = []"]
)  # fmt: skip


@longer
@given(st.lists(st.one_of(pieces, texts), max_size=14))
def test_text_that_is_nearly_a_layout_is_read_or_refused(lines: list[str]) -> None:
    _read("\n".join(lines))


@longer
@given(st.data(), st.sampled_from([builtin_text(), *LAYOUTS]))
def test_a_good_layout_that_is_changed_somewhere_is_read_or_refused(data: st.DataObject, text: str) -> None:
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = start + data.draw(st.integers(0, 12))
        text = (
            text[:start]
            + data.draw(st.one_of(texts, pieces, st.sampled_from(["$", "{", "'''", "\n", "= 5"])))
            + text[end:]
        )
    _read(text)


@longer
@given(st.data(), st.sampled_from([builtin_text(), *LAYOUTS]))
def test_a_good_layout_that_loses_or_repeats_lines_is_read_or_refused(data: st.DataObject, text: str) -> None:
    lines = text.splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        if data.draw(st.booleans()):
            lines.pop(at)
        else:
            lines.insert(data.draw(st.integers(0, len(lines))), lines[at])
    _read("\n".join(lines))


def _read(text: str) -> None:
    """Reads a layout and expands a row with it: what is wrong with it is UsageError, and never anything else."""
    try:
        layout = read_layout(text, "l.toml", {"x": "y"} if "${x}" in text else {})
        columns = [column.name for column in columns_of(layout) if column.name != "nodes"]
        Expander(layout).expand(chunk(columns, [["abc"] * len(columns), [""] * len(columns)]))
        told = None
    except UsageError as error:
        told = error.message
    assert told is None or told.startswith("layout l.toml: ")

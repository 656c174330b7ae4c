"""A row's shape: node types and data types, the same of a layout's rows and of graphs of a row's own."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bulkjobs.graph.expand import Expander, Expansion
from bulkjobs.graph.layout import load_layout
from bulkjobs.inventory.reader import InventoryFile

from .made import GOOD, expand, layout, nodes

INPUTS = Path(__file__).parents[2] / "inputs"
_WORDS = re.compile(rb'"(?:type|dataType)":("[A-Z_]+")')

TWO_WAYS = """
[job]
name = "${name}"
[nodes.source]
type = "SOURCE_OBS"
bucketName = "${bucket}"
prefix = "${prefix}"
regionNo = "1"
dataType = "PARQUET"
fieldList = "${fields}"
[nodes.filter]
type = "TRANSFORM_FILTER"
parents = ["source"]
when = "${filter}"
filter = "${filter}"
[nodes.target]
type = "TARGET_OBS"
parents = ["filter"]
bucketName = "${target_bucket}"
prefix = "${target_prefix}"
regionNo = "1"
dataType = "${data_type}"
fieldList = "${fields}"
"""


def _are_those_that_travel(expansion: Expansion) -> None:
    assert len(expansion.shapes) == len(expansion.jobs)
    for shape, job in zip(expansion.shapes, expansion.jobs, strict=True):
        assert job is not None
        assert shape == tuple(_WORDS.findall(job.nodes))


@pytest.mark.parametrize("stem", sorted({path.stem for path in (INPUTS / "layouts").glob("*.toml")} | {"sample"}))
def test_a_shape_is_what_the_job_says_that_travels(stem: str) -> None:
    variables = {"env": "dev"} if stem == "environments" else {}
    expander = Expander(None if stem == "sample" else load_layout(INPUTS / "layouts" / f"{stem}.toml", variables))
    for chunk in InventoryFile(INPUTS / f"{stem}.csv").chunks():
        _are_those_that_travel(expander.expand(chunk))


def test_rows_of_one_chunk_have_each_their_own() -> None:
    made = expand(
        GOOD | {"data_type": "CSV"},
        GOOD | {"name": "job002", "data_type": "JSON"},
        GOOD | {"name": "job003", "data_type": "JSON", "filter": ""},
        by=layout(TWO_WAYS),
    )
    _are_those_that_travel(made)
    assert len(set(made.shapes)) == 3


def test_the_letter_case_of_a_field_type_makes_no_shape_of_its_own() -> None:
    one, other = expand(GOOD, GOOD | {"name": "job002", "fields": "id:BIGINT, name:STRING"}).shapes
    assert one == other


def test_a_graph_of_the_rows_own_has_the_shape_of_a_layouts() -> None:
    ordinary = expand(GOOD)
    raw = expand(GOOD | {"name": "job002", "nodes": json.dumps(nodes(ordinary.jobs[0]))}, GOOD | {"nodes": ""})
    _are_those_that_travel(raw)
    assert {*raw.shapes} == {*ordinary.shapes}

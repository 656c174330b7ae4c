"""Every layout in inputs/ does what its golden file says, with the sample inventory beside it.

A golden file maps job names to nodes. After a wanted change, write it again from what the test shows.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bulkjobs.graph.columns import columns_of
from bulkjobs.graph.expand import Expander
from bulkjobs.graph.layout import load_layout
from bulkjobs.graph.spec import JobSpec
from bulkjobs.graph.survey import Survey
from bulkjobs.inventory.reader import InventoryFile

from .made import assert_the_sandbox_takes, nodes

INPUTS = Path(__file__).parents[2] / "inputs"
GOLDEN = Path(__file__).parent / "golden"
STEMS = sorted(path.stem for path in (INPUTS / "layouts").glob("*.toml"))
GOLDEN_STEMS = sorted({*STEMS} - {"environments"} | {"environments_dev", "environments_prod"})

SPECIFICATION = """
[
        {
          "type": "SOURCE_OBS",
          "id": 1,
          "name": "Object Storage",
          "parentNodeIds": [],
          "regionNo": "1",
          "bucketName": "aitems",
          "prefix": "dataflow1",
          "dataType": "CSV",
          "fieldList": [
            {
              "name": "id",
              "type": "string"
            },
            {
              "name": "name",
              "type": "string"
            },
            {
              "name": "description",
              "type": "string"
            }
          ]
        },
        {
          "type": "TRANSFORM_FILTER",
          "id": 2,
          "name": "필터",
          "parentNodeIds": [
            1
          ],
          "filterType": "AND",
          "filterConditionList": [
            {
              "name": "name",
              "operator": "EQ",
              "value": "A"
            }
          ]
        },
        {
          "type": "TARGET_OBS",
          "id": 3,
          "name": "Object Storage",
          "parentNodeIds": [
            2
          ],
          "regionNo": "1",
          "bucketName": "aitems",
          "prefix": "dataflow1",
          "dataType": "CSV",
          "updateType" : "OVERWRITE",
          "fieldList": [
            {
              "name": "id",
              "type": "string"
            },
            {
              "name": "name",
              "type": "string"
            },
            {
              "name": "description",
              "type": "string"
            }
          ]
        }
      ]
"""
"""The nodes of the specification's request example, as published, but for the ids, which it masks."""


def _surveyed(inventory: str, layout: str | None = None, **variables: str) -> tuple[Survey, list[JobSpec]]:
    loaded = load_layout(None if layout is None else INPUTS / "layouts" / f"{layout}.toml", variables)
    survey = Survey([InventoryFile(INPUTS / f"{inventory}.csv")], Expander(loaded), 1_000)
    jobs = [job for surveyed in survey for job in surveyed.expansion.jobs if job is not None]
    return survey, jobs


def _of(stem: str) -> tuple[Survey, list[JobSpec]]:
    name, _, env = stem.partition("_")
    if name == "environments":
        return _surveyed(name, name, env=env)
    return _surveyed(stem, stem)


@pytest.mark.parametrize("stem", GOLDEN_STEMS)
def test_the_graphs_of_a_layout_are_those_of_its_golden_file_key_by_key_in_order(stem: str) -> None:
    survey, jobs = _of(stem)
    assert survey.errors == 0
    assert len(jobs) == survey.rows
    made = json.dumps({job.name: nodes(job) for job in jobs}, ensure_ascii=False, indent=2) + "\n"
    assert made == (GOLDEN / f"{stem}.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("stem", GOLDEN_STEMS)
def test_the_sandbox_takes_every_job_of_a_layout(stem: str) -> None:
    for job in _of(stem)[1]:
        assert_the_sandbox_takes(job)


def test_every_layout_has_an_inventory_and_a_golden_file_and_no_golden_file_is_left_over() -> None:
    assert STEMS
    assert {*STEMS} == {path.stem for path in INPUTS.glob("*.csv")} - {"sample", "mistakes"}
    assert {*GOLDEN_STEMS} == {path.stem for path in GOLDEN.glob("*.json")}


@pytest.mark.parametrize("stem", STEMS)
def test_a_layout_explains_every_column_that_it_reads_with_an_example_and_no_other(stem: str) -> None:
    layout = load_layout(INPUTS / "layouts" / f"{stem}.toml")
    read = {column.name for column in columns_of(layout)} - {"name", "nodes"}
    assert set(layout.notes) - {"name"} == read
    assert all(note.about and note.example for note in layout.notes.values())


@pytest.mark.parametrize("stem", STEMS)
def test_a_sample_inventory_has_no_column_that_its_layout_does_not_read(stem: str) -> None:
    layout = load_layout(INPUTS / "layouts" / f"{stem}.toml")
    header = (INPUTS / f"{stem}.csv").read_text(encoding="utf-8").splitlines()[0].split(",")
    assert set(header) <= {column.name for column in columns_of(layout)}


def test_the_only_warnings_are_those_that_tell_of_or() -> None:
    found = [problem for stem in GOLDEN_STEMS for problem in _of(stem)[0].problems]
    assert {problem.code for problem in found} == {"filter-or"}


def test_the_first_sample_row_is_the_request_of_the_specification_but_for_its_ids() -> None:
    job = _surveyed("sample")[1][0]
    made, published = nodes(job), json.loads(SPECIFICATION)
    ids = {node["id"]: place for place, node in enumerate(made, start=1)}
    for node in made:
        node["id"] = ids[node["id"]]
        node["parentNodeIds"] = [ids[parent] for parent in node["parentNodeIds"]]
    assert job.name == "job001"
    assert json.dumps(made) == json.dumps(published)  # as text: the order of the keys is compared too


def test_every_sample_row_has_a_job_that_the_sandbox_takes() -> None:
    survey, jobs = _surveyed("sample")
    assert len(jobs) == survey.rows == 5
    for job in jobs:
        assert_the_sandbox_takes(job)


def test_two_environments_share_no_name_no_bucket_and_no_id() -> None:
    def seen(env: str) -> set[Any]:
        jobs = _surveyed("environments", "environments", env=env)[1]
        found: set[Any] = {job.name for job in jobs}
        for node in (node for job in jobs for node in nodes(job)):
            found |= {node["id"], *([node["bucketName"]] if "bucketName" in node else [])}
        return found

    dev, prod = seen("dev"), seen("prod")
    assert dev
    assert not dev & prod

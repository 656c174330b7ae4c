"""A whole inventory at once: what is told, and which rows are handed on."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulkjobs.graph.expand import Expander
from bulkjobs.graph.sample import Sample
from bulkjobs.graph.validation import sendable_rows, validate
from bulkjobs.inventory.reader import InventoryFile

_ROWS = (
    "name,bucket,prefix,filter,target_bucket,target_prefix,fields\n"
    "daily,raw,in/a,,cooked,out/a,id:bigint\n"
    "bad name,raw,in/b,,cooked,out/b,id:bigint\n"
    "hourly,raw,in/c,,cooked,out/c,id:bigint\n"
)


@pytest.fixture
def inventory(tmp_path: Path) -> InventoryFile:
    path = tmp_path / "jobs.csv"
    path.write_text(_ROWS, encoding="utf-8")
    return InventoryFile(path)


def test_a_row_with_an_error_is_no_sample_and_is_not_sent(inventory: InventoryFile) -> None:
    sample = Sample(10, lambda n: 0)
    survey = validate([inventory], sample=sample)
    assert survey.errors == 1
    assert [row.job.name for row in sample.rows()] == ["daily", "hourly"]
    assert [row.line for row in sendable_rows([inventory], Expander())] == [2, 4]


def test_without_a_sample_the_same_is_told(inventory: InventoryFile) -> None:
    assert validate([inventory]).errors == 1

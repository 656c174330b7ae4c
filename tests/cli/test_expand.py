"""``expand``: the bodies that would be sent, as documents that programs can read and terminals can show."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bulkjobs.dataflow.contract import Contract
from bulkjobs.graph.expand import Expander
from bulkjobs.graph.validation import sendable_rows
from bulkjobs.inventory.reader import InventoryFile

from .program import Run, row, write_csv


@pytest.fixture
def three(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "three.csv", [row(1), row(2, filter='name EQ "가\u200d\u202e"'), row(3)])


def test_many_rows_are_one_body_a_line_and_exactly_what_would_be_sent(run: Run, three: Path) -> None:
    ended = run("expand", three)
    bodies = [
        Contract().create_body(each.job.name, each.job.nodes)
        for each in sendable_rows([InventoryFile(three)], Expander())
    ]
    assert ended.code == 0
    assert [json.loads(line) for line in ended.out.splitlines()] == [json.loads(body) for body in bodies]
    assert ended.out.splitlines()[0].encode() == bodies[0]
    assert "\u202e" not in ended.out
    assert "가" in ended.out


def test_the_contract_and_its_options_shape_the_body(run: Run, three: Path) -> None:
    ended = run("expand", three, "--row", "job001", "--api", "2026-09", "--num-worker", "4")
    assert ended.json["type"] == "VISUAL"
    assert ended.json["jobCondition"] == {"numWorker": 4}
    assert run("expand", three, "--num-worker", "4").code == 2


def test_a_single_row_is_indented_unless_json_asks_for_a_line(run: Run, three: Path, tmp_path: Path) -> None:
    named = run("expand", three, "--row", "job002")
    assert named.json["name"] == "job002"
    assert named.out.startswith('{\n  "name": "job002",\n')
    assert len(run("expand", three, "--row", "job002", "--json").out.splitlines()) == 1
    only = run("expand", write_csv(tmp_path / "one.csv", [row(1)]))
    assert only.out.startswith("{\n")


def test_a_row_can_be_named_by_its_line(run: Run, three: Path) -> None:
    assert run("expand", three, "--row", "4").json["name"] == "job003"


def test_a_row_that_is_not_there_is_usage_with_the_nearest_name(run: Run, three: Path) -> None:
    ended = run("expand", three, "--row", "job02")
    assert (ended.code, ended.out) == (2, "")
    assert "did you mean job" in ended.err


def test_wrong_rows_are_left_out_and_told_and_end_with_3(run: Run, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "mixed.csv", [row(1), row(2, fields=""), row(3)])
    ended = run("expand", path)
    assert ended.code == 3
    assert [json.loads(line)["name"] for line in ended.out.splitlines()] == ["job001", "job003"]
    assert f"{path}:3, fields: `fields` is empty" in ended.err
    assert run("expand", path, "--row", "job003").code == 0
    alone = run("expand", path, "--row", "job002")
    assert (alone.code, alone.out) == (3, "")
    assert alone.err.endswith("1 error\n")


def test_two_rows_of_one_name_are_both_shown_and_told(run: Run, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "twice.csv", [row(1), row(2), row(3, name="job001")])
    ended = run("expand", path, "--row", "job001", "--max-problems", "1")
    assert ended.code == 3
    assert len(ended.out.splitlines()) == 2
    assert f"{path}:4, name: the same job name as line 2" in ended.err


def test_a_file_that_cannot_be_used_is_told_whatever_row_was_asked_for(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "empty.csv"
    path.write_bytes(b"")
    ended = run("expand", path, "--row", "job001")
    assert ended.code == 3
    assert "the file is empty" in ended.err


def test_the_picture_goes_beside_the_body(run: Run, three: Path) -> None:
    ended = run("expand", three, "--row", "job002", "--picture")
    assert ended.json["name"] == "job002"
    assert [line.split()[2] for line in ended.err.splitlines()[1:4]] == [
        "SOURCE_OBS",
        "TRANSFORM_FILTER",
        "TARGET_OBS",
    ]
    assert "\u202e" not in ended.err
    assert run("expand", three, "--row", "job002").err == ""  # no terminal, so nobody to look at it


def test_a_reader_that_goes_away_ends_it_quietly(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "many.csv", [row(number) for number in range(1, 3000)])
    command = [sys.executable, "-m", "bulkjobs", "expand", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        assert json.loads(child.stdout.readline())["name"] == "job001"
        child.stdout.close()
        assert child.stderr.read() == b""
        assert child.wait(30) == 0

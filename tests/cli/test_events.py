"""``--json-events``: every row is told, whatever becomes of the run, and a reader that goes away does no harm."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.nursery import shared

from .program import Run, row, write_csv

_QUICK = ("--sandbox", "--rate", "1000", "--settle", "0")


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_every_outcome_is_one_line_between_begin_and_end(run: Run, tmp_path: Path) -> None:
    inventory = write_csv(tmp_path / "jobs.csv", [row(number) for number in range(5)])
    ended = run("submit", inventory, *_QUICK, "--json-events", "events.ndjson")
    events = read(tmp_path / "events.ndjson")
    assert [event["event"] for event in events] == ["begin", *["row"] * 5, "end"]
    rows = {event["name"]: event for event in events[1:-1]}
    assert sorted(rows) == [f"job{number:03}" for number in range(5)]
    assert rows["job003"]["line"] == 5
    assert rows["job003"]["file"] == str(inventory)
    assert rows["job003"]["outcome"] == "created"
    assert rows["job003"]["finished_at"].endswith("Z")
    assert events[-1]["exit_code"] == ended.code == 0
    assert events[-1]["counts"]["created"] == 5
    assert stat.S_IMODE((tmp_path / "events.ndjson").stat().st_mode) == 0o600


def test_rows_of_a_refused_inventory_are_told_as_well(run: Run, tmp_path: Path) -> None:
    inventory = write_csv(tmp_path / "jobs.csv", [row(1), row(2, fields="")])
    assert run("submit", inventory, *_QUICK, "--json-events", "events.ndjson").code == 3
    told = {event["name"]: event["outcome"] for event in read(tmp_path / "events.ndjson") if event["event"] == "row"}
    assert told == {"job001": "not_sent", "job002": "invalid"}


def test_standard_output_cannot_be_both(run: Run, tmp_path: Path) -> None:
    ended = run("submit", write_csv(tmp_path / "jobs.csv", [row(1)]), *_QUICK, "--json", "--json-events", "-")
    assert ended.code == 2
    assert "both write to standard output" in ended.err
    assert "--json-events FILE" in ended.err


@pytest.mark.parametrize("folder", ["/dev/shm", None])  # who may write to shared memory may plant links there
def test_a_symbolic_link_is_not_followed(run: Run, tmp_path: Path, folder: str | None) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    inventory = write_csv(tmp_path / "jobs.csv", [row(1)])
    with tempfile.TemporaryDirectory(dir=folder) as place:
        (Path(place) / "events").symlink_to(victim)
        ended = run("submit", inventory, *_QUICK, "--json-events", Path(place) / "events")
    assert ended.code == 9
    assert "is a symbolic link, and links are not followed" in ended.err
    assert victim.read_text() == "mine"


def test_a_place_that_cannot_be_written_is_an_error_before_anything_is_sent(run: Run, tmp_path: Path) -> None:
    inventory = write_csv(tmp_path / "jobs.csv", [row(1)])
    ended = run("submit", inventory, *_QUICK, "--json-events", tmp_path / "none" / "events")
    assert ended.code == 9
    assert "No such file or directory" in ended.err
    assert not (tmp_path / "reports").exists()


async def test_a_reader_that_goes_away_does_not_end_the_run(tmp_path: Path) -> None:
    inventory = write_csv(tmp_path / "jobs.csv", [row(number) for number in range(30)])
    receive, send = os.pipe()
    os.close(receive)
    words = ("submit", inventory, *_QUICK, "--json-events", "-")
    child = await shared().start(words, {}, cwd=tmp_path, stdout=send, is_quick=False)
    os.close(send)
    _, err = await asyncio.wait_for(child.communicate(), 30)
    assert child.returncode == 0, err.decode()
    assert b"created    30" in err
    assert b"Traceback" not in err


def test_rows_that_a_halted_run_never_came_to_are_told(run: Run, tmp_path: Path) -> None:
    inventory = write_csv(tmp_path / "jobs.csv", [row(number) for number in range(3)])
    assert run("submit", inventory, *_QUICK, "--max-jobs", "1", "--json-events", "events.ndjson").code == 5
    told = {event["name"]: event["outcome"] for event in read(tmp_path / "events.ndjson") if event["event"] == "row"}
    assert told == {f"job{number:03}": "not_sent" for number in range(3)}


FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="this system has no device that is always full")


async def _onto_a_full_disk(*words: str | Path, cwd: Path) -> tuple[int, str]:
    """Exit code and standard error of a command whose standard output leads there."""
    handle = os.open(FULL, os.O_WRONLY)
    try:
        child = await shared().start(words, {}, cwd=cwd, stdout=handle, is_quick=False)
    finally:
        os.close(handle)
    _, err = await asyncio.wait_for(child.communicate(), 30)
    assert child.returncode is not None
    return child.returncode, " ".join(err.decode().split())


@needs_full
@pytest.mark.parametrize("words", [("--json",), ("--json-events", "-"), ("--json-events", "/dev/full")], ids=" ".join)
async def test_a_full_disk_under_the_output_is_told_after_a_run_that_went_on(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    inventory = write_csv(tmp_path / "jobs.csv", [row(number) for number in range(5)])
    code, err = await _onto_a_full_disk("submit", inventory, *_QUICK, *words, cwd=tmp_path)
    assert code == 9, err
    assert "cannot be written: No space left on device" in err
    assert "incomplete" in err
    assert "created 5" in err, "the run went on, and people are told how it ended"
    assert list((tmp_path / "reports").glob("*/summary.json"))
    assert "Traceback" not in err


@needs_full
@pytest.mark.parametrize("words", [("columns",), ("validate", "--json", "jobs.csv"), ("--help",)], ids=" ".join)
async def test_a_full_disk_under_what_a_command_prints_is_told(tmp_path: Path, words: tuple[str, ...]) -> None:
    write_csv(tmp_path / "jobs.csv", [row(1)])
    code, err = await _onto_a_full_disk(*words, cwd=tmp_path)
    assert code == 9, err
    assert "standard output: cannot be written: No space left on device" in err
    assert "Traceback" not in err

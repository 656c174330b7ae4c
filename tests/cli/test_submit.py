"""``submit``: what it says of an inventory's warnings, and that the limits hold for it too."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from bulkjobs.cli.summary import show_summary
from bulkjobs.engine.ending import Result
from bulkjobs.engine.work import Again, Stop
from bulkjobs.errors import ExitCode
from bulkjobs.library import Submitted

from .program import Run, row, write_csv

_QUICK = ("--sandbox", "--rate", "1000", "--settle", "0")


def test_warnings_are_told_and_the_jobs_are_made(run: Run, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "same.csv", [row(1), row(2, target_prefix="out/1")])
    ended = run("submit", path, *_QUICK)
    assert ended.code == 0
    assert f"{path}:3, target_prefix: warning: the job writes to the same place as line 2" in ended.err
    assert "\n1 warning\n" in ended.err
    quiet = run("submit", path, *_QUICK, "--quiet")
    assert (quiet.code, quiet.err) == (0, "")


def test_errors_and_warnings_are_counted_apart_and_nothing_is_sent(run: Run, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "both.csv", [row(1), row(2, target_prefix="out/1"), row(3, fields="")])
    ended = run("submit", path, *_QUICK)
    assert ended.code == 3
    assert "1 error, 1 warning" in ended.err
    assert "the inventory has 1 error; nothing was sent" in ended.err
    assert "not_sent" in ended.err


def test_many_problems_are_counted_by_kind(run: Run, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "many.csv", [row(number, fields="") for number in range(1, 31)])
    assert "30 errors: 30 empty; `bulkjobs validate` lists them" in run("submit", path, *_QUICK).err


def test_the_summary_keeps_what_rate_was_permitted_when(run: Run, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "one.csv", [row(1)])
    facts = run("submit", path, *_QUICK, "--json").json["facts"]
    assert (facts["rate_auto"], facts["rate_course"]) == (False, [[0.0, 1000.0]])


@pytest.mark.parametrize(
    ("again", "line"),
    [
        (Again.GOES_ON, "To go on: bulkjobs submit jobs.csv"),
        (Again.ONCE_MENDED, "Once that is mended: bulkjobs submit jobs.csv"),
        (Again.ENDS_ALIKE, None),
    ],
)
def test_the_same_command_is_named_where_it_is_of_use(tmp_path: Path, again: Again, line: str | None) -> None:
    out = io.StringIO()
    result = Result(ExitCode.NOT_FINISHED, Stop("halted", "so it was", again=again), (), 0, 0)
    summary = {"state": "finished", "counts": {}, "rows": 0, "shard": None, "errors": [], "facts": {}}
    show_summary(Console(file=out), Submitted("r", result, tmp_path, summary), "bulkjobs submit jobs.csv")
    said = [text for text in out.getvalue().splitlines() if text.endswith("jobs.csv")]
    assert said == ([line] if line else [])


def test_the_limits_hold(run: Run, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "two.csv", [row(1), row(2)])
    assert run("submit", path, *_QUICK, "--max-rows", "1").code == 3
    assert run("submit", path, *_QUICK, "--max-cell-bytes", "3").code == 3
    assert run("submit", path, *_QUICK, "--max-rows", "2").code == 0


def test_a_shard_says_which_it_is_and_how_many_rows_it_has(run: Run, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "two.csv", [row(1), row(2)])
    assert "\nshard 2/3: 1 of 2 rows\n" in run("submit", path, *_QUICK, "--shard", "2/3").err
    assert "\nshard 1/3 has none of the 2 rows\n" in run("submit", path, *_QUICK, "--shard", "1/3").err
    assert "shard" not in run("submit", path, *_QUICK).err


def test_a_file_that_is_not_there_is_a_mistake_of_usage_and_begins_no_run(run: Run, tmp_path: Path) -> None:
    ended = run("submit", "nope.csv", "--sandbox")
    assert ended.code == 2
    assert "nope.csv: cannot be read: No such file or directory" in ended.err
    assert not (tmp_path / "reports" / "journal.db").exists()

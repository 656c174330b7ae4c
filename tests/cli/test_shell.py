"""What people type and read: help, misspellings, completion, colours."""

from __future__ import annotations

import asyncio
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from bulkjobs.cli.colours import is_lively, is_terminal, wants_colour
from bulkjobs.cli.commands import COMMANDS, load, options_of
from bulkjobs.cli.grouped import GROUPS
from bulkjobs.cli.help import EXIT_CODES
from bulkjobs.cli.submit import again
from bulkjobs.errors import ExitCode
from tests.nursery import shared

from .program import Run, row, write_csv

_QUICK = ("--sandbox", "--rate", "1000", "--settle", "0")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_an_example_and_explains_all_its_options(run: Run, name: str) -> None:
    brief, whole = run(name, "--help"), run("help", name)
    assert "Example" in brief.out
    assert f"bulkjobs {name}" in brief.out
    if name == "columns":  # of which the columns themselves are the help
        return
    command = load(name)
    assert command is not None
    for option in options_of(command):
        assert all(flag in whole.out for flag in option.opts if not option.hidden)
        assert option.help, option.name


def test_help_that_is_long_names_the_rarer_options_only(run: Run) -> None:
    brief, whole = run("submit", "--help").out, run("help", "submit").out
    assert "--max-cell-bytes N" not in brief
    assert "--max-cell-bytes N" in whole
    assert "bulkjobs help submit" in brief
    headings = [line.removesuffix(":") for line in brief.splitlines() if line.endswith(":") and line[0] != " "]
    assert headings[:3] == ["Options", "Target", "Graph"]


def test_groups_name_options_that_exist() -> None:
    flags = {flag for name in COMMANDS if (c := load(name)) for option in options_of(c) for flag in option.opts}
    assert {f"--{flag}" for flags_of in GROUPS.values() for flag in flags_of} <= flags


def test_exit_codes_are_explained_all_of_them(run: Run) -> None:
    assert set(EXIT_CODES) == set(ExitCode)
    out = run("help", "exit-codes").out
    assert all(f"{code.value:>5}  {meaning}" in out for code, meaning in EXIT_CODES.items())


def test_help_has_topics(run: Run) -> None:
    assert "topic" in run("help").out.lower()
    assert "BULKJOBS_MAX_ROWS" in run("help", "settings").out
    assert "target_bucket" in run("help", "columns").out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("sumbit", "x.csv"), "did you mean `bulkjobs submit`?"),
        (("submit", "x.csv", "--rat", "3"), "did you mean --rate?"),
        (("submit", "x.csv", "--api", "2025-3"), "did you mean 2025-03?"),
        (("submit", "x.csv", "--log-level", "warn"), "did you mean warning?"),
        (("help", "exit-code"), "did you mean exit-codes?"),
        (("qqqqqqq",), "`bulkjobs help` lists the commands"),
        (("submit",), "`bulkjobs help submit` explains its options"),
    ],
)
def test_a_misspelling_is_answered_with_what_was_meant(run: Run, words: tuple[str, ...], said: str) -> None:
    ended = run(*words)
    assert ended.code == 2
    assert said in ended.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--halt", "101%"), "'101%' is not more than 0% and at most 100%; 1 stops at the first rejected row"),
        (("--halt", "0%"), "'0%' is not more than 0% and at most 100%"),
        (("--halt", "0"), "'0' is less than one row; 1 stops at the first rejected row, 100% never"),
        (("--halt", "few"), "'few' is neither a number of rows, such as 20, nor a percentage, such as 5%"),
        (("--shard", "1/0"), "1/0: must be from 1/1 on: an inventory has one part at least"),
        (("--shard", "5/4"), "5/4: must be from 1/4 to 4/4"),
        (("--canary", "x"), "'x' is not a whole number"),
        (("--timeout", "x"), "'x' is not a number"),
        (("--rate", "quick"), "'quick' is not a number of sends per second (0.001 to 100000) or 'auto'"),
        (("--deadline", "soon"), "'soon' is not a duration: write 90 (seconds), 90s, 50m, 1h30m or 2d"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_what_can(run: Run, words: tuple[str, str], said: str) -> None:
    ended = run("submit", "jobs.csv", *words)
    assert ended.code == 2
    assert said in ended.err


@pytest.mark.parametrize("words", [("--rate", "AUTO"), ("--rate", "Auto"), ("--halt", "0.5%"), ("--deadline", "50")])
def test_what_is_clear_is_accepted(run: Run, tmp_path: Path, words: tuple[str, str]) -> None:
    path = write_csv(tmp_path / "jobs.csv", [row(1)])
    assert run("submit", path, *_QUICK, *words).code == 0


def test_what_is_to_be_copied_is_never_wrapped(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inventory = write_csv(tmp_path / "jobs.csv", [row(number) for number in range(11)])
    monkeypatch.setenv("COLUMNS", "40")
    words = ("--max-jobs", "10", "--log-level", "error", "--report-dir")
    ended = run("submit", inventory, *_QUICK, *words, "a-folder-with-a-name-that-is-longer-than-forty-columns")
    assert ended.code == 5
    report = next(line for line in ended.err.splitlines() if line.startswith("Report: "))
    assert Path(report.removeprefix("Report: ")).is_dir()
    assert ended.err.count("the plan has 11 jobs to create") == 1


def test_the_way_to_go_on_is_one_line(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inventory = write_csv(tmp_path / "jobs.csv", [row(1)])
    monkeypatch.setenv("COLUMNS", "40")
    for key in ("NCLOUD_ACCESS_KEY_ID", "NCLOUD_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(key, "no-key-of-anybody")
    words = ["submit", str(inventory), "--endpoint", "http://127.0.0.1:9", "--patience", "0", "--rate", "1000"]
    ended = run(*words)
    lines = ended.err.splitlines()
    if ended.code == 5:
        assert f"To go on: bulkjobs {' '.join(words)}" in lines


@pytest.mark.parametrize("words", [["--run-id", "one"], ["--run-id=one"], []])
def test_the_way_to_go_on_does_not_ask_for_the_run_that_was(monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/bulkjobs", "submit", *words, "my jobs.csv"])
    assert again({"sandbox": False}) == "bulkjobs submit 'my jobs.csv'"


@pytest.mark.parametrize(
    ("environment", "is_terminal", "wanted"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"NO_COLOR": "1", "CLICOLOR_FORCE": "1"}, True, False),
        ({"CLICOLOR": "0"}, True, False),
        ({"CLICOLOR": "1"}, False, False),
        ({"CLICOLOR_FORCE": "1"}, False, True),
        ({"CLICOLOR_FORCE": "0"}, False, False),
        ({"CLICOLOR": "0", "CLICOLOR_FORCE": "1"}, False, True),
        ({"TERM": "dumb"}, True, False),
    ],
)
def test_colours_follow_the_conventions(environment: dict[str, str], is_terminal: bool, wanted: bool) -> None:
    assert wants_colour(environment, is_terminal) is wanted


def test_forced_colours_make_no_terminal_of_a_file(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as file:
        console = Console(file=file, force_terminal=True)
        assert console.is_terminal
        assert not is_terminal(console)
        assert not is_lively(console)


def program(*words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}

    async def ran() -> tuple[int, bytes, bytes]:
        child = await shared().start(words, kept | environment, cwd=cwd)
        out, err = await asyncio.wait_for(child.communicate(), 30)
        return await child.wait(), out, err

    code, out, err = asyncio.run(ran())
    return subprocess.CompletedProcess(words, code, out.decode(), err.decode())


def test_colours_are_forced_without_drawing_over_lines(tmp_path: Path) -> None:
    write_csv(tmp_path / "jobs.csv", [row(1)])
    forced = program("submit", "jobs.csv", *_QUICK, cwd=tmp_path, CLICOLOR_FORCE="1", TERM="xterm-256color")
    assert "\x1b[32mcreated" in forced.stderr
    assert "\x1b[1A" not in forced.stderr
    plain = program("submit", "jobs.csv", *_QUICK, cwd=tmp_path, TERM="xterm-256color")
    assert "\x1b" not in plain.stderr


def test_a_terminal_without_colours_has_a_bar_and_no_colours(tmp_path: Path) -> None:
    write_csv(tmp_path / "jobs.csv", [row(number) for number in range(60)])
    code, said = on_a_terminal("submit", "jobs.csv", "--sandbox", "--rate", "60", cwd=tmp_path)
    assert code == 0
    assert b"/60" in said
    assert b"\x1b[32m" not in said


def test_rows_that_are_refused_alike_do_not_flood_a_terminal(tmp_path: Path) -> None:
    too_long = "x" * 600_000  # taken by our checks, not by the service
    write_csv(tmp_path / "jobs.csv", [row(number, prefix=too_long, target_prefix=too_long) for number in range(6)])
    words = ("submit", "jobs.csv", *_QUICK, "--halt", "100%")
    code, said = on_a_terminal(*words, cwd=tmp_path)
    assert (code, said.count(b"create.answer"), said.count(b"job.rejected")) == (4, 1, 0)
    _, said = on_a_terminal(*words, "--log-level", "warning", cwd=tmp_path)
    assert (said.count(b"create.answer"), said.count(b"job.rejected")) == (6, 6)
    _, said = on_a_terminal(*words, "--log-format", "json", cwd=tmp_path)
    assert (said.count(b"create.answer"), said.count(b"job.rejected")) == (6, 6)


def on_a_terminal(*words: str, cwd: Path) -> tuple[int, bytes]:
    """The program on a terminal without colours: its exit code, and all that it wrote there."""
    leader, follower = pty.openpty()
    kept = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    child = subprocess.Popen(
        [sys.executable, "-m", "bulkjobs", *words],
        cwd=cwd, env=kept | {"TERM": "xterm", "NO_COLOR": "1"}, stderr=follower, stdout=follower,
    )  # fmt: skip
    os.close(follower)
    said = bytearray()
    while True:
        try:
            said += os.read(leader, 65_536)
        except OSError:  # the other end is closed: how a terminal on Linux says so
            break
    os.close(leader)
    return child.wait(30), bytes(said)

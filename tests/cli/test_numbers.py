"""Every option with a number says its range to what is no number in it, wherever that comes from."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from bulkjobs.cli.commands import COMMANDS, key_of, load, options_of

from .program import Run, row, write_csv


def _numbers() -> list[tuple[str, str, str]]:
    """Command, option and key of each option whose value is a number."""
    found = []
    for name in COMMANDS:
        command = load(name)
        assert command is not None
        for option in options_of(command):
            kind = option.type
            if option.is_flag:
                continue
            if isinstance(kind, (click.types.IntParamType, click.types.FloatParamType)) or type(kind).__name__ in (
                "_Rate",
                "Duration",
                "Halt",
                "Limit",
            ):
                found.append((name, option.opts[0], key_of(command, option)))
    return found


_RANGES = ("is not in the range", "in the range", "number", "is not a duration", "percentage", "too long")


def _words(command: str, path: Path) -> list[str]:
    arguments = {"rollback": ["r"], "report": ["r"], "explain": ["r", "1"], "init": ["x"]}
    arguments |= {name: [] for name in ("runs", "export", "sandbox", "columns", "config")}
    return [command, *arguments.get(command, [str(path)])]


@pytest.mark.parametrize(("command", "option", "key"), _numbers())
@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_what_is_no_number_is_refused(
    run: Run, tmp_path: Path, command: str, option: str, key: str, value: str
) -> None:
    path = write_csv(tmp_path / "jobs.csv", [row(1)])
    given = run(*_words(command, path), option, value)
    assert (given.code, any(said in given.err for said in _RANGES)) == (2, True), given.err
    (tmp_path / "b.toml").write_text(f"{key} = {value}\n", encoding="utf-8")
    filed = run(*_words(command, path), "--config", "b.toml")
    assert (filed.code, any(said in filed.err for said in _RANGES)) == (2, True), filed.err


def test_the_range_is_said(run: Run) -> None:
    ended = run("submit", "jobs.csv", "--settle", "nan")
    assert (ended.code, "nan is not in the range 0<=x<=3600" in ended.err) == (2, True), ended.err


def test_half_a_row_is_no_number_of_rows(run: Run, tmp_path: Path) -> None:
    (tmp_path / "b.toml").write_text("concurrency = 2.5\n", encoding="utf-8")
    ended = run("submit", "jobs.csv", "--config", "b.toml")
    assert (ended.code, "2.5 is not a whole number in the range 1<=x<=10000" in ended.err) == (2, True), ended.err

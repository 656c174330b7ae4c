"""An inventory's problems, three ways: for people, as the JSON of ``design.md``, as GitHub's annotations.

Cells, paths and what a service said are untrusted text: none can end a line, command a terminal or forge a second
annotation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from rich.console import Console
from rich.text import Text

from bulkjobs.counted import counted
from bulkjobs.errors import BulkJobsError
from bulkjobs.inventory.problems import Problem
from bulkjobs.plain import plain

_LINES = 8
"""Places that are named of many problems of one cause."""

Cause = tuple[str, str | None, str]
"""Code, column and message; the message is empty where a survey met too many different ones."""


class Group(Protocol):
    """Problems of one cause, as a survey counts them."""

    @property
    def count(self) -> int: ...


def counts(errors: int, warnings: int) -> str:
    """``3 errors, 1 warning``; ``no problems``."""
    parts = [counted(count, word) for count, word in ((errors, "error"), (warnings, "warning")) if count]
    return ", ".join(parts) or "no problems"


def show_problem(console: Console, problem: Problem) -> None:
    """One problem: where, what, the cell, how to mend it."""
    column = f", {plain(problem.column, 60)}" if problem.column else ""
    _print(console, f"{plain(problem.where)}{column}: ", problem)


def show_grouped(console: Console, problems: Sequence[Problem], groups: Mapping[Cause, Group], total: int) -> None:
    """All of ``problems`` in order, those of one cause together; ``groups`` count also what is not listed.

    ``total``: how many there are in all.
    """
    listed: dict[Cause, list[Problem]] = {}
    for problem in problems:
        cause = (problem.code, problem.column, problem.message)
        listed.setdefault(cause if cause in groups else (problem.code, problem.column, ""), []).append(problem)
    said = 0
    for cause, members in listed.items():
        count = groups[cause].count if cause in groups else len(members)
        said += count
        if count == 1:
            show_problem(console, members[0])
        else:
            column = f"{plain(members[0].column, 60)}: " if members[0].column else ""
            kind = "file" if members[0].line is None else "row"
            _print(console, f"{counted(count, kind)}: {column}", members[0], _places(members, count))
    if said < total:
        left = total - said
        console.print(Text(f"… and {counted(left, 'problem')} of other kinds: --max-problems lists more"))


def document(rows: int, errors: int, warnings: int, problems: Sequence[Problem]) -> dict[str, object]:
    """``validate --json``. ``problems`` may be the first of more: ``total`` counts all."""
    keys = ("file", "line", "column", "value", "code", "severity", "message", "hint")
    return {
        "rows": rows,
        "errors": errors,
        "warnings": warnings,
        "total": errors + warnings,
        "problems": [{key: getattr(problem, key) for key in keys} for problem in problems],
    }


def github_annotations(problems: Sequence[Problem]) -> Iterator[str]:
    """One workflow command of GitHub Actions for each problem, without its line end."""
    for problem in problems:
        place = f"file={_property(problem.file)}"
        if problem.line is not None:
            place += f",line={problem.line}"
        where = f"{problem.column}: " if problem.column else ""
        cell = f" (the cell: {_quoted(problem.value)})" if problem.value else ""
        hint = f" — {problem.hint}" if problem.hint else ""
        message = _escaped(plain(f"{where}{problem.message}{cell}{hint}", 2000))
        yield f"::{problem.severity} {place},title={_property(problem.code)}::{message}"


def show_error(console: Console, error: BulkJobsError) -> None:
    """Why a command could not go on, beside what it found until then."""
    console.print(Text(f"Error: {plain(error.message, 2000)}", style="bold red"), soft_wrap=True)
    if error.hint:
        console.print(Text(f"  {plain(error.hint, 2000)}"), soft_wrap=True)


def _print(console: Console, head: str, problem: Problem, places: str | None = None) -> None:
    is_error = problem.severity == "error"
    line = Text().append(head, style="bold")
    line.append(plain(("" if is_error else "warning: ") + problem.message), style="red" if is_error else "yellow")
    console.print(line, soft_wrap=True)  # wrapped lines could not be clicked, searched or cut
    if places:
        console.print(Text(f"    {places}", style="dim"), soft_wrap=True)
    if problem.value:
        console.print(Text(f"    the cell: {_quoted(problem.value)}", style="dim"), soft_wrap=True)
    if problem.hint:
        console.print(Text(f"    {plain(problem.hint)}", style="dim"), soft_wrap=True)


def _places(members: Sequence[Problem], count: int) -> str:
    """``jobs.csv:2, 3, 4, more.csv:7, …``."""
    parts, file = [], None
    for problem in members[:_LINES]:
        is_same = problem.file == file and problem.line is not None
        parts.append(str(problem.line) if is_same else plain(problem.where))
        file = problem.file
    return ", ".join(parts) + (", …" if count > len(parts) else "")


def _quoted(cell: str) -> str:
    return f"'{plain(cell, 120)}'"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return plain(_escaped(text), 4096).replace(":", "%3A").replace(",", "%2C")

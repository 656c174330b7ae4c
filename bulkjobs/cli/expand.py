"""``bulkjobs expand``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec
from rich.console import Console
from rich.text import Text

from bulkjobs.cli import options
from bulkjobs.cli.colours import is_terminal
from bulkjobs.cli.documents import inert_json, write_text
from bulkjobs.cli.given import contract_of, expander_of, limits_of
from bulkjobs.cli.picture import picture
from bulkjobs.cli.problems import counts, show_grouped
from bulkjobs.errors import ExitCode, UsageError
from bulkjobs.graph.nodes import Node
from bulkjobs.graph.spec import JobSpec
from bulkjobs.graph.suggest import nearest
from bulkjobs.inventory.problems import Problem
from bulkjobs.plain import plain

if TYPE_CHECKING:
    from bulkjobs.graph.survey import Survey, Surveyed

_NAMES = 1_000
"""Names that are kept for "did you mean"."""

_EXAMPLES = """\b
Examples:
  bulkjobs expand inputs/sample.csv --row job001
  bulkjobs expand jobs.csv --layout join.toml --set env=dev --row 17 --picture
  bulkjobs expand jobs.csv --json > bodies.ndjson
  bulkjobs expand jobs.csv --api 2026-09 --num-worker 4
"""


@click.command("expand", epilog=_EXAMPLES)
@click.argument("inventories", nargs=-1, required=True, type=click.Path(path_type=Path))
@options.config
@options.graph
@options.contract
@options.inventory
@click.option("--row", help="Only this row: its job's name, or the line on which it begins.")
@click.option("--json", "as_json", is_flag=True, help="One line a row, even if it is the only one.")
@click.option(
    "--picture/--no-picture",
    default=None,
    help="Draw each graph on standard error.  [default: of a single row, on a terminal]",
)
def command(inventories: tuple[Path, ...], **given: Any) -> int:
    """Print the request bodies that would be sent: indented for a single row, else one line each (NDJSON).

    Rows with an error have no body: their problems go to standard error, and the command ends with 3.
    """
    from bulkjobs.graph.survey import Survey  # noqa: PLC0415  # numpy
    from bulkjobs.inventory.reader import InventoryFile  # noqa: PLC0415

    contract = contract_of(given)
    files = [InventoryFile(path, limits_of(given)) for path in inventories]
    survey = Survey(files, expander_of(given), given["max_problems"])
    wanted = _Wanted(given["row"])
    console = Console(stderr=True, highlight=False)
    jobs = wanted.jobs(survey)
    first, second = next(jobs, None), next(jobs, None)
    is_single = first is not None and second is None
    draws = given["picture"] if given["picture"] is not None else is_single and is_terminal(console)
    for job in _chained(first, second, jobs):
        body = contract.create_body(job.name, job.nodes)
        if is_single and not given["as_json"]:
            body = msgspec.json.format(body, indent=2)
        write_text(inert_json(body.decode()) + "\n", at_once=draws)
        if draws:
            _draw(console, job)
    write_text("")
    problems, errors, warnings = wanted.problems(survey)
    if problems:
        show_grouped(console, problems, survey.groups if wanted.row is None else {}, errors + warnings)
        console.print(Text(counts(errors, warnings), style="bold"))
    return int(ExitCode.INVALID_INVENTORY if errors else ExitCode.OK)


@dataclass(slots=True)
class _Wanted:
    """The rows that were asked for: all of them, or those with one name, or on one line."""

    row: str | None
    _found: list[tuple[int, str, int]] = field(default_factory=list)
    _problems: dict[Problem, None] = field(default_factory=dict)
    _names: list[str] = field(default_factory=list)

    def jobs(self, survey: Survey) -> Iterator[JobSpec]:
        """Their jobs, as the survey goes."""
        for surveyed in survey:
            if self.row is None:
                yield from (job for job in surveyed.expansion.jobs if job is not None)
            else:
                yield from self._of_row(surveyed)

    def problems(self, survey: Survey) -> tuple[Sequence[Problem], int, int]:
        """Problems of these rows and of the files, with the numbers of errors and warnings.

        Raises UsageError if there is no such row, and nothing that could have hidden it.
        """
        if self.row is None:
            return survey.problems, survey.errors, survey.warnings
        places = {(file, line) for _, file, line in self._found}
        across = [problem for problem in survey.problems if (problem.file, problem.line) in places]
        told = list(dict.fromkeys([*self._problems, *across]))
        said = {(problem.file, problem.line, problem.code) for problem in told}
        for seq, file, line in self._found:
            duplicate = survey.duplicate(seq)
            if duplicate is not None and (file, line, duplicate.code) not in said:
                told.append(duplicate)
        errors = sum(problem.severity == "error" for problem in told)
        if not self._found and not errors:
            near = nearest(self.row, self._names)
            hint = f"did you mean {near}?" if near else "give the job's name, or the line on which the row begins"
            raise UsageError(f"--row {plain(self.row, 100)}: the inventory has no such row", hint)
        return told, errors, len(told) - errors

    def _of_row(self, surveyed: Surveyed) -> Iterator[JobSpec]:
        chunk, names = surveyed.chunk, surveyed.expansion.names
        lines = set()
        for i, (line, name) in enumerate(zip(chunk.lines, names, strict=True)):
            if name == self.row or str(line) == self.row:
                self._found.append((surveyed.first + i, chunk.file, line))
                lines.add(line)
                job = surveyed.expansion.jobs[i]
                if job is not None:
                    yield job
        self._problems.update(
            dict.fromkeys(problem for problem in surveyed.problems if problem.line is None or problem.line in lines)
        )
        room = _NAMES - len(self._names)
        self._names += [name for name in names[:room] if name]


def _chained(first: JobSpec | None, second: JobSpec | None, rest: Iterator[JobSpec]) -> Iterator[JobSpec]:
    yield from (job for job in (first, second) if job is not None)
    yield from rest


def _draw(console: Console, job: JobSpec) -> None:
    nodes = msgspec.json.decode(job.nodes, type=list[Node])
    console.print(Text(job.name, style="bold"))
    for line in picture(nodes, ascii_only=not console.encoding.startswith("utf")):
        console.print(Text(f"  {line}"), no_wrap=True, overflow="ellipsis")

"""The options of a command in groups, for ``--help``.

A command with many options shows those of the rarer groups by name only; ``bulkjobs help COMMAND`` explains them all.
"""

from __future__ import annotations

import re

import click

GROUPS = {
    "Target": ("sandbox", "endpoint", "profile", "credentials-file", "account"),
    "Graph": ("layout", "set"),
    "Pace": ("rate", "concurrency", "timeout", "settle", "max-attempts", "patience"),
    "When to stop": ("halt", "canary", "deadline", "max-jobs", "shard"),
    "Deleting": ("prune", "max-delete", "include-running", "include-edited"),
    "State and report": ("state", "namespace", "report-dir", "run-id"),
    "Output": ("json", "json-events", "quiet", "github"),
    "Contract": ("api", "job-type", "num-worker", "timeout-minutes", "max-concurrent-runs"),
    "Limits of an inventory": ("max-problems", "max-rows", "max-cell-bytes", "max-unpacked-bytes"),
    "Log": ("log-format", "log-level", "log-file"),
}
"""Flags by group, in the order in which they are shown; what is in none is the command's own."""

_RARE = ("Contract", "Limits of an inventory", "Log")
_FEW = 12
"""Options of a command up to which it needs no groups."""

_MANY = 14
"""Options of a command beyond which its rare groups are shown by name only."""

_KIND = re.compile(r"(INTEGER|FLOAT)( RANGE)?$")
_LIMITS = re.compile(r"; [\d.]+<=?x<=?[\d.]+(?=\])|; x[<>]=?[\d.]+(?=\])| *\[([\d.]+<=?)?x[<>]=?[\d.]+\]")

EXPLAIN_ALL = "bulkjobs.explain_all"
"""The key in a context's ``meta`` that asks for everything."""

_GROUP_OF = {f"--{flag}": group for group, flags in GROUPS.items() for flag in flags}


def group_of(param: click.Parameter) -> str:
    """The group of an option; ``Options`` for a command's own."""
    return next((_GROUP_OF[flag] for flag in param.opts if flag in _GROUP_OF), "Options")


def format_options(command: click.Command, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    """In place of ``click.Command.format_options``."""
    groups: dict[str, list[tuple[click.Parameter, tuple[str, str]]]] = {name: [] for name in ("Options", *GROUPS)}
    for param in command.get_params(ctx):
        record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
        if record is not None:
            groups[group_of(param)].append((param, _short(record)))
    if sum(map(len, groups.values())) <= _FEW:
        groups = {"Options": [member for members in groups.values() for member in members]}
    is_brief = sum(map(len, groups.values())) > _MANY and not ctx.meta.get(EXPLAIN_ALL)
    for name, members in groups.items():
        if members and not (is_brief and name in _RARE):
            with formatter.section(name):
                formatter.write_dl([record for _, record in members])
    if not is_brief:
        return
    rest = [(name, ", ".join(_flag(param) for param, _ in groups[name])) for name in _RARE if groups[name]]
    if rest:
        with formatter.section(f"More (`bulkjobs help {ctx.info_name}` explains them)"):
            formatter.write_dl(rest)


def _short(record: tuple[str, str]) -> tuple[str, str]:
    """Without the limits of numbers: whoever passes one is told."""
    return _KIND.sub("N", record[0]), _LIMITS.sub("", record[1]).rstrip()


def _flag(param: click.Parameter) -> str:
    return next((flag for flag in param.opts if flag.startswith("--")), param.opts[0])

"""Options that commands share. Each is also ``BULKJOBS_<OPTION>`` and a key of ``--config FILE``."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from bulkjobs.cli.amounts import Duration, Halt, Limit, Part
from bulkjobs.cli.commands import COMMANDS, key_of, load, options_of
from bulkjobs.cli.completing import files, layout_files, run_ids, words
from bulkjobs.cli.ranges import Numbers, WholeNumbers
from bulkjobs.dataflow.endpoint import DEFAULT_ENDPOINT
from bulkjobs.errors import UsageError
from bulkjobs.inventory.limits import Limits
from bulkjobs.settings import ACCOUNT, REPORT_DIR, STATE, Settings

F = TypeVar("F", bound=Callable[..., Any])
_PATH = click.Path(path_type=Path)

COMPARE = "compare"
"""The tables of ``--config`` that hold rules of comparison, and where a command's context keeps them."""

CONFIG_FILE = "bulkjobs.config_file"
"""Where a command's context keeps the file of ``--config`` as it was read."""


class _Rate(click.ParamType[float | None]):
    name = "N|auto"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | None:
        if str(value).strip().lower() == "auto":
            return None
        try:
            rate = float(value)
        except (TypeError, ValueError):
            rate = 0.0
        if not 0.001 <= rate <= 100_000:
            self.fail(f"{value!r} is not a number of sends per second (0.001 to 100000) or 'auto'", param, ctx)
        return rate


class _Pair(click.ParamType[str]):
    """``KEY=VALUE``; several of them in the environment as a shell would write them."""

    name = "KEY=VALUE"

    def split_envvar_value(self, rv: str) -> list[str]:
        try:
            return shlex.split(rv)
        except ValueError as error:
            self.fail(f"{rv!r}: {error}")


option = click.option
"""An option; ``commands.load`` adds the environment's variable to every one."""


def _valued(flag: str, kind: click.ParamType[Any], default: object, said: str, **more: Any) -> Callable[[F], F]:
    """An option with a value that ``--help`` shows."""
    return option(flag, type=kind, default=default, show_default=True, help=said, **more)


run = click.argument("run", shell_complete=run_ids)


def _together(*options: Callable[[F], F]) -> Callable[[F], F]:
    def decorate(command: F) -> F:
        for each in reversed(options):
            command = each(command)
        return command

    return decorate


def _load_config(ctx: click.Context, _param: click.Parameter, path: Path | None) -> None:
    if path is None:
        return
    from bulkjobs.cli.config_file import read_config, refuse_mistyped, refuse_unknown  # noqa: PLC0415  # only with --config

    found = read_config(path)
    if found.compare is not None:
        from bulkjobs.graph.comparison import read_rules  # noqa: PLC0415  # not for --help

        ctx.meta[COMPARE] = read_rules(found.compare, f"--config {path}")
    every = [command for name in COMMANDS if (command := load(name)) is not None]  # one file serves all commands
    kinds = {key_of(command, option): option.is_flag for command in every for option in options_of(command)}
    refuse_unknown(found, kinds)
    refuse_mistyped(found, kinds)
    ctx.meta[CONFIG_FILE] = found
    ctx.default_map = {
        option.name: found.values[key]
        for option in options_of(ctx.command)
        if option.name is not None and (key := key_of(ctx.command, option)) in found.values
    }


config = click.option(
    "--config",
    type=_PATH,
    is_eager=True,
    expose_value=False,
    callback=_load_config,
    envvar="BULKJOBS_CONFIG",
    help="TOML file with settings; flags and environment win over it.",
)

contract = _together(
    _valued("--api", click.Choice(["2025-03", "2026-09"]), "2025-03", "Contract of createJob."),
    option("--job-type", shell_complete=words("VISUAL"), help="With --api 2026-09: VISUAL."),
    option("--num-worker", type=WholeNumbers(), help="With --api 2026-09: workers, 2 to 10."),
    option("--timeout-minutes", type=WholeNumbers(), help="With --api 2026-09: limit of a run, 1 to 1440."),
    option("--max-concurrent-runs", type=WholeNumbers(), help="With --api 2026-09: runs of a job at a time."),
)

target = _together(
    option("--sandbox", is_flag=True, help="Use an embedded service, in memory: no account needed."),
    option("--endpoint", default=DEFAULT_ENDPOINT, show_default=True, help="Scheme and host of the service."),
    option("--profile", help="Profile of the credentials file."),
    option("--credentials-file", type=_PATH, help="Credentials file.  [default: ~/.ncloud/configure]"),
    option("--account", default=ACCOUNT, show_default=True, help="Label of the account, part of the state."),
    contract,
)

graph = _together(
    option(
        "--layout",
        type=_PATH,
        shell_complete=layout_files,
        help="TOML file with the jobs' graph.  [default: source, filter, target]",
    ),
    option("--set", "variables", multiple=True, type=_Pair(), help="A variable of the layout."),
)

_settings = Settings()
_limits = Limits()
inventory = _together(
    _valued("--max-problems", WholeNumbers(1), _settings.max_problems, "Problems that are listed; all are counted."),
    _valued("--max-rows", WholeNumbers(1), _limits.max_rows, "Rows of one file."),
    _valued("--max-cell-bytes", WholeNumbers(1), _limits.max_cell_bytes, "Bytes of one cell."),
    _valued("--max-unpacked-bytes", WholeNumbers(1), _limits.max_unpacked_bytes, "Bytes of one file, unpacked."),
)

_rate = _together(
    _valued(
        "--rate",
        _Rate(),
        "auto",
        "Sends per second, never more; auto finds the limit out.",
        metavar="N|auto",
        shell_complete=words("auto"),
    ),
    _valued(
        "--concurrency",
        WholeNumbers(1, 10_000),
        _settings.concurrency,
        "Sends that may wait for their answers at a time.",
    ),
    _valued("--timeout", Numbers(0.1, 3600), _settings.timeout, "Seconds to wait for an answer."),
)

pace = _together(
    _rate,
    _valued(
        "--settle",
        Numbers(0, 3600),
        _settings.settle,
        "Seconds to wait before a send of unknown end is looked up.",
    ),
    _valued(
        "--max-attempts",
        WholeNumbers(1, 100),
        _settings.max_attempts,
        "Sends of one row that may have reached the service.",
    ),
    _valued(
        "--patience",
        Numbers(0, 86_400),
        _settings.patience,
        "Seconds without any answer, or with refusals for the rate only, before the run ends unfinished.",
    ),
)

budget = _together(
    _valued(
        "--halt",
        Halt(),
        str(_settings.halt),
        "Stop when so many rows are rejected; a percentage counts after 20 rows; with 100% only --canary stops.",
    ),
    option(
        "--canary",
        type=WholeNumbers(0),
        help="Rows to create first, beyond one of each shape; two in all at least. Nothing follows if all are"
        " refused.  [default: 0, before more than 20 creates only]",
    ),
    option(
        "--deadline",
        type=Duration(),
        help="End by then, e.g. 50m or 90 (seconds): sending stops in time to wait for what is on its way.",
    ),
    option("--max-jobs", type=WholeNumbers(0), help="Refuse a plan with more creates."),
    option("--shard", type=Part(), help="Only this part of the rows, by name: 2/4 is the second of four."),
)

max_delete = _valued(
    "--max-delete",
    Limit(),
    "10%",
    "Delete no more: a number, or a percentage of the jobs that were made, rounded down.",
)

mode = _together(
    option("--prune", is_flag=True, help="Delete jobs of this namespace that no row lists any more."),
    max_delete,
    option("--include-running", is_flag=True, help="Change jobs that are running, too."),
    option("--include-edited", is_flag=True, help="Delete jobs that were edited by hand, too."),
)

asking_pace = _together(
    _rate,
    _valued(
        "--patience",
        Numbers(0, 86_400),
        _settings.first_patience,
        "Seconds without any answer of the service before it is asked no more.",
    ),
)

state = _valued("--state", _PATH, STATE, "The journal of all runs.")
namespace = option(
    "--namespace", help="Whose jobs these are: only jobs of one namespace are pruned.  [default: the inventory's path]"
)
report_dir = _valued("--report-dir", _PATH, REPORT_DIR, "Where reports go.")

events = option(
    "--json-events",
    shell_complete=files,
    metavar="FILE|-",
    help="One JSON object a line for every outcome, as it happens; - is stdout.",
)

output = _together(
    option("--json", "as_json", is_flag=True, help="One JSON document on standard output."),
    option("--quiet", "-q", is_flag=True, help="Only errors."),
    _valued("--log-format", click.Choice(["console", "json"]), "console", "For people, or one JSON object a line."),
    option(
        "--log-level",
        type=click.Choice(["debug", "info", "warning", "error"], case_sensitive=False),
        help="The least that is told.  [default: info; beside a progress bar warnings, the like of them once]",
    ),
    option("--log-file", type=_PATH, help="Write the log there instead of to standard error."),
)


def parse_variables(pairs: tuple[str, ...]) -> dict[str, str]:
    """``KEY=VALUE`` pairs. Raises UsageError."""
    variables = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key.strip():
            raise UsageError(f"--set {pair!r}: must be KEY=VALUE", "for example --set env=dev")
        variables[key.strip()] = value
    return variables

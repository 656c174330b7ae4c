"""Options that commands share. Each is also ``BULKJOBS_<OPTION>`` and a key of ``--config FILE``."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from bulkjobs.cli.amounts import Duration, Halt, Part
from bulkjobs.dataflow.endpoint import DEFAULT_ENDPOINT
from bulkjobs.errors import UsageError
from bulkjobs.inventory.limits import Limits
from bulkjobs.settings import ACCOUNT, REPORT_DIR, STATE, Settings

F = TypeVar("F", bound=Callable[..., Any])
_PATH = click.Path(path_type=Path)

COMPARE = "compare"
"""The tables of ``--config`` that hold rules of comparison, and where a command's context keeps them."""


class _Rate(click.ParamType[float | None]):
    name = "N|auto"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | None:
        if value == "auto":
            return None
        try:
            rate = float(value)
        except (TypeError, ValueError):
            rate = 0.0
        if not 0.001 <= rate <= 100_000:
            self.fail(f"{value!r} is not a number of sends per second (0.001 to 100000) or 'auto'", param, ctx)
        return rate


def option(*names: str, **attributes: Any) -> Callable[[F], F]:
    """A click option that can also come from the environment."""
    flag = next(name for name in names if name.startswith("--")).split("/")[0]
    attributes.setdefault("envvar", "BULKJOBS_" + flag.removeprefix("--").upper().replace("-", "_"))
    return click.option(*names, **attributes)


def _together(*options: Callable[[F], F]) -> Callable[[F], F]:
    def decorate(command: F) -> F:
        for each in reversed(options):
            command = each(command)
        return command

    return decorate


def _load_config(ctx: click.Context, _param: click.Parameter, path: Path | None) -> None:
    if path is None:
        return
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"--config {path}: cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}"
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"--config {path}: not valid TOML: {error}") from None
    if COMPARE in values:
        from bulkjobs.graph.comparison import read_rules  # noqa: PLC0415  # not for --help

        ctx.meta[COMPARE] = read_rules(values.pop(COMPARE), f"--config {path}")
    known = _settings_of(ctx.command)
    defaults = {}
    for key, value in values.items():
        name = key.replace("-", "_")
        if name in known:
            defaults[known[name]] = value
        elif name not in _settings_elsewhere(ctx):  # one file serves all commands
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(sorted(known))}"
            raise UsageError(f"--config {path}: unknown setting {key!r}", hint)
    ctx.default_map = defaults


def _settings_of(command: click.Command) -> dict[str, str]:
    """A command's options as a file names them (``--max-rows``: ``max_rows``), with their parameters' names."""
    return {
        flag.removeprefix("--").replace("-", "_"): parameter.name
        for parameter in command.params
        if isinstance(parameter, click.Option) and parameter.name not in (None, "config")
        for flag in parameter.opts
        if flag.startswith("--")
    }


def _settings_elsewhere(ctx: click.Context) -> set[str]:
    """The options of all other commands."""
    group = ctx.parent.command if ctx.parent is not None else None
    if not isinstance(group, click.Group):
        return set()
    commands = (group.get_command(ctx, name) for name in group.list_commands(ctx))
    return {name for command in commands if command is not None for name in _settings_of(command)}


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
    option("--api", type=click.Choice(["2025-03", "2026-09"]), default="2025-03", show_default=True, help="Contract."),
    option("--job-type", help="With --api 2026-09: VISUAL."),
    option("--num-worker", type=int, help="With --api 2026-09: workers, 2 to 10."),
    option("--timeout-minutes", type=int, help="With --api 2026-09: limit of a run, 1 to 1440."),
    option("--max-concurrent-runs", type=int, help="With --api 2026-09."),
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
    option("--layout", type=_PATH, help="TOML file with the jobs' graph.  [default: source, filter, target]"),
    option("--set", "variables", multiple=True, metavar="KEY=VALUE", help="A variable of the layout.", envvar=None),
)

_settings = Settings()
_limits = Limits()
inventory = _together(
    option(
        "--max-problems",
        type=click.IntRange(1),
        default=_settings.max_problems,
        show_default=True,
        help="Problems that are listed; all are counted.",
    ),
    option("--max-rows", type=click.IntRange(1), default=_limits.max_rows, show_default=True, help="Rows of one file."),
    option(
        "--max-cell-bytes",
        type=click.IntRange(1),
        default=_limits.max_cell_bytes,
        show_default=True,
        help="Bytes of one cell.",
    ),
    option(
        "--max-unpacked-bytes",
        type=click.IntRange(1),
        default=_limits.max_unpacked_bytes,
        show_default=True,
        help="Bytes of one file, unpacked.",
    ),
)

_rate = _together(
    option(
        "--rate",
        type=_Rate(),
        default="auto",
        show_default=True,
        help="Sends per second, never more; auto finds the limit out.",
    ),
    option("--concurrency", type=click.IntRange(1, 10_000), default=_settings.concurrency, show_default=True),
    option(
        "--timeout", type=click.FloatRange(0.1, 3600), default=_settings.timeout, show_default=True, help="Seconds."
    ),
)

pace = _together(
    _rate,
    option(
        "--settle",
        type=click.FloatRange(0, 3600),
        default=_settings.settle,
        show_default=True,
        help="Seconds to wait before a send of unknown end is looked up.",
    ),
    option("--max-attempts", type=click.IntRange(1, 100), default=_settings.max_attempts, show_default=True),
    option(
        "--patience",
        type=click.FloatRange(0, 86_400),
        default=_settings.patience,
        show_default=True,
        help="Seconds without any answer of the service before the run ends unfinished.",
    ),
)

budget = _together(
    option(
        "--halt",
        type=Halt(),
        default=str(_settings.halt),
        show_default=True,
        help="Stop when so many rows are rejected; a percentage counts after 20 rows; 100% never stops.",
    ),
    option(
        "--canary",
        type=click.IntRange(0),
        help="Rows to create first, beyond one of each shape.  [default: automatic, for more than 20 creates]",
    ),
    option("--deadline", type=Duration(), help="End by then: sending stops early enough, e.g. 50m."),
    option("--max-jobs", type=click.IntRange(0), help="Refuse a plan with more creates."),
    option("--shard", type=Part(), help="Only this part of the rows, by name: 2/4 is the second of four."),
)

asking_pace = _together(
    _rate,
    option(
        "--patience",
        type=click.FloatRange(0, 86_400),
        default=_settings.first_patience,
        show_default=True,
        help="Seconds without any answer of the service before it is asked no more.",
    ),
)

state = option("--state", type=_PATH, default=STATE, show_default=True, help="Journal.")
report_dir = option("--report-dir", type=_PATH, default=REPORT_DIR, show_default=True, help="Where reports go.")

output = _together(
    option("--json", "as_json", is_flag=True, help="One JSON document on standard output."),
    option("--quiet", "-q", is_flag=True, help="Only errors."),
    option("--log-format", type=click.Choice(["console", "json"]), default="console", show_default=True),
    option(
        "--log-level",
        type=click.Choice(["debug", "info", "warning", "error"], case_sensitive=False),
        help="[default: info; warning beside a progress bar]",
    ),
    option("--log-file", type=_PATH, help="Write the log there instead of to standard error."),
)


def parse_variables(pairs: tuple[str, ...]) -> dict[str, str]:
    """``KEY=VALUE`` pairs. Raises UsageError."""
    variables = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key.strip():
            raise UsageError(f"--set {pair!r}: must be KEY=VALUE")
        variables[key.strip()] = value
    return variables

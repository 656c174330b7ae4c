"""``bulkjobs config``."""

from __future__ import annotations

import os
from itertools import groupby
from pathlib import Path
from typing import Any

import click
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from bulkjobs.cli import options
from bulkjobs.cli.commands import COMMANDS
from bulkjobs.cli.config_file import ConfigFile
from bulkjobs.cli.grouped import GROUPS
from bulkjobs.cli.settings_table import DEFAULT, Setting, settings, unknown_variables
from bulkjobs.cli.summary import write_json
from bulkjobs.dataflow.credentials import find_credentials
from bulkjobs.errors import BulkJobsError, ExitCode
from bulkjobs.plain import plain

_EXAMPLES = """\b
Examples:
  bulkjobs config
  bulkjobs config submit --config bulkjobs.toml
  BULKJOBS_RATE=20 bulkjobs config --json
"""
_ORDER = ("Options", *GROUPS)
_KEYS = ("access_key", "secret_key")
_WIDEST = 48


@click.command("config", epilog=_EXAMPLES)
@click.argument("command_name", metavar="[COMMAND]", required=False, type=click.Choice(list(COMMANDS)))
@options.config
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
@click.pass_context
def command(context: click.Context, command_name: str | None, as_json: bool) -> int:
    """Show every setting, or those of COMMAND: its value, and where it comes from.

    A flag wins over the environment, the environment over the file of --config. Of credentials only the place is
    shown. Ends with 2 if a value cannot be used.
    """
    config = context.meta.get(options.CONFIG_FILE)
    found = settings(os.environ, config, command_name)
    found.sort(key=lambda setting: _ORDER.index(setting.group))
    keys = _credentials(found)
    strange = [] if command_name is not None else unknown_variables(os.environ)
    if as_json:
        write_json(_document(found, keys, strange, config))
    else:
        _show(Console(highlight=False), found, keys)
        people = Console(stderr=True, highlight=False)
        for name, near in strange:
            hint = f"; did you mean {near}?" if near else ""
            people.print(Text(f"warning: {plain(name, 100)} is set, and is no setting{hint}", "yellow"), soft_wrap=True)
        for setting in found:
            if setting.error is not None:
                text = f"Error: {setting.flag} from {setting.origin}: {plain(setting.error)}"
                people.print(Text(text, style="bold red"), soft_wrap=True)
    return int(ExitCode.USAGE if any(setting.error for setting in found) else ExitCode.OK)


def _credentials(found: list[Setting]) -> dict[str, Any]:
    """Whether there are any and where they are; never any part of them."""
    values = {setting.key: setting.value for setting in found}
    file = values.get("credentials_file")
    try:
        keys = find_credentials(os.environ, values.get("profile"), Path(file) if file else None)
    except BulkJobsError as error:
        return {"access_key": "not set", "secret_key": "not set", "from": None, "problem": error.message}
    return {"access_key": "set", "secret_key": "set", "from": keys.source, "problem": None}


def _document(
    found: list[Setting], keys: dict[str, Any], strange: list[tuple[str, str | None]], config: ConfigFile | None
) -> dict[str, object]:
    return {
        "config": str(config.path) if config is not None else None,
        "settings": [
            {
                "key": setting.key,
                "value": setting.value,
                "from": setting.origin,
                "option": setting.flag,
                "environment": setting.variable,
                "commands": setting.commands,
                "error": setting.error,
            }
            for setting in found
        ],
        "credentials": keys,
        "unknown_environment": [name for name, _ in strange],
    }


def _show(console: Console, found: list[Setting], keys: dict[str, Any]) -> None:
    lines: list[tuple[str, str, str, str]] = []
    for group, members in groupby(found, lambda setting: setting.group):
        lines.append((group, "", "", "bold"))
        for setting in members:
            is_default = setting.origin == DEFAULT
            value = setting.value if setting.value is not None else f"({setting.default or 'not set'})"
            origin = setting.origin
            if is_default and sum(setting.key == other.key for other in found) > 1:
                origin += f" of {', '.join(setting.commands)}"
            style = "dim" if is_default else "green" if setting.error is None else "red"
            lines.append((f"  {setting.key}", plain(value), plain(origin), style))
    lines.append(("Credentials", "", "", "bold"))
    lines += [(f"  {key}", keys[key], plain(str(keys["from"] or keys["problem"])), "") for key in _KEYS]
    first = max(cell_len(key) for key, *_ in lines)
    second = min(max(cell_len(value) for _, value, *_ in lines), _WIDEST)
    for key, value, origin, style in lines:
        # Not wrapped, whatever the width: paths and addresses are to be copied.
        console.print(
            Text(f"{_padded(key, first)}  {_padded(value, second)}  {origin}".rstrip(), style), soft_wrap=True
        )


def _padded(text: str, width: int) -> str:
    """Korean letters take two columns each."""
    return text + " " * max(0, width - cell_len(text))

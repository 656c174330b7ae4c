"""Every command by name, imported when it is asked for, and what all of them have in common.

Each option of each command is also ``BULKJOBS_<OPTION>`` in the environment and a key of the configuration file;
those of ``sandbox``, which are a server's, are ``BULKJOBS_SANDBOX_<OPTION>``.
"""

from __future__ import annotations

import importlib
from functools import partial

import click

from bulkjobs.cli.grouped import format_options

PREFIX = "BULKJOBS_"
CONFIG = "config"

COMMANDS = {
    "submit": "Validate, plan, create what is missing, report.",
    "validate": "Find every problem of an inventory; nothing is sent.",
    "plan": "Show what reconcile would do; nothing is changed.",
    "reconcile": "Make the service equal to the inventory.",
    "rollback": "Delete what one run created and nobody has touched since.",
    "report": "Render the report of a run again.",
    "runs": "List every run; delete old ones.",
    "explain": "Tell everything that happened to one row.",
    "export": "Write live jobs as an inventory.",
    "sandbox": "Run the embedded Data Flow as a server of its own.",
    "columns": "Show the columns of an inventory, and what each accepts.",
    "expand": "Show the request bodies that would be sent.",
    "init": "Write a starter inventory and layout.",
    "config": "Show every setting, its value, and where it comes from.",
    "completion": "Print a script that completes commands in your shell.",
    "help": "Explain a command, the exit codes, the columns, the settings.",
}


def load(name: str) -> click.Command | None:
    """The command of that name, ready for use; None if there is none."""
    if name not in COMMANDS:
        return None
    command: click.Command = importlib.import_module(f"bulkjobs.cli.{name}").command
    command.short_help = COMMANDS[name]
    for option in options_of(command):
        option.envvar = PREFIX + key_of(command, option).upper()
    command.format_options = partial(format_options, command)  # type: ignore[method-assign]  # of any command's class
    return command


def options_of(command: click.Command) -> list[click.Option]:
    """Its options, but for ``--config`` itself and ``--help``."""
    return [param for param in command.params if isinstance(param, click.Option) and param.name != CONFIG]


def key_of(command: click.Command, option: click.Option) -> str:
    """An option as a configuration file names it: ``--max-rows`` is ``max_rows``."""
    flag = flag_of(option).removeprefix("--").replace("-", "_")
    return f"sandbox_{flag}" if command.name == "sandbox" else flag


def flag_of(option: click.Option) -> str:
    """Its long form, such as ``--max-rows``."""
    return next(flag for flag in option.opts if flag.startswith("--"))

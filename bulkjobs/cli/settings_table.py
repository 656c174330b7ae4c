"""Every setting of every command: its value, and where it comes from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from bulkjobs.cli.commands import COMMANDS, PREFIX, flag_of, key_of, load, options_of
from bulkjobs.cli.config_file import ConfigFile
from bulkjobs.cli.grouped import group_of
from bulkjobs.graph.suggest import nearest

DEFAULT = "default"
_DEFAULT_IN_HELP = re.compile(r"\[default: (.*)\]$")


@dataclass
class Setting:
    """``value`` as it would be written, None if it has none; ``origin`` says where it comes from.

    ``default`` explains a value that is made when it is needed. ``commands``: those that have this option with this
    default. ``error``: why the value cannot be used.
    """

    key: str
    flag: str
    variable: str
    group: str
    value: str | None
    origin: str
    default: str | None = None
    error: str | None = None
    commands: list[str] = field(default_factory=list)


def settings(environment: Mapping[str, str], config: ConfigFile | None, only: str | None = None) -> list[Setting]:
    """All settings, of the command ``only`` or of every one, each once for every default that it has."""
    found: dict[tuple[str, str | None], Setting] = {}
    for name in COMMANDS if only is None else [only]:
        command = load(name)
        if command is None:
            continue
        context = click.Context(command, info_name=name)
        for option in options_of(command):
            setting = _setting(command, option, context, environment, config)
            found.setdefault((setting.key, setting.value or setting.default), setting).commands.append(name)
    return list(found.values())


def unknown_variables(environment: Mapping[str, str]) -> list[tuple[str, str | None]]:
    """Variables that begin like ours and are none, each with the one that was likely meant."""
    known = {PREFIX + key_of(command, option).upper() for command in _all() for option in options_of(command)}
    known |= {f"{PREFIX}CONFIG"}
    strange = sorted(name for name in environment if name.startswith(PREFIX) and name not in known)
    return [(name, nearest(name, sorted(known))) for name in strange]


def _all() -> list[click.Command]:
    return [command for name in COMMANDS if (command := load(name)) is not None]


def _setting(
    command: click.Command,
    option: click.Option,
    context: click.Context,
    environment: Mapping[str, str],
    config: ConfigFile | None,
) -> Setting:
    key, variable = key_of(command, option), PREFIX + key_of(command, option).upper()
    made = _DEFAULT_IN_HELP.search(option.help or "")
    setting = Setting(key, flag_of(option), variable, group_of(option), None, DEFAULT, made[1] if made else None)
    value: Any
    if environment.get(variable):
        value, setting.origin = environment[variable], variable
        if option.multiple:
            value = option.type.split_envvar_value(value)
    elif config is not None and key in config.values:
        value, setting.origin = config.values[key], config.place_of(key)
    else:
        setting.value = _shown(option.get_default(context))
        return setting
    setting.value = _shown(value)
    try:
        option.type_cast_value(context, value)
    except click.BadParameter as error:
        setting.error = error.message
    return setting


def _shown(value: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return " ".join(map(str, value)) or None
    return str(value) if isinstance(value, str | int | float | Path) else None

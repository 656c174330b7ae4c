"""Words that click does not understand → what is wrong, and what was likely meant."""

from __future__ import annotations

import click
from click.core import ParameterSource

from bulkjobs.cli.commands import COMMANDS, key_of
from bulkjobs.cli.options import CONFIG_FILE
from bulkjobs.errors import UsageError
from bulkjobs.plain import plain

_NUMBERS = {"integer range": "a whole number", "float range": "a number"}


def unknown_command(word: str) -> UsageError:
    """There is no such command."""
    from bulkjobs.graph.suggest import nearest  # noqa: PLC0415  # difflib, only where something is wrong

    near = nearest(word, COMMANDS)
    hint = f"did you mean `bulkjobs {near}`?" if near else "`bulkjobs help` lists the commands"
    return UsageError(f"no such command: {plain(word, 100)}", hint)


def explained(error: click.ClickException) -> tuple[str, str | None]:
    """Message and hint."""
    from bulkjobs.graph.suggest import nearest  # noqa: PLC0415  # difflib, only where something is wrong

    context = getattr(error, "ctx", None)
    name = context.info_name if context is not None and context.parent is not None else None
    more = f"`bulkjobs help {name}` explains its options" if name else "`bulkjobs help` lists the commands"
    if isinstance(error, click.NoSuchOption):
        known = [
            flag
            for param in (context.command.params if context is not None else [])
            for flag in (*param.opts, *param.secondary_opts)
            if flag.startswith("--")
        ]
        near = nearest(error.option_name, known)
        return f"no such option: {plain(error.option_name, 100)}", f"did you mean {near}?" if near else more
    message = error.format_message().rstrip(".")
    for click_says, said in _NUMBERS.items():
        message = message.replace(f"is not a valid {click_says}", f"is not {said}")
    if isinstance(error, click.BadParameter) and error.param is not None and context is not None:
        message += _origin(error.param, context)
        if isinstance(error.param.type, click.Choice):
            near = nearest(_quoted(error.message), [str(choice) for choice in error.param.type.choices])
            more = f"did you mean {near}?" if near else more
    return message, more


def _origin(param: click.Parameter, context: click.Context) -> str:
    """Where a value came from that nobody typed just now."""
    source = context.get_parameter_source(param.name) if param.name is not None else None
    if source is ParameterSource.ENVIRONMENT:
        return f" (from {param.envvar})"
    config = context.meta.get(CONFIG_FILE)
    if source is ParameterSource.DEFAULT_MAP and config is not None and isinstance(param, click.Option):
        return f" (from {config.place_of(key_of(context.command, param))})"
    return ""


def _quoted(message: str) -> str:
    """The word that click's message begins with."""
    return message.split("'")[1] if message.count("'") > 1 else ""

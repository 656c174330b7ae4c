"""The program: its commands, and how an error becomes a message and an exit code."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from typing import Any, NoReturn

import click

from bulkjobs.errors import BulkJobsError, ExitCode
from bulkjobs.plain import plain

_COMMANDS = {
    "submit": "Validate, plan, create what is missing, report.",
    "validate": "Find every problem of an inventory; nothing is sent.",
    "report": "Render the report of a run again.",
    "sandbox": "Run the embedded Data Flow as a server of its own.",
    "columns": "Show the columns of an inventory, and what each accepts.",
    "expand": "Show the request bodies that would be sent.",
    "init": "Write a starter inventory and layout.",
}


class _Commands(click.Group):
    """Imports a command's module when it is called: ``--help`` must not wait for pandas."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"bulkjobs.cli.{cmd_name}").command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # here, for click itself would end with 1
            # Whoever read our output has gone; Python must not complain when it flushes at exit.
            with contextlib.suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return ExitCode.OK

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="bulkjobs")
def cli() -> None:
    """Create NAVER Cloud Data Flow jobs from an inventory: concurrently, within the rate, each exactly once."""


def main() -> NoReturn:
    """Run the program. Every way out is here."""
    try:
        code = cli(standalone_mode=False)
    except BulkJobsError as error:
        _complain(error.message, error.hint)
        code = error.exit_code
    except click.ClickException as error:
        error.show(sys.stderr)
        code = ExitCode.USAGE
    except (KeyboardInterrupt, click.Abort):
        code = ExitCode.INTERRUPTED
    sys.exit(int(code or 0))


def _complain(message: str, hint: str | None) -> None:
    with contextlib.suppress(OSError):
        print(f"Error: {plain(message, 2000)}", file=sys.stderr)
        if hint:
            print(f"  {plain(hint, 2000)}", file=sys.stderr)

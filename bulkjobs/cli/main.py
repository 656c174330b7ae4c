"""The program: its commands, and how an error becomes a message and an exit code."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from typing import Any, NoReturn, TextIO

import click

from bulkjobs.cli.colours import follow_conventions
from bulkjobs.cli.commands import COMMANDS, load
from bulkjobs.cli.documents import unwritable
from bulkjobs.cli.usage import explained, unknown_command
from bulkjobs.errors import BulkJobsError, ExitCode
from bulkjobs.plain import plain

_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


class _Commands(click.Group):
    """Imports a command's module when it is called: ``--help`` must not wait for pandas."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return load(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            raise unknown_command(args[0])
        return super().resolve_command(ctx, args)

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
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="bulkjobs")
def cli() -> None:
    """Create NAVER Cloud Data Flow jobs from an inventory: concurrently, within the rate, each exactly once."""


def main() -> NoReturn:
    """Run the program. Every way out is here."""
    follow_conventions(os.environ)
    try:
        code = cli(prog_name="bulkjobs", standalone_mode=False)
    except BulkJobsError as error:
        _complain(error.message, error.hint)
        code = error.exit_code
    except click.ClickException as error:
        _complain(*explained(error))
        code = ExitCode.USAGE
    except (KeyboardInterrupt, click.Abort):
        code = ExitCode.INTERRUPTED
    except OSError as error:  # what writes to files of its own names them: this is what click or rich printed
        if error.filename is not None or error.errno not in _DISK:
            raise
        _complain(unwritable(error).message, unwritable(error).hint)
        code = ExitCode.STATE
    lost = _let_go(sys.stdout)
    if lost is not None and code not in (ExitCode.DEFECT, ExitCode.STATE):
        _complain(unwritable(lost).message, unwritable(lost).hint)
        code = ExitCode.STATE
    _let_go(sys.stderr)
    sys.exit(int(code or 0))


def _let_go(stream: TextIO) -> OSError | None:
    """Flush a standard stream for the last time; if nobody reads it any more, Python must not complain at its end.

    Returns why it could not be written, unless it is only that nobody reads it.
    """
    try:
        stream.flush()
    except OSError as error:
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return None if error.errno == errno.EPIPE else error
    return None


def _complain(message: str, hint: str | None) -> None:
    with contextlib.suppress(OSError):
        print(f"Error: {plain(message, 2000)}", file=sys.stderr)
        if hint:
            print(f"  {plain(hint, 2000)}", file=sys.stderr)

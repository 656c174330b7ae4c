"""``bulkjobs help``."""

from __future__ import annotations

import click

from bulkjobs.cli.commands import COMMANDS, load
from bulkjobs.cli.documents import write_text
from bulkjobs.cli.grouped import EXPLAIN_ALL
from bulkjobs.errors import ExitCode

EXIT_CODES = {
    ExitCode.OK: "the service holds what every row asks for",
    ExitCode.DEFECT: "a defect of bulkjobs",
    ExitCode.USAGE: "an option, a setting or a layout is wrong",
    ExitCode.INVALID_INVENTORY: "the inventory is wrong; nothing was sent",
    ExitCode.NEEDS_DECISION: "some rows need a decision: rejected, drifted or conflict",
    ExitCode.NOT_FINISHED: "not finished; running the same command again goes on",
    ExitCode.UNRESOLVED: "some jobs may or may not exist; running the same command again finds out",
    ExitCode.ACCESS: "credentials, permission or endpoint",
    ExitCode.BUSY: "another run holds the state",
    ExitCode.STATE: "disk or journal",
    ExitCode.PENDING: "plan --exit-code, reconcile --expect-no-changes: changes are pending",
    ExitCode.INTERRUPTED: "interrupted twice",
}

_SETTINGS = """\
Every option can be given in three ways; the first that is there counts:

  a flag        bulkjobs submit jobs.csv --max-rows 5000
  a variable    BULKJOBS_MAX_ROWS=5000 bulkjobs submit jobs.csv
  a file        bulkjobs submit jobs.csv --config bulkjobs.toml      (or BULKJOBS_CONFIG=bulkjobs.toml)

The file is TOML and serves all commands:

  rate = 20
  max_rows = 5000
  state = "state/journal.db"
  set = { env = "dev" }

The options of `bulkjobs sandbox` are BULKJOBS_SANDBOX_RATE and sandbox_rate, for example. Several --set in a variable:
BULKJOBS_SET='env=dev owner="two words"'.

Credentials are never options: NCLOUD_ACCESS_KEY_ID and NCLOUD_SECRET_ACCESS_KEY in the environment, or
~/.ncloud/configure with --profile. Colours follow NO_COLOR, CLICOLOR and CLICOLOR_FORCE.

  bulkjobs config        shows every setting, its value, and where it comes from
"""

_TOPICS = ("exit-codes", "columns", "settings")

_EXAMPLES = """\b
Examples:
  bulkjobs help submit          (every option; --help shows the usual ones)
  bulkjobs help exit-codes
  bulkjobs help columns
  bulkjobs help settings
"""


@click.command("help", epilog=_EXAMPLES)
@click.argument("topic", required=False, type=click.Choice([*COMMANDS, *_TOPICS]), metavar="[TOPIC]")
@click.pass_context
def command(context: click.Context, topic: str | None) -> int:
    """Explain a command, or one of exit-codes, columns, settings."""
    root = context.find_root()
    if topic is None:
        write_text(f"{root.get_help()}\n\nTopics of `bulkjobs help`: {', '.join(_TOPICS)}, or any command\n")
    elif topic == "exit-codes":
        write_text(exit_codes())
    elif topic == "settings":
        write_text(_SETTINGS)
    else:
        wanted = load(topic)
        assert wanted is not None, topic
        if topic == "columns":
            wanted.main([], prog_name="bulkjobs columns", standalone_mode=False)
            return 0
        with click.Context(wanted, info_name=topic, parent=root) as explained:
            explained.meta[EXPLAIN_ALL] = True
            write_text(wanted.get_help(explained) + "\n")
    return 0


def exit_codes() -> str:
    """Every exit code with its meaning."""
    lines = [f"{code.value:>5}  {meaning}\n" for code, meaning in EXIT_CODES.items()]
    return "".join([" code  meaning\n", *lines, "\nIf several apply, the first of 1 9 8 7 2 3 6 5 4 counts.\n"])

"""``bulkjobs completion``."""

from __future__ import annotations

import click

from bulkjobs.cli.documents import write_text

_VARIABLE = "_BULKJOBS_COMPLETE"

_EXAMPLES = """\b
Examples:
  source <(bulkjobs completion bash)                  (in ~/.bashrc: for every shell)
  source <(bulkjobs completion zsh)                   (in ~/.zshrc)
  bulkjobs completion fish > ~/.config/fish/completions/bulkjobs.fish
"""


@click.command("completion", epilog=_EXAMPLES)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> int:
    """Print the script that completes commands, options, choices, run ids and layouts in SHELL."""
    from click.shell_completion import ShellComplete, get_completion_class  # noqa: PLC0415  # not for --help

    from bulkjobs.cli.main import cli  # noqa: PLC0415  # which imports this

    kind = get_completion_class(shell)
    assert kind is not None, shell
    # Of the base class: bash's own asks the bash that it finds for its version, which need not be the one that runs.
    write_text(ShellComplete.source(kind(cli, {}, "bulkjobs", _VARIABLE)))
    return 0

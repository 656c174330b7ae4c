"""``bulkjobs completion``."""

from __future__ import annotations

import click

from bulkjobs.cli.documents import write_text

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
    from bulkjobs.cli.shells import script  # noqa: PLC0415  # not for --help

    write_text(script(shell))
    return 0

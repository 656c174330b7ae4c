"""``bulkjobs init``."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from bulkjobs.cli import options
from bulkjobs.cli.starter import write_starter


@click.command("init", epilog="\b\nExample:\n  bulkjobs init migration\n")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@options.config
def command(folder: Path) -> int:
    """Write a starter inventory, a layout and an explanation of both into DIR; nothing is ever overwritten."""
    for path in write_starter(folder):
        click.echo(f"wrote {path}", err=True)
    inventory, layout = (shlex.quote(str(folder / name)) for name in ("inventory.csv", "layout.toml"))
    click.echo("Try it without an account:", err=True)
    click.echo(f"  bulkjobs validate {inventory} --layout {layout}", err=True)
    click.echo(f"  bulkjobs submit {inventory} --layout {layout} --sandbox", err=True)
    return 0

"""What the shell completes beside commands, options and choices: run ids and layouts. Never an error, never slow."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bulkjobs.settings import STATE

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Completer = Callable[[click.Context, click.Parameter, str], "list[CompletionItem]"]

_MOST = 50
_FOLDERS = (Path("inputs/layouts"), Path("layouts"))


def run_ids(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The latest runs of ``--state``, the newest first, with how each ended."""
    import sqlite3  # noqa: PLC0415  # not for --help
    from contextlib import closing  # noqa: PLC0415

    from click.shell_completion import CompletionItem  # noqa: PLC0415

    path = Path(ctx.params.get("state") or os.environ.get("BULKJOBS_STATE") or STATE)
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=0.2)) as db:
            found = db.execute("SELECT run_id, state FROM runs ORDER BY id DESC").fetchmany(10 * _MOST)
    except (sqlite3.Error, OSError, ValueError):
        return []
    return [CompletionItem(run, help=state) for run, state in found if str(run).startswith(incomplete)][:_MOST]


def words(*known: str) -> Completer:
    """These words, of a value that may be another one too."""

    def complete(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem  # noqa: PLC0415  # not for --help

        return [CompletionItem(word) for word in known if word.lower().startswith(incomplete.lower())]

    return complete


def files(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Whatever files there are: the shell lists them."""
    from click.shell_completion import CompletionItem  # noqa: PLC0415  # not for --help

    return [CompletionItem(incomplete, "file")]


def layout_files(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Layouts in the usual folders, by path or by bare name; else whatever files there are."""
    from click.shell_completion import CompletionItem  # noqa: PLC0415  # not for --help

    files = sorted(path for folder in _FOLDERS for path in folder.glob("*.toml"))
    found = [path for path in files if str(path).startswith(incomplete) or path.stem.startswith(incomplete)]
    if not found or not incomplete:
        # A shell that is told of a kind lists the files itself: with nothing typed it shows both.
        return [
            *(CompletionItem(str(path)) for path in found),
            *([] if found else [CompletionItem(incomplete, "file")]),
        ]
    return [CompletionItem(str(path)) for path in found]

"""``bulkjobs report``."""

from __future__ import annotations

from pathlib import Path

import click

from bulkjobs.cli import options
from bulkjobs.cli.summary import write_json


@click.command("report", epilog="\b\nExample:\n  bulkjobs report 20261123T090000Z\n")
@options.run
@options.config
@options.state
@options.option("--report-dir", type=click.Path(path_type=Path), help="[default: where the run's report was]")
@options.option("--json", "as_json", is_flag=True, help="Print the summary on standard output.")
def command(run: str, state: Path, report_dir: Path | None, as_json: bool) -> int:
    """Render the report of RUN again, from the journal and the inventory; a killed run has one too."""
    from bulkjobs.library import render_again  # noqa: PLC0415  # pandas

    folder, summary = render_again(state, run, report_dir)
    if as_json:
        write_json(summary)
    else:
        click.echo(f"Report: {folder}", err=True)
    return 0

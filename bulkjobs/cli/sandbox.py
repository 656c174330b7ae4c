"""``bulkjobs sandbox``."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bulkjobs.cli import options
from bulkjobs.cli.ranges import Numbers, WholeNumbers
from bulkjobs.errors import UsageError

if TYPE_CHECKING:
    from bulkjobs.sandbox import SandboxOptions


@click.command("sandbox", epilog="\b\nExample:\n  bulkjobs sandbox --port 8080 --rate 20 --list-lag 3\n")
@options.config
@click.option("--port", type=WholeNumbers(0, 65535), default=0, help="Port on 127.0.0.1.  [default: a free one]")
@click.option(
    "--api", type=click.Choice(["2025-03", "2026-09"]), default="2025-03", show_default=True, help="Contract."
)
@click.option("--rate", type=Numbers(0, min_open=True), help="Requests per second; beyond it: 429.")
@click.option("--list-lag", type=Numbers(0), default=0.0, help="Seconds until a job shows in lists.")
@click.option("--latency", type=Numbers(0), default=0.0, help="Seconds per reply.")
@click.option("--data", type=click.Path(path_type=Path), help="Keep the jobs in this file.  [default: in memory]")
@click.option(
    "--duplicate-names",
    type=click.Choice(["allow", "refuse"]),
    default="allow",
    show_default=True,
    help="What a second job of one name gets.",
)
@click.option("--normalise", is_flag=True, help="Show jobs reordered, completed, without what is empty.")
@click.option("--control", is_flag=True, help="Add /control/jobs, for tests: unsigned edits as if by hand.")
def command(
    port: int,
    api: str,
    rate: float | None,
    list_lag: float,
    latency: float,
    data: Path | None,
    duplicate_names: str,
    normalise: bool,
    control: bool,
) -> int:
    """Run the embedded Data Flow as a server of its own on 127.0.0.1, until Ctrl-C."""
    from bulkjobs.sandbox import SandboxOptions  # noqa: PLC0415  # a web server

    chosen = SandboxOptions(
        port=port,
        api="2026-09" if api == "2026-09" else "2025-03",
        rate=rate,
        list_lag=list_lag,
        latency=latency,
        data=data,
        duplicate_names="refuse" if duplicate_names == "refuse" else "allow",
        normalise=normalise,
        control=control,
    )
    asyncio.run(_serve(chosen))
    return 0


async def _serve(chosen: SandboxOptions) -> None:
    from bulkjobs.sandbox import Sandbox  # noqa: PLC0415  # a web server

    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    try:
        sandbox = await Sandbox(chosen).__aenter__()
    except OSError as error:
        is_port = chosen.port and (not chosen.data or error.errno is not None)
        taken = f"port {chosen.port}: {os.strerror(error.errno or 0)}" if is_port else str(error)
        raise UsageError(f"the sandbox cannot start: {taken}", "choose another --port or --data") from None
    try:
        click.echo(
            f"Data Flow sandbox ({chosen.api}) at {sandbox.endpoint}\n"
            f"  export NCLOUD_ACCESS_KEY_ID={sandbox.access_key} NCLOUD_SECRET_ACCESS_KEY={sandbox.secret_key}\n"
            f"  bulkjobs submit INVENTORY --endpoint {sandbox.endpoint}"
        )
        await ended.wait()
    finally:
        await sandbox.__aexit__(None, None, None)

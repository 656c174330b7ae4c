"""What the commands do, for programs: assemble a run from its parts, carry it out, write its report.

No global state: a run's clock, log and figures are passed in, and signals are the caller's business.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

from bulkjobs.dataflow.client import DataFlowClient
from bulkjobs.dataflow.contract import Contract
from bulkjobs.dataflow.credentials import find_credentials
from bulkjobs.dataflow.endpoint import DEFAULT_ENDPOINT, checked_endpoint
from bulkjobs.dataflow.signature import Credentials
from bulkjobs.engine.checked_rows import CheckedRows
from bulkjobs.engine.clock import Clock
from bulkjobs.engine.ending import Result
from bulkjobs.engine.equipment import Equipment
from bulkjobs.engine.export import live_jobs
from bulkjobs.engine.journal import Journal
from bulkjobs.engine.journal.history import History, has_run
from bulkjobs.engine.submit import Submit
from bulkjobs.engine.verify import Verified, verify_rows
from bulkjobs.engine.work import Tally
from bulkjobs.errors import BulkJobsError, UsageError
from bulkjobs.graph.comparison import BUILT_IN, Comparison
from bulkjobs.graph.expand import Expander
from bulkjobs.graph.exported import Refused, Row, export_rows
from bulkjobs.graph.sample import SampledRow
from bulkjobs.graph.validation import sendable_rows, validate
from bulkjobs.inventory.limits import Limits
from bulkjobs.inventory.reader import InventoryFile
from bulkjobs.logs import Log, SilentLog
from bulkjobs.report.render import render
from bulkjobs.settings import ACCOUNT, REPORT_DIR, STATE, Settings

__all__ = [
    "ExportSummary",
    "Places",
    "Submitted",
    "Target",
    "checked_run_id",
    "export",
    "inventory_files",
    "new_run_id",
    "render_again",
    "sendable_rows",
    "submit",
    "validate",
    "verify",
]

_RUN_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Target:
    """Where jobs are made, and as whom.

    With ``sandbox`` an embedded service is started for the run and everything else but ``contract`` is ignored.
    ``profile`` and ``credentials_file`` are as the user named them; ``environment`` is where keys may be.
    """

    endpoint: str = DEFAULT_ENDPOINT
    account: str = ACCOUNT
    contract: Contract = field(default_factory=Contract)
    sandbox: bool = False
    profile: str | None = None
    credentials_file: Path | None = None
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)


@dataclass(frozen=True, slots=True)
class Places:
    """Where a run keeps its state and writes its report. ``run_id`` None: made from the time."""

    state: Path = STATE
    report_dir: Path = REPORT_DIR
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class Submitted:
    """A run that has ended: its result, its report's folder, and the summary as written there."""

    run_id: str
    result: Result
    folder: Path
    summary: Mapping[str, object]


def inventory_files(
    inventories: Sequence[Path | InventoryFile], limits: Limits | None = None
) -> Sequence[InventoryFile]:
    """``inventories`` as files. One that was read before keeps its SHA-256: other bytes are not taken for it."""
    return [
        given if isinstance(given, InventoryFile) else InventoryFile(given, limits or Limits()) for given in inventories
    ]


async def submit(
    inventories: Sequence[Path | InventoryFile],
    target: Target,
    places: Places | None = None,
    settings: Settings | None = None,
    expander: Expander | None = None,
    *,
    limits: Limits | None = None,
    clock: Clock | None = None,
    tally: Tally | None = None,
    log: Log | None = None,
    comparison: Comparison = BUILT_IN,
    on_start: Callable[[Submit, str], None] | None = None,
) -> Submitted:
    """Make every row of ``inventories`` exactly one job, and write the report.

    Rows that are no file (a query's) come from ``rows_from``; ``limits`` are those of the paths.
    ``on_start`` gets the run, whose ``stop`` ends it early, and its id. Raises BulkJobsError when the run could not
    begin or its journal failed; everything else, an invalid inventory too, is in the result.
    """
    places = places or Places()
    clock, log, tally = clock or Clock(), log or SilentLog(), tally or Tally()
    settings = settings or Settings()
    run_id = checked_run_id(places.run_id) if places.run_id else new_run_id(clock.wall_ms(), places)
    files = inventory_files(inventories, limits)
    for file in files:
        file.check_open()
    async with connected(target, run_id, settings, clock) as (client, scope):
        run: Submit | None = None

        def journal_failed(error: BulkJobsError) -> None:
            if run is not None:
                run.fail(error)

        expander = expander or Expander()
        with closing(CheckedRows(files, expander, settings)) as checked:
            checked.begin()  # while the journal is opened: of a large one that takes seconds
            journal = Journal(places.state, f"run {run_id}").start(journal_failed)
            folder = (places.report_dir / run_id).absolute()
            try:
                for killed in journal.end_killed_runs():
                    log.warning("run.killed", killed=killed)
                facts = {} if settings.shard is None else {"shard": str(settings.shard)}
                journal.begin_run(run_id, scope, target.account, target.contract.api, folder, clock.wall_ms(), facts)
                if not target.sandbox and journal.is_new_scope():
                    log.warning("scope.new", endpoint=scope, account=target.account, known="other scopes only")
                equipment = Equipment(journal, client, settings, clock, tally, log, comparison)
                run = Submit(files, expander, equipment, checked=checked)
                if on_start is not None:
                    on_start(run, run_id)
                await write_missing_reports(journal, log)
                result = await run.run()
                tally.phase = "reporting"
                # In a thread: an interrupt must find the loop, however long the report or its disk takes.
                folder, summary = await asyncio.to_thread(render_again, places.state, run_id, is_proved=True)
                journal.reported(run_id)
            finally:
                await journal.close()
    return Submitted(run_id, result, folder, summary)


async def verify(
    rows: Iterator[SampledRow],
    target: Target,
    settings: Settings | None = None,
    *,
    clock: Clock | None = None,
    log: Log | None = None,
    verified: Verified | None = None,
) -> Verified:
    """Ask the service's verifyJob about ``rows``; nothing is created. ``verified`` may be read while it goes on.

    Raises AccessError or UsageError when the service cannot be asked at all; what ends it later is in the result.
    """
    settings, clock, verified = settings or Settings(), clock or Clock(), verified or Verified()
    async with connected(target, "verify", settings, clock) as (client, _):
        await verify_rows(rows, client, settings, clock, Tally(), log or SilentLog(), verified)
    return verified


@dataclass(frozen=True, slots=True)
class ExportSummary:
    """What became of an export: rows written, those of them in the ``nodes`` column, and jobs that no row can hold."""

    rows: int
    as_nodes: int
    refused: Sequence[Refused]


async def export(
    target: Target,
    write: Callable[[Sequence[Row]], None],
    pattern: str = "*",
    settings: Settings | None = None,
    *,
    comparison: Comparison = BUILT_IN,
    clock: Clock | None = None,
    log: Log | None = None,
) -> ExportSummary:
    """Give ``write`` every live job whose name matches ``pattern`` (a glob) as rows of ``graph.exported.COLUMNS``.

    Submitted with the built-in layout, each row is found to exist. Raises AccessError and NotFinished when the
    service will not answer, and what ``write`` raises.
    """
    settings, clock = settings or Settings(), clock or Clock()
    expander, refused = Expander(), list[Refused]()
    rows = as_nodes = 0
    is_wanted = partial(fnmatchcase, pat=pattern)
    async with connected(target, "export", settings, clock) as (client, _):
        async for live in live_jobs(client, settings, clock, Tally(), log or SilentLog(), is_wanted):
            exported = export_rows(live.jobs, expander, comparison)
            write(exported.rows)
            rows += len(exported.rows)
            as_nodes += exported.as_nodes
            refused += (*live.refused, *exported.refused)
    return ExportSummary(rows, as_nodes, refused)


def render_again(
    state: Path, run_id: str, report_dir: Path | None = None, *, is_proved: bool = False
) -> tuple[Path, Mapping[str, object]]:
    """Write the report of a past run, from the journal alone. Returns its folder and its summary.

    ``is_proved``: as for ``History``; leave it out unless this process has the journal open.
    """
    with History(state, is_proved=is_proved) as history:
        past = history.run(run_id)
        folder = report_dir / run_id if report_dir is not None else past.folder
        attempts = partial(history.again_or_throttled, past)
        return folder, render(past.record, lambda: history.rows(past), folder, attempts)


async def write_missing_reports(journal: Journal, log: Log) -> None:
    """Those of runs that died before theirs was complete. One that cannot be written now is due again next time.

    In a thread, and when the run can be stopped already: an interrupt must find somebody who hears it.
    """
    for run_id in journal.runs_without_report():
        try:
            folder, _ = await asyncio.to_thread(render_again, journal.path, run_id, is_proved=True)
        except BulkJobsError as error:  # an old report is no reason to make no jobs
            log.warning("report.missing", of=run_id, error=error.message, hint=error.hint)
        else:
            journal.reported(run_id)
            log.info("report.written", of=run_id, folder=str(folder))


def checked_run_id(run_id: str) -> str:
    """``run_id``, if it can name a folder. Raises UsageError."""
    if not _RUN_ID.fullmatch(run_id):
        raise UsageError(
            f"--run-id {run_id!r}: 64 letters, digits, '_', '-' and '.' at most, the first none of '-' and '.'",
            "leave it out, and the run is named by its time",
        )
    return run_id


def new_run_id(now_ms: int, places: Places) -> str:
    """A run id from the time, with a suffix if there was a run in that second already."""
    stem = datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
    run_id, number = stem, 1
    while (places.report_dir / run_id).exists() or has_run(places.state, run_id):
        number += 1
        run_id = f"{stem}-{number}"
    return run_id


@asynccontextmanager
async def connected(
    target: Target, run_id: str, settings: Settings, clock: Clock
) -> AsyncIterator[tuple[DataFlowClient, str]]:
    """A client that signs by ``clock``, and the endpoint that names its scope.

    An embedded service is a fresh scope each time, and goes by the same clock.
    """
    now_ms = clock.wall_ms
    if target.sandbox:
        from bulkjobs.sandbox import Sandbox, SandboxOptions  # noqa: PLC0415  # a server, for rehearsals only

        async with Sandbox(SandboxOptions(api=target.contract.api.value), clock=lambda: now_ms() / 1000) as sandbox:
            keys = Credentials(sandbox.access_key, sandbox.secret_key, "the sandbox")
            async with DataFlowClient(
                keys, sandbox.endpoint, target.contract, timeout=settings.timeout, now_ms=now_ms
            ) as client:
                yield client, f"sandbox:{run_id}"
        return
    endpoint = checked_endpoint(target.endpoint)
    keys = find_credentials(target.environment, target.profile, target.credentials_file)
    async with DataFlowClient(keys, endpoint, target.contract, timeout=settings.timeout, now_ms=now_ms) as client:
        yield client, endpoint

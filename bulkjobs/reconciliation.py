"""``plan``, ``reconcile`` and ``rollback`` for programs: assembled, carried out, reported; as ``library`` does submit.

``make_plan`` takes no lock and changes nothing: it works on a copy of the journal that is thrown away.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, TypeVar

from bulkjobs.counted import counted
from bulkjobs.dataflow.client import DataFlowClient
from bulkjobs.engine.checked_rows import CheckedRows
from bulkjobs.engine.clock import Clock
from bulkjobs.engine.consent import Approve, MaxDelete, Mode, Refusal, approve_all, expect_nothing, hold_to
from bulkjobs.engine.ending import Result
from bulkjobs.engine.equipment import Equipment
from bulkjobs.engine.journal import Journal
from bulkjobs.engine.journal.schema import connect, errors_of, refuse_empty
from bulkjobs.engine.plan import Plan, Terms
from bulkjobs.engine.reconcile import Reconcile
from bulkjobs.engine.rollback import Candidate, Rollback, RolledBack
from bulkjobs.engine.work import AGAIN, Stop, Tally
from bulkjobs.errors import BulkJobsError, ExitCode, InventoryError, NotFinished
from bulkjobs.graph.comparison import BUILT_IN, Comparison
from bulkjobs.graph.expand import Expander
from bulkjobs.inventory.limits import Limits
from bulkjobs.inventory.reader import InventoryFile
from bulkjobs.library import (
    Places,
    Target,
    checked_run_id,
    connected,
    inventory_files,
    new_run_id,
    render_again,
    write_missing_reports,
)
from bulkjobs.logs import Log, SilentLog
from bulkjobs.settings import Settings

__all__ = [
    "Ended",
    "MaxDelete",
    "Mode",
    "Refusal",
    "approve_all",
    "expect_nothing",
    "hold_to",
    "make_plan",
    "reconcile",
    "rollback",
]

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Around:
    """What surrounds a run: where, how, with which rules; each with its default."""

    target: Target
    places: Places = field(default_factory=Places)
    settings: Settings = field(default_factory=Settings)
    limits: Limits = field(default_factory=Limits)
    comparison: Comparison = BUILT_IN
    clock: Clock = field(default_factory=Clock)
    log: Log = field(default_factory=SilentLog)

    def equipment(self, journal: Journal, client: DataFlowClient, tally: Tally) -> Equipment:
        """What a run of the engine works with."""
        return Equipment(journal, client, self.settings, self.clock, tally, self.log, self.comparison)


@dataclass(frozen=True, slots=True)
class Ended:
    """A run that has ended. ``plan`` is None if it did not come so far; ``folder`` and ``summary``: its report."""

    run_id: str
    exit_code: ExitCode
    stop: Stop | None
    folder: Path
    summary: Mapping[str, object]
    plan: Plan | None = None
    result: Result | None = None
    candidates: Sequence[Candidate] = ()


class Stoppable(Protocol):
    """A run, as whoever handles signals needs it."""

    def stop(self, stop: Stop) -> None: ...

    def fail(self, error: BulkJobsError) -> None: ...


OnStart = Callable[[Stoppable, str], None]
Started = Callable[[Stoppable], Awaitable[None]]


async def make_plan(
    inventories: Sequence[Path | InventoryFile],
    around: Around,
    expander: Expander | None = None,
    mode: Mode | None = None,
    *,
    tally: Tally | None = None,
    on_start: OnStart | None = None,
) -> Plan:
    """What ``reconcile`` would do. Only reads: neither the journal's facts nor the service change.

    Raises InventoryError for an inventory with errors (its message has the first), NotFinished when the service
    could not be asked to the end, and other BulkJobsErrors as ``reconcile``.
    """
    with tempfile.TemporaryDirectory(prefix="bulkjobs-plan-") as folder:
        copy = Path(folder) / "journal.db"
        await asyncio.to_thread(_copy, around.places.state, copy)
        aside, run_id = named(replace(around, places=Places(copy, Path(folder), "plan-only")))

        async def look_only(_plan: Plan) -> Refusal:
            return Refusal(Stop("finished", "only planned"), ExitCode.OK)

        (run, result), _, _ = await _run(
            inventories, aside, run_id, expander, mode, look_only, tally or Tally(), on_start, renders=False
        )
    if result.problems and run.plan is None and result.exit_code is ExitCode.INVALID_INVENTORY:
        first = result.problems[0]
        raise InventoryError(
            f"the inventory has {counted(result.errors, 'error')}; the first: {first.where}: {first.message}",
            "`bulkjobs validate` lists them",
        )
    if run.plan is None:
        stop = result.stop
        assert stop is not None
        error = NotFinished(stop.reason, stop.hint or AGAIN)
        error.exit_code = result.exit_code
        raise error
    return run.plan.for_another_run()


async def reconcile(
    inventories: Sequence[Path | InventoryFile],
    around: Around,
    expander: Expander | None = None,
    mode: Mode | None = None,
    approve: Approve = approve_all,
    *,
    tally: Tally | None = None,
    on_start: OnStart | None = None,
) -> Ended:
    """Make the service equal to ``inventories``, if ``approve`` agrees to the plan, and write the report.

    Raises BulkJobsError when the run could not begin or its journal failed; everything else is in what it returns.
    """
    around, run_id = named(around)
    (run, result), folder, summary = await _run(
        inventories, around, run_id, expander, mode, approve, tally or Tally(), on_start
    )
    return Ended(run_id, result.exit_code, result.stop, folder, summary, run.plan, result)


async def rollback(
    of: str,
    around: Around,
    max_delete: MaxDelete | None = None,
    approve: Callable[[Sequence[Candidate]], Awaitable[Refusal | None]] = approve_all,
    *,
    tally: Tally | None = None,
    on_start: OnStart | None = None,
) -> Ended:
    """Delete what run ``of`` created and nobody has touched since, if ``approve`` agrees, and write the report.

    Raises UsageError for a run that is not known in this scope, and BulkJobsError as ``reconcile``.
    """
    around, run_id = named(around)
    figures = tally or Tally()

    async def work(journal: Journal, client: DataFlowClient, started: Started) -> RolledBack:
        equipment = around.equipment(journal, client, figures)
        run = Rollback(of, equipment, max_delete or MaxDelete(percent=None), approve)
        await started(run)
        return await run.run()

    ended, folder, summary = await _in_a_run(around, run_id, on_start, figures, work)
    return Ended(run_id, ended.exit_code, ended.stop, folder, summary, candidates=ended.candidates)


async def _run(
    inventories: Sequence[Path | InventoryFile],
    around: Around,
    run_id: str,
    expander: Expander | None,
    mode: Mode | None,
    approve: Approve,
    tally: Tally,
    on_start: OnStart | None,
    *,
    renders: bool = True,
) -> tuple[tuple[Reconcile, Result], Path, Mapping[str, object]]:
    files = inventory_files(inventories, around.limits)
    for file in files:
        file.check_open()
    target, rules = around.target, expander or Expander()

    def terms(namespace: str, prune: bool, named: Sequence[tuple[str, str]]) -> Terms:
        endpoint = "sandbox" if target.sandbox else target.endpoint
        return Terms(endpoint, target.account, target.contract.api.value, namespace, prune, named)

    async def work(journal: Journal, client: DataFlowClient, started: Started) -> tuple[Reconcile, Result]:
        equipment = around.equipment(journal, client, tally)
        run = Reconcile(files, rules, equipment, mode or Mode(), approve, terms, checked=checked)
        await started(run)
        return run, await run.run()

    with contextlib.closing(CheckedRows(files, rules, around.settings)) as checked:
        checked.begin()  # while the journal is opened: of a large one that takes seconds
        return await _in_a_run(around, run_id, on_start, tally, work, renders=renders)


async def _in_a_run(
    around: Around,
    run_id: str,
    on_start: OnStart | None,
    tally: Tally,
    work: Callable[[Journal, DataFlowClient, Started], Awaitable[R]],
    *,
    renders: bool = True,
) -> tuple[R, Path, Mapping[str, object]]:
    """Carry ``work`` out between an opened journal, in which a run has begun, and the run's report."""
    places, target, clock = around.places, around.target, around.clock
    current: list[Stoppable] = []

    def journal_failed(error: BulkJobsError) -> None:
        for run in current:
            run.fail(error)

    opened = _journal(places, journal_failed)
    async with connected(target, run_id, around.settings, clock) as (client, scope), opened as journal:

        async def started(run: Stoppable) -> None:
            current.append(run)
            if on_start is not None:
                on_start(run, run_id)
            if renders:
                await write_missing_reports(journal, around.log)

        for killed in journal.end_killed_runs():
            around.log.warning("run.killed", killed=killed)
        folder = (places.report_dir / run_id).absolute()
        journal.begin_run(run_id, scope, target.account, target.contract.api, folder, clock.wall_ms())
        result = await work(journal, client, started)
        if not renders:
            return result, folder, {}
        tally.phase = "reporting"
        # In a thread: an interrupt must find the loop, however long the report or its disk takes.
        folder, summary = await asyncio.to_thread(render_again, places.state, run_id, is_proved=True)
        journal.reported(run_id)
    return result, folder, summary


@asynccontextmanager
async def _journal(places: Places, failed: Callable[[BulkJobsError], None]) -> AsyncIterator[Journal]:
    journal = Journal(places.state, f"run {places.run_id}").start(failed)
    try:
        yield journal
    finally:
        await journal.close()


def named(around: Around) -> tuple[Around, str]:
    """``around`` with the id of its run, which is made if none was given, and that id. Raises UsageError."""
    places = around.places
    run_id = checked_run_id(places.run_id) if places.run_id else new_run_id(around.clock.wall_ms(), places)
    return replace(around, places=replace(places, run_id=run_id)), run_id


def _copy(state: Path, copy: Path) -> None:
    """The journal as it is now, whoever holds it. Nothing if there is none yet. Raises StateError."""
    if not state.is_file():
        return
    refuse_empty(state)
    with errors_of(state), contextlib.closing(connect(state)) as source:
        copy.touch(mode=0o600)
        with contextlib.closing(sqlite3.connect(copy)) as target:
            source.backup(target)

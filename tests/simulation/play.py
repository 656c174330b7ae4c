"""Plays a schedule: runs that are cut off, one after the other, then one that nothing disturbs, then an idle one.

The engine is the real one (``Submit`` and all below it); clock, loop, client, limiter, inventory and the journal's
thread are stand-ins. Everything follows from the schedule, so the same schedule plays the same way.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import inf
from pathlib import Path
from random import Random
from typing import Any

from bulkjobs.engine.clock import Clock
from bulkjobs.engine.ending import Result
from bulkjobs.engine.equipment import Equipment
from bulkjobs.engine.records import SUCCEEDED, RowRecord
from bulkjobs.engine.submit import Submit
from bulkjobs.engine.work import Stop, Tally
from bulkjobs.errors import BulkJobsError, ExitCode, StateError
from bulkjobs.logs import Log, SilentLog
from bulkjobs.settings import Settings

from .client import Faults, SimClient
from .inventory import SimExpander, SimFile, foreign
from .journal import SimHistory, SimJournal, SimWriter, connection, wipe
from .limiter import VirtualLimiter
from .loop import Crashed, Hangs, VirtualLoop
from .schedule import Ending, Run, Schedule
from .service import Service
from .variants import Variant
from .watch import Broken, Violation, Watch

_EPOCH_MS = 1_790_000_000_000


@dataclass(frozen=True, slots=True)
class Played:
    """``violations`` break a promise; ``forgiven`` are those that the stated limit allows. ``trace`` if asked for."""

    violations: Sequence[Violation]
    forgiven: Sequence[Violation]
    runs: int
    crashes: int
    posts: int
    steps: int
    trace: Sequence[str]


def play(schedule: Schedule, variant: Variant | None = None, *, traced: bool = False) -> Played:
    """Play it from an empty journal to the idle run."""
    stage = _Stage(schedule, variant or Variant(), [] if traced else None)
    with stage.variant.applied():
        stage.play()
    watch = stage.watch
    stage.service.advance(inf)
    forgiven = [violation for violation in watch.violations if watch.forgiven(violation)]
    return Played(
        [violation for violation in watch.violations if violation not in forgiven],
        forgiven,
        stage.run,
        stage.crashes,
        len(watch.posts),
        stage.steps,
        watch.trace or (),
    )


@cache
def database() -> sqlite3.Connection:
    """That of all schedules, emptied before each."""
    return connection()


class _Stage:
    def __init__(self, schedule: Schedule, variant: Variant, trace: list[str] | None) -> None:
        self.schedule = schedule
        self.variant = variant
        self.database = database()
        wipe(self.database)
        self.service = Service(schedule, foreign)
        self.watch = Watch(schedule, self.service, self.database, trace)
        self.faults = Faults(schedule)
        self.log: Log = SilentLog() if trace is None else _TraceLog(self)
        self.now = 0.0
        self.run = 0
        self.crashes = 0
        self.steps = 0
        self._killed: tuple[int, list[tuple[str, str]]] | None = None
        self._last_stop: Stop | None = None

    def play(self) -> None:
        for planned in self.schedule.runs:
            self._play_run(planned, self._rows(planned))
            if self.watch.violations:
                return
        schedule = self.schedule
        last_event = max((event.at for event in schedule.events), default=0.0)
        self.now = max(self.now, self.faults.over, last_event) + schedule.settle + 1.0
        self.faults.is_calm = True
        rows = [(name, "1") for name in schedule.rows]
        if self._play_last(rows) and schedule.seed % 4 == 0 and not self.watch.violations:
            self._play_last(rows)
            self.watch.judge_idle(self.run - 1, self.now)

    def _play_last(self, rows: list[tuple[str, str]]) -> bool:
        """Whether the run came to its end."""
        records = self._play_run(None, rows)
        if self._last_stop is not None and "repeats page" in self._last_stop.reason:
            return False  # on a service with two jobs a page, a shift by two looks like a page that repeats
        self.watch.judge_last(self.run - 1, records, self.now)
        return True

    def _rows(self, planned: Run) -> list[tuple[str, str]]:
        rows = [(name, "1") for name in self.schedule.rows]
        edit = planned.edit
        if edit is None:
            return rows
        match edit.what:
            case "changed":
                rows[edit.row % len(rows)] = (rows[edit.row % len(rows)][0], "2")
            case "dropped" if len(rows) > 1:
                del rows[edit.row % len(rows)]
            case "reversed":
                rows.reverse()
        return rows

    def _play_run(self, planned: Run | None, rows: list[tuple[str, str]]) -> Sequence[RowRecord]:
        """One process, from its start to its end. ``planned`` None: nothing disturbs it."""
        if planned is not None:
            self._wait(planned)
        run, self.run = self.run, self.run + 1
        random = Random(self.schedule.seed * 1009 + run)
        self.watch.note(self.now, f"run {run} begins: {', '.join(f'{name}/{version}' for name, version in rows)}")
        self.watch.begins(self.now, planned is not None and planned.is_elsewhere)
        process = _Process(self, planned, rows, run, random)
        result: Result | None = None
        try:
            result = process.loop.run(process.main())
        except Crashed:
            self.crashes += 1
            self.watch.note(process.loop.time(), f"run {run} is killed at step {process.loop.steps}")
        except StateError as error:
            self.watch.note(process.loop.time(), f"run {run} ends: {error}")
        except Hangs as error:
            self.watch.broke(Broken.HANGS, None, process.loop.time(), f"run {run}: {error}")
        except Exception as error:  # whatever it is, it is a finding
            self.watch.broke(Broken.DEFECT, None, process.loop.time(), f"run {run}: {error!r}")
        self.now = process.loop.time()
        self.steps += process.loop.steps
        for complaint in process.loop.complaints:
            self.watch.broke(Broken.DEFECT, None, self.now, f"run {run}: {complaint}")
        process.bury()
        self.service.cut(run, self.now)
        self.watch.crashed(run, self.now)
        if result is None:
            if self.database.execute("SELECT 1 FROM runs WHERE run_id = ?", (f"run-{run}",)).fetchone():
                self._killed = run, rows
            return ()
        return self._judge(run, rows, result)

    def _wait(self, planned: Run) -> None:
        pause = planned.pause
        if planned.is_elsewhere:
            pause += self.schedule.settle + 0.001
            wipe(self.database)
            self._killed = None
            self.watch.note(self.now, "the next run is on another machine")
        self.now += pause

    def _judge(self, run: int, rows: list[tuple[str, str]], result: Result) -> Sequence[RowRecord]:
        records = self._records(run)
        self.watch.judge(run, rows, records, self.now, was_killed=False)
        self._last_stop = result.stop
        is_fine = result.stop is None and all(record.outcome in SUCCEEDED for record in records)
        if (result.exit_code is ExitCode.OK) != is_fine:
            self.watch.broke(Broken.UNTRUE, None, self.now, f"run {run}: exit code {result.exit_code}")
        return records

    def judge_killed(self) -> None:
        """The report of the run before, which the next one renders first."""
        if self._killed is not None:
            run, rows = self._killed
            self._killed = None
            self.watch.judge(run, rows, self._records(run), self.now, was_killed=True)

    def _records(self, run: int) -> Sequence[RowRecord]:
        history = SimHistory(self.database)
        return list(history.rows(history.run(f"run-{run}")))


class _Process:
    """What one run has in memory."""

    def __init__(
        self, stage: _Stage, planned: Run | None, rows: list[tuple[str, str]], run: int, random: Random
    ) -> None:
        self._stage = stage
        self._rows = rows
        self._run = run
        self._submit: Submit | None = None
        schedule, variant = stage.schedule, stage.variant
        self._planned = planned
        self._creates = 0
        self.loop = VirtualLoop(stage.now)  # type: ignore[abstract]  # the engine asks for no files, sockets, signals
        fails_at = None
        if planned is not None:
            if planned.ending is Ending.DISK_FULL:
                fails_at = planned.at
            elif not planned.after:
                self._end_in(planned)
        self._clock = Clock(
            self.loop.time, lambda: _EPOCH_MS + int(self.loop.time() * 1000), asyncio.sleep, random.uniform
        )
        self._journal = SimJournal(stage.database)
        self._writer = SimWriter(stage.database, self.loop, random, self._failed, fails_at, variant.is_hasty)
        self._client = SimClient(schedule, stage.service, stage.faults, stage.watch, run, self.loop.time, self._sent)
        self._settings = Settings(
            rate=schedule.rate,
            concurrency=schedule.concurrency,
            settle=schedule.settle if variant.settles else 0.0,
            max_attempts=schedule.max_attempts,
            patience=schedule.patience,
            first_patience=10.0,
        )

    async def main(self) -> Result:
        """What ``bulkjobs.library.submit`` does."""
        stage, journal, clock = self._stage, self._journal, self._clock
        journal.start_with(self._writer)
        journal.end_killed_runs()
        stage.judge_killed()
        journal.begin_run(f"run-{self._run}", "simulated", "default", "2025-03", Path(), clock.wall_ms())
        client: Any = self._client  # the same calls as DataFlowClient's
        written = 0 if stage.schedule.seed % 2 else self._run  # else every run checks for itself
        files: Any = [SimFile(self._rows, written)]
        expander: Any = SimExpander()
        equipment = Equipment(journal, client, self._settings, clock, Tally(), stage.log, limiter=self._limiter)
        self._submit = Submit(files, expander, equipment)
        if stage.variant.forgets_crash:
            self._submit._begun -= stage.schedule.settle
        result = await self._submit.run()
        await journal.close()
        return result

    def bury(self) -> None:
        """The process is gone."""
        self._writer.crash()
        self._submit = None

    def _sent(self) -> None:
        """A createJob leaves."""
        self._creates += 1
        if self._planned is not None and self._creates == self._planned.after:
            self._end_in(self._planned)

    def _end_in(self, planned: Run) -> None:
        self.loop.at_step[self.loop.steps + planned.at] = _crash if planned.ending is Ending.CRASH else self._stop

    def _stop(self) -> None:
        if self._submit is not None:
            self._stage.watch.stopped(self.loop.time())
            self._submit.stop(Stop("interrupted", "interrupted (simulated)"))

    def _failed(self, error: BulkJobsError) -> None:
        if self._submit is not None:
            self._submit.fail(error)

    def _limiter(self, rate: float) -> VirtualLimiter:
        return VirtualLimiter(rate, self._clock)


class _TraceLog:
    """The engine's own log, among the trace."""

    def __init__(self, stage: _Stage) -> None:
        self._stage = stage

    def debug(self, event: str, **values: object) -> None:
        """Too much for a trace."""

    def info(self, event: str, **values: object) -> None:
        said = " ".join(f"{key}={value}" for key, value in values.items() if value is not None)
        self._stage.watch.note(asyncio.get_running_loop().time(), f"    log: {event} {said}")

    warning = error = info


def _crash() -> None:
    raise Crashed

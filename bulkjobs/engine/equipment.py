"""What every run works with, and the parts that each makes of it: submit, reconcile and rollback alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bulkjobs.dataflow.client import DataFlowClient
from bulkjobs.engine.change import NOTHING_MORE, Leave
from bulkjobs.engine.change_recorder import ChangeRecorder
from bulkjobs.engine.changer import Changer
from bulkjobs.engine.clock import Clock
from bulkjobs.engine.health import Health
from bulkjobs.engine.journal.journal import Journal
from bulkjobs.engine.pacing import Limiter, window_limiter
from bulkjobs.engine.rate_control import RateControl
from bulkjobs.engine.reader import Reader
from bulkjobs.engine.recorder import Recorder
from bulkjobs.engine.work import Tally
from bulkjobs.graph.comparison import BUILT_IN, Comparison
from bulkjobs.logs import Log
from bulkjobs.settings import Settings


@dataclass(frozen=True, slots=True)
class Equipment:
    """``limiter`` makes the limiter for a rate; tests on other clocks bring their own."""

    journal: Journal
    client: DataFlowClient
    settings: Settings
    clock: Clock
    tally: Tally
    log: Log
    comparison: Comparison = BUILT_IN
    limiter: Callable[[float], Limiter] = window_limiter

    def rate_control(self) -> RateControl:
        """The rate of a run, from what the last one of this scope has learned."""
        learned = self.journal.learned()
        return RateControl(
            self.clock.uniform,
            ceiling=self.settings.rate,
            learned=learned.start(self.clock.wall_ms()) if learned is not None else None,
        )

    def recorder(self) -> Recorder:
        return Recorder(self.journal, self.tally, self.clock, self.log)

    def reader(self, control: RateControl, health: Health | None = None) -> Reader:
        return Reader.under(self.settings, self.client, control, self.clock, self.tally, self.log, self.limiter, health)

    def changer(
        self, reader: Reader, recorder: Recorder, control: RateControl, begun: float, include: Leave = NOTHING_MORE
    ) -> Changer:
        """``begun``: when the run began, monotonic seconds."""
        return Changer(
            self.client,
            reader,
            ChangeRecorder(self.journal, recorder, self.clock, self.tally, self.log),
            control,
            self.clock,
            self.tally,
            self.log,
            concurrency=self.settings.concurrency,
            settle_s=self.settings.settle,
            max_attempts=self.settings.max_attempts,
            patience=self.settings.patience,
            begun=begun,
            comparison=self.comparison,
            include=include,
        )

"""One row on its way, and the figures of a run as it goes."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from bulkjobs.dataflow.listing import ListedJob
from bulkjobs.dataflow.replies import Cause
from bulkjobs.engine.protocol import RowState
from bulkjobs.engine.records import Outcome, RowRecord
from bulkjobs.engine.slots import Slots
from bulkjobs.graph.spec import JobSpec


@dataclass(slots=True, eq=False)
class Work:
    """A row that is being worked on.

    ``spec`` is None for an orphan: an open attempt of a name that the inventory does not list. ``attempt`` is the
    open attempt's id. ``outcome``: once the row has ended. ``refused_before``: in an earlier run, with this very
    definition. ``failures`` in a row space the back-off. Times: ``due``, ``started`` and ``intended`` (when the last
    intent was written) monotonic seconds, ``first_sent_at`` milliseconds since the epoch, ``waited_ms`` how long the
    last send waited for its turn, from its intent to the limiter's permission.
    """

    seq: int
    name: str
    spec: JobSpec | None
    row: RowState = field(default_factory=RowState)
    attempt: int | None = None
    listed: ListedJob | None = None
    failures: int = 0
    due: float = 0.0
    started: float | None = None
    first_sent_at: int | None = None
    intended: float = 0.0
    waited_ms: int | None = None
    outcome: Outcome | None = None
    refused_before: bool = False

    def __lt__(self, other: Work) -> bool:
        return (self.due, self.seq) < (other.due, other.seq)


_RECENT = 1_000
"""Sends of which ``Tally`` keeps how long they took."""


NOTICED_S = 1.0
"""Seconds of a pause that is told; shorter ones are part of the pace."""


@dataclass(slots=True)
class Tally:
    """The figures of a run, for the progress display and the summary. Plain counts and seconds.

    ``settling``: rows that wait for their lookup, the last of them until ``settle_until`` (monotonic seconds);
    ``looking``: rows that are being looked up or read. ``latency``: of the last ten answers to sends or so.
    ``paused_until``: end of the last pause because of refusals for the rate, with or without a
    ``Retry-After`` (monotonic seconds). ``recent``: of the last sends that ended, however.
    ``unknown``: sends whose end no answer told, ``silence``: of the last ten of them or so, seconds until given up.
    ``slots``: whether these were the limit. ``changes``: jobs to be updated, or then to be deleted; ``changed`` of
    them have ended. ``on_outcome`` is told of every outcome as it is recorded, where somebody asked for that.
    """

    phase: str = "reading"
    rows: int = 0
    listed: int = 0
    to_send: int = 0
    sends: int = 0
    in_flight: int = 0
    settling: int = 0
    settle_until: float = 0.0
    looking: int = 0
    retries: int = 0
    throttles: int = 0
    lookups: int = 0
    reads: int = 0
    list_lag: float = 0.0
    service_down: bool = False
    rate: float = 0.0  # sends a second, permitted now
    paused_until: float = 0.0
    latency: float = 0.0
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=_RECENT))
    unknown: int = 0
    silence: float | None = None
    slots: Slots = field(default_factory=Slots)
    changes: int = 0
    changed: int = 0
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    on_outcome: Callable[[RowRecord], None] | None = None

    @property
    def done(self) -> int:
        return self.outcomes.total()

    @property
    def waiting(self) -> int:
        """Rows that still wait for their turn to be sent."""
        return max(0, self.rows - self.done - self.in_flight - self.settling - self.looking)

    @property
    def slowest(self) -> float | None:
        """Seconds from a send to its end: the most among the last thousand; None: none has ended yet."""
        return max(self.recent, default=None)

    def changing(self, phase: str, changes: int) -> None:
        """A phase begins in which so many jobs are changed."""
        self.phase, self.changes, self.changed = phase, changes, 0

    def answered(self, latency: float, *, is_known: bool) -> None:
        """A send ended after ``latency`` seconds. ``is_known``: an answer told how."""
        self.recent.append(latency)
        if is_known:
            self.latency += (0.1 if self.latency else 1.0) * (latency - self.latency)
        else:
            self.unknown += 1
            self.silence = latency if self.silence is None else self.silence + 0.1 * (latency - self.silence)


AGAIN = "run the same command again: rows that have their job are left alone"
"""What to do where a stop does not say it."""


class Again(StrEnum):
    """What the same command is good for after a stop, in people's words."""

    GOES_ON = "To go on"
    ONCE_MENDED = "Once that is mended"
    ENDS_ALIKE = ""


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a run ends early. ``state`` is the run's, ``cause`` the service's, if it was the service.

    ``is_rule``: only so that no more is sent (canary, halt rule, deadline); means nothing once all has ended anyway.
    ``is_of_inventory``: it is not what was checked.
    """

    state: str
    reason: str
    hint: str | None = None
    cause: Cause | None = None
    again: Again = Again.GOES_ON
    is_rule: bool = False
    is_of_inventory: bool = False

"""One change to a job that is there: what is to be done, to which job, and how far it has come. Data only."""

from __future__ import annotations

from dataclasses import dataclass, field

from bulkjobs.dataflow.client import Job
from bulkjobs.engine.change_protocol import ChangeState, Done
from bulkjobs.engine.records import ChangeKind
from bulkjobs.graph.spec import JobSpec


@dataclass(slots=True, eq=False)
class Change:
    """One job to update (``spec``: to this) or to delete, as it is while it is worked on.

    ``seq``: its row in this run, -1 for a job without one. ``bases``: definitions that it may have, for a delete.
    ``planned``: its updatedDate when an update was decided. ``attempt``: its open attempt; of an earlier run too.
    ``spares_executed``: a job that has run is left alone. ``spared``: it is left alone anyhow, as this; only its open
    attempt is to be settled.
    """

    kind: ChangeKind
    name: str
    job_id: str
    seq: int = -1
    spec: JobSpec | None = None
    bases: tuple[bytes, ...] = ()
    planned: str | None = None
    attempt: int | None = None
    spares_executed: bool = False
    spared: Done | None = None
    state: ChangeState = field(init=False)
    before: object = None
    job: Job | None = None
    failures: int = 0
    waited_ms: int | None = None
    started: float | None = None
    first_sent_at: int | None = None

    def __post_init__(self) -> None:
        self.state = ChangeState(self.kind, unknown=self.attempt is not None)


@dataclass(frozen=True, slots=True)
class Leave:
    """What may be changed that is otherwise left alone: running jobs, and jobs that were edited by hand."""

    running: bool = False
    edited: bool = False


NOTHING_MORE = Leave()

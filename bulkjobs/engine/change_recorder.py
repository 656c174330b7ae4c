"""Turns what happens to a change into records of the journal, counts and log events: the only place that does."""

from __future__ import annotations

import asyncio
from typing import assert_never

from bulkjobs.dataflow.replies import Answer
from bulkjobs.engine.change import Change
from bulkjobs.engine.change_protocol import AfterLook, Done, Look, Sight, Write
from bulkjobs.engine.clock import Clock
from bulkjobs.engine.journal.journal import Journal
from bulkjobs.engine.journal.statements import Kind
from bulkjobs.engine.looks import How
from bulkjobs.engine.protocol import Finish, Relation
from bulkjobs.engine.recorder import Recorder
from bulkjobs.engine.records import ChangeKind, Outcome
from bulkjobs.engine.work import Tally
from bulkjobs.logs import Log

_ACCEPTED = "accepted"


class ChangeRecorder:
    def __init__(self, journal: Journal, recorder: Recorder, clock: Clock, tally: Tally, log: Log) -> None:
        self._journal = journal
        self._recorder = recorder
        self._clock = clock
        self._tally = tally
        self._log = log

    def intent(self, change: Change) -> asyncio.Future[None]:
        """Write the intent of the change's next attempt: it may be sent once the future is done.

        What an update is going to make of the job is written first: whatever its end, it is a definition of ours.
        """
        assert change.attempt is None, "one open attempt per name"
        journal = self._journal
        digest = b""
        if change.spec is not None:
            digest = change.spec.digest
            journal.put(Kind.COMING, change.spec.nodes, journal.scope, change.name, change.job_id)
        change.attempt = journal.new_attempt()
        journal.put(
            Kind.CHANGE,
            change.attempt,
            journal.scope,
            journal.run,
            change.seq if change.seq >= 0 else None,
            change.name,
            change.state.attempts + 1,
            digest,
            self._clock.wall_ms(),
            change.kind.value,
            change.job_id,
        )
        return journal.writer.durable()

    def withdrawn(self, change: Change) -> None:
        """The intent was never sent. It is durable."""
        self._journal.put(Kind.WITHDRAWN, change.attempt)
        change.attempt = None

    def ended(self, change: Change, answer: Answer | None, *, closed: bool) -> None:
        """The attempt's answer; None: accepted. ``closed``: it changed nothing, for certain."""
        verdict = answer.verdict.value if answer is not None else _ACCEPTED
        said = (None,) * 4 if answer is None else (answer.http_status, answer.code, answer.message, answer.trace_id)
        self._journal.put(
            Kind.ENDED, self._clock.wall_ms(), verdict, *said, int(closed), change.waited_ms, change.attempt
        )
        if closed:
            change.attempt = None

    def looked(self, change: Change, sight: Sight, decision: AfterLook) -> None:
        """What getJob showed, and what followed from it."""
        ids = () if sight is Sight.GONE else (change.job_id,)
        word, reason = _told(change, decision)
        self._recorder.looks.note(change.seq, change.name, How.CHANGE, ids, word, reason, sight.name)

    def unread(self, change: Change, done: Done, why: str) -> None:
        """A look that showed nothing."""
        self._recorder.looks.note(change.seq, change.name, How.CHANGE, (), done.outcome.value, why, complete=False)

    def closed(self, change: Change) -> None:
        """The attempt's end is known now: a look told."""
        if change.attempt is not None:
            self._journal.put(Kind.CLOSED, change.attempt)
            change.attempt = None

    def finished(self, change: Change, done: Done) -> None:
        """The change's one outcome; its attempt is closed last (see ``Recorder.finished``)."""
        if change.kind is ChangeKind.DELETE:
            self._deleted(change, done)
        else:
            self._updated(change, done)
        values = {"name": change.name, "job_id": change.job_id, "code": done.code, "error": done.message}
        tell = self._log.debug if done.outcome in (Outcome.UPDATED, Outcome.DELETED) else self._log.warning
        tell(f"{change.kind.value}.{done.outcome.value}", **values)
        if not done.is_open:
            self.closed(change)

    def _updated(self, change: Change, done: Done) -> None:
        spec = change.spec
        assert spec is not None
        finish = self._finish(change, done)
        if done.outcome in (Outcome.UPDATED, Outcome.EXISTING):
            self._recorder.known(change.name, spec.digest, finish)
            self._recorder.applied(change.name, change.job_id, spec.digest, spec.nodes)
        if done.outcome is not Outcome.NOT_SENT or change.state.last is not None or done.code is not None:
            self._tally.outcomes[Outcome.DRIFTED] -= 1  # which the row was until now, and stays if nothing was tried
            self._row(change, finish)

    def _deleted(self, change: Change, done: Done) -> None:
        if done.outcome is Outcome.DELETED:
            self._recorder.forgotten(change.name)
        if change.seq >= 0:
            self._row(change, self._finish(change, done))
        else:
            self._recorder.removed(change.name, change.job_id, done.outcome, done.code, done.message)

    def _row(self, change: Change, finish: Finish) -> None:
        elapsed = None
        if change.started is not None:
            elapsed = round((self._clock.monotonic() - change.started) * 1000)
        self._recorder.row(change.seq, finish, change.state.attempts, change.first_sent_at, elapsed)

    def _finish(self, change: Change, done: Done) -> Finish:
        job = change.job
        return Finish(
            done.outcome,
            change.job_id,
            job.status if job is not None else None,
            job.updated_date if job is not None else None,
            done.http_status,
            done.code,
            done.message,
            relation=Relation.OURS_EQUAL if done.outcome in (Outcome.UPDATED, Outcome.EXISTING) else None,
        )


def _told(change: Change, decision: AfterLook) -> tuple[str, str | None]:
    """A decision's word for the journal, and its reason."""
    match decision:
        case Write():
            return change.kind.value, None
        case Look():
            return "look", None
        case Done():
            return decision.outcome.value, decision.message
        case _:  # pragma: no cover
            assert_never(decision)

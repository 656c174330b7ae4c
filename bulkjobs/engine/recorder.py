"""Turns what happens to a row into records of the journal, counts and log events: the only place that does."""

from __future__ import annotations

import asyncio
import math

from bulkjobs.dataflow.replies import Answer
from bulkjobs.engine.clock import Clock
from bulkjobs.engine.journal.journal import Journal
from bulkjobs.engine.journal.statements import Kind
from bulkjobs.engine.learned import EVERY, Learned
from bulkjobs.engine.look_recorder import LookRecorder
from bulkjobs.engine.protocol import Finish, Relation
from bulkjobs.engine.rate_control import RateControl
from bulkjobs.engine.records import NO_FILE, Outcome, RowRecord
from bulkjobs.engine.work import Tally, Work
from bulkjobs.logs import Log

_BAD = frozenset({Outcome.REJECTED, Outcome.CONFLICT, Outcome.DRIFTED, Outcome.UNRESOLVED})


class Recorder:
    """``looks``: what was seen of jobs, for ``explain``."""

    def __init__(self, journal: Journal, tally: Tally, clock: Clock, log: Log) -> None:
        self.looks = LookRecorder(journal, clock)
        self._journal = journal
        self._tally = tally
        self._clock = clock
        self._log = log
        self._learned: Learned | None = None
        self._learn_at = -math.inf

    def intent(self, work: Work) -> asyncio.Future[None]:
        """Write the intent of the row's next attempt: it may be sent once the future is done."""
        assert work.attempt is None, "one open attempt per name"
        assert work.spec is not None
        work.attempt = self._journal.new_attempt()
        work.intended, work.waited_ms = self._clock.monotonic(), None
        self._journal.put(
            Kind.INTENT,
            work.attempt,
            self._journal.scope,
            self._journal.run,
            work.seq,
            work.name,
            work.row.attempts + 1,
            work.spec.digest,
            self._clock.wall_ms(),
        )
        return self._journal.writer.durable()

    def rate(self, control: RateControl, now: float) -> None:
        """Keep what was learned of the rate, now and then: the run may be killed. ``now``: monotonic seconds."""
        if now < self._learn_at:
            return
        learned = control.learned(self._clock.wall_ms())
        if learned is None:
            return
        self._learn_at = now + EVERY
        if learned.differs(self._learned):
            self._learned = learned
            self._journal.put(Kind.LEARNED, self._journal.scope, learned.rate, learned.at_ms)

    def durable(self) -> asyncio.Future[None]:
        """Done when all that was recorded so far is on disk."""
        return self._journal.writer.durable()

    def withdrawn(self, work: Work) -> None:
        """The intent was never sent. Only for an intent that is durable."""
        self._journal.put(Kind.WITHDRAWN, work.attempt)
        work.attempt = None

    def ended(self, work: Work, answer: Answer, closed: bool) -> None:
        """The attempt's answer. ``closed``: its end is known for certain."""
        self._journal.put(
            Kind.ENDED,
            self._clock.wall_ms(),
            answer.verdict.value,
            answer.http_status,
            answer.code,
            answer.message,
            answer.trace_id,
            int(closed),
            work.waited_ms,
            work.attempt,
        )
        if closed:
            work.attempt = None

    def closed(self, work: Work) -> None:
        """The attempt's end is known now: a lookup told."""
        if work.attempt is not None:
            self._journal.put(Kind.CLOSED, work.attempt)
            work.attempt = None

    def finished(self, work: Work, finish: Finish, answer: Answer | None = None) -> None:
        """The row's one outcome. ``answer``: the create's, if it is what ended the row.

        The attempt is closed last. A crash may keep any part of this that comes first: job and outcome beside an
        open attempt are looked up again, but a closed attempt without them would be taken for a row never sent.
        """
        if finish.outcome is Outcome.CREATED and answer is not None:
            self._made(work, finish, answer)
            return
        self._outcome(work, finish)
        if answer is not None:
            self.ended(work, answer, closed=not finish.is_open)
        elif not finish.is_open:
            self.closed(work)

    def _made(self, work: Work, finish: Finish, answer: Answer) -> None:
        """The row's create made its job: all of that in one record, as nearly all rows end."""
        spec = work.spec
        assert spec is not None
        attempts, first_sent_at = work.row.attempts, work.first_sent_at
        now = self._clock.wall_ms()
        elapsed = None if work.started is None else round((self._clock.monotonic() - work.started) * 1000)
        self._journal.put(
            Kind.MADE,
            self._journal.scope,
            self._journal.run,
            work.seq,
            work.name,
            spec.digest,
            self._journal.rules,
            work.attempt,
            work.waited_ms,
            attempts,
            first_sent_at,
            now,
            elapsed,
            answer.http_status,
            answer.trace_id,
            finish.job_id,
            finish.status,
            finish.updated_date,
            spec.nodes,
        )
        work.attempt = None
        self._tally.outcomes[Outcome.CREATED] += 1
        if self._tally.on_outcome is not None:
            self._tally.on_outcome(self._record(work.seq, finish, attempts, first_sent_at, elapsed))
        self._log.debug("job.created", name=work.name, job_id=finish.job_id, attempts=attempts)

    def _outcome(self, work: Work, finish: Finish) -> None:
        if work.spec is None:
            self._journal.put(
                Kind.ORPHAN, self._journal.run, work.name, finish.outcome.value, finish.job_id, finish.message
            )
            self._log.warning("orphan.settled", name=work.name, outcome=finish.outcome.value, job_id=finish.job_id)
            if finish.outcome is Outcome.ADOPTED:
                self.applied(work.name, finish.job_id, None, None)
            elif finish.outcome is Outcome.DELETED:
                self.forgotten(work.name)
            return
        self.known(work.name, work.spec.digest, finish)
        if finish.relation is Relation.OURS_EQUAL:
            self.applied(work.name, finish.job_id, work.spec.digest, work.spec.nodes)
        elapsed = None if work.started is None else round((self._clock.monotonic() - work.started) * 1000)
        self.row(work.seq, finish, work.row.attempts, work.first_sent_at, elapsed)
        if finish.outcome in _BAD:
            self._log.warning(
                f"job.{finish.outcome.value}",
                name=work.name,
                code=finish.code,
                error=finish.message,
                http_status=finish.http_status,
                attempts=work.row.attempts,
            )
        else:
            self._log.debug(
                f"job.{finish.outcome.value}", name=work.name, job_id=finish.job_id, attempts=work.row.attempts
            )

    def applied(self, name: str, job_id: str | None, digest: bytes | None, nodes: bytes | None) -> None:
        """This is what the job of that name was last made to be; None: ours, but nobody knows any more."""
        assert job_id, "a job that was made or compared has an id"
        self._journal.put(Kind.APPLIED, self._journal.scope, name, job_id, digest, nodes)

    def forgotten(self, name: str) -> None:
        """The job of that name was deleted, by us."""
        for kind in (Kind.FORGOTTEN, Kind.DISOWNED):
            self._journal.put(kind, self._journal.scope, name)

    def removed(
        self, name: str, job_id: str | None, outcome: Outcome, code: str | None = None, detail: str | None = None
    ) -> None:
        """What became of a job that no row lists and that was to be deleted."""
        if self._tally.on_outcome is not None:
            self._tally.on_outcome(
                RowRecord(
                    NO_FILE, 0, name, outcome, job_id, error_code=code, error=detail, finished_at=self._clock.wall_ms()
                )
            )
        self._journal.put(Kind.REMOVED, self._journal.run, name, job_id, outcome.value, code, detail)

    def row(
        self,
        seq: int,
        finish: Finish,
        attempts: int = 0,
        first_sent_at: int | None = None,
        elapsed_ms: int | None = None,
    ) -> None:
        """A row's outcome in the report's terms."""
        self._tally.outcomes[finish.outcome] += 1
        if self._tally.on_outcome is not None:
            self._tally.on_outcome(self._record(seq, finish, attempts, first_sent_at, elapsed_ms))
        self._journal.put(
            Kind.FINISHED,
            finish.outcome.value,
            finish.job_id,
            finish.status,
            finish.http_status,
            finish.code,
            finish.message,
            attempts,
            first_sent_at,
            self._clock.wall_ms(),
            elapsed_ms,
            self._journal.run,
            seq,
        )

    def _record(
        self, seq: int, finish: Finish, attempts: int, first_sent_at: int | None, elapsed_ms: int | None
    ) -> RowRecord:
        """The row as its report will have it. Costs one read of the journal."""
        sql = "SELECT file, line, name FROM rows WHERE run = ? AND seq = ?"
        file, line, name = self._journal.ask(sql, self._journal.run, seq)[0]
        return RowRecord(
            file,
            line,
            name,
            finish.outcome,
            finish.job_id,
            finish.status,
            finish.http_status,
            finish.code,
            finish.message,
            attempts,
            first_sent_at,
            self._clock.wall_ms(),
            elapsed_ms,
        )

    def known(self, name: str, digest: bytes, finish: Finish, seen_at: int | None = None) -> None:
        """What is known of the one job of that name, if anything is. ``seen_at``: since when; None: now."""
        if finish.job_id is None or finish.relation is None:
            return
        self._journal.put(
            Kind.JOB,
            self._journal.scope,
            name,
            finish.job_id,
            finish.status,
            finish.updated_date,
            digest,
            finish.relation.name,
            self._clock.wall_ms() if seen_at is None else seen_at,
            self._journal.run,
            self._journal.rules,
        )

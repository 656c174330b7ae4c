"""Updates and deletes carried out on a virtual clock: what is written when, and how a run of them is left."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace

import msgspec
import pytest

from bulkjobs.dataflow.client import CallFailed, Job
from bulkjobs.dataflow.replies import Answer, Cause, Verdict
from bulkjobs.engine.change import Change
from bulkjobs.engine.change_protocol import Done
from bulkjobs.engine.change_recorder import ChangeRecorder
from bulkjobs.engine.changer import Changer
from bulkjobs.engine.clock import Clock
from bulkjobs.engine.health import Health
from bulkjobs.engine.journal.statements import Kind
from bulkjobs.engine.rate_control import RateControl
from bulkjobs.engine.reader import Reader
from bulkjobs.engine.recorder import Recorder
from bulkjobs.engine.records import ChangeKind, Outcome
from bulkjobs.engine.work import Stop, Tally
from bulkjobs.logs import SilentLog
from tests.engine.conftest import virtually
from tests.engine.scripted import (
    KEYS,
    NOT_SENT,
    RATE,
    REJECTED,
    SILENT,
    THROTTLED,
    UNAVAILABLE,
    NotedJournal,
    ScriptedClient,
    steady,
)
from tests.engine.test_resolver import nodes_of, spec_of

SETTLE = 15.0
INTERRUPT = Stop("interrupted", "Ctrl-C")
QUOTA = Answer(Verdict.HALTED, 429, "400", "used up", cause=Cause.QUOTA, slow_down=True)

Reply = tuple[bool, Answer | None]
"""Whether the write has its effect, and what is answered (None: accepted)."""
DONE: Reply = (True, None)
LOST: Reply = (True, SILENT)


def refused(answer: Answer) -> Reply:
    return False, answer


def old(name: str) -> Job:
    return Job(f"job-{name}", name, "RUNNABLE", "u1", nodes_of(name, prefix="old"), "u1")


def update(number: int, **more: object) -> Change:
    name = f"n{number}"
    return Change(ChangeKind.UPDATE, name, f"job-{name}", number, spec_of(name), planned="u1", **more)  # type: ignore[arg-type]  # its fields


def delete(number: int, seq: int = -1, **more: object) -> Change:
    name = f"n{number}"
    bases = (msgspec.json.encode(nodes_of(name, prefix="old")),)
    return Change(ChangeKind.DELETE, name, f"job-{name}", seq, bases=bases, **more)  # type: ignore[arg-type]  # its fields


class Console(ScriptedClient):
    """Jobs that are really changed. ``reply`` is asked at each write, with the name and how often it was written."""

    def __init__(self, journal: NotedJournal, reply: Callable[[str, int], Reply], jobs: Sequence[Job]) -> None:
        super().__init__()
        self._journal, self._reply = journal, reply
        self.jobs = {job.job_id: job for job in jobs}
        self._job = self.jobs.get
        self.writes: list[tuple[float, str]] = []

    async def update_job(self, job_id: str, name: str, nodes: bytes) -> None:
        changed = replace(self.jobs[job_id], nodes=msgspec.json.decode(nodes), updated_date="u2")
        await self._write(name, lambda: self.jobs.update({job_id: changed}))

    async def delete_job(self, job_id: str) -> None:
        await self._write(job_id.removeprefix("job-"), lambda: self.jobs.pop(job_id, None))

    async def _write(self, name: str, effect: Callable[[], object]) -> None:
        attempt = next(key for key, value in self.open_changes().items() if value == name)
        on_disk = self._journal.writer.on_disk
        assert any(kind is Kind.CHANGE and parameters[0] == attempt for kind, parameters in on_disk)
        self.writes.append((asyncio.get_running_loop().time(), name))
        self._in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self._in_flight)
        await asyncio.sleep(self._latency)
        self._in_flight -= 1
        has_effect, answer = self._reply(name, sum(written == name for _, written in self.writes))
        if has_effect:
            effect()
        if answer is not None:
            raise CallFailed("a write", answer)

    def open_changes(self) -> dict[int, str]:
        """Ids and names of the attempts of changes that are open."""
        found: dict[int, str] = {}
        for kind, parameters in self._journal.writer.coming:
            if kind is Kind.CHANGE:
                found[int(str(parameters[0]))] = str(parameters[4])
            elif kind in (Kind.WITHDRAWN, Kind.CLOSED) or (kind is Kind.ENDED and parameters[6]):
                found.pop(int(str(parameters[-1])), None)
        return found


class Run:
    """These changes carried out, and all there is to see afterwards."""

    def __init__(
        self,
        changes: Sequence[Change],
        reply: Callable[[str, int], Reply] = lambda name, attempt: DONE,
        *,
        jobs: Sequence[Job] | None = None,
        read: Callable[[str], Job | Answer | None] | None = None,
        stop_after: float | None = None,
        stop: Stop = INTERRUPT,
        concurrency: int = 8,
        max_attempts: int = 4,
        patience: float = 900,
        first_attempt: int = 1,
    ) -> None:
        self.journal = NotedJournal()
        self.journal._next_attempt = first_attempt
        self.console = Console(self.journal, reply, [old(each.name) for each in changes] if jobs is None else jobs)
        if read is not None:
            self.console._job = read
        self.tally = Tally()
        self._changes, self._stop_after, self._stop = changes, stop_after, stop
        self._concurrency, self._max_attempts, self._patience = concurrency, max_attempts, patience
        virtually(self._main)

    async def _main(self, clock: Clock) -> None:
        control, log, tally = RateControl(clock.uniform, ceiling=RATE), SilentLog(), self.tally
        health = Health(self._patience)
        reader = Reader(self.console, steady(control), control, health, clock, tally, log, self._patience, 60)
        recorder = ChangeRecorder(self.journal, Recorder(self.journal, tally, clock, log), clock, tally, log)
        self.changer = Changer(
            self.console,
            reader,
            recorder,
            control,
            clock,
            tally,
            log,
            concurrency=self._concurrency,
            settle_s=SETTLE,
            max_attempts=self._max_attempts,
            patience=self._patience,
            begun=clock.monotonic(),
        )
        self.begun = clock.monotonic()
        if self._stop_after is not None:
            asyncio.get_running_loop().call_later(self._stop_after, self.changer.stop, self._stop)
        try:
            await self.changer.run(self._feed())
        finally:
            await self.journal.writer.durable()
            self.seconds = clock.monotonic() - self.begun

    async def _feed(self) -> AsyncIterator[Change]:
        for change in self._changes:
            yield change

    @property
    def ended(self) -> Counter[str]:
        return Counter({outcome.value: count for (_, outcome), count in self.changer.ended.items()})

    def put(self, *kinds: Kind) -> list[tuple[object, ...]]:
        return [parameters for kind, parameters in self.journal.writer.coming if kind in kinds]

    def order(self) -> list[str]:
        """The records on which something rests."""
        return [kind.name for kind, _ in self.journal.writer.coming if kind is not Kind.LOOKUP]


class TestOrder:
    def test_an_update_is_written_after_its_intent_and_believed_when_it_was_read_back(self) -> None:
        run = Run([update(1)])
        assert run.ended == {"updated": 1}
        assert run.order() == ["COMING", "CHANGE", "ENDED", "JOB", "APPLIED", "FINISHED", "CLOSED"]
        assert run.console.gets == ["job-n1", "job-n1"]
        ((outcome, job_id, status, *_, attempts, first_sent_at, finished_at, elapsed_ms, _, seq),) = run.put(
            Kind.FINISHED
        )
        assert (outcome, job_id, status, attempts, seq) == ("updated", "job-n1", "RUNNABLE", 1, 1)
        assert isinstance(first_sent_at, int)
        assert isinstance(finished_at, int)
        assert isinstance(elapsed_ms, int)
        assert 0 < elapsed_ms <= finished_at - first_sent_at + 1 < 1_000
        assert run.console.open_changes() == {}

    def test_a_delete_leaves_nothing_that_is_known_of_its_job(self) -> None:
        run = Run([delete(1)])
        assert run.ended == {"deleted": 1}
        assert run.order() == ["CHANGE", "ENDED", "FORGOTTEN", "DISOWNED", "REMOVED", "CLOSED"]
        assert run.put(Kind.REMOVED) == [(1, "n1", "job-n1", "deleted", None, None)]
        assert run.console.jobs == {}

    def test_a_delete_of_a_row_ends_the_row(self) -> None:
        run = Run([delete(1, seq=7)])
        assert run.journal.outcomes() == {7: "deleted"}
        assert run.put(Kind.REMOVED) == []

    def test_no_more_are_written_at_a_time_than_allowed(self) -> None:
        run = Run([update(number) for number in range(30)], concurrency=3)
        assert run.ended == {"updated": 30}
        assert run.console.most_in_flight == 3

    def test_a_job_that_is_as_wanted_already_is_not_written(self) -> None:
        run = Run([update(1)], jobs=[replace(old("n1"), nodes=nodes_of("n1"))])
        assert (run.ended, run.console.writes) == ({"existing": 1}, [])
        assert run.put(Kind.FINISHED)[0][7] is None, "it was never sent, so it has no first send"
        assert len(run.put(Kind.APPLIED)) == 1

    def test_a_job_that_somebody_changed_is_left_alone_and_not_taken_for_applied(self) -> None:
        run = Run([update(1)], jobs=[replace(old("n1"), updated_date="u9")])
        assert (run.ended, run.console.writes) == ({"drifted": 1}, [])
        assert run.put(Kind.APPLIED, Kind.JOB) == []
        assert run.put(Kind.FINISHED)[0][4] == "changed-meanwhile"

    def test_a_row_counts_as_updated_and_no_longer_as_drifted(self) -> None:
        run = Run([update(1)])
        assert +run.tally.outcomes == {Outcome.UPDATED: 1}
        assert run.tally.outcomes[Outcome.DRIFTED] == -1, "it was counted when it was found"


class TestAnswers:
    def test_an_update_whose_reply_was_lost_is_settled_and_recognised(self) -> None:
        run = Run([update(1)], lambda name, attempt: LOST)
        assert (run.ended, len(run.console.writes)) == ({"updated": 1}, 1)
        assert run.seconds > SETTLE

    def test_an_update_that_never_arrived_is_written_again_only_after_settle(self) -> None:
        run = Run([update(1)], lambda name, attempt: refused(SILENT) if attempt == 1 else DONE)
        assert run.ended == {"updated": 1}
        first, second = (at for at, _ in run.console.writes)
        assert second - first > SETTLE

    def test_what_never_left_is_sent_again_after_a_back_off_that_grows(self) -> None:
        run = Run([update(1)], lambda name, attempt: refused(NOT_SENT) if attempt <= 6 else DONE, max_attempts=1)
        assert run.ended == {"updated": 1}
        assert run.seconds > 2
        assert run.put(Kind.FINISHED)[0][6] == 1, "a send that never left is no attempt"

    def test_a_throttle_is_counted_closes_its_attempt_and_is_no_attempt(self) -> None:
        run = Run([update(1)], lambda name, attempt: refused(THROTTLED) if attempt == 1 else DONE, max_attempts=1)
        assert (run.ended, run.tally.throttles, run.tally.sends) == ({"updated": 1}, 1, 2)
        assert [parameters[6] for parameters in run.put(Kind.ENDED)] == [1, 0]

    def test_an_update_that_is_accepted_and_does_not_show_is_looked_at_three_times(self) -> None:
        run = Run([update(1)], lambda name, attempt: (False, None))
        assert (run.ended, len(run.console.gets), len(run.console.writes)) == ({"drifted": 1}, 4, 1)
        assert run.seconds > 2 * SETTLE
        said = [(parameters[5], parameters[-1]) for parameters in run.put(Kind.LOOKUP)]
        message = "the service accepted the update and still shows the job as it was"
        assert said == [(1, "update"), (1, "look"), (1, "look"), (1, f"drifted: {message}")]

    def test_a_delete_that_is_spared_only_settles_its_attempt(self) -> None:
        spared = Done(Outcome.EXISTING, "executed", "the job has run")
        run = Run([delete(1, attempt=3, spared=spared)], first_attempt=4)
        assert (run.ended, run.console.writes) == ({"existing": 1}, [])
        assert run.put(Kind.CLOSED) == [(3,)]
        run = Run([delete(1, attempt=3, spared=spared)], jobs=[], first_attempt=4)
        assert run.ended == {"deleted": 1}

    def test_a_refusal_ends_its_change_with_the_services_words(self) -> None:
        run = Run([update(1)], lambda name, attempt: refused(REJECTED))
        assert run.ended == {"rejected": 1}
        assert run.put(Kind.FINISHED)[0][3:6] == (400, "bad-parameter", "no such bucket")
        assert run.console.open_changes() == {}

    def test_the_attempts_of_a_change_run_out(self) -> None:
        run = Run([update(1)], lambda name, attempt: refused(SILENT), max_attempts=2)
        assert (run.ended, len(run.console.writes)) == ({"not_sent": 1}, 2)

    def test_an_open_attempt_of_an_earlier_run_settles_before_anything_is_read(self) -> None:
        run = Run([delete(1, attempt=3)], first_attempt=4)
        assert (run.ended, len(run.console.writes)) == ({"deleted": 1}, 1)
        assert run.console.writes[0][0] - run.begun > SETTLE
        assert run.put(Kind.CLOSED)[0] == (3,)
        assert run.order().index("CLOSED") < run.order().index("CHANGE"), "one open attempt a name"

    def test_an_open_delete_of_an_earlier_run_that_did_its_work_is_recognised(self) -> None:
        run = Run([delete(1, attempt=3)], jobs=[], first_attempt=4)
        assert (run.ended, run.console.writes) == ({"deleted": 1}, [])
        assert run.put(Kind.CLOSED) == [(3,)]


class TestStops:
    def test_keys_that_are_refused_at_a_look_stop_all_and_nothing_is_written(self) -> None:
        run = Run([update(number) for number in range(50)], read=lambda job_id: KEYS, concurrency=2)
        assert run.console.writes == []
        assert run.changer.stopped is not None
        assert run.changer.stopped.cause is Cause.CREDENTIALS
        assert set(run.ended) == {"not_sent"}
        assert run.ended.total() <= 3, "no further one is begun"
        assert run.put(Kind.FINISHED) == [], "nothing was tried, so the rows stay as they were: drifted"

    def test_keys_that_are_refused_leave_an_open_attempt_of_an_earlier_run_open(self) -> None:
        run = Run([delete(1, attempt=3)], read=lambda job_id: KEYS, first_attempt=4)
        assert run.ended == {"unresolved": 1}
        assert run.put(Kind.CLOSED) == []
        assert run.put(Kind.REMOVED)[0][3] == "unresolved"

    def test_a_quota_that_is_used_up_stops_all(self) -> None:
        run = Run([update(number) for number in range(50)], lambda name, attempt: refused(QUOTA), concurrency=2)
        assert run.changer.stopped is not None
        assert run.changer.stopped.cause is Cause.QUOTA
        assert set(run.ended) == {"not_sent"}
        assert run.console.open_changes() == {}, "a refusal changed nothing, for certain"

    def test_the_first_stop_counts(self) -> None:
        run = Run([update(1)], stop_after=0.05)
        run.changer.stop(Stop("halted", "later"))
        assert run.changer.stopped == INTERRUPT

    def test_a_job_that_cannot_be_read_is_left_alone_and_the_others_go_on(self) -> None:
        run = Run([update(1), update(2)], read=lambda job_id: REJECTED if job_id == "job-n1" else None)
        assert run.changer.ended == {(ChangeKind.UPDATE, Outcome.NOT_SENT): 2}
        assert run.changer.stopped is None
        ((outcome, *_, code, _, _, _, _, _, _, seq),) = run.put(Kind.FINISHED)
        assert (outcome, code, seq) == ("not_sent", "gone", 2)

    def test_an_intent_whose_turn_does_not_come_before_the_stop_is_withdrawn(self) -> None:
        run = Run([update(number) for number in range(40)], stop_after=0.3, concurrency=40)
        withdrawn = run.put(Kind.WITHDRAWN)
        assert withdrawn
        written = len(run.console.writes)
        assert all(at - run.begun <= 0.3 for at, _ in run.console.writes)
        assert len(run.put(Kind.CHANGE)) == written + len(withdrawn)
        on_disk = [kind for kind, _ in run.journal.writer.on_disk]
        assert on_disk.count(Kind.CHANGE) == written + len(withdrawn), "only a durable intent can be taken back"
        assert run.ended["not_sent"] >= len(withdrawn)

    def test_an_interrupt_still_reads_back_what_was_accepted(self) -> None:
        run = Run([update(1)], stop_after=0.15)
        assert run.ended == {"updated": 1}
        assert run.console.open_changes() == {}

    def test_another_stop_leaves_what_was_accepted_to_the_next_run(self) -> None:
        run = Run([update(1)], stop_after=0.15, stop=Stop("halted", "the deadline"))
        assert run.ended == {"unresolved": 1}
        assert list(run.console.open_changes().values()) == ["n1"]
        assert run.put(Kind.CLOSED, Kind.APPLIED, Kind.JOB) == []

    def test_a_stop_ends_a_wait_for_settle_at_once(self) -> None:
        run = Run([update(1)], lambda name, attempt: LOST, stop_after=1.0)
        assert run.ended == {"unresolved": 1}
        assert run.seconds < 2
        assert run.put(Kind.FINISHED)[0][0] == "unresolved"

    @pytest.mark.parametrize("stop", [INTERRUPT, Stop("halted", "the deadline")])
    @pytest.mark.parametrize("answer", [UNAVAILABLE, msgspec.structs.replace(THROTTLED, retry_after=300.0)])
    def test_a_stop_waits_for_no_outage_and_no_pause(self, stop: Stop, answer: Answer) -> None:
        read = Run([update(1)], read=lambda _: answer, stop_after=2.0, stop=stop)
        assert (read.ended, read.console.open_changes()) == ({"not_sent": 1}, {})
        assert read.seconds < 2.5
        written = Run([update(1), update(2)], lambda name, attempt: refused(answer), stop_after=2.0, stop=stop)
        assert written.seconds < 2.5

    def test_a_change_that_was_tried_and_left_is_reported_as_not_sent(self) -> None:
        run = Run([update(1)], lambda name, attempt: refused(NOT_SENT), stop_after=5.0)
        assert run.journal.outcomes() == {1: "not_sent"}
        assert run.put(Kind.FINISHED)[0][5] == "refused"


class TestOutages:
    def test_a_service_that_fails_is_asked_for_one_job_at_a_time_and_then_all_go_on(self) -> None:
        run = Run(
            [update(number) for number in range(12)],
            lambda name, attempt: refused(UNAVAILABLE) if attempt == 1 else DONE,
        )
        assert run.ended == {"updated": 12}
        assert run.changer.stopped is None

    def test_a_service_that_never_recovers_ends_the_run_with_every_attempt_open(self) -> None:
        run = Run(
            [update(number) for number in range(8)],
            lambda name, attempt: refused(UNAVAILABLE),
            max_attempts=1_000,
            patience=60,
        )
        assert run.changer.stopped is not None
        assert "does not answer" in run.changer.stopped.reason
        assert set(run.ended) <= {"unresolved", "not_sent"}
        assert len(run.console.open_changes()) == run.ended["unresolved"] > 0

    def test_a_stop_while_they_queue_for_their_turn_leaves_them_as_they_are(self) -> None:
        run = Run(
            [update(number) for number in range(8)], lambda name, attempt: refused(UNAVAILABLE), stop_after=SETTLE + 0.4
        )
        assert len(run.console.gets) < 16, "all have settled by then, but one reads at a time"
        assert (run.ended, len(run.console.open_changes())) == ({"unresolved": 8}, 8)

    def test_while_it_fails_only_one_write_is_out(self) -> None:
        most: list[int] = []

        def reply(name: str, attempt: int) -> Reply:
            if len(run_of[0].console.writes) > 16:
                most.append(run_of[0].console._in_flight + 1)
            return refused(UNAVAILABLE)

        run_of: list[Run] = []

        class Watched(Run):
            async def _main(self, clock: Clock) -> None:
                run_of.append(self)
                await super()._main(clock)

        Watched([update(number) for number in range(8)], reply, max_attempts=1_000, patience=200)
        assert len(most) > 3
        assert max(most) == 1


def test_a_defect_ends_the_run_and_is_raised_once_the_others_have_ended() -> None:
    def reply(name: str, attempt: int) -> Reply:
        if name == "n1":
            raise ZeroDivisionError
        return DONE

    run: list[Run] = []

    class Kept(Run):
        async def _main(self, clock: Clock) -> None:
            run.append(self)
            await super()._main(clock)

    with pytest.raises(ZeroDivisionError):
        Kept([update(number) for number in range(60)], reply, concurrency=2)
    assert 0 < run[0].ended["updated"] < 10, "what was begun has ended, and no more was begun"
    assert run[0].tally.in_flight == 0

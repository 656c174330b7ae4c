"""Sends: their order, what each answer leads to, and how a run is left."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from bulkjobs.dataflow.listing import ListedJob
from bulkjobs.dataflow.replies import Answer, Cause, Verdict
from bulkjobs.engine.backoff import RetryBudget
from bulkjobs.engine.clock import Clock
from bulkjobs.engine.halt import HaltWatch
from bulkjobs.engine.health import Health
from bulkjobs.engine.journal.statements import Kind
from bulkjobs.engine.learned import EVERY
from bulkjobs.engine.protocol import RowState
from bulkjobs.engine.rate_control import RateControl
from bulkjobs.engine.reader import Reader
from bulkjobs.engine.recorder import Recorder
from bulkjobs.engine.sender import Sender
from bulkjobs.engine.stops import stop_of
from bulkjobs.engine.work import Stop, Tally, Work
from bulkjobs.logs import SilentLog
from bulkjobs.settings import HaltRule

from .conftest import virtually
from .scripted import (
    CREATED,
    KEYS,
    NOT_SENT,
    RATE,
    REJECTED,
    RETRY_AFTER,
    THROTTLED,
    UNAVAILABLE,
    NotedJournal,
    ScriptedClient,
    steady,
)
from .test_resolver import job_of, listed, work_of

SETTLE = 15.0
Pages = Callable[[int, str | None], Sequence[ListedJob] | Answer]


class Service(ScriptedClient):
    """Notes which intents were on disk when their create came."""

    def __init__(self, journal: NotedJournal, create: Callable[[str, int], Answer], pages: Pages) -> None:
        super().__init__(create, pages, job_of)
        self._journal = journal

    async def create_job(self, name: str, nodes: bytes) -> Answer:
        attempt = next(key for key, value in self._journal.open_attempts().items() if value == name)
        on_disk = self._journal.writer.on_disk
        assert any(kind is Kind.INTENT and parameters[0] == attempt for kind, parameters in on_disk)
        return await super().create_job(name, nodes)


class Run:
    """``rows`` fed to a sender, ``works`` settled by it, and all there is to see afterwards."""

    def __init__(
        self,
        create: Callable[[str, int], Answer] = lambda name, attempt: CREATED,
        pages: Pages = lambda page, name: [],
        *,
        rows: int = 1,
        works: Sequence[Work] = (),
        stop_after: float | None = None,
        concurrency: int = 8,
        max_attempts: int = 4,
        patience: float = 900,
    ) -> None:
        self.journal = NotedJournal()
        self.client = Service(self.journal, create, pages)
        self.tally = Tally()
        self._rows, self._works, self._stop_after = rows, works, stop_after
        self._concurrency, self._max_attempts = concurrency, max_attempts
        self._patience = patience
        self.most_held = 0
        virtually(self._main)
        self.outcomes = self.journal.outcomes()
        self.counts = Counter(self.outcomes.values())

    async def _main(self, clock: Clock) -> None:
        self.control = control = RateControl(clock.uniform, ceiling=RATE)
        health, log = Health(self._patience), SilentLog()
        reader = Reader(self.client, steady(control), control, health, clock, self.tally, log, self._patience, 60)
        recorder = Recorder(self.journal, self.tally, clock, log)
        self.sender = Sender(
            self.client,
            steady(control),
            reader,
            recorder,
            control,
            health,
            clock,
            self.tally,
            log,
            RetryBudget.for_rate(100),
            ahead=3,
            settle_s=SETTLE,
            halt=HaltWatch(HaltRule(percent=None)),
            concurrency=self._concurrency,
            max_attempts=self._max_attempts,
        )
        self.begun = clock.monotonic()
        feeding = asyncio.create_task(self._feed())
        if self._stop_after is not None:
            stop = Stop("interrupted", "Ctrl-C")
            asyncio.get_running_loop().call_later(self._stop_after, self.sender.stop, stop)
        await self.sender.run()
        await feeding
        self.seconds = clock.monotonic() - self.begun

    async def _feed(self) -> None:
        for seq in range(self._rows):
            await self.sender.feed(work_of(f"n{seq}"))
            self.most_held = max(self.most_held, len(self.sender._turns))
        for work in self._works:
            await self.sender.settle(work, self.begun + SETTLE)
        self.sender.fed()


def first(answer: Answer, times: int = 1) -> Callable[[str, int], Answer]:
    return lambda name, attempt: answer if attempt <= times else CREATED


class TestOrder:
    def test_every_row_is_sent_once_with_its_intent_on_disk(self) -> None:
        run = Run(rows=300)
        assert run.counts == {"created": 300}
        assert len(run.client.creates) == 300
        assert run.journal.open_attempts() == {}

    def test_no_more_are_in_flight_than_allowed(self) -> None:
        run = Run(rows=100, concurrency=5)
        assert run.client.most_in_flight == 5

    def test_slots_that_are_the_limit_are_told_from_a_rate_that_is(self) -> None:
        narrow, wide = Run(rows=200, concurrency=4), Run(rows=200, concurrency=30)  # at 0.1 s and 100/s
        assert narrow.tally.slots.were_the_limit
        assert not wide.tally.slots.were_the_limit

    def test_the_feeder_waits_while_enough_rows_are_held(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("bulkjobs.engine.turns._BACKLOG", 10)
        made = [listed(f"n{index}") for index in range(50)]
        run = Run(pages=lambda page, name: made, rows=50, works=[work_of(f"n{100 + index}") for index in range(30)])
        assert run.most_held <= 10
        assert run.counts == {"created": 80}

    def test_a_run_without_rows_ends(self) -> None:
        assert Run(rows=0).seconds < 1


class TestLearning:
    def test_what_is_learned_of_the_rate_is_kept_while_the_run_goes_and_not_too_often(self) -> None:
        run = Run(first(THROTTLED), rows=900)
        noted = [parameters for kind, parameters in run.journal.writer.coming if kind is Kind.LEARNED]
        learned = run.control.learned(0)
        assert learned is not None
        assert 2 <= len(noted) <= 1 + run.seconds / EVERY
        assert noted[-1][1] == pytest.approx(learned.rate, rel=0.1)


class TestAnswers:
    def test_a_refusal_ends_its_row_and_no_other(self) -> None:
        run = Run(lambda name, attempt: REJECTED if name == "n3" else CREATED, rows=9)
        assert (run.outcomes[3], run.counts["created"]) == ("rejected", 8)

    def test_a_send_that_never_left_is_repeated_and_is_no_attempt(self) -> None:
        run = Run(first(NOT_SENT, 3))
        assert run.counts == {"created": 1}
        assert run.tally.retries == 3

    def test_an_unknown_end_is_looked_up_after_settling_before_it_is_sent_again(self) -> None:
        run = Run(first(UNAVAILABLE))
        before, after = run.client.sends_of("n0")
        looked = [at for at, _, name in run.client.lists if name == "n0"]
        assert len(looked) == 1
        assert before + SETTLE <= looked[0] < after
        assert run.counts == {"created": 1}

    def test_a_job_whose_reply_was_lost_is_adopted(self) -> None:
        run = Run(lambda name, attempt: UNAVAILABLE, lambda page, name: [listed("n0")])
        assert (run.counts, len(run.client.creates)) == ({"adopted": 1}, 1)
        assert run.journal.open_attempts() == {}

    def test_a_list_that_cannot_be_read_leaves_the_row_unresolved_and_its_intent_open(self) -> None:
        run = Run(lambda name, attempt: UNAVAILABLE, lambda page, name: REJECTED)
        assert (run.counts, len(run.client.creates)) == ({"unresolved": 1}, 1)
        assert list(run.journal.open_attempts().values()) == ["n0"]

    def test_attempts_that_are_used_up_leave_the_row_for_the_next_run(self) -> None:
        run = Run(lambda name, attempt: UNAVAILABLE, max_attempts=3)
        assert (run.counts, len(run.client.creates)) == ({"not_sent": 1}, 3)
        assert run.journal.open_attempts() == {}

    def test_a_throttle_pauses_every_send_for_as_long_as_it_says(self) -> None:
        run = Run(lambda name, attempt: RETRY_AFTER if (name, attempt) == ("n0", 1) else CREATED, rows=40)
        assert run.counts == {"created": 40}
        at = run.client.sends_of("n0")[0] + 0.1
        assert not [sent for sent, _ in run.client.creates if at + 0.02 < sent < at + 40]
        assert at + 40 < run.tally.paused_until < min(sent for sent, _ in run.client.creates if sent > at + 40)

    def test_hours_of_throttling_use_up_no_attempt(self) -> None:
        run = Run(first(THROTTLED, 50), max_attempts=1, patience=10_000)
        assert run.counts == {"created": 1}
        assert run.seconds > 1_800


class TestOutage:
    def test_while_the_service_fails_next_to_nothing_is_sent_and_all_rows_end_well_after(self) -> None:
        down_until = 1_000.0 + 300

        def create(name: str, attempt: int) -> Answer:
            return UNAVAILABLE if run_clock() < down_until else CREATED

        def pages(page: int, name: str | None) -> Sequence[ListedJob] | Answer:
            return UNAVAILABLE if run_clock() < down_until else []

        def run_clock() -> float:
            return asyncio.get_running_loop().time()

        run = Run(create, pages, rows=200)
        assert run.counts == {"created": 200}
        during = [at for at, _ in run.client.creates if 1_002 < at < down_until]
        assert len(during) <= 5
        assert max(Counter(name for _, name in run.client.creates).values()) <= 3
        assert len([at for at, _, _ in run.client.lists if at < down_until]) < 60

    def test_a_service_that_never_comes_back_halts_the_run(self) -> None:
        run = Run(lambda name, attempt: NOT_SENT, lambda page, name: NOT_SENT, rows=50, patience=120)
        assert run.sender.stopped is not None
        assert run.sender.stopped.state == "halted"
        assert 120 < run.seconds < 300
        assert "created" not in run.counts
        assert run.journal.open_attempts() == {}

    def test_a_service_that_only_refuses_for_the_rate_halts_the_run_when_patience_is_over(self) -> None:
        run = Run(lambda name, attempt: THROTTLED, rows=50, patience=600)
        assert run.sender.stopped is not None
        assert run.sender.stopped.state == "halted"
        assert "--patience (HTTP 429 410: slow down)" in run.sender.stopped.reason
        assert 600 < run.seconds < 900
        assert set(run.counts) == {"not_sent"}  # the others were never taken up
        assert run.journal.open_attempts() == {}
        assert len([at for at, _ in run.client.creates if at > 1_060]) < 30

    def test_one_create_in_ten_minutes_that_passes_keeps_the_run_going(self) -> None:
        served = itertools.count(1)
        run = Run(lambda name, attempt: THROTTLED if next(served) % 8 else CREATED, rows=8, patience=600)
        assert run.counts == {"created": 8}

    def test_a_list_that_is_only_refused_for_the_rate_halts_the_run_too(self) -> None:
        run = Run(pages=lambda page, name: THROTTLED, rows=0, works=[work_of("n5")], patience=600)
        assert run.sender.stopped is not None
        assert "--patience" in run.sender.stopped.reason
        assert run.outcomes == {5: "not_sent"}


class TestStopping:
    def test_a_stop_waits_for_what_was_sent_and_withdraws_what_was_not(self) -> None:
        run = Run(rows=200, stop_after=0.5)
        kinds = Counter(kind for kind, _ in run.journal.writer.coming)
        assert run.counts["created"] == len(run.client.creates)
        assert kinds[Kind.WITHDRAWN] >= 1
        assert run.journal.open_attempts() == {}
        assert run.seconds < 1

    def test_a_stop_while_settling_leaves_the_row_unresolved_for_the_next_run(self) -> None:
        run = Run(lambda name, attempt: UNAVAILABLE, stop_after=5)
        assert (run.counts, list(run.journal.open_attempts().values())) == ({"unresolved": 1}, ["n0"])

    def test_a_stop_while_a_retry_waits_leaves_it_not_sent(self) -> None:
        run = Run(lambda name, attempt: RETRY_AFTER, stop_after=5)
        assert (run.counts, run.journal.open_attempts()) == ({"not_sent": 1}, {})

    def test_refused_keys_stop_the_run_after_the_sends_that_were_on_their_way(self) -> None:
        run = Run(lambda name, attempt: KEYS, rows=100, concurrency=4)
        assert len(run.client.creates) <= 12
        assert run.sender.stopped is not None
        assert run.sender.stopped.cause is Cause.CREDENTIALS
        assert set(run.counts) == {"not_sent"}

    def test_a_defect_in_a_send_ends_the_run_and_is_kept(self) -> None:
        def create(name: str, attempt: int) -> Answer:
            raise ZeroDivisionError

        run = Run(create, rows=3)
        assert isinstance(run.sender.defect, ZeroDivisionError)
        assert run.tally.in_flight == 0

    def test_a_slot_is_free_once_the_answer_is_there(self) -> None:
        run = Run(rows=3, concurrency=1)
        assert run.seconds < 3 * 0.1 + 0.1, "nothing else wakes the dispatcher"
        assert run.tally.in_flight == 0

    def test_a_send_that_is_cancelled_before_it_began_is_not_waited_for_for_ever(self) -> None:
        dispatcher = Run().sender._dispatcher

        async def main(clock: Clock) -> bool:
            send = asyncio.create_task(dispatcher._send(work_of("n0"), clock.monotonic()))
            dispatcher._sending.add(send)
            send.cancel()
            draining = asyncio.create_task(dispatcher.drained())
            for _ in range(20):
                await asyncio.sleep(0)
            is_drained = draining.done()
            draining.cancel()
            await asyncio.gather(draining, return_exceptions=True)
            return is_drained

        assert virtually(main)

    def test_keys_that_are_refused_while_looking_up_stop_the_run_too(self) -> None:
        run = Run(lambda name, attempt: UNAVAILABLE, lambda page, name: KEYS)
        assert run.sender.stopped is not None
        assert run.counts == {"unresolved": 1}


class TestSettledRows:
    def test_an_open_attempt_of_an_earlier_run_is_looked_up_not_before_settle(self) -> None:
        work = work_of("n7")
        work.row, work.attempt = RowState(unknown=True), 99
        run = Run(pages=lambda page, name: [listed("n7")], rows=0, works=[work])
        assert run.outcomes == {7: "adopted"}
        assert run.client.lists[0][0] >= run.begun + SETTLE
        assert run.client.creates == []

    @pytest.mark.parametrize(("found", "outcome"), [(True, "adopted"), (False, "not_sent")])
    def test_an_orphan_is_settled_and_reported_and_never_sent(self, found: bool, outcome: str) -> None:
        orphan = Work(-1, "n8", None, RowState(unknown=True), 99)
        run = Run(pages=lambda page, name: [listed("n8")] if found else [], rows=0, works=[orphan])
        assert (run.journal.orphans(), run.client.creates, run.outcomes) == ({"n8": outcome}, [], {})

    def test_an_open_attempt_that_cannot_be_looked_up_stays_open(self) -> None:
        work = Work(7, "n7", work_of("n7").spec, RowState(unknown=True), 99)
        run = Run(pages=lambda page, name: REJECTED, rows=0, works=[work])
        assert (run.outcomes, run.client.creates) == ({7: "unresolved"}, [])
        assert not [kind for kind, _ in run.journal.writer.coming if kind is Kind.CLOSED]

    def test_a_stop_before_settling_leaves_open_attempts_open_and_other_rows_not_sent(self) -> None:
        works = [Work(-1, "n8", None, RowState(unknown=True), 99), work_of("n5", listed("n5"))]
        run = Run(rows=0, works=works, stop_after=1)
        assert (run.journal.orphans(), run.outcomes) == ({"n8": "unresolved"}, {5: "not_sent"})

    def test_a_listed_job_is_read_and_compared(self) -> None:
        run = Run(rows=0, works=[work_of("n5", listed("n5"))])
        assert (run.outcomes, run.client.creates) == ({5: "existing"}, [])

    def test_a_list_that_cannot_be_read_leaves_a_row_without_attempts_not_sent(self) -> None:
        run = Run(pages=lambda page, name: REJECTED, rows=0, works=[work_of("n5")])
        assert run.outcomes == {5: "not_sent"}


def test_a_clock_that_is_off_is_named_as_the_cause() -> None:
    answer = Answer(Verdict.HALTED, 401, "200", "no", cause=Cause.CREDENTIALS, server_time=2_000.0)
    assert "11 minutes behind" in stop_of(Cause.CREDENTIALS, answer, 1_340_000).reason
    assert "17 minutes ahead of" in stop_of(Cause.CREDENTIALS, answer, 3_020_000).reason
    assert "credentials" in stop_of(Cause.CREDENTIALS, answer, 1_990_000).reason


def test_a_silent_service_is_a_stop_without_a_cause() -> None:
    assert stop_of(None, UNAVAILABLE, 0).cause is None

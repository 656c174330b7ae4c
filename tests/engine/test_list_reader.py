"""Paced, patient reads: lists to their end or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from bulkjobs.dataflow.client import Job
from bulkjobs.dataflow.listing import ListedJob
from bulkjobs.dataflow.replies import Answer, Cause
from bulkjobs.engine.clock import Clock
from bulkjobs.engine.health import Health
from bulkjobs.engine.rate_control import RateControl
from bulkjobs.engine.reader import Fatal, Reader, Unreadable
from bulkjobs.engine.work import Tally
from bulkjobs.logs import SilentLog

from .conftest import virtually
from .scripted import (
    KEYS,
    NOT_SENT,
    RATE,
    REJECTED,
    RETRY_AFTER,
    SILENT,
    THROTTLED,
    UNAVAILABLE,
    ScriptedClient,
    steady,
)


def reader_of(client: ScriptedClient, clock: Clock, tally: Tally | None = None) -> Reader:
    control, health = RateControl(clock.uniform, ceiling=RATE), Health(900)
    return Reader(client, steady(control), control, health, clock, tally or Tally(), SilentLog(), 900, 60)


def listed(job_id: str, name: str = "n", status: str | None = "RUNNABLE") -> ListedJob:
    return ListedJob(job_id, name, status, None)


def in_turn(*answers: Sequence[ListedJob] | Answer) -> Iterator[Sequence[ListedJob] | Answer]:
    return iter(answers)


def read_all(client: ScriptedClient, name: str | None = None, tally: Tally | None = None) -> tuple[int, float]:
    """Items read, and the seconds that it took."""

    async def main(clock: Clock) -> tuple[int, float]:
        begun = clock.monotonic()
        items = 0
        async for page in reader_of(client, clock, tally).pages(name):
            items += page.size
        return items, clock.monotonic() - begun

    return virtually(main)


class TestPages:
    def test_pages_are_read_until_one_is_short(self) -> None:
        jobs = [[listed("1"), listed("2")], [listed("3"), listed("4")], [listed("5")]]
        client = ScriptedClient(pages=lambda page, name: jobs[page], page_size=2)
        assert read_all(client, "a name")[0] == 5
        assert [(page, name) for _, page, name in client.lists] == [(0, "a name"), (1, "a name"), (2, "a name")]

    @pytest.mark.parametrize("jobs", [[listed("1"), listed("2")], []])
    def test_a_service_that_repeats_a_page_is_unreadable_and_not_read_for_ever(self, jobs: list[ListedJob]) -> None:
        class Nameless(ScriptedClient):
            async def list_page(self, *args: object, **kwargs: object) -> object:  # type: ignore[override]  # a fake
                page = await super().list_page(0)
                return type(page)(page.jobs, 2, False)

        client = Nameless(pages=lambda page, name: jobs)
        with pytest.raises(Unreadable, match="repeats page 0 as page 1"):
            read_all(client)

    def test_a_refused_read_is_unreadable_at_once(self) -> None:
        client = ScriptedClient(pages=lambda page, name: REJECTED)
        with pytest.raises(Unreadable, match="no such bucket"):
            read_all(client)
        assert len(client.lists) == 1


class TestPatience:
    @pytest.mark.parametrize("failure", [UNAVAILABLE, SILENT, NOT_SENT])
    def test_a_read_that_fails_is_repeated_with_growing_jitter(self, failure: Answer) -> None:
        answers = in_turn(*[failure] * 6, [listed("1")])
        tally = Tally()
        assert read_all(ScriptedClient(pages=lambda page, name: next(answers)), tally=tally)[0] == 1
        assert tally.reads == 7

    def test_it_gives_up_after_a_minute_if_the_service_was_never_reached(self) -> None:
        client = ScriptedClient(pages=lambda page, name: NOT_SENT)
        with pytest.raises(Fatal) as raised:
            read_all(client)
        assert raised.value.cause is Cause.ENDPOINT
        assert 60 < client.lists[-1][0] - client.lists[0][0] < 60 + 31

    def test_it_gives_up_after_its_patience_if_it_was(self) -> None:
        client = ScriptedClient(pages=lambda page, name: UNAVAILABLE)
        with pytest.raises(Fatal) as raised:
            read_all(client)
        assert raised.value.cause is None
        assert 900 < client.lists[-1][0] - client.lists[0][0] < 900 + 31
        assert len(client.lists) < 200

    @pytest.mark.parametrize("what", ["pages", "probe"])
    def test_what_concerns_the_whole_run_ends_it_at_once(self, what: str) -> None:
        client = ScriptedClient(pages=lambda page, name: KEYS)

        async def main(clock: Clock) -> None:
            reader = reader_of(client, clock)
            if what == "probe":
                await reader.probe()
            async for _ in reader.pages():
                pass

        with pytest.raises(Fatal) as raised:
            virtually(main)
        assert (raised.value.cause, len(client.lists)) == (Cause.CREDENTIALS, 1)

    def test_a_throttle_pauses_all_reads_for_as_long_as_it_says(self) -> None:
        answers = in_turn(RETRY_AFTER, [listed("1")])
        tally = Tally()
        client = ScriptedClient(pages=lambda page, name: next(answers))
        read_all(client, tally=tally)
        assert client.lists[1][0] - client.lists[0][0] >= 40
        assert tally.throttles == 1

    def test_a_probe_asks_once_and_its_throttle_counts_for_all(self) -> None:
        for answer, ok in ((THROTTLED, True), (REJECTED, True), (UNAVAILABLE, False), (SILENT, False), ([], True)):
            client = ScriptedClient(pages=lambda page, name, answer=answer: answer)  # type: ignore[misc]  # bound early
            tally = Tally()

            async def main(clock: Clock, client: ScriptedClient = client, tally: Tally = tally) -> bool:
                return await reader_of(client, clock, tally).probe()

            assert virtually(main) is ok
            assert (len(client.lists), tally.reads, tally.throttles) == (1, 1, int(answer is THROTTLED))


class TestLiveJobs:
    def live(self, *jobs: ListedJob) -> tuple[list[ListedJob], bool]:
        client = ScriptedClient(pages=lambda page, name: jobs)

        async def main(clock: Clock) -> tuple[list[ListedJob], bool]:
            return await reader_of(client, clock).live_jobs("job")

        return virtually(main)

    def test_names_are_compared_exactly_whatever_the_service_matches(self) -> None:
        names = ("job2", "my-job", "JOB", "job ", "job")
        assert self.live(*(listed(str(index), name) for index, name in enumerate(names))) == (
            [listed("4", "job")],
            False,
        )

    def test_a_deleted_job_does_not_count_and_is_mentioned(self) -> None:
        assert self.live(listed("1", "job", "DELETED")) == ([], True)
        assert self.live(listed("1", "job", "deleted"), listed("2", "job")) == ([listed("2", "job")], True)

    def test_a_job_that_shows_up_on_two_pages_is_one_job(self) -> None:
        assert self.live(listed("1", "job"), listed("1", "job", "RUNNING")) == ([listed("1", "job", "RUNNING")], False)


def test_a_job_is_read_with_the_same_patience() -> None:
    answers: list[Job | Answer | None] = [UNAVAILABLE, Job("1", "n", None, None, [])]

    async def main(clock: Clock) -> Job | None:
        return await reader_of(ScriptedClient(job=lambda job_id: answers.pop(0)), clock).get_job("1")

    assert virtually(main) == Job("1", "n", None, None, [])

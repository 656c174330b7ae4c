"""What earlier runs tell of the next one."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulkjobs.engine.expected_rate import ExpectedRate
from bulkjobs.engine.journal.experience import expected_of, lost_before
from bulkjobs.engine.journal.journal import Journal
from bulkjobs.engine.journal.statements import Kind
from bulkjobs.engine.learned import Learned
from bulkjobs.engine.records import Outcome
from bulkjobs.engine.stragglers import NONE_LOST, Lost

from .conftest import durable, opened, put_end, put_intent, put_row


async def _earlier_run(state: Path, lost: int, made: int, created: int, *, are_lost_twice: bool = False) -> None:
    """A run of which ``lost`` sends had no answer for 500 ms, ``made`` of those jobs were found all the same.

    The others were throttled when they were sent again, as good as not sent; or (``are_lost_twice``) found then.
    """
    async with opened(state, "earlier") as journal:
        for seq in range(lost + created):
            put_row(journal, seq)
        first = [put_intent(journal, f"n{seq}", seq, at=2_000) for seq in range(lost + created)]
        await durable(journal)
        for seq, attempt in enumerate(first):
            put_end(journal, attempt, "unknown" if seq < lost else "created", closed=True, at=2_500)
        await durable(journal)
        again = [put_intent(journal, f"n{seq}", seq, n=2) for seq in range(made, lost)]
        await durable(journal)
        for attempt in again:
            put_end(journal, attempt, "unknown" if are_lost_twice else "throttled", closed=True, at=2_500)
        for seq in range(lost + created):
            ended = Outcome.ADOPTED if seq < made or (are_lost_twice and seq < lost) else Outcome.CREATED
            _finish(journal, seq, ended, attempts=2 if made <= seq < lost else 1)
        await durable(journal)
        journal.end_run("finished", None, 0, {}, 9_000)


def _finish(journal: Journal, seq: int, outcome: Outcome, attempts: int) -> None:
    told = (outcome.value, None, None, None, None, None, attempts, None, None, None)
    journal.put(Kind.FINISHED, *told, journal.run, seq)


async def _learnt(state: Path) -> Lost:
    async with opened(state, "now") as journal:
        return lost_before(journal)


async def test_what_was_lost_what_of_it_was_made_and_how_long_it_was_waited_for(state: Path) -> None:
    await _earlier_run(state, lost=20, made=5, created=60)
    assert await _learnt(state) == Lost(unknown=20 / 80, made=5 / 20, silence=0.5)


async def test_of_a_row_that_was_lost_twice_only_the_second_send_made_the_job(state: Path) -> None:
    await _earlier_run(state, lost=20, made=5, created=60, are_lost_twice=True)
    assert (await _learnt(state)).made == 20 / 35


async def test_a_handful_of_sends_tells_nothing(state: Path) -> None:
    await _earlier_run(state, lost=10, made=5, created=9)
    assert await _learnt(state) == NONE_LOST


async def test_a_few_lost_sends_do_not_tell_how_many_were_made(state: Path) -> None:
    await _earlier_run(state, lost=19, made=19, created=20)
    learnt = await _learnt(state)
    assert learnt.made == NONE_LOST.made
    assert learnt.unknown == pytest.approx(19 / 39)


async def test_attempts_without_an_end_are_lost_and_say_nothing_of_the_wait(state: Path) -> None:
    async with opened(state, "earlier") as journal:
        for seq in range(20):
            put_intent(journal, f"n{seq}", seq)
        await durable(journal)
    assert await _learnt(state) == Lost(unknown=1.0, made=NONE_LOST.made, silence=None)


@pytest.mark.parametrize(
    ("learned", "throttles", "rate"),
    [
        (9.0, 0, 50.0),  # the most that was asked for
        (9.0, 1, 9.0),
        (1.9, 0, 1.9),  # less than the rate with which runs begin: it was lowered
    ],
)
async def test_a_rate_that_was_learned_holds_against_a_greater_one_only_if_more_was_refused(
    state: Path, learned: float, throttles: int, rate: float
) -> None:
    async with opened(state, "earlier") as journal:
        journal.learn(Learned(learned, 1_000))
        journal.end_run("finished", None, 0, {"throttles": throttles}, 9_000)
    async with opened(state, "now") as journal:
        assert expected_of(journal, 50.0, 61_000).rate == rate


async def test_a_send_that_a_killed_run_saw_refused_counts_too(state: Path) -> None:
    async with opened(state, "earlier") as journal:
        put_row(journal, 0)
        attempt = put_intent(journal, "n0", 0)
        await durable(journal)
        put_end(journal, attempt, "throttled", closed=True)
        await durable(journal)
        journal.learn(Learned(9.0, 1_000))
    async with opened(state, "now") as journal:
        assert expected_of(journal, 50.0, 61_000) == ExpectedRate(50.0, 9.0, 60.0, 50.0)

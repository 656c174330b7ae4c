"""One timer ends whatever lasts too long, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bulkjobs.dataflow.limits import Limits

SHORT = 0.02
FOR_EVER = 60.0


@asynccontextmanager
async def limits(seconds: float) -> AsyncIterator[Limits]:
    them = Limits(seconds)
    try:
        yield them
    finally:
        them.close()


async def wait_under(them: Limits, what: asyncio.Future[str]) -> str:
    limit = them.begin()
    try:
        return await what
    except asyncio.CancelledError:
        if not limit.is_cause():
            raise
        return "too long"
    finally:
        limit.end()


def pending() -> asyncio.Future[str]:
    return asyncio.get_running_loop().create_future()


async def test_what_lasts_too_long_is_ended_and_its_task_goes_on() -> None:
    async with limits(SHORT) as them:
        task = asyncio.create_task(wait_under(them, pending()))
        assert await task == "too long"
        assert task.cancelling() == 0


async def test_each_has_its_own_limit_whatever_the_others_did() -> None:
    async with limits(SHORT) as them:
        quick = pending()
        first = asyncio.create_task(wait_under(them, quick))
        slow = [asyncio.create_task(wait_under(them, pending())) for _ in range(3)]
        await asyncio.sleep(0)
        quick.set_result("in time")
        assert await first == "in time"
        assert await asyncio.gather(*slow) == ["too long"] * 3
        assert await wait_under(them, pending()) == "too long", "the timer comes again for later ones"


async def test_all_that_began_can_be_ended_before_their_time_and_what_begins_later_is_not() -> None:
    async with limits(FOR_EVER) as them:
        tasks = [asyncio.create_task(wait_under(them, pending())) for _ in range(3)]
        await asyncio.sleep(0)
        them.strike_all()
        assert await asyncio.gather(*tasks) == ["too long"] * 3
        assert [task.cancelling() for task in tasks] == [0] * 3
        in_time = pending()
        later = asyncio.create_task(wait_under(them, in_time))
        await asyncio.sleep(0)
        in_time.set_result("in time")
        assert await later == "in time"


async def test_a_cancellation_by_somebody_else_goes_further() -> None:
    async with limits(FOR_EVER) as them:
        task = asyncio.create_task(wait_under(them, pending()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_cancellation_at_the_moment_of_the_limit_goes_further() -> None:
    async with limits(FOR_EVER) as them:
        task = asyncio.create_task(wait_under(them, pending()))
        await asyncio.sleep(0)
        (limit,) = them._running
        limit.strike()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_thousand_limits_share_one_timer() -> None:
    async with limits(FOR_EVER) as them:
        loop = asyncio.get_running_loop()
        before = len(loop._scheduled)  # type: ignore[attr-defined]
        futures = [pending() for _ in range(1_000)]
        tasks = [asyncio.create_task(wait_under(them, future)) for future in futures]
        await asyncio.sleep(0)
        assert len(loop._scheduled) == before + 1  # type: ignore[attr-defined]
        for future in futures:
            future.set_result("in time")
        assert set(await asyncio.gather(*tasks)) == {"in time"}

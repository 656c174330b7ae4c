"""A limiter whose rate changes between sends: never a burst at the seam."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkjobs.engine.clock import Clock
from bulkjobs.engine.pacing import AdaptiveLimiter, bucket

from .conftest import virtually


class VirtualTime:
    """A clock that only waiting moves, and the real bucket's arithmetic on it."""

    def __init__(self) -> None:
        self.now = 0.0

    def limiter(self, rate: float) -> VirtualBucket:
        return VirtualBucket(rate, self)


class VirtualBucket:
    def __init__(self, rate: float, time: VirtualTime) -> None:
        self.max_rate, self._leak = bucket(rate)
        self._time = time
        self._level, self._at = 0.0, time.now

    async def acquire(self, amount: float = 1) -> None:
        level = max(0.0, self._level - (self._time.now - self._at) * self._leak)
        late = max(0.0, (level + amount - self.max_rate) / self._leak)
        self._time.now += late
        self._level, self._at = max(0.0, level - late * self._leak) + amount, self._time.now


def worst_second(times: list[float]) -> int:
    return max(bisect_left(times, at + 1.0) - index for index, at in enumerate(times))


class TestSeams:
    @settings(max_examples=60, deadline=None)
    @given(
        st.integers(1, 300),
        st.lists(st.tuples(st.floats(0.05, 1.0), st.floats(0, 0.05)), min_size=50, max_size=400),
    )
    def test_no_second_holds_more_than_the_ceiling_however_often_the_rate_changes(
        self, ceiling: int, plan: list[tuple[float, float]]
    ) -> None:
        time, rate, times = VirtualTime(), float(ceiling), list[float]()

        async def send_all() -> None:
            nonlocal rate
            limiter = AdaptiveLimiter(lambda: rate, time.limiter)
            for part, idle in plan:
                rate = max(0.1, ceiling * part)
                await limiter.acquire()
                times.append(time.now)
                time.now += idle * 10 / ceiling

        asyncio.run(send_all())
        assert worst_second(times) <= ceiling

    def test_an_unchanged_rate_is_used_to_the_last_part(self) -> None:
        time, times = VirtualTime(), list[float]()

        async def send_all() -> None:
            limiter = AdaptiveLimiter(lambda: 50.0, time.limiter)
            for _ in range(501):
                await limiter.acquire()
                times.append(time.now)

        asyncio.run(send_all())
        assert 500 / times[-1] >= 0.985 * 50

    @pytest.mark.parametrize(("every", "share"), [(0.013, 0.9), (0.05, 0.98), (0.5, 0.98)])
    def test_a_rate_that_changes_all_the_time_is_used_nearly_to_the_full(self, every: float, share: float) -> None:
        times: list[float] = []

        async def main(clock: Clock) -> None:
            begin = clock.monotonic()

            def rate() -> float:
                return 100.0 if int((clock.monotonic() - begin) / every) % 2 else 60.0

            limiter = AdaptiveLimiter(rate)  # the real one, of aiolimiter
            while clock.monotonic() - begin < 10.0:
                await limiter.acquire()
                times.append(clock.monotonic() - begin)

        virtually(main)
        assert worst_second(times) <= 100
        assert len(times) >= share * 80 * 10

    async def test_in_real_time_a_changing_rate_stays_under_its_ceiling_and_is_used(self) -> None:
        loop, times, permitted = asyncio.get_running_loop(), list[float](), 0.0
        begin = loop.time()

        def rate() -> float:
            return 100.0 if int((loop.time() - begin) * 20) % 2 else 60.0  # another one each 50 ms

        limiter = AdaptiveLimiter(rate)
        while (now := loop.time() - begin) < 1.5:
            permitted = now
            await limiter.acquire()
            times.append(loop.time())
        assert worst_second(times) <= 100
        assert len(times) >= 0.5 * 80 * permitted  # timers of a busy machine are late; the virtual clock is strict

    async def test_a_higher_rate_takes_effect_with_the_next_send_and_without_a_burst(self) -> None:
        time, rate, times = VirtualTime(), 1.0, list[float]()
        limiter = AdaptiveLimiter(lambda: rate, time.limiter)
        await limiter.acquire()
        time.now += 100.0  # long idle: the bucket is empty
        rate = 10.0
        for _ in range(4):
            await limiter.acquire()
            times.append(time.now)
        assert all(later - earlier >= 0.095 for earlier, later in pairwise(times[1:]))
        assert times[1] - times[0] >= 0.1

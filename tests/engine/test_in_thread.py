"""A head start: what a thread makes before anybody asks is the same as what it would make when asked."""

from __future__ import annotations

import threading
from collections.abc import Generator

import pytest

from bulkjobs.engine.in_thread import HeadStart


class _Items:
    """Numbers up to ``upto``, each once it is permitted; then perhaps an error."""

    def __init__(self, upto: int, permitted: int, error: BaseException | None = None) -> None:
        self.permitted = threading.Semaphore(permitted)
        self.made = threading.Semaphore(0)
        self._upto = upto
        self._error = error
        self.closed = False

    def __iter__(self) -> Generator[int, None, None]:
        try:
            for number in range(self._upto):
                assert self.permitted.acquire(timeout=20)
                yield number
                self.made.release()  # when it is asked for the next: the last one has been taken
            if self._error is not None:
                raise self._error
        finally:
            self.closed = True


async def _all(start: HeadStart[int]) -> list[int]:
    return [item async for item in start.items()]


@pytest.mark.parametrize("before", [0, 1, 4, 5])
async def test_every_item_comes_once_and_in_order_wherever_the_start_ended(before: int) -> None:
    items = _Items(5, before)
    start = HeadStart(iter(items), 100)
    for _ in range(before):
        assert items.made.acquire(timeout=20)
    for _ in range(5 - before):
        items.permitted.release()
    assert await _all(start) == [0, 1, 2, 3, 4]


async def test_no_more_are_made_than_may_wait_until_somebody_asks() -> None:
    items = _Items(5, 5)
    start = HeadStart(iter(items), 2)
    start._thread.join(20)
    assert not start._thread.is_alive()
    assert items.permitted._value == 3
    assert await _all(start) == [0, 1, 2, 3, 4]


async def test_an_error_comes_where_its_item_would_and_not_sooner() -> None:
    items = _Items(2, 2, ValueError("the file is gone"))
    start = HeadStart(iter(items), 100)
    start._thread.join(20)
    coming = start.items()
    assert [await anext(coming), await anext(coming)] == [0, 1]
    with pytest.raises(ValueError, match="the file is gone"):
        await anext(coming)


def test_who_stops_it_waits_for_the_item_that_is_being_made_and_for_no_other() -> None:
    items = _Items(5, 1)
    start = HeadStart(iter(items), 100)
    assert items.made.acquire(timeout=20)
    stopping = threading.Thread(target=start.close)
    stopping.start()
    stopping.join(0.05)
    assert stopping.is_alive()
    items.permitted.release(4)
    stopping.join(20)
    assert not stopping.is_alive()
    assert items.permitted._value == 3
    assert items.closed, "and the file with it"

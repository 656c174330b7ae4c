"""Blocking work beside the loop."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Generator, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")

_END = object()


async def in_thread(iterator: Iterator[T]) -> AsyncIterator[T]:
    """Items of a blocking iterator, each made in a thread, so that the loop goes on."""
    while (item := await asyncio.to_thread(next, iterator, _END)) is not _END:
        yield item  # type: ignore[misc]  # not the sentinel


class HeadStart(Generic[T]):
    """Items of a blocking generator, of which a thread makes the first from now on, ``most`` of them if nobody comes.

    Once somebody comes for them, or ``close`` is called, it makes no more: from there on it goes as in ``in_thread``,
    since two threads that both have work for the interpreter take longer than one after the other. What the generator
    raises is raised where its next item would come.
    """

    def __init__(self, generator: Generator[T, None, None], most: int) -> None:
        self._generator = generator
        self._most = most
        self._made: deque[T] = deque()
        self._error: BaseException | None = None
        self._is_over = False
        self._is_asked = False
        self._thread = threading.Thread(target=self._run, name="head start", daemon=True)
        self._thread.start()

    async def items(self) -> AsyncIterator[T]:
        """All of them; to be asked for once."""
        self._is_asked = True
        await asyncio.to_thread(self._stop)
        while self._made:
            yield self._made.popleft()
        if self._error is not None:
            raise self._error
        async for item in in_thread(self._generator):
            yield item

    def close(self) -> None:
        """Returns when no more is made: after the item that is being made. Closes the generator if nobody came."""
        self._stop()
        if not self._is_asked:
            self._generator.close()

    def _stop(self) -> None:
        self._is_over = True
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._is_over and len(self._made) < self._most:
                self._made.append(next(self._generator))
        except StopIteration:
            return
        except BaseException as error:  # of whatever kind: whoever asks for the item is told
            self._error = error

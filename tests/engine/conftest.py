"""A clock that only the test's own waiting moves, and journals in a folder of their own."""

from __future__ import annotations

import asyncio
import random
import selectors
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from bulkjobs.engine.clock import Clock
from bulkjobs.engine.journal.journal import Journal
from bulkjobs.engine.journal.statements import Kind

T = TypeVar("T")
DIGEST = b"d" * 16


class _Leaping(selectors.DefaultSelector):
    """Does not wait: it leaps to the moment until which it was asked to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise AssertionError("nothing will ever happen again")
        if not ready and timeout:
            self.now += timeout + 1e-6  # timers fire late, never early
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in which a minute's wait takes no time, and a hang is an error."""

    def __init__(self) -> None:
        self._leaping = _Leaping()
        super().__init__(self._leaping)

    def time(self) -> float:
        return self._leaping.now


def virtually(main: Callable[[Clock], Coroutine[Any, Any, T]], seed: int = 1) -> T:
    """What ``main`` returns, on a virtual clock. Tasks that it leaves behind are an error."""
    loop = VirtualLoop()
    clock = Clock(loop.time, lambda: int(loop.time() * 1000), asyncio.sleep, random.Random(seed).uniform)
    try:
        result = loop.run_until_complete(main(clock))
        assert not asyncio.all_tasks(loop), "a task was left behind"
        return result
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


@asynccontextmanager
async def opened(
    path: Path, run: str = "r1", endpoint: str = "https://a", account: str = "x"
) -> AsyncIterator[Journal]:
    """A started journal that has begun a run."""
    journal = Journal(path)
    try:
        journal.start()
        journal.begin_run(run, endpoint, account, "2025-03", path.parent / run, 1_000)
        yield journal
    finally:
        await journal.close()


def put_row(journal: Journal, seq: int, name: str | None = None, outcome: str | None = None) -> None:
    """A surveyed row, named ``n<seq>`` unless told otherwise."""
    journal.put(Kind.ROW, journal.run, seq, 0, seq + 2, name or f"n{seq}", DIGEST, outcome, None, None)


def put_intent(journal: Journal, name: str, seq: int | None = 0, at: int = 2_000, n: int = 1) -> int:
    """An intent, the row's ``n``-th; its id."""
    attempt = journal.new_attempt()
    journal.put(Kind.INTENT, attempt, journal.scope, journal.run, seq, name, n, DIGEST, at)
    return attempt


def put_end(journal: Journal, attempt: int, verdict: str, *, closed: bool, at: int = 3_000) -> None:
    """The answer of an attempt."""
    journal.put(Kind.ENDED, at, verdict, 503, None, "said", None, int(closed), None, attempt)


def put_job(journal: Journal, name: str, job_id: str = "j1", relation: str | None = "OURS_EQUAL") -> None:
    """What is known of the job of a name."""
    journal.put(Kind.JOB, journal.scope, name, job_id, "RUNNABLE", "u1", DIGEST, relation, 4_000, journal.run, None)


def durable(journal: Journal) -> Awaitable[None]:
    """Done when all that was put is on disk."""
    return journal.writer.durable()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Where a test's journal goes."""
    return tmp_path / "state" / "journal.db"

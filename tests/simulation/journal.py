"""The real journal's tables, statements and batches in memory, written step by step instead of by a thread.

Kept from the real writer: order, batches in one transaction, the statements themselves, what is told after an
error. Left out: files, locks, threads and disks. A batch may be cut between any two records, as it may when the
thread takes what is there; at a crash a prefix of what was put is kept, at least what was told to be durable.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import Self

from bulkjobs.engine.journal import made
from bulkjobs.engine.journal.history import History
from bulkjobs.engine.journal.journal import Journal
from bulkjobs.engine.journal.packs import register
from bulkjobs.engine.journal.schema import make_tables
from bulkjobs.engine.journal.statements import Kind
from bulkjobs.engine.journal.writer import Parameters, Writer
from bulkjobs.errors import StateError

from .loop import VirtualLoop

_PATH = Path("in-memory")

Item = tuple[Kind, Parameters] | asyncio.Future[None]


def connection() -> sqlite3.Connection:
    """An empty journal in memory."""
    database = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    register(database)
    database.execute("PRAGMA temp_store = MEMORY")
    make_tables(database)
    made.make_ready(database)
    return database


def wipe(database: sqlite3.Connection) -> None:
    """Empty again: quicker than a new one."""
    for table in _tables(database):
        database.execute(f"DELETE FROM {table}")


@cache
def _tables(database: sqlite3.Connection) -> list[str]:
    return [name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]


class SimWriter(Writer):
    """``fails_at``: the commit that finds the disk full. ``is_hasty``: tells durable before anything is (a variant)."""

    def __init__(
        self,
        database: sqlite3.Connection,
        loop: VirtualLoop,
        random: Random,
        on_failure: Callable[[StateError], None] | None,
        fails_at: int | None,
        is_hasty: bool,
    ) -> None:
        self._connection = database
        self._path = _PATH
        self._loop: VirtualLoop = loop
        self._on_failure = on_failure
        self.error: StateError | None = None
        self._closed = False
        self._random = random
        self._commits = 0
        self._fails_at = fails_at
        self._is_hasty = is_hasty
        self._buffer: deque[Item] = deque()
        self._syncing: list[Item] = []
        self._is_busy = False

    def put(self, kind: Kind, parameters: Parameters) -> None:
        self._buffer_up((kind, parameters))

    def put_all(self, kind: Kind, batch: list[Parameters]) -> None:
        for parameters in batch:
            self.put(kind, parameters)

    def durable(self) -> asyncio.Future[None]:
        future: asyncio.Future[None] = self._loop.create_future()
        if self._is_hasty and self.error is None:
            future.set_result(None)
        else:
            self._buffer_up(future)
        return future

    async def close(self) -> None:
        self._is_hasty = False
        await self.durable()

    def crash(self) -> None:
        """The process is gone: keep a prefix of what was not yet told."""
        if self.error is not None:
            return
        left = (*self._syncing, *self._buffer)
        kept = self._random.choice((0, len(self._syncing), int(self._random.uniform(0, len(left) + 1)), len(left)))
        self._write(left[:kept])

    def _buffer_up(self, item: Item) -> None:
        if self._loop.is_dead:
            return
        self._buffer.append(item)
        if not self._is_busy:
            self._is_busy = True
            self._loop.call_later(self._random.uniform(0, 0.001), self._take)

    def _take(self) -> None:
        cut = len(self._buffer) if self._random.random() < 0.7 else int(self._random.uniform(1, len(self._buffer) + 1))
        self._syncing = [self._buffer.popleft() for _ in range(cut)]
        self._loop.call_later(self._random.uniform(0, 0.003), self._synced)

    def _synced(self) -> None:
        items, self._syncing = self._syncing, []
        if self.error is None:
            self._write(items)
        waiters = [item for item in items if not isinstance(item, tuple)]
        if waiters or self.error is not None:
            self._loop.call_later(self._random.choice((0.0, 0.0, 0.001)), self._settle, waiters, self.error)
        if self._buffer:
            self._take()
        else:
            self._is_busy = False

    def _write(self, items: list[Item] | tuple[Item, ...]) -> None:
        batch: list[list[Parameters]] = [[] for _ in Kind]
        for item in items:
            if isinstance(item, tuple):
                batch[item[0]].append(item[1])
        if not any(batch):
            return
        self._commits += 1
        if self._commits == self._fails_at:
            self.error = StateError("the disk is full (simulated)", "make room")
        else:
            self._commit(batch)


class SimJournal(Journal):
    """A process's hold on the journal in ``database``."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self.path = _PATH
        self._db = database
        self._next_attempt = self.one("SELECT coalesce(max(id), 0) + 1 FROM attempts")
        self.scope = 0
        self.run = 0
        self._writer: Writer | None = None

    def start_with(self, writer: Writer) -> Self:
        self._writer = writer
        return self

    async def close(self) -> None:
        await self.writer.close()


class SimHistory(History):
    """What a report would be rendered from."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._path = _PATH
        self._db = database

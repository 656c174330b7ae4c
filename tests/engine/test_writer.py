"""Group commit: what is durable when, and what happens when nothing can be written any more."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from bulkjobs.engine.journal.journal import Journal
from bulkjobs.engine.journal.pending import Pending
from bulkjobs.engine.journal.schema import connect
from bulkjobs.engine.journal.statements import Kind
from bulkjobs.engine.journal.writer import _GATHER, _MANY, Writer
from bulkjobs.errors import StateError

from .conftest import DIGEST, opened, put_end, put_intent, put_row


@pytest.fixture
async def journal(state: Path) -> AsyncIterator[Journal]:
    async with opened(state) as opened_journal:
        yield opened_journal


@contextlib.contextmanager
def _held_up(path: Path) -> Iterator[None]:
    """No commit gets through while this lasts: whatever is put goes into one batch or two."""
    with contextlib.closing(connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def _asks(journal: Journal) -> threading.Event:
    """Set when the writing thread asks for the lock of its next commit."""
    asks = threading.Event()
    journal.writer._connection.set_trace_callback(lambda sql: asks.set() if sql.startswith("BEGIN") else None)
    return asks


def _attempts(path: Path) -> list[tuple[int, str, int]]:
    with contextlib.closing(connect(path)) as other:
        return other.execute("SELECT id, name, closed FROM attempts ORDER BY id").fetchall()


class TestDurable:
    async def test_an_intent_is_seen_by_another_connection_once_its_future_is_done(self, journal: Journal) -> None:
        for index in range(20):
            attempt = put_intent(journal, f"n{index}")
            await journal.writer.durable()
            assert (attempt, f"n{index}", 0) in _attempts(journal.path)

    async def test_a_future_is_not_done_before_its_commit(self, journal: Journal) -> None:
        asks = _asks(journal)
        with _held_up(journal.path):
            put_intent(journal, "n1")
            future = journal.writer.durable()
            assert await asyncio.to_thread(asks.wait, 20)
            assert not future.done()
            assert _attempts(journal.path) == []
        await future
        assert _attempts(journal.path) == [(1, "n1", 0)]

    async def test_with_nothing_to_write_it_is_done_as_well(self, journal: Journal) -> None:
        await journal.writer.durable()

    async def test_a_withdrawn_intent_leaves_nothing(self, journal: Journal) -> None:
        attempt = put_intent(journal, "n1")
        await journal.writer.durable()
        journal.put(Kind.WITHDRAWN, attempt)
        await journal.writer.durable()
        assert _attempts(journal.path) == []

    async def test_closing_writes_what_is_left_and_then_the_file_stands_alone(self, state: Path) -> None:
        async with opened(state) as journal:
            put_intent(journal, "n1")
        assert not state.with_name("journal.db-wal").exists()
        assert _attempts(state) == [(1, "n1", 0)]
        assert not [thread for thread in threading.enumerate() if thread.name == "journal"]

    async def test_after_closing_nobody_waits_for_ever(self, state: Path) -> None:
        async with opened(state) as journal:
            pass
        with pytest.raises(AssertionError):
            journal.writer.durable()


class _Counting(Writer):
    """``sizes`` of its commits; ``asked`` once it has come to one."""

    def __init__(self, path: Path) -> None:
        self.sizes: list[int] = []
        self.asked = threading.Event()
        super().__init__(connect(path), path)

    def _commit(self, batch: list[list[tuple[Any, ...]]]) -> None:
        if any(batch):
            self.sizes.append(sum(map(len, batch)))
            self.asked.set()
        super()._commit(batch)


class TestGroups:
    async def test_twelve_thousand_records_that_wait_take_a_few_commits_and_none_is_lost(self, state: Path) -> None:
        async with opened(state) as journal:
            run = journal.run
        writer = _Counting(state)
        with _held_up(state):
            for seq in range(12_345):
                writer.put(Kind.ROW, (run, seq, 0, seq, f"n{seq}", DIGEST, None, None, None))
            last = writer.durable()
        await asyncio.wait_for(last, 20)
        await writer.close()
        assert len(writer.sizes) <= 5
        with contextlib.closing(connect(state)) as other:
            assert other.execute("SELECT count(*) FROM rows").fetchone() == (12_345,)

    async def test_what_comes_while_a_commit_waits_is_written_in_batches_of_a_bounded_size(
        self, state: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("bulkjobs.engine.journal.writer._MAX_BATCH", 2)
        async with opened(state) as journal:
            run = journal.run
        writer = _Counting(state)
        with _held_up(state):
            for seq in range(8):
                writer.put(Kind.ROW, (run, seq, 0, seq, f"n{seq}", DIGEST, None, None, None))
                await asyncio.sleep(0)  # a turn of the loop: it is handed over
                assert await asyncio.to_thread(writer.asked.wait, 20)
        await writer.close()
        assert writer.sizes == [1, 2, 2, 2, 1]
        with contextlib.closing(connect(state)) as other:
            assert other.execute("SELECT count(*) FROM rows").fetchone() == (8,)

    async def test_records_that_come_together_count_each_for_the_size_of_a_batch(
        self, state: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("bulkjobs.engine.journal.writer._MAX_BATCH", 2)
        async with opened(state) as journal:
            run = journal.run
        rows = [(run, seq, 0, seq, f"n{seq}", DIGEST, None, None, None) for seq in range(6)]
        writer = _Counting(state)
        with _held_up(state):
            for part in (rows[:1], rows[1:4], rows[4:]):
                writer.put_all(Kind.ROW, part)
                await asyncio.sleep(0)
                assert await asyncio.to_thread(writer.asked.wait, 20)
        await writer.close()
        assert writer.sizes == [1, 3, 2]

    @pytest.mark.parametrize(("count", "waits"), [(_MANY - 1, 0), (_MANY, 1)])
    async def test_after_a_commit_of_many_records_and_of_no_fewer_the_next_ones_are_gathered_for_a_moment(
        self, state: Path, monkeypatch: pytest.MonkeyPatch, count: int, waits: int
    ) -> None:
        slept: list[float] = []
        monkeypatch.setattr("bulkjobs.engine.journal.writer.time.sleep", slept.append)
        async with opened(state) as journal:
            run = journal.run
        writer = _Counting(state)
        writer.put_all(Kind.ROW, [(run, n, 0, n, f"n{n}", DIGEST, None, None, None) for n in range(count)])
        await writer.durable()
        await writer.close()
        assert len(slept) == waits
        assert all(0 <= seconds <= _GATHER for seconds in slept)

    async def test_once_it_is_closed_its_thread_is_gone_and_its_connection_too(self, state: Path) -> None:
        async with opened(state):
            pass
        writer = _Counting(state)
        writer.durable()
        await writer.close()
        assert not writer._thread.is_alive()
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            writer._connection.execute("SELECT 1")

    async def test_within_a_batch_an_end_comes_before_the_next_intent_of_its_name(self, journal: Journal) -> None:
        first = put_intent(journal, "n1")
        await journal.writer.durable()
        asks = _asks(journal)
        with _held_up(journal.path):
            put_row(journal, 7)  # takes the thread into a batch that has to wait
            assert await asyncio.to_thread(asks.wait, 20)
            second = put_intent(journal, "n1")
            put_end(journal, first, "throttled", closed=True)  # even the wrong way round
            future = journal.writer.durable()
        await future
        assert _attempts(journal.path) == [(first, "n1", 1), (second, "n1", 0)]

    async def test_records_that_come_together_are_all_written_in_their_order_between_those_before_and_after(
        self, journal: Journal
    ) -> None:
        rows = [(journal.run, seq, 0, seq + 2, f"n{seq}", None, None, None, None) for seq in range(9)]
        journal.put(Kind.ROW, *rows[0])
        journal.writer.put_all(Kind.ROW, rows[1:8])
        journal.put(Kind.ROW, *rows[8])
        await journal.writer.durable()
        assert journal.ask("SELECT seq, line, name FROM rows ORDER BY seq") == [(r[1], r[3], r[4]) for r in rows]

    async def test_records_of_one_kind_keep_their_order(self, journal: Journal) -> None:
        put_row(journal, 0)
        for outcome in ("rejected", "not_sent", "created"):
            journal.put(
                Kind.FINISHED, outcome, None, None, None, None, None, 1, None, 5_000, None, journal.run, 0
            )  # fmt: skip
        await journal.writer.durable()
        with contextlib.closing(connect(journal.path)) as other:
            assert other.execute("SELECT outcome FROM rows").fetchall() == [("created",)]


class TestOneOpenAttempt:
    async def test_a_second_open_attempt_of_a_name_is_refused_by_the_database(self, state: Path) -> None:
        with contextlib.suppress(StateError):
            async with opened(state) as journal:
                put_intent(journal, "n1")
                put_intent(journal, "n1")
                with pytest.raises(StateError, match="UNIQUE"):
                    await journal.writer.durable()
        assert _attempts(state) == []

    async def test_in_another_scope_it_is_another_job(self, state: Path) -> None:
        for account in ("x", "y"):
            async with opened(state, run=account, account=account) as journal:
                put_intent(journal, "n1")
        assert len(_attempts(state)) == 2


def _break(journal: Journal, how: str) -> None:
    if how == "trigger":
        with contextlib.closing(connect(journal.path)) as other:
            other.execute("CREATE TRIGGER t BEFORE INSERT ON attempts BEGIN SELECT RAISE(ABORT, 'no room'); END")
    elif how == "closed connection":
        journal.writer._connection.close()
    elif how == "table gone":
        with contextlib.closing(connect(journal.path)) as other:
            other.execute("DROP TABLE attempts")
    else:
        journal.put(Kind.WITHDRAWN, 1 << 80)  # an OverflowError, which is none of sqlite3's


BREAKS = ["trigger", "closed connection", "table gone", "not a number of SQLite's"]


class TestFailure:
    async def test_on_failure_is_told_nothing_while_all_goes_well(self, state: Path) -> None:
        async with opened(state):
            pass
        told: list[StateError] = []
        writer = Writer(connect(state), state, told.append)
        await writer.durable()
        await writer.close()
        await asyncio.sleep(0)
        assert told == []

    @pytest.mark.parametrize("how", BREAKS)
    async def test_every_waiter_is_told_and_on_failure_once_in_the_loop(self, state: Path, how: str) -> None:
        told: list[tuple[StateError, int]] = []
        journal = Journal(state)
        journal.start(lambda error: told.append((error, threading.get_ident())))
        journal.begin_run("r1", "https://a", "x", "2025-03", state.parent, 1)
        _break(journal, how)
        futures = []
        for index in range(5):
            put_intent(journal, f"n{index}")
            futures.append(journal.writer.durable())
        results = await asyncio.gather(*futures, return_exceptions=True)
        assert all(isinstance(result, StateError) for result in results)
        with pytest.raises(StateError):
            await journal.writer.durable()
        with pytest.raises(StateError, match="cannot be written"):
            await journal.close()
        assert len(told) == 1
        error, thread = told[0]
        assert thread == threading.get_ident()
        assert str(state) in error.message
        assert error.hint is not None

    async def test_nothing_later_is_written_even_if_it_could_be(self, state: Path) -> None:
        with contextlib.suppress(StateError):
            async with opened(state) as journal:
                _break(journal, "trigger")
                put_intent(journal, "n1")
                with pytest.raises(StateError):
                    await journal.writer.durable()
                with contextlib.closing(connect(state)) as other:
                    other.execute("DROP TRIGGER t")
                put_row(journal, 1)
                put_intent(journal, "n2")
        with contextlib.closing(connect(state)) as other:
            assert other.execute("SELECT count(*) FROM rows").fetchone() == (0,)
        assert _attempts(state) == []

    async def test_the_batch_of_the_failure_is_written_not_at_all(self, state: Path) -> None:
        with contextlib.suppress(StateError):
            async with opened(state) as journal:
                _break(journal, "trigger")
                with _held_up(state):
                    put_row(journal, 1)
                    put_intent(journal, "n1")
                    future = journal.writer.durable()
                with pytest.raises(StateError):
                    await future
        with contextlib.closing(connect(state)) as other:
            assert other.execute("SELECT count(*) FROM attempts").fetchone() == (0,)

    async def test_a_failure_that_nobody_waits_for_is_told_as_well(self, state: Path) -> None:
        told = asyncio.Event()
        journal = Journal(state)
        journal.start(lambda _: told.set())
        journal.put(Kind.WITHDRAWN, 1 << 80)
        await asyncio.wait_for(told.wait(), 5)
        with pytest.raises(StateError):
            await journal.close()

    async def test_a_waiter_that_was_cancelled_does_not_disturb_the_others(self, journal: Journal) -> None:
        with _held_up(journal.path):
            put_intent(journal, "n1")
            cancelled, other = journal.writer.durable(), journal.writer.durable()
            cancelled.cancel()
        await other

    def test_a_loop_that_is_gone_does_not_stop_what_is_left_from_being_written(self, state: Path) -> None:
        async def leave_without_closing() -> Journal:
            journal = Journal(state).start()
            journal.begin_run("r1", "https://a", "x", "2025-03", state.parent, 1)
            other = connect(state)
            other.execute("BEGIN IMMEDIATE")
            held_up.append(other)
            put_intent(journal, "n1")
            journal.writer.durable()
            return journal

        held_up: list[sqlite3.Connection] = []
        journal = asyncio.run(leave_without_closing())
        held_up[0].execute("ROLLBACK")
        held_up[0].close()
        journal.writer._queue.put(None)
        journal.writer._thread.join(5)
        assert not journal.writer._thread.is_alive()
        assert _attempts(state) == [(1, "n1", 0)]


_PUTS_INTENTS = """
import asyncio, resource, signal, sys
from pathlib import Path
from bulkjobs.engine.journal.journal import Journal
from bulkjobs.engine.journal.statements import Kind
from bulkjobs.errors import StateError

async def main(path, limit):
    journal = Journal(path).start()
    journal.begin_run("r1", "https://a", "x", "2025-03", path.parent, 1)
    if limit:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        for n in range(100_000):
            attempt = journal.new_attempt()
            journal.put(Kind.INTENT, attempt, journal.scope, journal.run, n, f"n{n}", 1, b"d" * 900, n)
            await journal.writer.durable()
            print(attempt, flush=True)
    except StateError as error:
        print("refused:", error.message, flush=True)
    for close in (lambda: asyncio.to_thread(journal.end_run, "failed", None, 9, {}, 1), journal.close):
        try:
            await close()
        except StateError as error:
            print("refused:", error.message, flush=True)

asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
"""


def _start(path: Path, limit: int = 0) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _PUTS_INTENTS, str(path), str(limit)], stdout=subprocess.PIPE, text=True
    )


class TestProcesses:
    @pytest.mark.parametrize("confirmed", [1, 40])
    async def test_a_confirmed_intent_survives_sigkill(self, state: Path, confirmed: int) -> None:
        with _start(state) as process:
            assert process.stdout is not None
            said = [int(process.stdout.readline()) for _ in range(confirmed)]
            process.send_signal(signal.SIGKILL)
            said += [int(line) for line in process.stdout if line.endswith("\n")]
        assert state.with_name("journal.db-wal").stat().st_size > 0
        async with opened(state, run="r2") as journal:
            Pending(journal).remember_wanted()
            assert {attempt.attempt for attempt in Pending(journal).open_attempts_elsewhere()} >= set(said)
            assert journal.new_attempt() > max(said)

    @pytest.mark.parametrize("where", ["file size limit", "full file system"])
    async def test_a_full_disk_loses_no_confirmed_intent(self, state: Path, where: str) -> None:
        with contextlib.ExitStack() as stack:
            if where == "full file system":
                state.parent.mkdir(parents=True)
                _mount(stack, state.parent, "size=600k")
            with _start(state, limit=300_000 if where == "file size limit" else 0) as process:
                assert process.stdout is not None
                lines = process.stdout.read().splitlines()
            said = {int(line) for line in lines if line.isdigit()}
            refused = [line for line in lines if line.startswith("refused:")]
            assert len(said) > 10
            assert len(refused) >= 2
            assert all("full" in line or "disk" in line for line in refused)
            with contextlib.closing(connect(state)) as other:
                found = {attempt for (attempt,) in other.execute("SELECT id FROM attempts WHERE closed = 0")}
            assert found >= said


def _mount(stack: contextlib.ExitStack, folder: Path, options: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=False, capture_output=True)
    if done.returncode:
        pytest.skip("this machine does not let root mount a file system")
    stack.callback(lambda: subprocess.run(["umount", "-l", folder], check=True))

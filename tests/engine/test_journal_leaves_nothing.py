"""Opening, refusing and closing a journal leaves nothing behind: no open file, no thread, no half-made file."""

from __future__ import annotations

import os
import socket
import stat
import threading
from pathlib import Path

import pytest

from bulkjobs.engine.journal.journal import Journal
from bulkjobs.engine.journal.lock import Lock, is_held
from bulkjobs.engine.journal.pruning import delete_older
from bulkjobs.engine.journal.schema import VERSION, connect
from bulkjobs.engine.journal.statements import Kind
from bulkjobs.errors import StateBusy, StateError

from .conftest import durable, opened


def _open_files() -> int:
    return len(os.listdir("/dev/fd"))


async def test_a_journal_that_was_closed_keeps_no_file_and_no_thread(state: Path) -> None:
    before = _open_files()
    for _ in range(2):  # once made, once found
        await Journal(state).start().close()
    assert _open_files() == before
    assert "journal" not in {thread.name for thread in threading.enumerate()}
    assert sorted(path.name for path in state.parent.iterdir()) == ["journal.db", "journal.db.lock"]


class TestLock:
    def test_one_that_is_refused_keeps_no_file_open(self, state: Path) -> None:
        lock = Lock(state, "a")
        before = _open_files()
        with pytest.raises(StateBusy):
            Lock(state, "b")
        assert (_open_files(), is_held(state)) == (before, True)
        lock.release()

    def test_asking_keeps_no_file_open(self, state: Path) -> None:
        lock = Lock(state, "a")
        before = _open_files()
        assert is_held(state)
        lock.release()
        assert not is_held(state)
        assert _open_files() == before - 1

    def test_releasing_twice_closes_once(self, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        closed: list[int] = []
        real = os.close
        lock = Lock(state, "a")

        def close(handle: int) -> None:
            closed.append(handle)
            real(handle)

        monkeypatch.setattr("bulkjobs.engine.journal.lock.os.close", close)
        lock.release()
        lock.release()
        assert len(closed) == 1

    def test_it_says_who_holds_it_and_nothing_of_who_held_it_before(self, state: Path) -> None:
        Lock(state, "somebody with a long name" * 9).release()
        lock = Lock(state, "a")
        text = f"a, process {os.getpid()} on {socket.gethostname()}\n"
        assert state.with_name("journal.db.lock").read_text(encoding="utf-8") == text
        lock.release()

    def test_a_holder_that_is_no_text_is_shown_as_what_can_be_shown(self, state: Path) -> None:
        lock = Lock(state, "a")
        state.with_name("journal.db.lock").write_bytes(b"\xff" + b"x" * 400)
        with pytest.raises(StateBusy) as raised:
            Lock(state, "b")
        assert raised.value.message == f"state file {state} is in use by \ufffd{'x' * 299}"
        lock.release()


class TestHalfMade:
    async def test_what_a_killed_process_left_of_a_new_one_is_cleared(self, state: Path) -> None:
        state.parent.mkdir()
        for suffix in (".new", ".new-journal"):
            state.with_name(state.name + suffix).write_bytes(b"left")
        async with opened(state):
            assert not list(state.parent.glob("*.new*"))

    async def test_it_is_private_before_it_has_its_name(self, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        modes: list[int] = []
        real = os.rename

        def rename(old: Path, new: Path) -> None:
            modes.append(stat.S_IMODE(old.stat().st_mode))
            real(old, new)

        monkeypatch.setattr("bulkjobs.engine.journal.schema.os.rename", rename)
        before = os.umask(0)
        try:
            await Journal(state).close()
        finally:
            os.umask(before)
        assert modes == [0o600]


class TestDeletingOldRuns:
    async def test_follows_no_link(self, state: Path, tmp_path: Path) -> None:
        async with opened(state):
            pass
        link = tmp_path / "link.db"
        link.symlink_to(state)
        with pytest.raises(StateError, match="links are not followed"):
            delete_older(link, 1)

    async def test_touches_no_journal_of_another_release(self, state: Path) -> None:
        async with opened(state):
            pass
        other = connect(state)
        other.execute(f"PRAGMA user_version = {VERSION + 1}")
        other.close()
        with pytest.raises(StateError, match="another release"):
            delete_older(state, 1)

    async def test_of_nothing_deletes_nothing(self, state: Path) -> None:
        async with opened(state):
            pass
        pruned = delete_older(state, 1)
        assert (pruned.run_ids, pruned.rows, pruned.attempts, pruned.open_intents) == ((), 0, 0, 0)


async def test_what_is_said_last_of_a_name_that_is_no_row_is_what_counts(state: Path) -> None:
    async with opened(state) as journal:
        for outcome in ("unresolved", "deleted"):
            journal.put(Kind.ORPHAN, journal.run, "n1", outcome, "j1", None)
            journal.put(Kind.REMOVED, journal.run, "n1", "j1", outcome, None, None)
            await durable(journal)
        for table in ("orphans", "removals"):
            assert journal.ask(f"SELECT name, outcome FROM {table}") == [("n1", "deleted")]

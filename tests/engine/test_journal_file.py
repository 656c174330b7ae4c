"""The file itself: private, never replaced in silence, and refused with a reason when it is not sound."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bulkjobs.engine.journal.history import History
from bulkjobs.engine.journal.journal import Journal
from bulkjobs.engine.journal.lock import Lock, is_held
from bulkjobs.engine.journal.pending import Pending
from bulkjobs.engine.journal.schema import VERSION, connect
from bulkjobs.errors import StateBusy, StateError

from .conftest import durable, opened, put_intent, put_row


async def _filled(path: Path) -> None:
    async with opened(path) as journal:
        for index in range(60):
            put_row(journal, index)
            put_intent(journal, f"n{index}", index)


def _open_names(path: Path) -> list[str]:
    """What a run would find open. Raises what a run would raise."""
    journal = Journal(path)
    try:
        journal.scope = 1
        Pending(journal).remember_wanted()
        names = [attempt.name for attempt in Pending(journal).open_attempts_elsewhere()]
    finally:
        asyncio.run(journal.close())
    with History(path) as history:
        for past in history.runs():
            list(history.rows(past))
    return names


@pytest.fixture
def sound(state: Path) -> Path:
    asyncio.run(_filled(state))
    return state


def _refused(path: Path) -> StateError:
    with pytest.raises(StateError) as raised:
        Journal(path)
    error = raised.value
    assert str(path) in error.message
    assert error.hint
    assert not is_held(path)
    return error


def _not_a_database(path: Path) -> None:
    path.write_bytes(b"name,bucket\nn1,b\n" * 100)


def _another_database(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE t (x)")
        other.commit()


def _open_descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


class TestNeverAFreshStartInSilence:
    @pytest.mark.parametrize("size", [0, 1, 99, 100, 4096, 4097, 8192, 20_000])
    def test_a_truncated_journal_is_refused(self, sound: Path, size: int) -> None:
        os.truncate(sound, size)
        before = sound.read_bytes()
        assert "damaged" in _refused(sound).message
        assert sound.read_bytes() == before

    def test_an_empty_journal_is_refused_before_sqlite_drops_its_log(self, sound: Path) -> None:
        os.truncate(sound, 0)
        log = sound.with_name("journal.db-wal")
        log.write_bytes(b"all that is left")
        _refused(sound)
        with pytest.raises(StateError, match="empty"):
            History(sound)
        assert log.exists()

    @pytest.mark.parametrize("text", [b"name,bucket\n", b"{}", b"SQLite? no"])
    def test_a_small_file_that_is_no_journal_is_called_that_and_not_damaged(self, state: Path, text: bytes) -> None:
        state.parent.mkdir()
        state.write_bytes(text)
        assert _refused(state).message.endswith("is not a bulkjobs journal")
        with pytest.raises(StateError, match="is not a bulkjobs journal"):
            History(state)
        assert state.read_bytes() == text

    def test_a_small_file_that_cannot_be_read_is_no_traceback(
        self, sound: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refused(_: Path) -> bytes:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

        os.truncate(sound, 200)
        monkeypatch.setattr(Path, "read_bytes", refused)
        with pytest.raises(StateError, match="cannot be read: Permission denied"):
            History(sound)

    def test_what_is_left_of_a_journal_is_called_cut_short(self, sound: Path) -> None:
        os.truncate(sound, 200)
        assert "is damaged: it is cut short" in _refused(sound).message

    def test_a_log_without_its_journal_is_refused(self, sound: Path) -> None:
        sound.rename(sound.with_name("journal.db-wal"))
        assert "journal.db-wal is there" in _refused(sound).message
        assert not sound.exists()

    def test_no_flipped_bit_loses_an_open_attempt_in_silence(self, sound: Path) -> None:
        good = sound.read_bytes()
        expected = _open_names(sound)
        refused = 0
        for position in [*range(0, 100, 3), *range(100, len(good), 293)]:
            damaged = bytearray(good)
            damaged[position] ^= 1 << position % 8
            sound.write_bytes(damaged)
            try:
                assert _open_names(sound) == expected
            except StateError:
                refused += 1
            for side in ("-wal", "-shm"):
                sound.with_name(sound.name + side).unlink(missing_ok=True)
        assert refused > 20

    def test_a_name_that_changed_under_its_index_is_refused(self, sound: Path) -> None:
        raw = sound.read_bytes()
        at = raw.rindex(b"n59")
        places: list[int] = []
        while (at := raw.find(b"n59", 0 if not places else places[-1] + 1)) >= 0:
            places.append(at)
        refused = 0
        for place in places:
            sound.write_bytes(raw[:place] + b"n5y" + raw[place + 3 :])
            with contextlib.suppress(StateError):
                assert "n59" in _open_names(sound)
                continue
            refused += 1
        assert refused >= 2  # in the table, and in the index

    @pytest.mark.parametrize("make", [_not_a_database, _another_database])
    def test_a_file_that_is_no_journal_is_refused_and_left_as_it_is(
        self, state: Path, make: Callable[[Path], None]
    ) -> None:
        state.parent.mkdir()
        make(state)
        before = state.read_bytes()
        _refused(state)
        assert state.read_bytes() == before

    def test_a_journal_of_another_release_is_refused_with_both_versions(self, sound: Path) -> None:
        with contextlib.closing(connect(sound)) as other:
            other.execute(f"PRAGMA user_version = {VERSION + 1}")
        assert f"schema {VERSION + 1}, this one has {VERSION}" in _refused(sound).message
        with pytest.raises(StateError):
            History(sound)

    def test_a_missing_journal_is_an_error_to_those_who_only_read(self, state: Path) -> None:
        with pytest.raises(StateError, match="does not exist"):
            History(state)
        assert not state.parent.exists()

    def test_a_half_made_journal_of_a_killed_process_is_made_again(self, state: Path) -> None:
        state.parent.mkdir()
        state.with_name("journal.db.new").write_bytes(b"")
        assert _open_names(state) == []
        assert not state.with_name("journal.db.new").exists()

    def test_a_journal_that_cannot_be_made_leaves_nothing_half_made(
        self, state: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(new: Path, _to: object) -> None:
            new.with_name(new.name + "-journal").write_bytes(b"of a process that was killed in its transaction")
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "rename", full)
        assert "No space left" in _refused(state).message
        assert [path.name for path in state.parent.iterdir()] == ["journal.db.lock"]


class TestPlaces:
    def test_a_directory_is_refused(self, state: Path) -> None:
        state.mkdir(parents=True)
        assert "Is a directory" in _refused(state).message

    def test_a_pipe_is_refused(self, state: Path) -> None:
        state.parent.mkdir()
        os.mkfifo(state)
        assert "not a regular file" in _refused(state).message

    @pytest.mark.parametrize("planted", ["journal.db", "journal.db.lock"])
    def test_a_symbolic_link_is_not_followed(self, state: Path, tmp_path: Path, planted: str) -> None:
        victim = tmp_path / "victim"
        victim.write_text("mine")
        state.parent.mkdir()
        (state.parent / planted).symlink_to(victim)
        with pytest.raises(StateError) as raised:
            Journal(state)
        assert raised.value.hint
        assert (victim.read_text(), stat.S_IMODE(victim.stat().st_mode) & 0o077) != ("mine", 0)
        assert victim.read_text() == "mine"

    def test_a_log_that_is_a_symbolic_link_is_not_followed(self, sound: Path, tmp_path: Path) -> None:
        victim = tmp_path / "victim"
        victim.write_text("mine")
        sound.with_name("journal.db-wal").symlink_to(victim)
        _refused(sound)
        assert victim.read_text() == "mine"

    def test_a_folder_that_is_a_file_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(StateError) as raised:
            Journal(tmp_path / "file" / "journal.db")
        assert raised.value.hint

    @pytest.mark.parametrize("exists", [True, False])
    def test_a_read_only_file_system_is_refused(self, sound: Path, exists: bool) -> None:
        if not exists:
            sound.unlink()
        with _read_only(sound.parent), pytest.raises(StateError, match="Read-only file system") as raised:
            Journal(sound)
        assert raised.value.hint

    @pytest.mark.parametrize("umask", [0o000, 0o022])
    async def test_all_files_are_for_their_owner_only(self, state: Path, umask: int) -> None:
        before = os.umask(umask)
        try:
            async with opened(state) as journal:
                put_row(journal, 0)
                await durable(journal)
                modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in state.parent.iterdir()}
        finally:
            os.umask(before)
        assert modes == {f"journal.db{suffix}": 0o600 for suffix in ("", "-wal", "-shm", ".lock")}
        assert stat.S_IMODE(state.parent.stat().st_mode) == 0o700

    async def test_a_journal_that_others_could_read_is_made_private(self, state: Path) -> None:
        await _filled(state)
        for name in ("journal.db", "journal.db.lock"):
            state.with_name(name).chmod(0o644)
        async with opened(state, run="r2"):
            for name in ("journal.db", "journal.db.lock"):
                assert stat.S_IMODE(state.with_name(name).stat().st_mode) == 0o600


@contextlib.contextmanager
def _read_only(folder: Path) -> Iterator[None]:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a folder read-only")
    bind = subprocess.run(["mount", "--bind", folder, folder], check=False, capture_output=True)
    if bind.returncode:
        pytest.skip("this machine does not let root mount a folder")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


_HOLDS = """
import sys
from pathlib import Path
from bulkjobs.engine.journal.lock import Lock
Lock(Path(sys.argv[1]), "bulkjobs submit, run r9\\x1b[31m")
print("held", flush=True)
sys.stdin.read()
"""


class TestLock:
    def test_a_second_process_is_refused_and_told_who_holds_it_until_that_one_dies(self, state: Path) -> None:
        with subprocess.Popen(
            [sys.executable, "-c", _HOLDS, str(state)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            assert is_held(state)
            with pytest.raises(StateBusy) as raised:
                Journal(state)
            assert f"in use by bulkjobs submit, run r9\\x1b[31m, process {holder.pid} on " in raised.value.message
            assert raised.value.hint
            holder.send_signal(signal.SIGKILL)
        assert not is_held(state)
        asyncio.run(Journal(state).close())

    def test_nobody_holds_what_was_never_made(self, state: Path) -> None:
        assert not is_held(state)

    def test_releasing_twice_does_no_harm(self, state: Path) -> None:
        lock = Lock(state, "a")
        lock.release()
        lock.release()
        Lock(state, "b").release()

    def test_a_holder_without_a_name_is_another_process(self, state: Path) -> None:
        lock = Lock(state, "a")
        os.truncate(state.with_name("journal.db.lock"), 0)
        before = _open_descriptors()
        with pytest.raises(StateBusy, match="in use by another process"):
            Lock(state, "b")
        assert _open_descriptors() == before
        lock.release()

    def test_being_asked_about_does_not_look_like_being_held(
        self, state: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        Lock(state, "a").release()
        asks = os.open(state.with_name("journal.db.lock"), os.O_RDONLY)
        fcntl.flock(asks, fcntl.LOCK_SH)  # as ``is_held`` does, for a moment
        waits: list[float] = []

        def wait(seconds: float) -> None:
            waits.append(seconds)
            if len(waits) == 2:
                os.close(asks)

        monkeypatch.setattr("bulkjobs.engine.journal.lock.time.sleep", wait)
        Lock(state, "b").release()
        assert sum(waits) < 0.1

    @pytest.mark.parametrize("call", ["flock", "ftruncate"])
    def test_a_lock_that_cannot_be_had_is_an_error_of_the_disk(
        self, state: Path, monkeypatch: pytest.MonkeyPatch, call: str
    ) -> None:
        def broken(*_: object) -> None:
            raise OSError(37, "No locks available")

        monkeypatch.setattr(f"bulkjobs.engine.journal.lock.{'fcntl' if call == 'flock' else 'os'}.{call}", broken)
        before = _open_descriptors()
        with pytest.raises(StateError, match="No locks available") as raised:
            Lock(state, "a")
        assert raised.value.hint
        assert not is_held(state)
        assert _open_descriptors() == before

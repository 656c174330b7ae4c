"""Disks that are full, broken, read-only or damaged: each told with exit code 9, and no intent is ever lost."""

from __future__ import annotations

import errno
import shutil
import subprocess
import sys

import pytest

from tests.faults.server import Exchange

from .shim import Shim, calls_in
from .stage import Ran, Stage, bytes_of, is_told

ERRORS = pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO], ids=["full", "broken"])


class Disk:
    """A disk that fails from the moment that a request of some kind comes to the server."""

    def __init__(self, stage: Stage) -> None:
        self.note = stage.folder.parent / f"{stage.folder.name}.disk-fails"
        self._stage = stage

    def fails_at(self, operation: str, nth: int) -> None:
        async def fail(exchange: Exchange) -> None:
            self.note.touch()
            await exchange.ordinary()

        self._stage.server.on(operation, fail, skip=nth - 1)

    def mend(self) -> None:
        self.note.unlink()


@pytest.fixture
def disk(stage: Stage) -> Disk:
    return Disk(stage)


@ERRORS
@pytest.mark.parametrize("call", ["write", "sync"])
async def test_an_intent_that_cannot_be_written_is_not_sent(
    stage: Stage, shim: Shim, disk: Disk, call: str, error: int
) -> None:
    disk.fails_at("list", 1)  # what is written next are the intents
    ran = await stage.ran(**shim.fail(call, "journal.db-wal", error, when=disk.note))
    is_told(ran, f"state file {stage.state}: cannot be written", "nothing more was sent", "run the same command again")
    assert stage.server.creates() == 0
    disk.mend()
    await stage.resumed()


@ERRORS
@pytest.mark.parametrize("call", ["write", "sync"])
async def test_an_outcome_that_cannot_be_written_leaves_its_intent_to_the_next_run(
    stage: Stage, shim: Shim, disk: Disk, call: str, error: int
) -> None:
    disk.fails_at("create", 5)
    ran = await stage.ran("--concurrency", "1", **shim.fail(call, "journal.db-wal", error, when=disk.note))
    is_told(ran, f"state file {stage.state}: cannot be written", "run the same command again")
    assert 5 <= stage.server.creates() <= 7, "what was durable before went out, no more"
    disk.mend()
    resumed = await stage.resumed()
    if call == "write":  # what was written and not synced may be there all the same
        assert resumed.summary["counts"]["adopted"] >= 1


@pytest.mark.parametrize("skip", [0, 1, 2, 8, 15, 40])
async def test_a_journal_that_cannot_be_made_or_begun_is_made_by_the_next_run(
    stage: Stage, shim: Shim, skip: int
) -> None:
    error = errno.EIO if skip % 2 else errno.ENOSPC
    ran = await stage.ran(**shim.fail("write", "journal.db", error, skip=skip))
    is_told(ran, str(stage.state))
    assert stage.server.creates() == 0
    assert not list(stage.state.parent.glob("*.new*"))
    await stage.resumed()


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("create", errno.ENOSPC),
        ("write", errno.ENOSPC),
        ("write", errno.EIO),
        ("sync", errno.EIO),
        ("rename", errno.EIO),
    ],
)
async def test_a_report_that_cannot_be_written_is_told_and_written_by_the_next_run(
    stage: Stage, shim: Shim, call: str, error: int
) -> None:
    ran = await stage.ran(**shim.fail(call, "results.csv", error))
    is_told(ran, "report", "results.csv: cannot be written", "bulkjobs report")
    assert stage.server.creates() == 20
    assert not list(stage.reports.glob("*/*.partial"))
    resumed = await stage.resumed()
    assert resumed.summary["counts"]["existing"] == 20


async def test_a_limit_on_the_size_of_files_is_a_full_disk(stage: Stage) -> None:
    process = await _shell(stage, 'ulimit -f 60; exec "$@"')
    is_told(process, "state file", str(stage.state))
    await stage.resumed()


async def test_too_few_file_descriptors_end_in_no_traceback_and_no_second_job(stage: Stage) -> None:
    ran = await _shell(stage, 'ulimit -n 40; exec "$@"')
    assert "Traceback" not in ran.err
    assert ran.code in (0, 5, 6, 9), ran
    await stage.resumed()


async def test_the_names_of_a_new_state_folder_are_on_disk_before_anything_is_sent(stage: Stage, shim: Shim) -> None:
    stage.state = stage.folder / "new" / "newer" / "journal.db"
    trace = stage.folder / "trace"
    ran = await stage.ran(**shim.trace(trace))
    assert ran.code == 0, ran
    calls = calls_in(trace)
    first = next(call.number for call in calls if call.name in ("connect", "send"))
    synced = {call.path for call in calls if call.name == "sync" and call.number < first}
    assert {str(stage.folder), str(stage.folder / "new"), str(stage.state.parent)} <= synced


# File systems


def _needs_mounts() -> None:
    """Root alone may mount, in a mount namespace that goes with its process."""
    tool = shutil.which("unshare")
    tried = tool and subprocess.run(
        [tool, "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False
    )
    if not tried or tried.returncode:
        pytest.skip("file systems can be mounted by root only, with unshare and mount")


async def _shell(stage: Stage, script: str) -> Ran:
    """The command (``"$@"``) in a shell of its own."""
    wrapped = ["sh", "-c", script, "sh", sys.executable, "-m", "bulkjobs"]
    return await stage.wrapped(wrapped)


@pytest.mark.parametrize("known", [False, True], ids=["a new journal", "a journal that is there"])
async def test_a_read_only_file_system_is_told_before_anything_is_sent(stage: Stage, known: bool) -> None:
    _needs_mounts()
    if known:
        await stage.ran()
    stage.state.parent.mkdir(exist_ok=True)
    before, sent = bytes_of(stage.state.parent), len(stage.server.requests)
    folder = stage.state.parent
    ran = await _shell(
        stage, f'mount --bind {folder} {folder} && mount -o remount,bind,ro {folder} && exec "$@"'.join(_IN_NAMESPACE)
    )
    is_told(ran, str(stage.state), "Read-only file system", "--state FILE")
    assert len(stage.server.requests) == sent
    assert bytes_of(stage.state.parent) == before
    await stage.resumed()


async def test_reports_on_a_read_only_file_system_are_told_and_come_with_the_next_run(stage: Stage) -> None:
    _needs_mounts()
    folder = stage.reports
    folder.mkdir()
    ran = await _shell(
        stage, f'mount --bind {folder} {folder} && mount -o remount,bind,ro {folder} && exec "$@"'.join(_IN_NAMESPACE)
    )
    is_told(ran, "report", "Read-only file system", "bulkjobs report")
    await stage.resumed()


@pytest.mark.parametrize("size", ["60k", "120k", "180k", "240k"])
async def test_a_small_disk_that_is_full_loses_nothing_once_it_has_grown(stage: Stage, size: str) -> None:
    _needs_mounts()
    stage.server.on_create = lambda _: None  # the journal lies where only the program sees it
    folder = stage.state.parent
    folder.mkdir()
    script = (
        f"mount -t tmpfs -o size={size},mode=700 tmpfs {folder} && "
        f'{{ "$@"; echo full $? >&2; mount -o remount,size=20m {folder}; "$@"; code=$?; '
        f"cp {folder}/journal.db {stage.folder}/kept.db; exit $code; }}"
    )
    ran = await _shell(stage, script.join(_IN_NAMESPACE))
    assert "full 9" in ran.err, ran
    assert ran.code == 0, ran
    assert all(stage.server.creates(name) == 1 for name in stage.names)


_IN_NAMESPACE = ("unshare -m sh -c '", '\' sh "$@"')

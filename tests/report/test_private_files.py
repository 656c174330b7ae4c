"""Report files are their owner's, whole or absent, and never written through a link that somebody planted."""

from __future__ import annotations

import fcntl
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bulkjobs.errors import StateBusy, StateError
from bulkjobs.report import private_files
from bulkjobs.report.render import FILES, render

from .made import created, csv_bytes, inventory, rejected, rendered, rows_of, run_of

ROOT = Path(__file__).parents[2]
ROWS = [created(0, 2), rejected(0, 3)]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat(follow_symlinks=False).st_mode)


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_folders_and_files_are_their_owners_only_whatever_the_umask(tmp_path: Path) -> None:
    folder = tmp_path / "reports" / "deep" / "run"
    rendered(run_of(), ROWS, folder)
    for path in (tmp_path / "reports", tmp_path / "reports" / "deep", folder):
        assert mode(path) == 0o700
    assert {path.name: mode(path) for path in folder.iterdir()} == dict.fromkeys(FILES, 0o600)


def test_a_folder_that_others_could_read_is_closed_and_one_above_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "reports" / "run").mkdir(parents=True)
    (tmp_path / "reports").chmod(0o755)
    (tmp_path / "reports" / "run").chmod(0o777)
    rendered(run_of(), ROWS, tmp_path / "reports" / "run")
    assert mode(tmp_path / "reports" / "run") == 0o700
    assert mode(tmp_path / "reports") == 0o755


@pytest.mark.parametrize("kind", ["link to a folder", "link to nothing", "file"])
def test_a_folder_that_is_none_is_refused(tmp_path: Path, kind: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    folder = tmp_path / "run"
    if kind == "file":
        folder.write_text("x")
    else:
        folder.symlink_to(elsewhere)
        if kind == "link to a folder":
            elsewhere.mkdir()
    with pytest.raises(StateError, match="is a link or a file, not a folder") as raised:
        render(run_of(), rows_of(ROWS), folder)
    assert "bulkjobs report run-1 --report-dir DIR" in str(raised.value.hint)
    assert not elsewhere.exists() or list(elsewhere.iterdir()) == []


def test_a_folder_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run").mkdir(mode=0o755)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(StateError, match="belongs to another user"):
        render(run_of(), rows_of(ROWS), tmp_path / "run")
    assert mode(tmp_path / "run") == 0o755
    assert list((tmp_path / "run").iterdir()) == []


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("pattern", ["{}", ".{}.partial"])
def test_a_planted_link_is_replaced_and_what_it_leads_to_stays(tmp_path: Path, name: str, pattern: str) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / pattern.format(name)).symlink_to(victim)
    report = rendered(run_of(), ROWS, tmp_path / "run")
    assert victim.read_text() == "precious"
    assert set(report.files) == set(FILES)
    assert not any(path.is_symlink() for path in report.folder.iterdir())


def test_drafts_of_a_killed_process_are_cleared_away_and_other_files_are_not(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    for name in FILES:
        (tmp_path / "run" / f".{name}.partial").write_text("half")
    (tmp_path / "run" / "notes.txt").write_text("mine")
    report = rendered(run_of(), ROWS, tmp_path / "run")
    assert set(report.files) == {*FILES, "notes.txt"}


def test_two_processes_do_not_write_one_report_at_once(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    handle = os.open(tmp_path / "run", os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(StateBusy, match="another process is writing this report"):
        render(run_of(), rows_of(ROWS), tmp_path / "run")
    os.close(handle)
    rendered(run_of(), ROWS, tmp_path / "run")


_LIMITED = """
import resource, signal, sys
from pathlib import Path
from bulkjobs.errors import BulkJobsError
from tests.report.made import created, inventory, rejected, rendered, run_of
limit, folder = int(sys.argv[1]), Path(sys.argv[2])
rows = [make(0, line, name="n" * 400 + str(hash(str(line)))) for line in range(3_000) for make in (created, rejected)]
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    rendered(run_of(), rows, folder)
except BulkJobsError as error:
    print(f"{int(error.exit_code)}|{error.message}|{error.hint}")
"""


@pytest.mark.parametrize("limit", [0, 30_000, 400_000])
def test_a_full_disk_is_a_state_error_and_leaves_nothing_half(tmp_path: Path, limit: int) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _LIMITED, str(limit), str(tmp_path / "run")],
        capture_output=True, text=True, check=True, cwd=ROOT, timeout=60, env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    code, message, hint = done.stdout.strip().split("|")
    assert code == "9"
    assert message.startswith(f"report {tmp_path / 'run'}/")
    assert message.endswith("cannot be written: File too large")
    assert hint.endswith("bulkjobs report run-1")
    assert done.stderr == ""
    assert list((tmp_path / "run").iterdir()) == []


class _Disk:
    """The ``os`` module, of which the n-th call that can fail does; calls are counted."""

    def __init__(self, fails_at: int) -> None:
        self.calls = 0
        self._fails_at = fails_at

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        if name not in ("open", "fchmod", "fsync", "replace", "unlink"):
            return real

        def call(*args: Any, **options: Any) -> Any:
            self.calls += 1
            if self.calls == self._fails_at:
                raise OSError(28, "No space left on device")
            return real(*args, **options)

        return call


def test_whichever_call_to_the_disk_fails_there_is_no_half_report(tmp_path: Path) -> None:
    record = inventory(tmp_path / "in.csv", csv_bytes(["a"], ["1"], ["2"]), 2)
    folder = tmp_path / "run"
    before = rendered(run_of(record), [created(0, 2), created(0, 3)], folder).files
    after = rendered(run_of(record), ROWS, tmp_path / "other").files
    outcomes = []
    for fails_at in range(1, 100):
        rendered(run_of(record), [created(0, 2), created(0, 3)], folder)
        with pytest.MonkeyPatch.context() as patch:
            disk = _Disk(fails_at)
            patch.setattr(private_files, "os", disk)
            outcomes.append(_try(lambda: render(run_of(record), rows_of(ROWS), folder)))
        files = {path.name: path.read_bytes() for path in folder.iterdir()}
        assert not any(name.endswith(".partial") for name in files), fails_at
        assert all(data in (before[name], after[name]) for name, data in files.items()), fails_at
        assert files in (before, after) or "summary.json" not in files, fails_at
        if disk.calls < fails_at:
            break
    assert outcomes[-1] is None
    assert sum("No space left on device" in (outcome or "") for outcome in outcomes) > 15


def _try(act: Callable[[], object]) -> str | None:
    try:
        act()
    except StateError as error:
        return error.message
    return None


def test_a_report_that_cannot_be_written_leaves_the_one_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rendered(run_of(), ROWS, tmp_path / "run").files

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StateError, match=r"results\.csv: cannot be written: No space left on device"):
        render(run_of(), rows_of(ROWS[:1]), tmp_path / "run")
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before


def test_a_folder_in_the_place_of_a_file_is_a_state_error(tmp_path: Path) -> None:
    (tmp_path / "run" / "retry.csv").mkdir(parents=True)
    with pytest.raises(StateError, match=r"retry\.csv: cannot be written"):
        render(run_of(), rows_of(ROWS), tmp_path / "run")
    assert "summary.json" not in {path.name for path in (tmp_path / "run").iterdir()}


def test_the_summary_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rendered(run_of(), ROWS, tmp_path / "run")
    seen = []
    real = os.replace

    def watched(source: str, target: str, **options: int) -> None:
        seen.append((target, (tmp_path / "run" / "summary.json").exists()))
        real(source, target, **options)

    monkeypatch.setattr(os, "replace", watched)
    rendered(run_of(), ROWS, tmp_path / "run")
    assert seen == [(name, False) for name in FILES]
    assert FILES[-1] == "summary.json"


def test_open_files_do_not_pile_up(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        rendered(run_of(), ROWS, tmp_path / "run")
        with pytest.raises(StateError):
            render(run_of(), rows_of(ROWS), Path("/proc/nothing/here"))
    assert len(os.listdir("/proc/self/fd")) == before
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["rows"] == 2

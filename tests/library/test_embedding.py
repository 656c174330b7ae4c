"""A program that uses the library keeps what is its own: logging, signals, loop, threads, locale, chance."""

from __future__ import annotations

import asyncio
import locale
import logging
import os
import random
import signal
import subprocess
import sys
import threading
import warnings
from importlib.util import find_spec
from pathlib import Path

import pytest
import structlog

import bulkjobs

SAMPLE = Path(__file__).parents[2] / "inputs" / "sample.csv"
SLOW = (
    "pandas",
    "numpy",
    "pyarrow",
    "aiohttp",
    "structlog",
    "jinja2",
    "sqlite3",
    "asyncio",
    "logging",
    "click",
    "rich",
)


def surroundings() -> dict[str, object]:
    """What is one for the whole process."""
    mask = os.umask(0)
    os.umask(mask)
    return {
        "handlers": list(logging.root.handlers),
        "level": logging.root.level,
        "disabled": logging.root.manager.disable,
        "structlog": structlog.is_configured(),
        "signals": [signal.getsignal(number) for number in sorted(signal.valid_signals())],
        "locale": locale.setlocale(locale.LC_ALL),
        "warnings": list(warnings.filters),
        "policy": asyncio.get_event_loop_policy(),
        "chance": random.getstate(),
        "hooks": (sys.excepthook, sys.unraisablehook),
        "folder": Path.cwd(),
        "umask": mask,
        "environment": dict(os.environ),
    }


def open_files() -> set[str]:
    return {os.path.realpath(each) for each in Path("/proc/self/fd").iterdir()}


async def rehearse(folder: Path) -> bulkjobs.Submitted:
    places = bulkjobs.Places(folder / "journal.db", folder)
    return await bulkjobs.submit([SAMPLE], bulkjobs.Target(sandbox=True), places)


async def test_a_run_leaves_everything_of_the_process_as_it_was(tmp_path: Path) -> None:
    await rehearse(tmp_path)  # numpy, when it is first imported, adds filters of warnings
    during: list[dict[str, object]] = []
    before, tasks = surroundings(), asyncio.all_tasks()
    submitted = await bulkjobs.submit(
        [SAMPLE],
        bulkjobs.Target(sandbox=True),
        bulkjobs.Places(tmp_path / "journal.db", tmp_path),
        on_start=lambda _run, _id: during.append(surroundings()),
    )
    assert submitted.result.exit_code is bulkjobs.ExitCode.OK
    for now in (*during, surroundings()):
        assert {key: value for key, value in now.items() if value != before[key]} == {}
    assert len(during) == 1
    assert asyncio.all_tasks() == tasks


async def test_a_run_says_nothing_of_its_own(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await rehearse(tmp_path)
    assert capfd.readouterr() == ("", "")
    assert [record for record in caplog.records if record.name != "asyncio"] == []


async def test_a_run_shares_the_loop_with_what_else_runs_there(tmp_path: Path) -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    await rehearse(tmp_path)
    assert turns > 10
    assert not task.done()
    task.cancel()


@pytest.mark.skipif(find_spec("uvloop") is None, reason="uvloop is not installed: it is the embedding program's choice")
def test_a_run_goes_by_a_loop_of_another_kind(tmp_path: Path) -> None:
    uvloop = pytest.importorskip("uvloop")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(rehearse(tmp_path)).result.exit_code is bulkjobs.ExitCode.OK


async def test_a_cancelled_run_ends_and_leaves_no_task_and_a_state_that_goes_on(tmp_path: Path) -> None:
    tasks = asyncio.all_tasks()
    begun = asyncio.Event()
    places = bulkjobs.Places(tmp_path / "journal.db", tmp_path)
    run = asyncio.create_task(
        bulkjobs.submit([SAMPLE], bulkjobs.Target(sandbox=True), places, on_start=lambda _run, _id: begun.set())
    )
    await begun.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert asyncio.all_tasks() == tasks
    assert (await rehearse(tmp_path)).result.exit_code is bulkjobs.ExitCode.OK


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="this system does not list a process's open files")
async def test_a_run_that_could_not_begin_leaves_no_thread_that_goes_on_reading(tmp_path: Path) -> None:
    inventory = tmp_path / "many.csv"
    header, *rows = SAMPLE.read_text(encoding="utf-8").splitlines(keepends=True)
    inventory.write_text(header + rows[0] * 50_000, encoding="utf-8")
    (tmp_path / "journal.db").write_text("no journal", encoding="utf-8")
    with pytest.raises(bulkjobs.StateError):
        await bulkjobs.submit(
            [inventory], bulkjobs.Target(sandbox=True), bulkjobs.Places(tmp_path / "journal.db", tmp_path)
        )
    assert "head start" not in {thread.name for thread in threading.enumerate()}
    assert str(inventory) not in open_files()


def test_the_import_loads_and_configures_nothing() -> None:
    asks = f"import sys; before = set(sys.modules); import bulkjobs; print(set({SLOW!r}) & (set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", asks], check=True, capture_output=True, text=True, timeout=30)
    assert (done.stdout, done.stderr) == ("set()\n", "")


async def test_what_was_validated_is_what_is_sent_also_between_two_calls(tmp_path: Path) -> None:
    path = tmp_path / "jobs.csv"
    path.write_bytes(SAMPLE.read_bytes())
    inventory = bulkjobs.InventoryFile(path)
    assert bulkjobs.validate([inventory]).errors == 0
    path.write_bytes(SAMPLE.read_bytes().replace(b"job001", b"job901"))
    with pytest.raises(bulkjobs.InventoryChanged):
        await bulkjobs.submit(
            [inventory], bulkjobs.Target(sandbox=True), bulkjobs.Places(tmp_path / "journal.db", tmp_path)
        )


async def test_a_report_of_a_programs_rows_can_be_rendered_again(tmp_path: Path) -> None:
    row = {"name": "from_a_query", "bucket": "raw", "prefix": "in", "fields": "id:bigint", "note": "=1"}
    inventory = bulkjobs.rows_from(
        [row | {"target_bucket": "clean", "target_prefix": "out"}], name="query", folder=tmp_path / ".rows"
    )
    state = tmp_path / "journal.db"
    submitted = await bulkjobs.submit([inventory], bulkjobs.Target(sandbox=True), bulkjobs.Places(state, tmp_path))
    results = (submitted.folder / "results.csv").read_bytes()
    assert b'"from_a_query","created"' in results
    again, _ = bulkjobs.render_again(state, submitted.run_id, tmp_path / "again")
    assert (again / "results.csv").read_bytes() == results

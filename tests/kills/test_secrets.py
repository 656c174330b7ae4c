"""What the program leaves behind: no key or signature anywhere, nothing that others can read, no link followed.

Every stage is searched for the canary when its test ends; here are the places that it does not look at.
"""

from __future__ import annotations

import asyncio
import os
import stat
import tempfile
from pathlib import Path

import pytest

from tests.faults.canary import leaks
from tests.faults.server import Exchange
from tests.faults.wire_faults import resetting

from .shim import Shim
from .stage import Stage

UMASKS = pytest.mark.parametrize("umask", [0o000, 0o022], ids=["umask 000", "umask 022"])


async def test_all_that_goes_wrong_is_told_without_key_or_signature(stage: Stage, tmp_path: Path) -> None:
    async def echo(exchange: Exchange) -> None:
        """A server, or a proxy, that says our headers back to us."""
        await exchange.answer(400, {"detail": str(exchange.request.headers), "errorType": "bad-parameter"})

    stage.server.on("create", echo, name="job03", times=None)
    stage.server.on("create", resetting(made=True), name="job04")
    stage.server.on("list", resetting(made=False))
    log, temporary = stage.folder / "log.json", tmp_path / "temporary"
    temporary.mkdir()
    options = ("--log-file", str(log), "--log-format", "json", "--json")
    ran = await stage.ran(*options, TMPDIR=str(temporary))
    assert ran.code == 4, ran
    assert log.stat().st_size > 1_000, "the log at debug level says much"
    assert not list(temporary.iterdir())
    report = {f"report of {code}": text.encode() for code, text in (("out", ran.out), ("err", ran.err))}
    assert not leaks(report, [stage.folder], stage.server.secrets)


async def test_neither_arguments_nor_the_names_of_open_files_hold_a_key(stage: Stage) -> None:
    came, go_on = asyncio.Event(), asyncio.Event()

    async def wait(exchange: Exchange) -> None:
        came.set()
        await go_on.wait()
        await exchange.ordinary()

    stage.server.on("create", wait)
    stage.nursery = None  # a fork has the arguments of its parent
    process = await stage.start()
    await asyncio.wait_for(came.wait(), 30)
    of_process = Path(f"/proc/{process.pid}")
    seen = {"arguments": (of_process / "cmdline").read_bytes(), "name": (of_process / "comm").read_bytes()}
    for handle in (of_process / "fd").iterdir():
        seen[f"file {handle.name}"] = os.readlink(handle).encode()
    go_on.set()
    await stage.finish(process)
    assert not leaks(seen, [], stage.server.secrets)


async def test_the_temporary_folder_of_the_machine_gets_no_file_of_ours(stage: Stage, shim: Shim) -> None:
    trace = stage.folder.parent / f"{stage.folder.name}.trace"
    await stage.ran("--log-file", str(stage.folder / "log"), **shim.trace(trace))
    made = [line.split(" ", 2)[2] for line in trace.read_text().splitlines() if " create /" in line]
    assert made
    assert all(Path(path).is_relative_to(stage.folder) for path in made), f"{made} (not {tempfile.gettempdir()})"


@UMASKS
async def test_what_the_program_makes_is_for_its_owner_only(stage: Stage, shim: Shim, umask: int) -> None:
    old = os.umask(umask)
    try:
        process = await stage.start("--log-file", str(stage.folder / "log"), **shim.kill_on("send", nth=12))
        await stage.finish(process)
    finally:
        os.umask(old)
    files = list(stage.state.parent.iterdir())
    assert {path.name for path in files} >= {"journal.db", "journal.db-wal", "journal.db-shm", "journal.db.lock"}
    _are_private([*files, stage.folder / "log", stage.state.parent])
    old = os.umask(umask)
    try:
        process = await stage.start("--log-file", str(stage.folder / "log"), "--json")
        code, _, err = await stage.finish(process)
    finally:
        os.umask(old)
    assert code == 0, err
    _are_private([stage.state.parent, *stage.state.parent.iterdir(), stage.folder / "log"])
    _are_private([stage.reports, *stage.reports.rglob("*")])


def _are_private(paths: list[Path]) -> None:
    for path in paths:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), f"{path}: {mode:o}"


@pytest.mark.parametrize("dangling", [False, True], ids=["to a file", "to nothing"])
@pytest.mark.parametrize("name", ["journal.db", "journal.db.lock", "journal.db-wal", "log"])
async def test_a_planted_link_is_refused_and_what_it_leads_to_stays_as_it_is(
    stage: Stage, name: str, dangling: bool
) -> None:
    victim = stage.folder / "victim"
    if not dangling:
        victim.write_text("precious")
        victim.chmod(0o644)
    folder = stage.state.parent if name != "log" else stage.folder
    folder.mkdir(exist_ok=True)
    (folder / name).symlink_to(victim)
    ran = await stage.ran("--log-file", str(stage.folder / "log"))
    assert ran.code == 9, ran
    assert name.removesuffix("-wal") in ran.said()
    assert not stage.server.requests
    assert victim.exists() is not dangling
    if not dangling:
        assert victim.read_text() == "precious"
        assert stat.S_IMODE(victim.stat().st_mode) == 0o644
    (folder / name).unlink()
    await stage.resumed()


async def test_a_report_folder_that_is_a_link_is_refused_and_written_by_the_next_run_elsewhere(stage: Stage) -> None:
    victim = stage.folder / "victim"
    victim.mkdir()
    stage.reports.mkdir()
    (stage.reports / "mine").symlink_to(victim)
    ran = await stage.ran("--run-id", "mine")
    assert ran.code == 9, ran
    assert "is a link or a file, not a folder; nothing was written" in ran.said()
    assert not list(victim.iterdir())
    (stage.reports / "mine").unlink()
    await stage.resumed()

"""A journal that is damaged, of another release, of other accounts, or in use: never a fresh start in silence."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime

import pytest

from bulkjobs.library import Places, new_run_id
from tests.faults.server import Exchange
from tests.waiting import until

from .shim import Shim
from .stage import Stage, bytes_of, is_told


async def _half_done(stage: Stage, shim: Shim) -> dict[str, bytes]:
    """A run that was killed with intents open: its journal's files."""
    ran = await stage.ran(**shim.kill_on("send", nth=12, how="after"))
    assert ran.code < 0
    await until(lambda: not stage.server._writers)  # it has read what the dead process sent
    return bytes_of(stage.state.parent)


async def _is_refused(stage: Stage, *words: str) -> None:
    before, sent = bytes_of(stage.state.parent), len(stage.server.requests)
    is_told(await stage.ran(), str(stage.state), *words)
    assert len(stage.server.requests) == sent, "nothing is asked, nothing is sent"
    after = bytes_of(stage.state.parent)
    assert {name: after.get(name) for name in before} == before, "what is damaged is evidence"


def _restore(stage: Stage, files: dict[str, bytes]) -> None:
    for path in stage.state.parent.iterdir():
        path.unlink()
    for name, content in files.items():
        (stage.state.parent / name).write_bytes(content)


@pytest.mark.parametrize("kept", [0, 100, 4096, 0.5])
async def test_a_truncated_journal_is_refused_and_a_copy_of_it_goes_on(stage: Stage, shim: Shim, kept: float) -> None:
    sound = await _half_done(stage, shim)
    size = stage.state.stat().st_size
    os.truncate(stage.state, int(size * kept) if kept < 1 else int(kept))
    (stage.state.parent / "journal.db-wal").unlink()  # or SQLite would mend the file from it
    await _is_refused(stage, "damaged")
    _restore(stage, sound)
    await stage.resumed()


async def test_a_journal_with_flipped_bits_is_refused_and_a_copy_of_it_goes_on(stage: Stage, shim: Shim) -> None:
    await _half_done(stage, shim)
    with closing(sqlite3.connect(stage.state)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'attempts'").fetchone()
        (size,) = db.execute("PRAGMA page_size").fetchone()
    sound = bytes_of(stage.state.parent)
    with stage.state.open("r+b") as file:
        file.seek((page - 1) * size + 3)
        flipped = bytes(byte ^ 0xFF for byte in file.read(2))
        file.seek((page - 1) * size + 3)
        file.write(flipped)
    await _is_refused(stage, "damaged")
    _restore(stage, sound)
    await stage.resumed()


async def test_a_journal_of_an_older_schema_is_refused_with_both_versions(stage: Stage, shim: Shim) -> None:
    await _half_done(stage, shim)
    with closing(sqlite3.connect(stage.state)) as db:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        db.execute(f"PRAGMA user_version = {version - 1}")
    await _is_refused(stage, "another release", f"schema {version - 1}, this one has {version}", "--state FILE")
    with closing(sqlite3.connect(stage.state)) as db:
        db.execute(f"PRAGMA user_version = {version}")
    await stage.resumed()


async def test_a_journal_that_knows_other_accounts_only_says_so_and_goes_on(stage: Stage) -> None:
    stage.server.truth.lag = 0.0  # an account that the journal does not know begins at once
    first = await stage.ran()
    assert "scope.new" not in first.err
    ran = await stage.ran("--account", "another", "--json")
    assert ran.code == 0
    assert ran.summary["counts"]["existing"] == 20
    assert "scope.new" in ran.err
    assert "another" in ran.err
    assert "scope.new" not in (await stage.ran("--account", "another")).err


async def test_an_id_from_the_time_is_none_that_the_journal_has_though_its_report_was_never_begun(stage: Stage) -> None:
    ran = await stage.ran("--json")
    run = ran.summary["run"]
    shutil.rmtree(stage.reports)
    began = datetime.strptime(run, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert new_run_id(int(began.timestamp() * 1000), Places(stage.state, stage.reports)) == f"{run}-2"


# Two processes


async def test_a_second_process_is_refused_at_once_and_told_who_is_at_work(stage: Stage) -> None:
    came, go_on = asyncio.Event(), asyncio.Event()

    async def wait(exchange: Exchange) -> None:
        came.set()
        await go_on.wait()
        await exchange.ordinary()

    stage.server.on("create", wait)
    first = await stage.start("--concurrency", "1")
    await asyncio.wait_for(came.wait(), 30)
    sent, begun = len(stage.server.requests), time.monotonic()
    second = await stage.ran()
    assert second.code == 8, second
    assert f"process {first.pid} on " in second.said()
    assert "in use by run " in second.said()
    assert "wait until it ends" in second.said()
    assert time.monotonic() - begun < 10, "it does not wait for the first"
    assert len(stage.server.requests) == sent
    go_on.set()
    code, _, _ = await stage.finish(first)
    assert code == 0
    await stage.resumed()

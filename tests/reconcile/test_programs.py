"""``make_plan``, ``reconcile`` and ``rollback`` as functions: whose clock they go by, and that the loop stays free."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bulkjobs import library, reconciliation
from bulkjobs.engine.clock import Clock
from bulkjobs.errors import NotFinished
from bulkjobs.library import Places, Target
from bulkjobs.reconciliation import Around, make_plan, reconcile, rollback
from bulkjobs.sandbox import Sandbox
from bulkjobs.settings import Settings

from .stage import HEADER


@pytest.fixture
async def around(tmp_path: Path) -> AsyncIterator[Around]:
    async with Sandbox() as sandbox:
        keys = {"NCLOUD_ACCESS_KEY_ID": sandbox.access_key, "NCLOUD_SECRET_ACCESS_KEY": sandbox.secret_key}
        places = Places(tmp_path / "journal.db", tmp_path, "one")
        yield Around(Target(sandbox.endpoint, environment=keys), places, Settings(rate=1_000, settle=0.0))


@pytest.fixture
def inventory(tmp_path: Path) -> list[Path]:
    path = tmp_path / "jobs.csv"
    row = "alpha,raw,in,id:bigint,,clean,out"
    path.write_text(f"{','.join(HEADER)}\n{row}\n", encoding="utf-8")
    return [path]


async def test_requests_are_signed_by_the_clock_that_was_passed_in(around: Around, inventory: list[Path]) -> None:
    ahead = Clock(wall_ms=lambda: time.time_ns() // 1_000_000 + 600_000)
    with pytest.raises(NotFinished, match="clock is 10 minutes ahead"):
        await make_plan(inventory, Around(around.target, around.places, around.settings, clock=ahead))


async def test_reports_are_written_beside_the_loop_old_ones_too(
    around: Around, inventory: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []
    watched = _watched(threads, library.render_again)
    monkeypatch.setattr(reconciliation, "render_again", watched)
    monkeypatch.setattr(library, "render_again", watched)
    await reconcile(inventory, around)
    places = around.places
    with contextlib.closing(sqlite3.connect(places.state)) as db:
        db.execute("UPDATE runs SET reported = 0")
        db.commit()
    await rollback("one", Around(around.target, Places(places.state, places.report_dir, "two"), around.settings))
    assert len(threads) == 3
    assert threading.main_thread() not in threads


def _watched(threads: list[threading.Thread], real: Any) -> Any:
    def render_again(*given: Any, **named: Any) -> Any:
        threads.append(threading.current_thread())
        return real(*given, **named)

    return render_again

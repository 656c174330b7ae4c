"""SIGKILL at every call that touches state or network, and again while the next run recovers.

A run of 20 rows makes some hundreds of such calls. The suite takes a spread of them; the whole of them, each three
ways, is ``pytest -m sweep tests/kills/test_kill_sweep.py -s``.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.nursery import Nursery

from .shim import Shim, calls_in
from .stage import Stage, staged

WAYS = ("before", "half", "after")
PLACES = 12
KILLED = -signal.SIGKILL
_SEED = 20261124


async def _calls(folder: Path, shim: Shim, nursery: Nursery) -> int:
    """How many calls a run makes that nothing happens to."""
    async with staged(folder, nursery) as stage:
        ran = await stage.ran(**shim.trace(folder / "trace"))
        assert ran.code == 0, ran
        return len(calls_in(folder / "trace"))


@pytest.fixture(scope="session")
def calls(tmp_path_factory: pytest.TempPathFactory, shim: Shim, nursery: Nursery) -> int:
    return asyncio.run(_calls(tmp_path_factory.mktemp("calls"), shim, nursery))


def test_the_shim_counts_what_touches_state_and_network_and_nothing_else(
    tmp_path: Path, shim: Shim, nursery: Nursery
) -> None:
    asyncio.run(_calls(tmp_path, shim, nursery))
    calls = calls_in(tmp_path / "trace")
    kinds = Counter(call.name for call in calls)
    assert set(kinds) == {"create", "write", "sync", "truncate", "rename", "unlink", "connect", "send"}
    assert kinds["send"] >= 20
    assert all(call.path == "" for call in calls if call.name in ("connect", "send"))
    journal = [call for call in calls if call.path.endswith("journal.db-wal")]
    assert {"write", "sync"} <= {call.name for call in journal}
    ours = [call for call in calls if Path(call.path).is_relative_to(tmp_path)]
    assert not [call for call in calls if call not in ours and ("/dev/" in call.path or "pipe:" in call.path)]


@pytest.mark.parametrize("place", range(PLACES))
async def test_a_run_that_is_killed_at_a_call_is_resumed_with_every_job_made_once(
    stage: Stage, shim: Shim, calls: int, place: int
) -> None:
    seeded = random.Random(f"{_SEED} {place}")
    at = calls * place // PLACES + seeded.randrange(1, calls // PLACES + 1)
    ran = await stage.ran(**shim.kill(at, WAYS[place % 3]))
    assert ran.code in (KILLED, 0)
    await stage.resumed()


@pytest.mark.parametrize(
    ("call", "part"), [("create", ".results.csv.partial"), ("rename", "results.csv"), ("rename", "summary.json")]
)
async def test_a_run_that_is_killed_while_it_writes_its_report_gets_it_from_the_next(
    stage: Stage, shim: Shim, call: str, part: str
) -> None:
    ran = await stage.ran(**shim.kill_on(call, part))
    assert ran.code == KILLED
    await stage.resumed()


async def test_a_report_that_a_recovery_was_killed_in_is_written_by_the_one_after_it(stage: Stage, shim: Shim) -> None:
    for ways in (shim.kill_on("send", nth=5), shim.kill_on("create", ".results.csv.partial")):
        assert (await stage.ran(**ways)).code == KILLED
    await stage.resumed()


@pytest.mark.parametrize("sends", [8, 20])
async def test_jobs_that_the_first_list_after_a_kill_does_not_show_yet_are_found_once_settled(
    stage: Stage, shim: Shim, sends: int
) -> None:
    stage.server.truth.lag, stage.settle = 1.5, 2.0  # the list comes one second after the start
    assert (await stage.ran(**shim.kill_on("send", nth=sends))).code == KILLED
    made = stage.server.creates()
    assert made
    counts = (await stage.resumed()).summary["counts"]
    assert counts["adopted"] + counts["existing"] == made  # whether their outcomes were on disk yet or not


async def test_runs_that_follow_each_other_within_a_second_have_ids_of_their_own(stage: Stage, shim: Shim) -> None:
    for _ in range(3):
        assert (await stage.ran(**shim.kill_on("connect"))).code == KILLED
    await stage.resumed()


@pytest.mark.parametrize("place", range(2))
async def test_a_run_that_is_killed_and_killed_again_while_it_recovers_is_resumed_all_the_same(
    stage: Stage, shim: Shim, calls: int, place: int
) -> None:
    seeded = random.Random(f"{_SEED} again {place}")
    await _killed_twice(stage, shim, seeded.randrange(calls // 3, calls), seeded.randrange(30, calls), "before")


async def _killed_twice(stage: Stage, shim: Shim, first: int, second: int, how: str) -> None:
    for at in (first, second):
        ran = await stage.ran(**shim.kill(at, how))
        assert ran.code in (KILLED, 0)
    await stage.resumed()


# By hand: all of them


async def _swept(folder: Path, shim: Shim, nursery: Nursery, at: int, how: str) -> bool:
    """Killed at call ``at`` and resumed. False: the run made fewer calls than that, and survived."""
    async with staged(folder, nursery) as stage:
        ran = await stage.ran(**shim.kill(at, how))
        assert ran.code in (KILLED, 0), f"call {at}, {how}: {ran}"
        await stage.resumed()
        return ran.code == KILLED


@pytest.mark.sweep
@pytest.mark.parametrize("how", WAYS)
async def test_a_run_that_is_killed_at_any_call_is_resumed_with_every_job_made_once(
    tmp_path: Path, shim: Shim, nursery: Nursery, how: str
) -> None:
    """SWEEP_FROM and SWEEP_STEP in the environment take a part of them."""
    first, step = int(os.environ.get("SWEEP_FROM", "1")), int(os.environ.get("SWEEP_STEP", "1"))
    survived, failures = 0, []
    for at in itertools.count(first, step):
        try:
            was_killed = await _swept(_folder(tmp_path, f"{at}"), shim, nursery, at, how)
        except Exception as error:  # the sweep goes on: it is to name every point that fails
            failures.append(f"{at} {how}: {type(error).__name__}: {str(error)[:600]}")
            print(f"FAILED {failures[-1]}", flush=True)
            continue
        if not was_killed:
            break
        survived += 1
        if survived % 50 == 0:
            print(f"{how}: {survived} kills survived, {len(failures)} not", flush=True)
    print(f"{how}: {survived} kills survived, {len(failures)} not", flush=True)
    assert not failures, "\n".join(failures)


@pytest.mark.sweep
async def test_runs_that_are_killed_again_while_they_recover_are_resumed(
    tmp_path: Path, shim: Shim, nursery: Nursery, calls: int
) -> None:
    seeded, failures = random.Random(_SEED), []
    for number in range(100):
        first, second, how = seeded.randrange(1, calls), seeded.randrange(1, calls), seeded.choice(WAYS)
        try:
            async with staged(_folder(tmp_path, f"{number}"), nursery) as stage:
                await _killed_twice(stage, shim, first, second, how)
        except Exception as error:
            failures.append(f"{first} then {second} {how}: {type(error).__name__}: {str(error)[:600]}")
            print(f"FAILED {failures[-1]}", flush=True)
    print(f"killed twice: {number + 1 - len(failures)} survived, {len(failures)} not", flush=True)
    assert not failures, "\n".join(failures)


def _folder(above: Path, name: str) -> Path:
    folder = above / name
    folder.mkdir()
    return folder

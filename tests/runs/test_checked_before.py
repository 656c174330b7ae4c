"""The same inventory again: what was checked and found without fault is not checked once more."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bulkjobs.engine import checking, rules_of_checks
from bulkjobs.engine.checked_rows import CheckedRows
from bulkjobs.engine.checking import Checking
from bulkjobs.engine.journal.checks import EarlierCheck
from bulkjobs.engine.journal.pruning import delete_older
from bulkjobs.graph.expand import Expander
from bulkjobs.graph.layout import builtin_text, read_layout
from bulkjobs.inventory.limits import Limits
from bulkjobs.library import Places, Submitted, Target, submit
from bulkjobs.settings import Settings, Shard

from .conftest import Begin, World, outcomes, row, rows

MANY = 30
BEGIN = CheckedRows.begin


@dataclass
class Watch:
    """``taken``: of each run since, whether the rows of an earlier check were taken."""

    taken: list[bool] = field(default_factory=list)


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    monkeypatch.setattr(checking, "MANY", MANY)
    monkeypatch.setattr(CheckedRows, "begin", lambda self: None)  # of many rows a head start sees few
    seen = Watch()
    earlier = Checking._earlier

    async def look(self: Checking) -> EarlierCheck | None:
        found = await earlier(self)
        seen.taken.append(found is not None)
        return found

    monkeypatch.setattr(Checking, "_earlier", look)
    return seen


def inventory(count: int = 40) -> list[dict[str, str]]:
    """Rows of two shapes."""
    return [row(f"job_{number:04d}", filter="id EQ 7" if number % 8 == 5 else "") for number in range(count)]


async def again(
    world: World, path: Path, *, limits: Limits | None = None, layout: str = "", **settings: Any
) -> Submitted:
    keys = {"NCLOUD_ACCESS_KEY": world.sandbox.access_key, "NCLOUD_SECRET_KEY": world.sandbox.secret_key}
    expander = Expander(read_layout(layout, "mine.toml", {})) if layout else None
    return await submit(
        [path],
        Target(world.sandbox.endpoint, environment=keys),
        Places(world.folder / "journal.db", world.folder / "reports"),
        Settings(**{"rate": 1_000.0, "settle": 0.2, "timeout": 2.0, **settings}),
        expander,
        limits=limits,
    )


async def test_the_rows_are_those_that_were_checked(begin: Begin, watch: Watch) -> None:
    world = await begin()
    first = await world.run(inventory())
    second = await world.run(inventory())
    third = await world.run(inventory())
    assert watch.taken == [False, True, True]
    assert set(outcomes(first).values()) == {"created"}
    assert outcomes(second) == outcomes(third) == dict.fromkeys(outcomes(first), "existing")
    for ended in (second, third):
        assert (ended.result.exit_code, ended.summary["rows"]) == (0, 40)
        assert ended.summary["inventories"] == first.summary["inventories"]
    with closing(sqlite3.connect(world.folder / "journal.db")) as db:
        kept = [
            db.execute("SELECT seq, file, line, name, digest FROM rows WHERE run = ?", (run,)).fetchall()
            for run in (1, 2, 3)
        ]
    assert kept[0] == kept[1] == kept[2]
    assert len(kept[0]) == 40


async def test_what_was_not_sent_is_sent_canaries_of_each_shape_first(begin: Begin, watch: Watch) -> None:
    world = await begin()
    refused = await world.run(inventory(), max_jobs=39)
    assert refused.result.stop is not None
    assert world.names() == []
    ended = await world.run(inventory())
    assert watch.taken == [False, True]
    assert set(outcomes(ended).values()) == {"created"}
    assert world.names() == sorted(outcomes(ended))
    first = [job.name for job in sorted(world.sandbox.jobs(), key=lambda job: job.created_date)][:2]
    assert sorted(first) == ["job_0000", "job_0005"]


async def test_a_part_of_the_inventory_is_taken_as_that_part(begin: Begin, watch: Watch) -> None:
    world = await begin()
    mine = Shard(2, 3)
    first = await world.run(inventory(60), shard=mine)
    second = await world.run(inventory(60), shard=mine)
    other = await world.run(inventory(60), shard=Shard(1, 3))
    assert watch.taken == [False, True, False]
    assert sorted(outcomes(second)) == sorted(outcomes(first))
    assert second.summary["rows"] == first.summary["rows"] == len(outcomes(first))
    assert not {*outcomes(first)} & {*outcomes(other)}


async def test_it_is_taken_many_rows_at_a_time(begin: Begin, watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    world = await begin()
    await world.run(inventory(50))
    monkeypatch.setattr(checking, "_TAKEN", 7)
    ended = await world.run(inventory(50))
    assert watch.taken == [False, True]
    assert (ended.summary["rows"], set(outcomes(ended).values())) == (50, {"existing"})


async def test_a_check_that_has_begun_is_given_up(begin: Begin, watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CheckedRows, "begin", BEGIN)
    world = await begin()
    await world.run(inventory(5_000), max_jobs=1)
    ended = await world.run(inventory(5_000), max_jobs=1)
    assert watch.taken == [False, True]
    assert ended.summary["rows"] == len(outcomes(ended)) == 5_000
    assert "head start" not in {thread.name for thread in threading.enumerate()}


async def test_a_small_inventory_is_checked_each_time(begin: Begin, watch: Watch) -> None:
    world = await begin()
    await world.run(inventory(MANY - 1))
    await world.run(inventory(MANY - 1))
    assert watch.taken == [False, False]


async def test_other_bytes_are_checked(begin: Begin, watch: Watch) -> None:
    world = await begin()
    await world.run(inventory())
    changed = inventory()
    changed[17]["prefix"] = "in/job_0018"  # as long as it was
    ended = await world.run(changed)
    assert watch.taken == [False, False]
    assert outcomes(ended)["job_0017"] == "drifted"


@pytest.mark.parametrize(
    "faulty",
    [
        pytest.param(rows(40, bucket="No"), id="errors"),
        pytest.param(rows(40, target_prefix="out/the-same"), id="warnings"),
    ],
)
async def test_what_there_is_to_tell_is_told_each_time(
    faulty: list[dict[str, str]], begin: Begin, watch: Watch
) -> None:
    world = await begin()
    first, second = await world.run(faulty), await world.run(faulty)
    assert watch.taken == [False, False]
    assert first.result.problems
    assert (second.result.problems, second.result.errors, second.result.warnings) == (
        first.result.problems,
        first.result.errors,
        first.result.warnings,
    )


OTHER_LAYOUT = builtin_text().replace('regionNo = "${region_no}"', 'regionNo = "2"')


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"layout": OTHER_LAYOUT}, id="layout"),
        pytest.param({"limits": Limits(max_cell_bytes=5_000)}, id="limits"),
        pytest.param({"shard": Shard(1, 1)}, id="shard"),
    ],
)
async def test_by_other_rules_it_is_checked(other: dict[str, Any], begin: Begin, watch: Watch) -> None:
    world = await begin()
    path = world.write(inventory())
    await again(world, path)
    await again(world, path, **other)
    await again(world, path, **other)
    await again(world, path)
    assert watch.taken == [False, False, True, True]


async def test_another_layout_is_another_definition(begin: Begin, watch: Watch) -> None:
    assert builtin_text() != OTHER_LAYOUT
    world = await begin()
    path = world.write(inventory())
    await again(world, path)
    ended = await again(world, path, layout=OTHER_LAYOUT)
    assert set(outcomes(ended).values()) == {"drifted"}


async def test_another_program_checks_by_itself(begin: Begin, watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    world = await begin()
    await world.run(inventory())
    ours = rules_of_checks._PROGRAM
    changed = [(path, size, time + path.endswith("fields.py")) for path, size, time in ours]
    assert tuple(changed) != ours
    monkeypatch.setattr(rules_of_checks, "_PROGRAM", tuple(changed))
    await world.run(inventory())
    assert watch.taken == [False, False]


async def test_bytes_that_change_after_they_were_compared_are_not_sent(
    begin: Begin, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await begin()
    path = world.write(inventory())
    await again(world, path, max_jobs=1)
    compared = CheckedRows.are

    def then_edited(self: CheckedRows, earlier: EarlierCheck) -> bool:
        same = compared(self, earlier)
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("in/job_0030", "in/job_9999"), encoding="utf-8")
        return same

    monkeypatch.setattr(CheckedRows, "are", then_edited)
    ended = await again(world, path)
    assert watch.taken == [False, True]
    assert ended.result.stop is not None
    assert "the inventory changed" in ended.result.stop.reason
    assert outcomes(ended)["job_0030"] == "not_sent"
    assert "job_0030" not in world.names()


async def test_rows_that_are_not_what_is_read_are_checked_by_the_next_run(begin: Begin, watch: Watch) -> None:
    world = await begin()
    await world.run(inventory(), max_jobs=1)
    with closing(sqlite3.connect(world.folder / "journal.db")) as db, db:
        db.execute("UPDATE rows SET digest = x'0123456789abcdef0123456789abcdef' WHERE seq = 9")
    stopped = await world.run(inventory())
    assert stopped.result.stop is not None
    assert stopped.result.stop.is_of_inventory
    ended = await world.run(inventory())
    assert watch.taken == [False, True, False]
    assert ended.result.exit_code == 0
    assert world.names() == sorted(outcomes(ended))


def _dropped(db: sqlite3.Connection) -> None:
    db.execute("DROP TABLE checks")  # as the releases before had it


def _damaged(db: sqlite3.Connection) -> None:
    db.execute("UPDATE checks SET shapes = x'00'")


@pytest.mark.parametrize("spoil", [_dropped, _damaged])
async def test_a_journal_that_does_not_tell_is_no_obstacle(
    spoil: Callable[[sqlite3.Connection], None], begin: Begin, watch: Watch
) -> None:
    world = await begin()
    await world.run(inventory())
    with closing(sqlite3.connect(world.folder / "journal.db")) as db, db:
        spoil(db)
    await world.run(inventory())
    await world.run(inventory())
    assert watch.taken == [False, False, True]


async def test_checks_go_with_their_runs(begin: Begin, watch: Watch) -> None:
    world = await begin()
    first = await world.run(inventory())
    await world.run(rows(2))
    state = world.folder / "journal.db"
    with closing(sqlite3.connect(state)) as db, db:
        _dropped(db)
    assert delete_older(state, 10**15).run_ids == [first.run_id]
    second = await world.run(inventory())
    await world.run(rows(2))
    assert second.run_id in delete_older(state, 10**15).run_ids
    with closing(sqlite3.connect(state)) as db:
        assert db.execute("SELECT count(*) FROM checks").fetchone() == (0,)
    await world.run(inventory())
    assert watch.taken == [False] * 5


def test_rules_are_the_same_in_every_process(tmp_path: Path) -> None:
    layouts = sorted((Path(__file__).parents[2] / "inputs" / "layouts").glob("*.toml"))
    assert len(layouts) > 5
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from bulkjobs.engine.rules_of_checks import rules_of\n"
        "from bulkjobs.graph.layout import load_layout\n"
        "from bulkjobs.inventory.reader import InventoryFile\n"
        "for path in sys.argv[1:]:\n"
        "    layout = load_layout(Path(path), {'env': 'dev'} if 'environments' in path else None)\n"
        "    print(rules_of([InventoryFile(Path('some.csv'))], layout, None).hex())\n"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", code, *map(str, layouts)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
            cwd=tmp_path,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(told) == 1
    assert len({*told.pop().split()}) == len(layouts)

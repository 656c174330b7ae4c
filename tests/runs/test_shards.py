"""One inventory over several hosts: every row in exactly one shard."""

from __future__ import annotations

import csv
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkjobs.settings import Shard

from .conftest import Begin, outcomes, rows


@given(st.text(max_size=30), st.integers(1, 50))
def test_every_name_belongs_to_exactly_one_shard(name: str, count: int) -> None:
    assert sum(Shard(number, count).holds(name) for number in range(1, count + 1)) == 1


def test_shards_are_of_about_the_same_size() -> None:
    names = [f"job_{number:07d}" for number in range(10_000)]
    for count in (2, 3, 7, 16):
        sizes = [sum(Shard(number, count).holds(name) for name in names) for number in range(1, count + 1)]
        assert max(sizes) < 1.25 * 10_000 / count


@pytest.mark.parametrize(("number", "count"), [(0, 3), (4, 3), (1, 0), (-1, 2)])
def test_a_shard_that_does_not_exist_is_refused(number: int, count: int) -> None:
    with pytest.raises(ValueError, match="must be from 1/"):
        Shard(number, count)


async def test_shards_together_are_the_inventory_and_each_report_says_which_it_is(begin: Begin) -> None:
    world = await begin()
    inventory = rows(60)
    seen: list[str] = []
    for number in (1, 2, 3):
        ended = await world.run(inventory, shard=Shard(number, 3), state=f"host{number}.db", run_id=f"host{number}")
        assert ended.result.exit_code == 0
        part = outcomes(ended)
        assert set(part.values()) == {"created"}
        seen += part
        summary = json.loads((ended.folder / "summary.json").read_text(encoding="utf-8"))
        assert (summary["shard"], summary["rows"]) == (f"{number}/3", len(part))
        assert summary["inventories"][0]["state"] == "read"
        with (ended.folder / "results.csv").open(encoding="utf-8", newline="") as file:
            for line in csv.DictReader(file):
                assert line["prefix"] == f"in/{line['name']}", "own columns stand beside their row"
    assert sorted(seen) == world.names() == sorted(cells["name"] for cells in inventory)


async def test_a_shard_of_nothing_is_a_run_without_rows(begin: Begin) -> None:
    world = await begin()
    inventory = rows(1)
    ends = [(await world.run(inventory, shard=Shard(number, 5), state=f"{number}.db")) for number in range(1, 6)]
    assert sorted(ended.summary["rows"] for ended in ends) == [0, 0, 0, 0, 1]
    assert world.names() == ["job_0000"]

"""What was checked is what is sent (invariant 13): an inventory that changes under a run ends it, with a report."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from .scene import Scene
from .server import Exchange
from .wire_faults import resetting


def edited(scene: Scene) -> None:
    scene.inventory.write_text(scene.inventory.read_text().replace("in/delta", "in/other"))


def reordered(scene: Scene) -> None:
    head, *rows = scene.inventory.read_text().splitlines()
    scene.inventory.write_text("\n".join([head, *reversed(rows)]) + "\n")


def shortened(scene: Scene) -> None:
    lines = scene.inventory.read_text().splitlines()
    scene.inventory.write_text("\n".join(lines[:-1]) + "\n")


def lengthened(scene: Scene) -> None:
    text = scene.inventory.read_text()
    scene.inventory.write_text(text + text.splitlines()[-1].replace("echo", "foxtrot") + "\n")


def rewritten_with_the_same_rows(scene: Scene) -> None:
    scene.inventory.write_text(scene.inventory.read_text() + "\n")


def ruined(scene: Scene) -> None:
    scene.inventory.write_text(scene.inventory.read_text().replace("in/delta", '"in/delta'))


def deleted(scene: Scene) -> None:
    scene.inventory.unlink()


CHANGES = [edited, reordered, shortened, lengthened, rewritten_with_the_same_rows, ruined, deleted]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
async def test_an_inventory_that_changes_before_it_is_sent_ends_the_run_and_says_so(
    scene: Scene, change: Callable[[Scene], None]
) -> None:
    before = scene.inventory.read_text()

    async def meanwhile(exchange: Exchange) -> None:
        change(scene)
        await exchange.ordinary()

    scene.server.on("list", meanwhile)
    ended = await scene.run()
    assert ended.exit_code == 5
    assert "inventory" in ended.reason
    assert set(ended.outcomes()) <= {"created", "not_sent"}
    if change is not rewritten_with_the_same_rows:
        assert ended["echo"]["outcome"] == "not_sent"
    for job in scene.server.truth.jobs.values():
        assert job.nodes[0]["prefix"] == f"in/{job.name}", "only what was checked was sent"
    summary = json.loads((ended.submitted.folder / "summary.json").read_text())
    assert summary["state"] == "halted"
    scene.inventory.write_text(before)
    await scene.again()


async def test_a_canary_is_created_only_as_it_was_checked(scene: Scene) -> None:
    async def meanwhile(exchange: Exchange) -> None:
        scene.inventory.write_text(scene.inventory.read_text().replace("in/", "other/"))
        await exchange.ordinary()

    scene.server.on("list", meanwhile)
    ended = await scene.run(canary=1)
    assert ended.exit_code == 5
    assert "inventory" in ended.reason
    assert set(ended.outcomes()) == {"not_sent"}
    assert not scene.server.truth.jobs


async def test_in_a_long_inventory_a_changed_row_is_seen_before_it_is_sent_not_only_at_the_file_s_end(
    scene: Scene,
) -> None:
    scene.write([*scene.names, *(f"filler{number:05d}" for number in range(9_000))])

    async def meanwhile(exchange: Exchange) -> None:
        edited(scene)
        await exchange.ordinary()

    scene.server.on("list", meanwhile)
    ended = await scene.run()
    assert ended.exit_code == 5
    assert ended["delta"]["outcome"] == "not_sent"
    for job in scene.server.truth.jobs.values():
        assert job.nodes[0]["prefix"] == f"in/{job.name}", "only what was checked was sent"


async def test_what_is_on_its_way_when_the_inventory_is_found_changed_is_still_settled(scene: Scene) -> None:
    before = scene.inventory.read_text()

    async def meanwhile(exchange: Exchange) -> None:
        rewritten_with_the_same_rows(scene)
        await exchange.ordinary()

    scene.server.on("list", meanwhile)
    scene.server.on("create", resetting(made=True), name="bravo")
    ended = await scene.run()
    assert ended.exit_code in (5, 6)
    assert ended["bravo"]["outcome"] in ("unresolved", "not_sent")
    scene.inventory.write_text(before)
    await scene.again()

"""Whatever happened before, one undisturbed reconcile makes the service equal to the inventory, and only ours of it."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from .world import Fate, World, fine

NAMES = ("alpha", "bravo", "charlie", "delta")
STRANGERS = ("sierra", "tango")
FATES = ("lost", "late", "unsent", "throttled", "broken")

names = st.sampled_from(NAMES)
values = st.sampled_from(["1", "2", "3"])
fates = st.one_of(
    st.just(None),
    st.tuples(st.just("kill-before"), st.integers(0, 25)),
    st.tuples(st.just("kill-after"), st.integers(0, 25)),
    st.tuples(st.just("kill-late"), st.integers(0, 25)),
    st.tuples(st.just("faults"), st.integers(0, 10_000)),
)
steps = st.one_of(
    st.tuples(st.just("list"), names, values),
    st.tuples(st.just("drop"), names),
    st.tuples(st.just("edit"), names, values),
    st.tuples(st.just("delete"), names),
    st.tuples(st.just("execute"), names),
    st.tuples(st.just("stranger"), st.sampled_from([*STRANGERS, "delta"])),
    st.tuples(st.just("submit"), fates),
    st.tuples(st.just("reconcile"), fates),
    st.tuples(st.just("reconcile"), fates),
    st.tuples(st.just("rollback"), st.integers(0, 20), fates),
)


def fate_of(drawn: tuple[str, int] | None) -> Fate:
    if drawn is None:
        return fine
    kind, number = drawn
    if kind == "faults":
        chance = random.Random(number)
        return lambda _call, _method: chance.choice(FATES) if chance.random() < 0.2 else ""
    return lambda call, _method: kind if call == number else ""


def play(world: World, step: tuple[object, ...]) -> None:
    match step:
        case ("list", str(name), str(value)):
            world.values[name] = value
        case ("drop", str(name)):
            world.values.pop(name, None)
        case ("edit", str(name), str(value)):
            world.edit(name, value)
        case ("delete", str(name)):
            world.delete(name)
        case ("execute", str(name)):
            world.run_job(name)
        case ("stranger", str(name)):
            if name not in world.values:
                world.add_stranger(name)
        case ("submit", drawn) if world.values:
            world.submit(fate_of(drawn))  # type: ignore[arg-type]  # as drawn
        case ("reconcile", drawn) if world.values:
            world.reconcile(fate_of(drawn))  # type: ignore[arg-type]  # as drawn
        case ("rollback", int(number), drawn) if world.runs:
            of = world.runs[number % len(world.runs)]
            world.rollback(of, fate_of(drawn))  # type: ignore[arg-type]  # as drawn


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(story=st.lists(steps, min_size=3, max_size=10), seed=st.integers(0, 100))
@example(
    story=[
        ("list", "alpha", "1"), ("reconcile", None), ("list", "alpha", "2"), ("reconcile", ("kill-after", 4)),
        ("drop", "alpha"), ("list", "bravo", "1"),
    ],
    seed=0,
)  # fmt: skip
@example(
    story=[("list", "alpha", "1"), ("list", "bravo", "1"), ("submit", ("kill-after", 2)), ("drop", "alpha")], seed=0
)
def test_after_any_story_one_undisturbed_reconcile_makes_service_and_inventory_equal(
    story: list[tuple[object, ...]], seed: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), seed)
        try:
            _hold(world, story)
        finally:
            world.close()


def _hold(world: World, story: list[tuple[object, ...]]) -> None:
    world.values["keeper"] = "0"  # an inventory has a row
    for step in story:
        strangers = {name: job for name, job in world.jobs().items() if b"1697776914576" in bytes(job.nodes)}
        play(world, step)
        if step[0] not in ("edit", "delete", "execute"):
            after = world.jobs()
            assert {name: after.get(name) for name in strangers} == strangers, f"{step}: a stranger's job was touched"
    strangers = {name: job for name, job in world.jobs().items() if b"1697776914576" in bytes(job.nodes)}
    world.reconcile(includes_edited=True)
    wanted = {name: value for name, value in world.values.items() if name not in strangers}
    assert world.seen() == wanted, world.plan and world.plan.as_document()["rows"]
    assert {name: world.jobs().get(name) for name in strangers} == strangers
    world.reconcile()
    assert world.plan is not None
    assert world.plan.pending == 0


@pytest.mark.parametrize(
    ("call", "how"),
    [(call, how) for how in ("kill-before", "kill-after", "kill-late", "lost", "late") for call in range(14)]
    + [(call, how) for how in ("throttled", "unsent", "broken") for call in range(4, 14, 3)],
)
def test_any_one_fault_of_any_call_of_a_reconcile_is_survived(tmp_path: Path, call: int, how: str) -> None:
    world = World(tmp_path)
    try:
        world.values = {"alpha": "1", "bravo": "1", "charlie": "1"}
        world.reconcile()
        world.values = {"alpha": "2", "bravo": "2", "delta": "1"}
        world.reconcile(lambda number, _method: how if number == call else "")
        world.values = {"alpha": "3", "delta": "1"}
        world.reconcile()
        assert world.seen() == world.values
    finally:
        world.close()


@pytest.mark.parametrize("call", range(9))
@pytest.mark.parametrize("how", ["kill-before", "kill-after", "kill-late", "lost", "late"])
def test_any_one_fault_of_any_call_of_a_rollback_is_survived(tmp_path: Path, call: int, how: str) -> None:
    world = World(tmp_path)
    try:
        world.values = {"alpha": "1", "bravo": "1", "charlie": "1"}
        world.submit()
        world.rollback("r0", lambda number, _method: how if number == call else "")
        ended = world.rollback("r0")
        assert (world.seen(), ended.exit_code) == ({}, 0)
    finally:
        world.close()

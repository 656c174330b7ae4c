"""The estimate before a run is within a tenth of what the run then takes, faults included."""

from __future__ import annotations

import itertools
import random
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import ClientSession, web
from hypothesis import given
from hypothesis import strategies as st

from bulkjobs.engine.estimate import estimate_s
from bulkjobs.engine.resolver import READERS
from bulkjobs.engine.stragglers import NONE_LOST, Lost
from bulkjobs.engine.work import Tally
from bulkjobs.library import Places, Target, submit
from bulkjobs.sandbox import Sandbox, SandboxOptions
from bulkjobs.settings import Settings

from .conftest import World, rows
from .imagined import Fault, Scene, imagine

_LATENCY = 0.2


@asynccontextmanager
async def lossy(sandbox: Sandbox, odds: float, seed: int) -> AsyncIterator[str]:
    """The sandbox behind a proxy that loses ``odds`` of all creates: half of them on the way there, half on the way
    back. The client sees a connection that breaks. ``seed`` 0: at even distances and in turns, without any luck."""
    chance = random.Random(seed)
    seen = itertools.count(1)
    lost = itertools.count()
    session = ClientSession(auto_decompress=False)

    async def handle(request: web.Request) -> web.StreamResponse:
        is_lost = is_made = False
        if request.method == "POST":
            number = next(seen)
            is_lost = chance.random() < odds if seed else int(number * odds) > int((number - 1) * odds)
            if is_lost:
                is_made = chance.random() < 0.5 if seed else next(lost) % 2 == 0
        body = await request.read()
        if is_lost and not is_made:
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        headers = {k: v for k, v in request.headers.items() if k.lower() not in ("host", "content-length")}
        url = sandbox.endpoint + request.raw_path
        async with session.request(request.method, url, data=body, headers=headers) as answer:
            said = await answer.read()
        if is_lost:
            assert request.transport is not None
            request.transport.close()
        return web.Response(status=answer.status, body=said, content_type="application/json")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()
        await session.close()


@dataclass(frozen=True, slots=True)
class Case:
    """A run as it is planned: ``rate`` sends a second, ``odds`` that a create is lost."""

    count: int
    rate: float
    odds: float = 0.0
    concurrency: int = 32
    settle: float = 1.0
    seed: int = 0

    def estimate(self) -> float:
        return estimate_s(
            self.count,
            self.rate,
            self.concurrency,
            _LATENCY,
            lost=Lost(self.odds, silence=_LATENCY / 2),  # half of them break at once, half after an answer's time
            settle=self.settle,
            listed_pages=1,
        )

    async def took(self, folder: Path) -> float:
        """Seconds from the start of the run to its last outcome; the report is not waited for."""
        async with AsyncExitStack() as stack:
            sandbox = await stack.enter_async_context(Sandbox(SandboxOptions(latency=_LATENCY)))
            url = sandbox.endpoint
            if self.odds:
                url = await stack.enter_async_context(lossy(sandbox, self.odds, self.seed))
            world = World(sandbox, folder)
            keys = {"NCLOUD_ACCESS_KEY": sandbox.access_key, "NCLOUD_SECRET_KEY": sandbox.secret_key}
            settings = Settings(rate=self.rate, concurrency=self.concurrency, settle=self.settle, max_attempts=50)
            ends: list[float] = []
            tally = Tally(on_outcome=lambda _: ends.append(time.monotonic()))
            begun = time.monotonic()
            ended = await submit(
                [world.write(rows(self.count))],
                Target(url, environment=keys),
                Places(folder / "journal.db", folder / "reports"),
                settings,
                tally=tally,
            )
            assert ended.result.exit_code == 0
            assert len(world.names()) == len(set(world.names())) == self.count
            return ends[-1] - begun


def _is_near(estimate: float, took: float) -> bool:
    return abs(estimate - took) <= 0.1 * took


async def test_the_estimate_before_the_start_is_within_a_tenth(tmp_path: Path) -> None:
    """In real time, so a run that others hold up is made again: a wrong estimate fails each."""
    case = Case(50, 20.0, odds=0.1, settle=0.5)
    seen = []
    for run in range(4):
        (tmp_path / str(run)).mkdir()
        seen.append(await case.took(tmp_path / str(run)))
        if _is_near(case.estimate(), seen[-1]):
            return
    pytest.fail(f"estimated {case.estimate():.2f} s, took {seen} s")


GRID = [
    Case(round(rate * seconds), rate, odds, seed=seed)
    for rate, seconds in ((5.0, 20), (20.0, 20), (100.0, 15), (200.0, 10))
    for odds in (0.0, 0.01, 0.05, 0.2)
    for seed in (1, 2)
]


@pytest.mark.sweep
@pytest.mark.parametrize("case", GRID, ids=str)
async def test_the_estimate_holds_over_a_grid_of_rates_and_faults(case: Case, tmp_path: Path) -> None:
    took = await case.took(tmp_path)
    print(f"\n{case}: estimated {case.estimate():.2f} s, took {took:.2f} s, {case.estimate() / took - 1:+.1%}")
    assert _is_near(case.estimate(), took)


_HALF_MADE = 0.5
_RUNS = range(6, 81)
_SURE = 0.035


def _estimate(scene: Scene) -> float:
    """What is known before the run: odds and how long a lost send is waited for."""
    silence = {Fault.BREAKS: scene.latency / 2, Fault.HANGS: scene.silence}.get(scene.fault)
    lost = NONE_LOST if scene.fault is Fault.REFUSED else Lost(scene.odds, _HALF_MADE, silence)
    return estimate_s(
        scene.count, scene.rate, scene.concurrency, scene.latency, lost=lost, settle=scene.settle, listed_pages=1
    )


def _mean(scene: Scene) -> float:
    """The mean of as many runs as it takes to know it: chance decides how often the last rows are sent again."""
    took: list[float] = []
    while len(took) < _RUNS.start or (
        len(took) < _RUNS.stop and statistics.stdev(took) > _SURE * sum(took) / len(took) ** 0.5
    ):
        took.append(imagine(scene, len(took) + 1).seconds)
    return statistics.fmean(took)


QUICK_SCENES = [
    Scene(300, 100.0, latency=0.02),
    Scene(60, 500.0, concurrency=4),
    Scene(800, 500.0, 0.2),  # slots are the limit, and a send that breaks at once holds none
    Scene(400, 200.0, 0.2, Fault.FAILS, 0.02),
    Scene(600, 100.0, 0.05, Fault.HANGS),  # what hangs holds a slot, and its settle begins when it is given up
    Scene(200, 20.0, 0.2, settle=15.0),  # most of what is sent again comes after all others
    Scene(300, 100.0, 0.05, Fault.REFUSED),
]


@pytest.mark.parametrize("scene", QUICK_SCENES, ids=str)
def test_the_estimate_is_within_a_tenth_of_the_mean_on_a_virtual_clock(scene: Scene) -> None:
    took, estimate = _mean(scene), _estimate(scene)
    assert _is_near(estimate, took), f"estimated {estimate:.2f} s, took {took:.2f} s, {estimate / took - 1:+.1%}"


SCENES = [
    Scene(round(rate * seconds), rate, odds, fault, latency)
    for rate, seconds in ((5.0, 20), (20.0, 20), (100.0, 15), (200.0, 12), (500.0, 8))
    for latency in (0.02, 0.2)
    for fault in Fault
    for odds in (0.0, 0.01, 0.05, 0.2)
]


@pytest.mark.sweep
@pytest.mark.parametrize("scene", SCENES, ids=str)
def test_the_estimate_holds_over_a_grid_of_rates_faults_and_latencies(scene: Scene) -> None:
    took, estimate = _mean(scene), _estimate(scene)
    print(f"\n{scene}: estimated {estimate:.2f} s, took {took:.2f} s, {estimate / took - 1:+.1%}")
    assert _is_near(estimate, took)


def test_nothing_to_do_takes_the_listing_only() -> None:
    assert estimate_s(0, 10.0, 32, 0.1, listed_pages=3) == pytest.approx(0.3, rel=0.05)
    assert estimate_s(0, 10.0, 32, 0.1) == 0.0


def test_the_slower_of_rate_and_slots_counts() -> None:
    by_rate = estimate_s(10_000, 10.0, 32, 0.1)
    by_slots = estimate_s(10_000, 1_000.0, 2, 0.1)
    assert by_rate == pytest.approx(1_000, rel=0.02)
    assert by_slots == pytest.approx(10_000 * 0.104 / 2, rel=0.02)


def test_a_lost_send_holds_its_slot_until_it_is_given_up() -> None:
    for silence in (0.0, 1.0):
        lost = Lost(0.2, made=1.0, silence=silence)
        estimate = estimate_s(10_000, 1_000.0, 2, 0.1, lost=lost, settle=1.0)
        assert estimate == pytest.approx(10_000 * (0.004 + 0.08 + 0.2 * silence) / 2, rel=0.03)


def test_an_unknown_end_costs_its_settle_time_and_maybe_another_send() -> None:
    calm = estimate_s(1, 10.0, 32, 0.1, settle=15.0)
    assert estimate_s(1, 10.0, 32, 0.1, settle=15.0, lost=Lost(0.5)) == pytest.approx(
        calm + 15.2 * 0.5 / (1 - 0.25), rel=0.1
    )


def test_a_rate_that_is_to_be_found_out_is_slower_than_one_that_is_known() -> None:
    assert estimate_s(1_000, None, 32, 0.1) > estimate_s(1_000, 300.0, 32, 0.1)
    assert estimate_s(3, None, 32, 0.1) < 2.0


@pytest.mark.parametrize("rate", [0.01, 0.5, 20.0])
def test_the_first_send_and_the_first_page_go_at_once(rate: float) -> None:
    took = imagine(Scene(5, rate, latency=0.05), 1).seconds
    assert estimate_s(5, rate, 32, 0.05, listed_pages=1) == pytest.approx(took, rel=0.03)


def test_reads_find_their_rate_too() -> None:
    assert 0.8 < estimate_s(60, None, 32, 0.003, reads=400, listed_pages=1) < 1.5  # 1.4 s were seen; 100 s at 4/s
    assert estimate_s(0, None, 32, 0.2, reads=3_000, listed_pages=1) == pytest.approx(3_000 * 0.2 / READERS, rel=0.1)


def test_a_page_after_another_waits_for_its_answer_only_while_the_rate_is_found_out() -> None:
    assert estimate_s(0, None, 32, 0.2, listed_pages=1) == pytest.approx(0.2)
    assert estimate_s(0, None, 32, 0.2, listed_pages=100) == pytest.approx(20.0, rel=0.05)


@given(
    st.integers(0, 5_000),
    st.one_of(st.none(), st.floats(0.01, 10_000)),
    st.integers(1, 1_000),
    st.floats(0, 60),
    st.floats(0, 1),
)
def test_any_figures_give_a_number_of_seconds_and_more_rows_never_take_less(
    count: int, rate: float | None, concurrency: int, latency: float, odds: float
) -> None:
    estimate = estimate_s(count, rate, concurrency, latency, lost=Lost(odds))
    assert 0.0 <= estimate < float("inf")
    # Without unknown ends: many of them are looked up by one listing, which may take less than a look at each.
    assert estimate_s(count + 100, rate, concurrency, latency) >= estimate_s(count, rate, concurrency, latency) * 0.99

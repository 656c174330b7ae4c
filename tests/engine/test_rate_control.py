"""The adaptive rate against services whose limit it does not know (issue 5), in virtual time."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from itertools import pairwise, product
from statistics import fmean

import pytest

from bulkjobs.engine.estimate import _FOLD_LATENCIES, _FOLD_S
from bulkjobs.engine.learned import AGE_MS, START, Learned
from bulkjobs.engine.rate_control import RateControl

from .rate_model import FixedWindow, Outcome, Service, SlidingWindow, TokenBucket, World, simulate

LIMITS = (2, 15, 40, 200)
KINDS = ("sliding", "sliding, refusals count", "fixed", "token bucket")
WORLDS = {
    "near": World(latency=0.02, jitter=0.005),
    "jitter": World(latency=0.1, jitter=0.04),
    "far": World(latency=0.3, jitter=0.03),
}
STRAY = World(latency=0.1, jitter=0.03, stray=1 / 500)
BURSTS = World(latency=0.1, jitter=0.03, burst_every=20.0)
SEEDS = (1, 2)
WARM_UP = 10.0


def service_of(kind: str, limit: float) -> Service:
    match kind:
        case "sliding":
            return SlidingWindow(limit)
        case "sliding, refusals count":
            return SlidingWindow(limit, counts_refused=True)
        case "fixed":
            return FixedWindow(limit)
        case _:
            return TokenBucket(limit)


def run(kind: str, limit: float, world: World, seed: int, **options: float) -> Outcome:
    ceiling, learned = options.pop("ceiling", None), options.pop("learned", None)
    rng = random.Random(seed)
    control = RateControl(rng.uniform, ceiling=ceiling, learned=learned)
    return simulate(control, service_of(kind, limit), world, rng, **options)  # type: ignore[arg-type]  # two of them


def within_reach(limit: float, world: World) -> float:
    """What the slots allow at this latency."""
    return min(limit, world.concurrency / (world.latency + world.jitter / 2))


def steady(outcome: Outcome, since: float = WARM_UP) -> tuple[float, float]:
    """Accepted a second, and the part that was refused, from ``since`` on."""
    until = outcome.end - 1.0
    accepted = outcome.between(outcome.accepted, since, until)
    refused = outcome.between(outcome.refused, since, until)
    return accepted / (until - since), refused / (accepted + refused)


class TestHiddenLimits:
    @pytest.mark.parametrize(("kind", "limit", "world"), list(product(KINDS, LIMITS, WORLDS)))
    def test_nine_tenths_of_the_limit_are_used_and_two_percent_refused_at_most(
        self, kind: str, limit: int, world: str
    ) -> None:
        for seed in SEEDS:
            rate, refused = steady(run(kind, limit, WORLDS[world], seed, seconds=60 if limit < 200 else 40))
            assert rate >= 0.9 * within_reach(limit, WORLDS[world])
            # Two of the hundred that there are: a second look beyond behind a bucket.
            assert refused <= (2.1 / 98 if (kind, limit) == ("token bucket", 2) else 0.02)

    @pytest.mark.parametrize(("kind", "limit", "world"), list(product(KINDS, LIMITS, WORLDS)))
    def test_a_whole_run_of_twenty_seconds_work_uses_85_percent(self, kind: str, limit: int, world: str) -> None:
        for seed in SEEDS:
            reach = within_reach(limit, WORLDS[world])
            share = 0.83 if kind == "sliding, refusals count" else 0.85  # a look beyond costs a round trip there
            assert run(kind, limit, WORLDS[world], seed, work=int(20 * reach)).end <= 20 / share

    @pytest.mark.parametrize(("kind", "limit"), list(product(KINDS, (15, 40))))
    def test_a_limit_that_drops_in_mid_run_is_found_again(self, kind: str, limit: int) -> None:
        lower = round(0.4 * limit)
        world = World(latency=0.1, jitter=0.03, changes=((20.0, lower),))
        rate, refused = steady(run(kind, limit, world, 1, seconds=70), since=40.0)
        assert rate >= 0.9 * lower
        assert refused <= 0.02

    @pytest.mark.parametrize("kind", ["sliding", "sliding, refusals count"])
    def test_a_limit_that_rises_in_mid_run_is_found(self, kind: str) -> None:
        world = World(latency=0.1, jitter=0.03, changes=((20.0, 40.0),))
        rate, refused = steady(run(kind, 15, world, 1, seconds=80), since=50.0)
        assert rate >= 0.9 * 40
        assert refused <= 0.02


class TestRetryAfter:
    @pytest.mark.parametrize(("kind", "limit"), list(product(KINDS, (15, 200))))
    def test_refusals_that_each_ask_for_a_second_do_not_keep_a_run_over_its_limit(self, kind: str, limit: int) -> None:
        rate, refused = steady(run(kind, limit, World(latency=0.1, jitter=0.03, retry_after=1.0), 3, seconds=50))
        assert rate >= 0.85 * limit  # each look beyond the limit costs a second
        assert refused <= 0.025

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_second_now_and_then_is_not_lost_again_and_again(self, kind: str) -> None:
        world = World(latency=0.05, jitter=0.02, retry_after=1.0, ordered=0.25, concurrency=128)
        rate, refused = steady(run(kind, 200, world, 1, seconds=40))
        assert rate >= 0.9 * 200
        assert refused <= 0.02

    @pytest.mark.parametrize(("kind", "limit"), list(product(("sliding", "token bucket"), LIMITS)))
    def test_a_service_that_asks_for_a_second_each_time_is_used_well_from_the_start(
        self, kind: str, limit: int
    ) -> None:
        world = World(latency=0.02, jitter=0.005, retry_after=1.0)
        assert run(kind, limit, world, 1, work=20 * limit).end <= 20 / 0.85
        rate, refused = steady(run(kind, limit, world, 1, seconds=60))
        assert rate >= 0.9 * limit
        assert refused <= 0.02

    @pytest.mark.parametrize("limit", [15, 40, 200])
    def test_behind_a_fixed_window_a_second_each_time_costs_a_fifth_at_most(self, limit: int) -> None:
        """Two of its windows lie in the second before the first refusal: the limit is found from above, in steps."""
        rate, _ = steady(run("fixed", limit, World(latency=0.02, jitter=0.005, retry_after=1.0), 1, seconds=60))
        assert rate >= 0.8 * limit


@dataclass
class Shut:
    """A service that refuses everything for a while, and then nothing."""

    limit: float
    since: float
    until: float

    def admits(self, now: float) -> bool:
        return not self.since <= now < self.until


class TestSpells:
    @pytest.mark.parametrize("retry_after", [None, 2.0])
    @pytest.mark.parametrize("ceiling", [None, 50.0])
    @pytest.mark.parametrize(("since", "lasts"), [(0.0, 3.0), (0.0, 12.0), (10.0, 12.0), (10.0, 60.0)])
    def test_after_a_spell_of_refusals_a_run_is_back_as_soon_as_the_service(
        self, since: float, lasts: float, ceiling: float | None, retry_after: float | None
    ) -> None:
        rng = random.Random(1)
        control = RateControl(rng.uniform, ceiling=ceiling)
        shut = Shut(math.inf, since, since + lasts)
        world = World(latency=0.02, jitter=0.005, retry_after=retry_after, concurrency=4)
        outcome = simulate(control, shut, world, rng, seconds=since + 2 * lasts + 25)
        back = next(at for at in outcome.accepted if at >= since + lasts)
        assert back <= since + 2 * lasts + 3  # each pause is at most as long as all before it
        assert outcome.between(outcome.accepted, back, back + 15) >= 300


class TestStrays:
    @pytest.mark.parametrize(("kind", "limit"), list(product(KINDS, LIMITS)))
    def test_one_stray_refusal_in_five_hundred_does_not_starve_a_run(self, kind: str, limit: int) -> None:
        rate, refused = steady(run(kind, limit, STRAY, 3, seconds=60 if limit < 200 else 40))
        assert rate >= 0.9 * limit
        assert refused <= (0.02 if limit > 2 else 2.1 / 96)  # two of the hundred that there are
        assert run(kind, limit, STRAY, 3, work=20 * limit).end <= 20 / 0.85

    @pytest.mark.parametrize(("kind", "limit"), list(product(KINDS, LIMITS)))
    def test_a_refusal_of_everything_in_flight_does_not_starve_a_run(self, kind: str, limit: int) -> None:
        found = [steady(run(kind, limit, BURSTS, seed, seconds=50)) for seed in (3, 4)]
        # At 2 a second a burst is two refusals in a row, which a limit that halved would give as well: the rate falls
        # to 1 and is back within four seconds. Four of its 72 requests are the bursts' own, one is a look beyond.
        share = 0.85 if limit == 2 else 0.88 if kind == "sliding, refusals count" else 0.9
        assert fmean(rate for rate, _ in found) >= share * limit
        most = 0.07 if limit == 2 else 0.02
        assert fmean(refused for _, refused in found) <= most

    def test_a_stray_in_the_crowd_changes_no_rate_and_a_second_one_soon_after_does(self) -> None:
        control, now = RateControl(lambda low, _: low, learned=50.0), 0.0
        for _ in range(100):
            control.sent(now)
            control.accepted(now, now)
            now += 0.02
        before = control.rate
        control.throttled(now, now)
        assert control.rate == before
        assert control.until == 0.0
        control.sent(now + 0.02)
        control.throttled(now + 0.02, now + 0.02)
        assert control.rate < before

    @pytest.mark.parametrize("rate", [2.0, 10.0, 50.0])
    def test_one_stray_changes_no_rate_that_is_known_to_be_accepted_however_low_unless_it_asks_for_a_pause(
        self, rate: float
    ) -> None:
        for retry_after in (None, 1.0):
            control, now = RateControl(lambda low, _: low, learned=rate), 0.0
            for _ in range(3):
                control.sent(now)
                control.accepted(now, now)
                now += 0.25 / rate  # in the first second nothing grows
            control.throttled(now, now, retry_after)
            assert (control.rate == rate) is (retry_after is None)

    @pytest.mark.parametrize(("between", "is_chance"), [(30, True), (5, False)])
    def test_two_refusals_change_a_rate_that_is_known_to_be_accepted_only_if_they_are_close(
        self, between: int, is_chance: bool
    ) -> None:
        control, now = RateControl(lambda low, _: low, learned=50.0), 0.0
        for step in range(40):  # 0.8 s: in the first second nothing grows
            control.sent(now)
            if step in (2, 3 + between):
                control.throttled(now, now)
            else:
                control.accepted(now, now)
            now += 0.02
        assert (control.rate == 50.0) is is_chance

    def test_cuts_are_a_second_apart(self) -> None:
        rng = random.Random(0)
        control = RateControl(rng.uniform, ceiling=100.0)
        rates = []
        for step in range(300):
            now = step / 100
            control.sent(now)
            control.throttled(now, now + 0.05)
            rates.append(control.rate)
        cuts = [step for step in range(1, 300) if rates[step] < rates[step - 1]]
        assert all(later - earlier >= 100 for earlier, later in pairwise(cuts))


class TestCeiling:
    @pytest.mark.parametrize(("kind", "ceiling"), list(product(KINDS, (10.0, 60.0, 1000.0))))
    def test_a_rate_given_is_the_start_and_is_never_passed(self, kind: str, ceiling: float) -> None:
        outcome = run(kind, 15, WORLDS["jitter"], 1, ceiling=ceiling, seconds=30)
        assert outcome.rates[0][1] == ceiling
        assert max(rate for _, rate in outcome.rates) <= ceiling
        rate, refused = steady(outcome)
        assert rate >= 0.9 * min(15, ceiling)
        assert refused <= 0.02

    def test_the_first_throttle_resets_it_to_what_was_accepted(self) -> None:
        control = RateControl(lambda low, _: low, ceiling=100.0)
        for step in range(100):
            control.sent(step / 100)
        for step in range(60):
            control.accepted(step / 100, step / 100 + 0.5)
        control.throttled(0.60, 1.1)
        assert 0.9 * 60 <= control.rate <= 60


class TestLateRefusals:
    """A refusal that comes long after its send while others are answered at once: it was held up on its way."""

    @staticmethod
    def _after(late: float, retry_after: float | None, **options: float) -> RateControl:
        """A control whose sends, 100 a second for 12 seconds, were answered in 50 ms, but the one at 10 s."""
        control = RateControl(random.Random(1).uniform, **options)
        sends = [n / 100 for n in range(1200 + round(100 * late))]
        events = sorted([(at, 0, at) for at in sends] + [(at + 0.05, 1, at) for at in sends if at != 10.0])
        for now, what, sent_at in events:
            if now >= 10.0 + late:
                break
            control.tick(now)
            if what == 0:
                control.sent(now)
            else:
                control.accepted(sent_at, now)
        control.throttled(10.0, 10.0 + late, retry_after)
        return control

    @pytest.mark.parametrize("late", [1.5, 2.5, 8.0])
    def test_the_first_under_a_ceiling_resets_the_rate_to_what_was_accepted(self, late: float) -> None:
        assert self._after(late, None, ceiling=100.0).rate >= 0.95 * 100

    @pytest.mark.parametrize("late", [1.5, 2.5, 8.0])
    def test_one_with_a_retry_after_does_not_starve_the_run(self, late: float) -> None:
        control = self._after(late, 1.0, learned=100.0)
        assert control.rate >= 0.9 * 100
        assert control.until <= 10.0 + late + 1.5


class TestPauses:
    def test_retry_after_is_obeyed(self) -> None:
        control = RateControl(lambda low, _: low)
        control.sent(0.0)
        control.throttled(0.0, 0.1, retry_after=7.0)
        assert control.until == pytest.approx(7.1)

    def test_a_service_that_only_refuses_is_left_alone_for_ever_longer(self) -> None:
        control, now, pauses = RateControl(lambda low, _: low), 0.0, []
        for _ in range(10):
            control.sent(now)
            control.throttled(now, now + 0.1)
            pauses.append(max(0.0, control.until - now - 0.1))
            now = max(control.until, now + 1.2)
        assert pauses[-1] == pytest.approx(60)
        assert all(later >= earlier - 1e-6 for earlier, later in pairwise(pauses))

    def test_after_a_cut_no_second_holds_more_than_the_new_rate(self) -> None:
        outcome = run("sliding, refusals count", 40, WORLDS["jitter"], 1, seconds=8)
        first = next(
            at for (at, rate), (_, before) in zip(outcome.rates[1:], outcome.rates, strict=False) if rate < before
        )
        later = [at for at in outcome.sent if at >= first]
        for at in later:
            assert sum(at <= other < at + 1 for other in later) <= 48  # 40, and what the regained growth may add


class TestLatency:
    def test_a_queue_at_the_service_stops_the_growth_before_any_refusal(self) -> None:
        rng = random.Random(2)
        control = RateControl(rng.uniform)
        world = World(latency=0.02, jitter=0.005, concurrency=1000)
        outcome = simulate(control, SlidingWindow(10**6), world, rng, seconds=30, capacity=lambda _: 50.0)
        assert not outcome.refused
        assert steady(outcome)[0] >= 45
        assert control.rate < 100


class TestLearned:
    def test_what_was_learned_counts_fully_when_fresh_and_half_as_much_each_day(self) -> None:
        learned = Learned(400.0, 0)
        assert learned.start(0) == pytest.approx(400)
        assert learned.start(AGE_MS) == pytest.approx((400 * START) ** 0.5)
        assert learned.start(30 * AGE_MS) == pytest.approx(START, rel=0.01)
        assert learned.start(-AGE_MS) == learned.start(AGE_MS)

    @pytest.mark.parametrize(("kind", "limit"), list(product(KINDS, LIMITS)))
    def test_the_next_run_starts_where_the_last_one_ended(self, kind: str, limit: int) -> None:
        rng = random.Random(1)
        control = RateControl(rng.uniform)
        simulate(control, service_of(kind, limit), WORLDS["near"], rng, seconds=20)
        learned = control.learned(0)
        assert learned is not None
        assert (
            0.85 * limit <= learned.rate <= 1.2 * limit
        )  # a bucket that is full gives more than its limit for a while
        second = run(kind, limit, WORLDS["near"], 2, learned=learned.start(0), work=20 * limit)
        assert second.end <= 20 / 0.9

    def test_a_run_that_saw_nothing_teaches_nothing(self) -> None:
        assert RateControl(lambda low, _: low).learned(0) is None

    def test_a_slow_run_that_was_never_refused_teaches_nothing_that_was_not_known(self) -> None:
        for control in (
            RateControl(lambda low, _: low, ceiling=3.0),
            RateControl(lambda low, _: low, ceiling=9.0, learned=200.0),
        ):
            for step in range(30):
                control.sent(step / 3)
                control.accepted(step / 3, step / 3 + 0.1)
            assert control.learned(0) is None


def test_a_refusal_of_the_very_first_request_does_not_starve_a_small_run() -> None:
    control = RateControl(lambda low, high: low)
    control.sent(0.0)
    control.throttled(0.0, 0.1)
    assert control.rate >= 1.9
    assert control.until <= 1.5


@pytest.mark.parametrize("latency", [0.02, 0.1, 0.3])
def test_the_search_takes_as_long_as_the_estimate_reckons(latency: float) -> None:
    world = World(latency=latency, jitter=0.0, concurrency=2_000)
    reached = next(at for at, rate in run("sliding", 2_000, world, 1, seconds=4).rates if rate >= 300)
    assert math.log(300 / START) * (_FOLD_S + _FOLD_LATENCIES * latency) == pytest.approx(reached, rel=0.1)


@pytest.mark.parametrize("round_trip", [0.3, 2.0, 4.0])
def test_a_cut_pauses_a_second_or_so_however_long_answers_take(round_trip: float) -> None:
    """What is on its way when the rate is cut, and is accepted, takes room for as long as the window lasts."""
    control = RateControl(random.Random(1).uniform, learned=10.0)
    sends = [n / 10 for n in range(200)]
    refused = 16.0
    events = sorted([(at, 0, at) for at in sends] + [(at + round_trip, 1, at) for at in sends])
    cut = refused + round_trip
    for now, what, sent_at in events:
        if what == 0 and now < cut:
            control.tick(now)
            control.sent(now)
        elif what == 1 and sent_at == refused:
            control.throttled(sent_at, now, retry_after=0.5)
        elif what == 1 and sent_at < cut:
            control.accepted(sent_at, now)
    assert control.until <= cut + 1.6

"""Ten thousand schedules break no promise; naive variants of the engine break one within seconds."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterator

import pytest

from bulkjobs.dataflow.client import DataFlowClient

from .__main__ import failure, main
from .client import SimClient
from .play import database, play
from .schedule import (
    NAMES,
    CreateFault,
    Deed,
    Ending,
    Event,
    Fate,
    Outage,
    ReadFate,
    ReadFault,
    Run,
    Schedule,
    generate,
)
from .shrink import shrink
from .variants import VARIANTS
from .watch import Broken

SCHEDULES = 10_000
PART = 500

CALM = Schedule(
    seed=1,
    rows=("daily", "hourly"),
    lag=0.0,
    late=0.0,
    latency=0.01,
    refuses=False,
    plainly=True,
    page=1000,
    newest_first=False,
    part=False,
    reserved=0.0,
    crowd=0,
    rate=10.0,
    concurrency=4,
    settle=2.0,
    max_attempts=8,
    patience=900.0,
    creates=(),
    reads=(),
    outages=(),
    events=(),
    runs=(),
)

ENDLESS = Run(Ending.CRASH, 9_000, 0.0)
"""A run that ends by itself long before its crash."""


def changed(**parts: object) -> Schedule:
    """``CALM`` with some parts replaced."""
    return Schedule(**{name: parts.get(name, getattr(CALM, name)) for name in Schedule.__slots__})  # type: ignore[arg-type]  # each part has its field's type


def lost_reply(index: int) -> CreateFault:
    return CreateFault(index, Fate.REPLY_LOST, 1.0, 0.0, None)


class TestThePromise:
    @pytest.mark.parametrize("first", range(0, SCHEDULES, PART))
    def test_no_schedule_breaks_a_promise(self, first: int) -> None:
        for seed in range(first, first + PART):
            if play(generate(seed)).violations:
                pytest.fail(failure(seed))

    def test_beyond_settle_only_the_stated_limit_breaks(self) -> None:
        forgiven = 0
        for schedule in itertools.islice(_beyond(), 400):
            played = play(schedule)
            assert not played.violations, failure(schedule.seed)
            forgiven += bool(played.forgiven)
        assert forgiven, "these schedules reach the limit"

    def test_a_schedule_always_plays_the_same_way(self) -> None:
        for seed in range(100):
            first, second = (play(generate(seed), traced=True) for _ in range(2))
            assert first.trace == second.trace, seed


class TestThrottledForEver:
    @pytest.mark.parametrize("rate", [10.0, None])
    @pytest.mark.parametrize("after", [0, 1], ids=["from-the-first-list-on", "from-a-create-on"])
    def test_the_run_is_halted_when_patience_is_over_and_the_next_one_goes_on(
        self, rate: float | None, after: int
    ) -> None:
        outage = Outage(after, 0.0, 1_800.0, "throttled")
        played = play(
            changed(rows=NAMES, rate=rate, patience=300.0, outages=(outage,), runs=(ENDLESS,)),
            traced=True,
        )
        assert not played.violations
        said = [line for line in played.trace if "run.stopping" in line]
        assert len(said) == 1
        assert "state=halted" in said[0]
        assert "longer than --patience (HTTP 429 410: Throttle Limited: -)" in said[0]
        (state, exit_code) = database().execute("SELECT state, exit_code FROM runs ORDER BY id LIMIT 1").fetchone()
        assert (state, exit_code) == ("halted", 5)
        assert played.runs == 2, "what it left is made by the run after it"


class TestNaiveVariants:
    @pytest.mark.parametrize(
        ("name", "harm"),
        [
            ("blind-retry", Broken.DUPLICATE),
            ("no-settling", Broken.DUPLICATE),
            ("no-settling-after-a-crash", Broken.DUPLICATE),
            ("hasty-intent", Broken.NO_INTENT),
            ("trusts-incomplete-lists", Broken.TOO_SOON),
            ("reads-the-first-page-only", Broken.DUPLICATE),
            ("lists-once-for-many", Broken.TOO_SOON),
            ("never-lists-first", Broken.DUPLICATE),
            ("restarts-at-once", Broken.RATE),
            ("closes-before-it-records", Broken.UNTRUE),
        ],
        ids=lambda value: value if not isinstance(value, Broken) else value.name.lower(),
    )
    def test_a_naive_variant_is_caught(self, name: str, harm: Broken) -> None:
        found = (
            violation.broken
            for seed in range(3_000)
            for violation in play(generate(seed), VARIANTS[name]).violations
            if generate(seed).is_within_promise
        )
        assert harm in found

    def test_sending_into_an_outage_is_caught(self) -> None:
        outage = Outage(1, 0.0, 300.0, "refused")
        assert (
            _told_apart("sends-into-outages", changed(rows=NAMES, outages=(outage,), runs=(ENDLESS,))) == Broken.STORM
        )

    def test_sending_again_what_was_accepted_is_caught(self) -> None:
        accepted = CreateFault(0, Fate.NO_ID_LOST, 1.0, 0.0, None)
        assert _told_apart("forgets-acceptance", changed(creates=(accepted,), runs=(ENDLESS,))) == Broken.AGAIN

    def test_every_variant_has_its_test(self) -> None:
        marks = TestNaiveVariants.test_a_naive_variant_is_caught.pytestmark  # type: ignore[attr-defined]  # pytest's
        assert {name for name, _ in marks[0].args[1]} == set(VARIANTS) - {"sends-into-outages", "forgets-acceptance"}


class TestDefectsThatWereFound:
    """Beside ``closes-before-it-records`` above, which was the engine's own way once."""

    def test_an_interrupt_while_checking_leaves_no_row_out_of_the_report(self) -> None:
        for step in range(1, 40):
            played = play(
                changed(rows=("daily", "hourly", "Daily", "_x", "daily-2"), runs=(Run(Ending.STOP, step, 0.0),))
            )
            assert not played.violations, step

    def test_a_restart_does_not_send_before_the_window_of_a_killed_run_is_over(self) -> None:
        # The second createJob leaves seven seconds after its intent was written.
        throttled = CreateFault(0, Fate.THROTTLED, 0.1, 0.0, 7.0)
        for step in (1, 2, 3):
            runs = (Run(Ending.CRASH, step, 0.0, after=2), ENDLESS)
            assert not play(changed(rows=NAMES, rate=1.0, creates=(throttled,), runs=runs)).violations

    def test_a_job_that_was_deleted_while_the_list_was_read_is_not_taken_for_seen_later(self) -> None:
        runs = (ENDLESS,) * 3
        for index in range(8):
            slow = ReadFault(index, ReadFate.ERROR, 30.0, None)
            played = play(changed(page=2, reads=(slow,), events=(Event(17.0, Deed.REMOVES_ALL, "daily"),), runs=runs))
            assert not played.violations, index

    def test_a_job_that_was_only_believed_to_be_there_is_not_believed_for_ever(self) -> None:
        runs = tuple(Run(Ending.CRASH, 4_000, 1.5) for _ in range(6))
        assert not play(changed(settle=6.0, events=(Event(2.5, Deed.REMOVES_ALL, "daily"),), runs=runs)).violations


class TestTheMachinery:
    def test_a_failing_schedule_is_made_smaller_and_can_be_read(self) -> None:
        # One that needs no crash: those depend on the very step, so that nothing can be left out before it.
        plain = (s for s in map(generate, itertools.count()) if all(run.ending is not Ending.CRASH for run in s.runs))
        schedule = next(s for s in plain if _duplicates(s) and len(s.rows) > 2)
        small, played = shrink(schedule, Broken.DUPLICATE, VARIANTS["blind-retry"])
        assert any(violation.broken is Broken.DUPLICATE for violation in played.violations)
        assert len(small.rows) == 1
        assert len(small.creates) + len(small.runs) <= 2
        assert len(played.trace) < 40
        assert any("two jobs of ours" in line for line in played.trace)

    def test_a_lost_reply_ends_adopted_on_virtual_time(self) -> None:
        played = play(changed(rows=("daily",), creates=(lost_reply(0),), lag=2.0, runs=(ENDLESS,)), traced=True)
        assert any("report of run 0: daily: adopted j1" in line for line in played.trace)

    def test_a_crash_cuts_a_run_off_and_the_next_one_goes_on(self) -> None:
        played = play(changed(runs=(Run(Ending.CRASH, 1, 0.0, after=1),)), traced=True)
        assert (played.runs, played.crashes) == (2, 1)
        assert any("report of run 0: daily: unresolved" in line for line in played.trace)

    def test_the_client_has_the_calls_of_the_real_one(self) -> None:
        for call in ("create_job", "list_page", "get_job"):
            real, simulated = (inspect.signature(getattr(client, call)) for client in (DataFlowClient, SimClient))
            assert real == simulated, call

    def test_the_command_says_what_was_played(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["--seed", "5", "--schedules", "20"]) == 0
        assert "20 schedules" in capsys.readouterr().out

    def test_the_command_prints_the_shortest_failure(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["--variant", "blind-retry", "--schedules", "200"]) == 1
        printed = capsys.readouterr().out
        assert "createJob" in printed
        assert "--trace" in printed


def _beyond() -> Iterator[Schedule]:
    return (schedule for schedule in map(generate, itertools.count()) if not schedule.is_within_promise)


def _duplicates(schedule: Schedule) -> bool:
    violations = play(schedule, VARIANTS["blind-retry"]).violations
    return any(violation.broken is Broken.DUPLICATE for violation in violations)


def _told_apart(variant: str, schedule: Schedule) -> Broken:
    """What the variant breaks in a schedule in which the engine breaks nothing."""
    assert not play(schedule).violations
    return play(schedule, VARIANTS[variant]).violations[0].broken

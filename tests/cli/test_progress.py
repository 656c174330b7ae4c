"""The progress display: what it says at each stage, that it fits, and that the bar never goes back."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest
from rich.cells import cell_len
from rich.console import Console

from bulkjobs.cli.progress_view import ProgressView, duration
from bulkjobs.engine.clock import Clock
from bulkjobs.engine.records import Outcome
from bulkjobs.engine.work import Tally
from bulkjobs.settings import Settings


class Stage:
    """A view on a console of a fixed width, with a clock that is moved by hand."""

    def __init__(self, **figures: object) -> None:
        self.now = 100.0
        self.tally = Tally(**figures)  # type: ignore[arg-type]  # the test's own keywords
        clock = Clock(lambda: self.now, lambda: round(self.now * 1000))
        self.view = ProgressView(self.tally, clock, Settings(settle=15.0), lambda at: datetime.fromtimestamp(at, UTC))

    def pass_by(self, seconds: float, sends: int = 0) -> None:
        for _ in range(10):
            self.now += seconds / 10
            self.tally.sends += sends // 10
            self.view.note()

    def lines(self, width: int = 100) -> list[str]:
        out = io.StringIO()
        console = Console(file=out, width=width, force_terminal=True, color_system=None, legacy_windows=False)
        console.print(self.view)
        return [line.rstrip() for line in out.getvalue().splitlines()]


def sending(**figures: object) -> Stage:
    usual: dict[str, object] = {"phase": "sending", "rows": 1_000, "to_send": 1_000, "rate": 20.0}
    return Stage(**{**usual, **figures})


def test_checking_and_listing_count_up_and_promise_no_end() -> None:
    stage = Stage(phase="checking", rows=12_345)
    first, _ = stage.lines()
    assert "checking" in first
    assert "12,345 rows" in first
    assert "left" not in first
    stage.tally.phase, stage.tally.listed = "listing", 3_000
    assert "3,000 jobs" in stage.lines()[0]
    assert "12,345" not in stage.lines()[0]


def test_sending_shows_the_rate_now_and_permitted_and_all_figures() -> None:
    stage = sending(in_flight=3, retries=2, throttles=5, settling=4, settle_until=107.0)
    stage.tally.outcomes.update({Outcome.CREATED: 200, Outcome.REJECTED: 7})
    stage.view.note()
    stage.pass_by(10.0, sends=190)
    first, second = stage.lines()
    assert first.split()[1] == "sending"
    assert "207/1,000" in first
    assert second.strip() == "19.0/s of 20.0  7 failed  4 settling  3 in flight  2 retries  5 throttled"
    stage.tally.settle_until = stage.now + 7
    assert "4 settling until 00:01:57" in stage.lines()[1]


def test_a_run_that_its_slots_hold_back_says_so() -> None:
    stage = sending(in_flight=32)
    stage.tally.slots.changed(stage.now, 32, 32)
    stage.view.note()
    stage.pass_by(10.0, sends=100)
    assert "limited by --concurrency 32" in stage.lines()[1]
    stage.tally.slots.changed(stage.now, 5, 32)
    stage.pass_by(10.0, sends=100)
    assert "limited" not in stage.lines()[1]


def test_a_pause_that_the_service_asked_for_is_told_and_part_of_the_time_left() -> None:
    stage = sending(rows=300, to_send=300, throttles=1, in_flight=0)
    stage.view.note()
    stage.pass_by(10.0, sends=100)
    stage.tally.outcomes[Outcome.CREATED] = 100
    assert stage.view.left_s() == pytest.approx(20.0, abs=1.0)
    stage.tally.rate, stage.tally.paused_until = 20.0, stage.now + 17.0
    assert stage.lines()[1].strip().startswith("paused by the service: 17 s more  10.0/s of 20.0")
    assert stage.view.left_s() == pytest.approx(27.0, abs=1.0)
    stage.pass_by(12.0)
    assert "by the service: 5 s more" in stage.lines()[1]
    assert stage.view.left_s() == pytest.approx(15.0, abs=1.0)
    stage.pass_by(6.0, sends=20)
    assert "paused" not in stage.lines()[1]
    assert stage.view.left_s() == pytest.approx(10.0, abs=1.0), "what was sent in the pause says nothing of the pace"


def test_it_is_not_settling_while_rows_wait_to_be_sent() -> None:
    stage = sending(settling=4, settle_until=115.0)
    assert " sending " in stage.lines()[0]
    stage.tally.outcomes[Outcome.CREATED] = 996
    assert " settling " in stage.lines()[0]
    assert "0:15 left" in stage.lines()[0]
    stage.now = 116.0
    assert " looking up " in stage.lines()[0]
    stage.tally.settling, stage.tally.looking = 0, 4
    assert " looking up " in stage.lines()[0]


def test_reading_what_exists_is_called_comparing() -> None:
    stage = sending(to_send=0, looking=300, reads=0)
    assert " comparing " in stage.lines()[0]


@pytest.mark.parametrize("phase", ["draining", "updating", "deleting"])
def test_other_phases_keep_their_names(phase: str) -> None:
    assert f" {phase} " in sending(phase=phase).lines()[0]


def test_an_outage_is_named_and_nothing_is_promised() -> None:
    first = sending(service_down=True).lines()[0]
    assert "service down, probing" in first
    assert "left" not in first


def test_the_bar_never_goes_back() -> None:
    stage = sending()
    stage.tally.outcomes[Outcome.DRIFTED] = 300
    assert "300/1,000" in stage.lines()[0]
    stage.tally.outcomes[Outcome.DRIFTED] = 290
    assert "300/1,000" in stage.lines()[0]
    stage.tally.outcomes[Outcome.UPDATED] = 20
    assert "310/1,000" in stage.lines()[0]


def test_the_time_left_is_that_of_the_rate_that_is_seen() -> None:
    stage = sending()
    stage.view.note()
    assert stage.view.left_s() == pytest.approx(1_000 / 20, rel=0.03)
    stage.pass_by(10.0, sends=100)
    assert stage.view.left_s() == pytest.approx(1_000 / 10, rel=0.03)


@pytest.mark.parametrize("width", [20, 30, 40, 60, 80, 200])
def test_two_lines_fit_any_width(width: int) -> None:
    stage = sending(in_flight=3, retries=20_000, throttles=5_000, settling=400, settle_until=1e4, service_down=True)
    stage.tally.rows = 1_000_000
    stage.tally.outcomes.update({Outcome.CREATED: 200_000, Outcome.REJECTED: 7_000})
    for is_down in (True, False):
        stage.tally.service_down = is_down
        lines = stage.lines(width)
        assert len(lines) == 2
        assert all(cell_len(line) <= width for line in lines)


def test_what_matters_most_stays_where_there_is_little_room() -> None:
    stage = sending(in_flight=3, retries=2, throttles=5)
    stage.tally.outcomes[Outcome.REJECTED] = 7
    assert stage.lines(30)[1].strip() == "0.0/s of 20.0  7 failed"


def test_rows_that_nobody_tried_have_not_failed() -> None:
    stage = sending()
    stage.tally.outcomes[Outcome.NOT_SENT] = 63
    assert stage.lines(40)[1].strip() == "0.0/s of 20.0  63 not sent"


def test_durations() -> None:
    assert [duration(seconds) for seconds in (0, 7.4, 65, 3_723)] == ["0:00", "0:07", "1:05", "1:02:03"]


def test_updates_and_deletes_have_a_bar_and_a_time_left_of_their_own() -> None:
    stage = Stage(phase="updating", rows=1_000, changes=200, changed=50, rate=20.0, latency=0.05)
    stage.tally.outcomes.update({Outcome.EXISTING: 1_000})
    first, _ = stage.lines()
    assert "updating" in first
    assert "50/200" in first
    assert "0:23 left" in first, "three calls each at 20 a second or just under"
    stage.tally.changing("deleting", 40)
    assert "0/40" in stage.lines()[0]

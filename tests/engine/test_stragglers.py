"""What sends of unknown end cost, by hand where that can be counted; ``runs/test_estimate`` holds it to the engine."""

from __future__ import annotations

import pytest

from bulkjobs.engine.false_alarms import alarms_s, last_alarm_s
from bulkjobs.engine.stragglers import Sends, again_within, look_s, rounds_s, tail_s


def _sends(**given: float) -> Sends:
    usual = {"pace": 100.0, "latency": 0.1, "unknown": 0.2, "made": 0.5, "silence": 0.1}
    return Sends(**{**usual, **given})


def test_only_what_is_due_before_the_last_row_is_sent_makes_the_sending_longer() -> None:
    assert again_within(_sends(), [10.0], 10.0) == 0.0
    assert again_within(_sends(), [10.0], 20.5) == pytest.approx(0.1 * 0.5)  # a back-off of 0.25 s after the lookup


def test_a_row_is_looked_up_settle_after_it_was_given_up_and_sent_again_after_a_back_off() -> None:
    first, second, *_ = rounds_s(_sends(silence=2.0), 15.0, 0.0, 1)
    assert first == pytest.approx(2.0 + 15.0 + look_s(_sends(), 0.0, 1))
    assert second == pytest.approx(2 * first + 0.25)


def test_few_names_are_asked_for_and_many_are_looked_for_in_the_list() -> None:
    assert look_s(_sends(), 0.0, 1) == pytest.approx(0.1 * 1.5, rel=0.1)  # the list, and every second time the job
    assert look_s(_sends(made=0.0), 100.0, 50) == pytest.approx(1.5 * 2 * 50 * 0.1, rel=0.01)  # two passes


def test_one_row_that_may_be_lost_waits_for_its_lookup_as_often_as_that_happens() -> None:
    sends = _sends(unknown=0.3, made=1.0)
    assert tail_s(sends, 1.0 / 1e-3, 1e-3, [10.0]) == pytest.approx(0.3 * 9.9, rel=0.02)


def test_a_service_that_fails_five_times_in_a_row_costs_a_probe_and_a_create_for_each_time_that_this_fails() -> None:
    sends = _sends(latency=0.0, silence=0.0)
    probes = 0.5 + 0.2 * 1.0 + 0.2**2 * 2.0 + 0.2**3 * 4.0
    assert alarms_s(sends, 10_000) == pytest.approx(10_000 * 0.8 * 0.2**5 * probes, rel=0.05)


def test_an_answer_on_its_way_ends_an_alarm() -> None:
    assert alarms_s(_sends(latency=1.0, silence=1.0), 100) == pytest.approx(100 * 0.8 * 0.2**5 / 81, rel=0.01)


def test_what_hangs_at_the_end_delays_the_lookups_unless_settle_is_longer() -> None:
    sends = _sends(silence=0.5)  # of 8 that hang at the end three are left when the service is taken to be down
    assert last_alarm_s(sends, 0.0) == pytest.approx(0.5 + 0.1 - 0.4 * 3 / 8)
    assert last_alarm_s(sends, 15.0) == 0.0
    assert last_alarm_s(_sends(silence=0.1), 0.0) == 0.0

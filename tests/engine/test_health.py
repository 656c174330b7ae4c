"""When the service as a whole is to blame, and when it may be tried again."""

from __future__ import annotations

from bulkjobs.engine.health import THRESHOLD, Condition, Health


def down() -> Health:
    health = Health(patience=100)
    for at in range(THRESHOLD):
        health.failed(float(at), sent_at=float(at))
    return health


def test_a_few_failures_do_not_blame_the_service_and_the_fifth_in_a_row_does() -> None:
    health = Health(patience=100)
    for at in range(THRESHOLD - 1):
        health.failed(float(at), sent_at=float(at))
        assert health.condition is Condition.UP
    health.failed(9.0, sent_at=9.0)
    assert health.condition is Condition.DOWN


def test_an_answer_between_failures_starts_the_count_again() -> None:
    health = Health(patience=100)
    for at in range(20):
        health.failed(float(at), sent_at=float(at))
        if at % 4 == 3:
            health.answered()
    assert health.condition is Condition.UP


def test_a_probe_that_comes_back_allows_a_trial_and_its_answer_ends_the_outage() -> None:
    health = down()
    health.probed(ok=True, now=10.0)
    assert health.condition is Condition.TRIAL
    health.answered()
    assert (health.condition, health.probes) == (Condition.UP, 0)


def test_a_trial_that_fails_is_down_at_once() -> None:
    health = down()
    health.probed(ok=True, now=10.0)
    health.failed(11.0, sent_at=11.0)
    assert health.condition is Condition.DOWN


def test_a_probe_that_fails_leaves_it_down_and_is_counted_for_the_back_off() -> None:
    health = down()
    health.probed(ok=False, now=10.0)
    health.probed(ok=False, now=20.0)
    assert (health.condition, health.probes) == (Condition.DOWN, 2)


def test_what_was_sent_before_the_probe_came_back_says_nothing_of_the_time_after() -> None:
    health = down()
    health.probed(ok=True, now=10.0)
    seen = []
    for at, sent_at in ((11.0, 9.0), (12.0, 9.0), (13.0, 10.0)):
        health.failed(at, sent_at)
        seen.append(health.condition)
    assert seen == [Condition.TRIAL, Condition.TRIAL, Condition.DOWN]


def test_a_probe_that_fails_forgives_nothing() -> None:
    health = Health(patience=100)
    for at in range(THRESHOLD - 1):
        health.failed(float(at), sent_at=0.0)
    health.probed(ok=False, now=5.0)
    assert health.condition is Condition.DOWN


def test_a_late_probe_does_not_put_a_service_on_trial_that_has_answered_meanwhile() -> None:
    health = down()
    health.answered()
    health.probed(ok=True, now=10.0)
    assert health.condition is Condition.UP


def test_patience_counts_from_the_first_failure_and_probes_do_not_renew_it() -> None:
    health = down()
    assert not health.exhausted(100.0)
    health.probed(ok=True, now=50.0)
    assert health.exhausted(100.1)
    health.answered()
    assert not health.exhausted(1_000.0)


class TestThrottling:
    def test_refusals_for_the_rate_and_nothing_else_exhaust_patience(self) -> None:
        health = Health(patience=100)
        assert [health.throttled(at) for at in (0.0, 60.0, 99.0, 101.0)] == [False, False, False, True]

    def test_anything_that_is_served_between_starts_it_again(self) -> None:
        health = Health(patience=100)
        health.throttled(0.0)
        health.throttled(60.0)
        health.served()
        assert not any(health.throttled(at) for at in (61.0, 120.0, 160.0))

    def test_failures_between_do_not(self) -> None:
        health = Health(patience=100)
        health.throttled(0.0)
        health.throttled(60.0)
        health.failed(90.0, sent_at=90.0)
        assert health.throttled(101.0)

    def test_a_wait_that_the_service_asked_for_is_not_its_silence(self) -> None:
        health = Health(patience=100)
        health.throttled(0.0)
        assert not health.throttled(300.0)
        assert health.throttled(600.0)

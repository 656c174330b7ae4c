"""The permitted rate over the length of a run."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from bulkjobs.engine.course import RateCourse


def test_a_rate_that_stays_is_one_point_and_a_change_is_another() -> None:
    course = RateCourse()
    for tenth in range(100):
        course.note(1000 + tenth / 10, 5.0 if tenth < 50 else 4.25)
    assert course.points(1000) == [[0.0, 5.0], [5.0, 4.25]]


def test_of_a_second_the_highest_counts_so_that_nothing_sent_was_not_permitted() -> None:
    course = RateCourse()
    for rate in (8.0, 20.0, 11.0):
        course.note(7.5, rate)
    assert course.points(7.0) == [[0.0, 8.0], [0.0, 20.0]]
    for rate in (9.0, 15.0, 10.0):
        course.note(8.5, rate)
    assert course.points(7.0)[2:] == [[1.0, 15.0]]


def test_it_begins_with_the_rate_of_the_first_send_however_soon_that_rose() -> None:
    course = RateCourse()
    for now, rate in ((7.0, 4.0), (7.2, 120.0), (7.9, 244.0), (8.5, 244.0)):
        course.note(now, rate)
    assert course.points(7.0) == [[0.0, 4.0], [0.0, 244.0]]


def test_what_was_permitted_before_the_run_counts_from_its_beginning() -> None:
    course = RateCourse()
    course.note(7.9, 4.0)
    assert course.points(7.9) == [[0.0, 4.0]]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10_000_000), st.floats(0.05, 1e5)), min_size=1, max_size=2_000))
def test_however_long_a_run_is_its_course_is_short_and_keeps_the_highest(noted: list[tuple[int, float]]) -> None:
    course = RateCourse()
    for at, rate in sorted(noted):
        course.note(at, rate)
    points = course.points(0)
    assert len(points) <= 240
    assert [at for at, _ in points] == sorted(at for at, _ in points)
    assert max(rate for _, rate in points) == round(max(rate for _, rate in noted), 3)

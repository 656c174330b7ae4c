"""Whether a service counts what it refuses, from what came back."""

from __future__ import annotations

import pytest

from bulkjobs.engine.counting import Counting


@pytest.fixture
def counting() -> Counting:
    """Taken to count since all was refused after a pause; ten sends were in the second before a refusal, at 5.0."""
    counting = Counting()
    counting.suspected()
    counting.refused(5.0, 10)
    return counting


def test_a_service_is_taken_to_count_when_all_was_refused_after_a_pause(counting: Counting) -> None:
    assert counting.is_taken_so
    assert not Counting().is_taken_so


def test_an_acceptance_in_a_fuller_second_than_a_refusal_s_speaks_against_it(counting: Counting) -> None:
    counting.accepted(5.5, 14)
    assert not counting.is_taken_so


@pytest.mark.parametrize(("sent_at", "crowd"), [(5.5, 13), (4.9, 40), (6.1, 40)])
def test_one_in_a_second_hardly_fuller_or_before_it_or_long_after_says_nothing(
    counting: Counting, sent_at: float, crowd: int
) -> None:
    counting.accepted(sent_at, crowd)
    assert counting.is_taken_so


def test_the_emptiest_second_in_which_something_was_refused_is_the_one_compared_with(counting: Counting) -> None:
    counting.refused(5.1, 4)
    counting.refused(5.2, 12)
    counting.accepted(5.5, 7)
    assert not counting.is_taken_so


def test_one_sign_for_it_only_cancels_what_spoke_against_it(counting: Counting) -> None:
    counting.accepted(5.5, 14)
    counting.suspected()
    assert not counting.is_taken_so
    counting.suspected()
    assert counting.is_taken_so

"""Which refusals chance explains."""

from __future__ import annotations

import pytest

from bulkjobs.engine.strays import STRAY, Strays


def seen(*between: int) -> Strays:
    """Refusals with so many that pass before each."""
    strays = Strays()
    for passed in between:
        for _ in range(passed):
            strays.passed()
        strays.refused()
    return strays


def test_one_refusal_says_nothing_wherever_it_comes() -> None:
    assert [seen(passed).density() for passed in (0, 1, 1000)] == [(0.0, 0.0)] * 3


@pytest.mark.parametrize(("refused", "among"), [(2, 13), (3, 46), (4, 96)])
def test_several_among_few_are_more_than_chance_and_among_more_are_not(refused: int, among: int) -> None:
    assert seen(0, *_spread(refused, among)).density()[0] > 5.0
    assert seen(0, *_spread(refused, among + 1)).density()[0] < 5.0


def _spread(refused: int, among: int) -> list[int]:
    gaps = refused - 1
    passing = among - refused
    return [passing // gaps + (gap < passing % gaps) for gap in range(gaps)]


def test_the_part_refused_is_that_of_the_stretch_that_says_most() -> None:
    likelihood, part = seen(500, 500, 9, 9, 9).density()
    assert likelihood > 5.0
    assert part == pytest.approx(4 / 31 - STRAY)


def test_as_many_as_chance_gives_are_never_more_than_chance() -> None:
    assert seen(*[199] * 50).density()[0] < 1.0


def test_what_was_dealt_with_is_not_counted_again() -> None:
    strays = seen(0, 0, 0)
    assert strays.density()[0] > 5.0
    strays.forget()
    strays.refused()
    assert strays.density() == (0.0, 0.0)


def test_what_was_dealt_with_tells_of_another_soon_after_it_if_asked() -> None:
    for passed, is_soon in ((0, True), (11, True), (12, False), (200, False)):
        strays = seen(30, 30)
        strays.forget()
        for _ in range(passed):
            strays.passed()
        strays.refused()
        assert (strays.density(with_dealt=True)[0] > 5.0) is is_soon, passed
        assert strays.density() == (0.0, 0.0)


def test_the_last_that_was_dealt_with_stays_it_though_nothing_is_forgotten_since() -> None:
    strays = seen(0)
    strays.forget()
    strays.forget()
    strays.refused()
    assert strays.density(with_dealt=True)[0] > 5.0


def test_without_a_refusal_or_once_all_are_dealt_with_nothing_is_refused() -> None:
    assert Strays().density() == (0.0, 0.0)
    strays = seen(0, 0, 0)
    strays.forget()
    assert strays.density(with_dealt=True) == (0.0, 0.0)

"""``plan``: how long it says that it will take, and what that rests on."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from bulkjobs.cli.paces import about, ago, per_second
from bulkjobs.cli.plan_view import show_plan
from bulkjobs.engine.expected_rate import ExpectedRate, expected_rate
from bulkjobs.engine.learned import Learned
from bulkjobs.engine.plan import Plan, Terms
from bulkjobs.engine.plan_estimate import Measured, narrow_in
from bulkjobs.engine.plan_rows import PlanRows

from .program import Run, row, write_csv


def test_without_a_rate_the_time_is_that_of_a_service_without_a_limit(run: Run, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "some.csv", [row(number) for number in range(40)])
    said = run("plan", path, "--sandbox").err
    assert re.search(
        r"\nCalls: 40 createJob; no rate is known yet: (about \d+ s|less than a second) if the service sets no limit\n",
        said,
    )


def test_a_rate_that_was_given_is_told(run: Run, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "some.csv", [row(number) for number in range(40)])
    assert re.search(
        r"\nCalls: 40 createJob; about \d s at 10\.0/s\n", run("plan", path, "--sandbox", "--rate", "10").err
    )


def test_where_the_concurrency_is_the_limit_that_is_told(run: Run, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "some.csv", [row(number) for number in range(40)])
    said = run("plan", path, "--sandbox", "--rate", "5000", "--concurrency", "1").err
    assert re.search(
        r"; (about \d+ s|less than a second), limited by --concurrency 1 and not by the rate of 5,000\.0/s\n", said
    )


@pytest.mark.parametrize(
    ("rate", "concurrency", "latency", "narrow"),
    [(100.0, 32, 4.0, True), (100.0, 32, 0.2, False), (7.0, 32, 4.0, False), (None, 1, 4.0, False)],
)
def test_the_concurrency_is_the_limit_where_answers_take_long(
    rate: float | None, concurrency: int, latency: float, narrow: bool
) -> None:
    assert narrow_in(Measured(rate, concurrency, 15.0, latency)) is narrow


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (1_792.0, "1,792.0"),
        (7.84, "7.8"),
        (0.5, "0.5"),
        (0.25, "0.25"),
        (0.01, "0.01"),
        (0.0123, "0.012"),
        (0.0, "0.0"),
    ],
)
def test_a_rate_has_digits_that_count(rate: float, words: str) -> None:
    assert per_second(rate) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.04, "less than a second"),
        (1.0, "about 1 s"),
        (105, "about 1:45 min"),
        (3_725, "about 1:02:05"),
    ],
)
def test_a_time_is_never_nothing(seconds: float, words: str) -> None:
    assert about(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(30, "less than a minute ago"), (60, "1 minute ago"), (7_300, "2 hours ago"), (2 * 86_400, "2 days ago")],
)
def test_an_age_is_told_in_whole_units(seconds: float, words: str) -> None:
    assert ago(seconds) == words


_DAYS = 86_400_000
_TERMS = Terms("https://a", "default", "2025-03", "space", False, [])


def _said(expected: ExpectedRate) -> str:
    console = Console(file=StringIO(), width=200)
    show_plan(console, Plan(_TERMS, PlanRows(), {"createJob": 600}, 13.6, expected))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_a_rate_that_was_learned_is_told_with_its_age() -> None:
    expected = expected_rate(None, Learned(58.0, 0), is_limit=True, now_ms=2 * _DAYS)
    assert expected.start == pytest.approx(7.8, abs=0.1)
    assert expected.rate == 58.0
    assert "; about 14 s at 58.0/s, the rate learned 2 days ago\n" in _said(expected)


def test_a_rate_that_is_given_is_not_reckoned_with_if_less_was_permitted() -> None:
    expected = expected_rate(10.0, Learned(1.94, 0), is_limit=True, now_ms=_DAYS)
    assert expected.rate == 1.94
    assert "; about 14 s at 1.9/s, learned 1 day ago: the service permitted less than --rate 10.0\n" in _said(expected)


@pytest.mark.parametrize(("learned", "is_limit"), [(None, False), (Learned(9.0, 0), False), (Learned(11.0, 0), True)])
def test_a_rate_that_is_given_holds_unless_more_than_less_was_refused(learned: Learned | None, is_limit: bool) -> None:
    expected = expected_rate(10.0, learned, is_limit=is_limit, now_ms=_DAYS)
    assert expected.rate == 10.0
    assert "; about 14 s at 10.0/s\n" in _said(expected)

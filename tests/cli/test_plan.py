"""``plan``: how long it says that it will take, and what that rests on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bulkjobs.engine.plan_estimate import Measured, narrow_in

from .program import Run, row, write_csv


def test_without_a_rate_the_time_is_that_of_a_service_without_a_limit(run: Run, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "some.csv", [row(number) for number in range(40)])
    said = run("plan", path, "--sandbox").err
    assert re.search(r"\nCalls: 40 createJob; no rate is known yet: about \d+ s if the service sets no limit\n", said)


def test_a_rate_that_was_given_is_told(run: Run, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "some.csv", [row(number) for number in range(40)])
    assert re.search(
        r"\nCalls: 40 createJob; about \d s at 10\.0/s\n", run("plan", path, "--sandbox", "--rate", "10").err
    )


def test_where_the_concurrency_is_the_limit_that_is_told(run: Run, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "some.csv", [row(number) for number in range(40)])
    said = run("plan", path, "--sandbox", "--rate", "5000", "--concurrency", "1").err
    assert re.search(r"; about \d+ s, limited by --concurrency 1 and not by the rate of 5,000\.0/s\n", said)


@pytest.mark.parametrize(
    ("rate", "concurrency", "latency", "narrow"),
    [(100.0, 32, 4.0, True), (100.0, 32, 0.2, False), (7.0, 32, 4.0, False), (None, 1, 4.0, False)],
)
def test_the_concurrency_is_the_limit_where_answers_take_long(
    rate: float | None, concurrency: int, latency: float, narrow: bool
) -> None:
    assert narrow_in(Measured(rate, concurrency, 15.0, latency)) is narrow

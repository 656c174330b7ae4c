"""The log: one line an event; beside a progress bar, each cause once."""

from __future__ import annotations

import io

from bulkjobs.logs import Log, make_log


def _refuse(log: Log, name: str, code: str, outcome: str = "rejected") -> None:
    """What a run says of a row that is refused."""
    log.warning("create.answer", name=name, verdict=outcome, http_status=400, code=code, error="no")
    log.warning(f"job.{outcome}", name=name, http_status=400, code=code, error="no")


def _events(stream: io.StringIO) -> list[str]:
    return [line.split("]")[1].split()[0] for line in stream.getvalue().splitlines()]


def test_everything_is_told_unless_once_was_asked_for() -> None:
    stream = io.StringIO()
    log = make_log(stream, "console", "warning")
    for number in range(3):
        _refuse(log, f"n{number}", "bad")
    assert _events(stream) == ["create.answer", "job.rejected"] * 3
    assert "the like" not in stream.getvalue()


def test_of_rows_that_are_refused_alike_the_first_is_told_once() -> None:
    stream = io.StringIO()
    log = make_log(stream, "console", "warning", once=True)
    for number in range(150):
        _refuse(log, f"n{number}", "bad" if number % 2 else "worse")
    log.warning("job.unresolved", name="n7", http_status=400, code="bad")
    assert _events(stream) == ["create.answer", "create.answer", "job.unresolved"]
    assert "the like are only counted" in stream.getvalue()


def test_what_is_of_the_whole_run_and_every_error_is_always_told() -> None:
    stream = io.StringIO()
    log = make_log(stream, "console", "warning", once=True)
    for _ in range(2):
        log.warning("service.down", probe_in_s=1.0)
        log.error("failed", name="n")
    assert _events(stream) == ["service.down", "failed"] * 2


def test_a_service_that_makes_up_codes_floods_nobody() -> None:
    stream = io.StringIO()
    log = make_log(stream, "console", "warning", once=True)
    for number in range(1_000):
        _refuse(log, f"n{number}", f"code{number}")
    assert len(_events(stream)) == 100

"""summary.json: figures that scripts read."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from bulkjobs.engine.records import Outcome

from .made import START, created, inventory, rejected, rendered, run_of


def test_it_is_what_render_returns(tmp_path: Path) -> None:
    report = rendered(run_of(inventory(tmp_path / "in.csv", b"a\n1\n", 1)), [created(0, 2)], tmp_path / "out")
    assert json.loads(report.bytes_of("summary.json")) == report.summary


def test_it_names_the_run_and_its_time(tmp_path: Path) -> None:
    orphan = {"name": "x", "outcome": "adopted", "job_id": "1", "detail": None}
    run = run_of(state="halted", reason="401", orphans=[orphan])
    summary = rendered(run, [], tmp_path / "out").summary
    wanted = {
        "schema": 1,
        "run": "run-1",
        "state": "halted",
        "reason": "401",
        "endpoint": "http://127.0.0.1:1",
        "account": "default",
        "api": "2025-03",
        "started_at": "2025-11-24T16:00:00.123Z",
        "ended_at": "2025-11-24T16:00:02.623Z",
        "duration_s": 2.5,
        "orphans": [orphan],
        "facts": {"rate_permitted": 5.0, "sends": 3},
    }
    assert {key: summary[key] for key in wanted} == wanted


def test_every_outcome_is_counted_zero_included(tmp_path: Path) -> None:
    rows = [created(0, 1), created(0, 2), created(0, 3, outcome=Outcome.ADOPTED)]
    summary = rendered(run_of(), rows, tmp_path / "out").summary
    assert list(summary["counts"]) == [outcome.value for outcome in Outcome]
    assert {word: count for word, count in summary["counts"].items() if count} == {"created": 2, "adopted": 1}
    assert summary["rows"] == 3


def test_attempts_are_summed_and_rows_of_several_counted(tmp_path: Path) -> None:
    rows = [created(0, line, attempts=attempts) for line, attempts in enumerate([0, 1, 2, 5])]
    assert rendered(run_of(), rows, tmp_path / "out").summary["attempts"] == {"total": 8, "rows_with_several": 2}


def test_latency_is_of_rows_that_were_sent_and_its_percentiles_are_values_that_occurred(tmp_path: Path) -> None:
    sent = [created(0, n, elapsed_ms=n) for n in range(1, 101)]
    unsent = [created(0, 200, outcome=Outcome.EXISTING, first_sent_at=None, elapsed_ms=9_999)]
    open_rows = [created(0, 201, outcome=Outcome.UNRESOLVED, elapsed_ms=None)]
    summary = rendered(run_of(), [*sent, *unsent, *open_rows], tmp_path / "out").summary
    assert summary["latency_ms"] == {"p50": 50, "p90": 90, "p99": 99, "max": 100}


def test_without_a_send_there_is_no_latency_and_no_rate(tmp_path: Path) -> None:
    rows = [created(0, 2, outcome=Outcome.EXISTING, attempts=0, first_sent_at=None, elapsed_ms=None)]
    summary = rendered(run_of(facts={}), rows, tmp_path / "out").summary
    assert summary["latency_ms"] == {"p50": None, "p90": None, "p99": None, "max": None}
    assert summary["rate"] == {"permitted_per_s": None, "achieved_per_s": None, "peak_per_s": 0}


def test_the_rate_is_that_of_first_sends(tmp_path: Path) -> None:
    second = (START // 1000 + 1) * 1000
    times = [second, second + 250, second + 500, second + 750, second + 1000]
    rows = [created(0, line, first_sent_at=time) for line, time in enumerate(times)]
    rate = rendered(run_of(), rows, tmp_path / "out").summary["rate"]
    assert rate == {"permitted_per_s": 5.0, "achieved_per_s": 4.0, "peak_per_s": 4}


def test_the_peak_is_that_of_any_second_whenever_it_begins(tmp_path: Path) -> None:
    second = (START // 1000 + 1) * 1000
    times = [second - 300, second - 200, second + 100, second + 699, second + 700]
    rows = [created(0, line, first_sent_at=time) for line, time in enumerate(reversed(times))]
    assert rendered(run_of(), rows, tmp_path / "out").summary["rate"]["peak_per_s"] == 4


def test_two_sends_that_follow_each_other_are_no_measure_of_the_rate(tmp_path: Path) -> None:
    rows = [created(0, line, first_sent_at=START + 6 * line) for line in range(2)]
    assert rendered(run_of(), rows, tmp_path / "out").summary["rate"]["achieved_per_s"] is None


def test_errors_are_grouped_by_cause_most_first_with_the_first_example(tmp_path: Path) -> None:
    record = inventory(tmp_path / "in.csv", b"a\n1\n2\n3\n4\n5\n", 5)
    rows = [
        rejected(0, 2, "once", error_code="300"),
        rejected(0, 3, "first"),
        created(0, 4),
        rejected(0, 5, "second"),
        rejected(0, 6, "other status", http_status=409),
    ]
    errors = rendered(run_of(record), rows, tmp_path / "out").summary["errors"]
    assert [(group["count"], group["http_status"], group["error_code"]) for group in errors] == [
        (2, 400, "100"),
        (1, 400, "300"),
        (1, 409, "100"),
    ]
    assert errors[0] == {
        "outcome": "rejected",
        "http_status": 400,
        "error_code": "100",
        "count": 2,
        "example": "first",
        "example_file": "in.csv",
        "example_line": 3,
        "example_name": "job-0-3",
    }


def test_rows_that_say_nothing_are_explained_by_the_run(tmp_path: Path) -> None:
    row = rejected(0, 2, None, outcome=Outcome.NOT_SENT, http_status=None, error_code=None)
    halted = rendered(run_of(state="halted", reason="the key was refused"), [row], tmp_path / "1").summary
    assert halted["errors"][0]["example"] == "the key was refused"
    unexplained = rendered(run_of(state="running"), [row], tmp_path / "2").summary
    assert unexplained["errors"][0]["example"] == "the run ended before its turn came"


def test_groups_are_bounded_and_what_is_left_out_is_counted(tmp_path: Path) -> None:
    rows = [rejected(0, line, error_code=str(line)) for line in range(1_500)]
    summary = rendered(run_of(), rows, tmp_path / "out").summary
    assert len(summary["errors"]) == 50
    assert sum(group["count"] for group in summary["errors"]) + summary["errors_left_out"] == 1_500


def test_files_have_their_sha256(tmp_path: Path) -> None:
    report = rendered(run_of(), [created(0, 2)], tmp_path / "out")
    others = {name: hashlib.sha256(data).hexdigest() for name, data in report.files.items() if name != "summary.json"}
    assert report.summary["files"] == others
    assert set(report.files) == {"results.csv", "results.parquet", "retry.csv", "report.html", "summary.json"}


def test_text_stays_exact_in_json(tmp_path: Path) -> None:
    error = "=1\x1b[31m\u202e한글\n"
    report = rendered(run_of(), [rejected(0, 2, error)], tmp_path / "out")
    assert json.loads(report.bytes_of("summary.json"))["errors"][0]["example"] == error
    assert b"\x1b" not in report.bytes_of("summary.json")

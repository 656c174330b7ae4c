"""``runs``: every run at a glance, and old ones deleted without losing what a later run rests on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from bulkjobs.engine.journal.journal import Journal
from bulkjobs.inventory.row_source import rows_from

from .conftest import Run, Service, inventory, outcomes
from .test_explain import _half_way, _killed

DAY = 86_400_000


def _state(tmp_path: Path) -> Path:
    return tmp_path / "reports" / "journal.db"


def _sql(tmp_path: Path, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(_state(tmp_path))) as db:
        rows = db.execute(sql, parameters).fetchall()
        db.commit()
    return rows


def _given(folder: Path, *names: str) -> Path:
    """Rows as a program gives them, in the file that they are written down in."""
    rows = [
        {"name": name, "bucket": "raw", "prefix": name, "fields": "id:string", "target_bucket": "out",
         "target_prefix": name} for name in names
    ]  # fmt: skip
    return Path(rows_from(rows, name="given", folder=folder / "reports" / ".rows").location)


def _age(tmp_path: Path, run_id: str, days: int = 100) -> None:
    """Let a run lie so many days further back."""
    ago = days * DAY
    sql = "UPDATE runs SET started_at = started_at - ?, ended_at = ended_at - ? WHERE run_id = ?"
    _sql(tmp_path, sql, ago, ago, run_id)


class TestListing:
    def test_every_run_is_there_with_its_counts_the_newest_last(
        self, run: Run, service: Service, tmp_path: Path
    ) -> None:
        run("submit", inventory(tmp_path / "one.csv", "alpha"), *service.words, "--run-id", "one")
        run("submit", inventory(tmp_path / "two.csv", "alpha", "bravo"), *service.words, "--run-id", "two")
        run("submit", inventory(tmp_path / "bad.csv", "a b"), *service.words, "--run-id", "three")
        first, second, third = run("runs", "--json").json["runs"]
        assert (first["run"], first["state"], first["exit_code"], first["rows"]) == ("one", "finished", 0, 1)
        assert first["counts"] == {"created": 1}
        assert second["counts"] == {"created": 1, "existing": 1}
        assert (third["counts"], third["state"], third["exit_code"]) == ({"invalid": 1}, "invalid", 3)
        assert (first["endpoint"], first["account"], first["api"]) == (service.sandbox.endpoint, "default", "2025-03")
        assert 0 <= first["duration_s"] < 30
        assert first["inventories"] == [str(tmp_path / "one.csv")]
        lines = run("runs").out.splitlines()
        assert [line.split()[0] for line in lines if line.split()[0] in ("one", "two", "three")] == [
            "one",
            "two",
            "three",
        ]
        assert any("1 created, 1 existing" in line or "1 existing, 1 created" in line for line in lines)

    def test_a_shard_is_told_where_there_is_one(
        self, run: Run, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = inventory(tmp_path / "one.csv", "alpha", "bravo")
        run("submit", path, *service.words, "--run-id", "whole")
        assert "shard" not in run("runs").out
        run("submit", path, *service.words, "--run-id", "part", "--shard", "7/9")
        assert [each["shard"] for each in run("runs", "--json").json["runs"]] == [None, "7/9"]
        assert "shard" in run("runs").out
        assert run("runs").out.splitlines()[-1].split()[-2:] == ["0", "7/9"]
        monkeypatch.setenv("COLUMNS", "70")
        assert "shard 7/9 has none of the 2 rows\n" in run("runs").out

    async def test_a_run_at_work_counts_what_it_has_not_ended_as_pending(self, run: Run, tmp_path: Path) -> None:
        journal = Journal(_state(tmp_path))
        try:
            await _half_way(journal, "https://a", "alpha", None)
            (found,) = run("runs", "--json").json["runs"]
        finally:
            await journal.close()
        assert (found["state"], found["rows"], found["pending"], found["counts"]) == ("running", 2, 2, {})

    async def test_a_killed_run_counts_what_its_attempts_prove(self, run: Run, tmp_path: Path) -> None:
        await _killed(_state(tmp_path), "https://a", "alpha")
        (found,) = run("runs", "--json").json["runs"]
        assert (found["state"], found["counts"]) == ("killed", {"not_sent": 1, "unresolved": 1})
        assert (found["ended_at"], found["duration_s"]) == (None, 1.0)
        assert "at least 1.0 s" in run("runs").out

    async def test_a_line_is_whole_where_a_program_reads_it_and_fits_a_narrow_terminal(
        self, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        endpoint = "https://a-host-whose-name-is-far-too-long-for-a-table.example"
        await _killed(_state(tmp_path), endpoint, "alpha")
        journal = Journal(_state(tmp_path)).start()
        journal.begin_run("beta", "sandbox:beta", "default", "2025-03", tmp_path, 1000)
        journal.end_run("finished", None, 0, {}, 2500)
        await journal.close()
        out = run("runs").out
        assert [line.split()[0] for line in out.splitlines()] == ["run", "before", "beta"]
        assert f"{endpoint}, default" in out
        assert "sandbox, default" in out
        monkeypatch.setenv("COLUMNS", "60")
        narrow = run("runs").out
        assert "\n  1970-01-01 00:00:01, 1.5 s, 0 rows\n" in narrow

    def test_a_state_that_is_not_there_is_said(self, run: Run) -> None:
        for words in ((), ("--delete-older", "90d")):
            ended = run("runs", *words)
            assert ended.code == 9
            assert "does not exist" in ended.err
        assert run("runs", "--delete-older", "soon").code == 2


class TestDeleting:
    def test_old_runs_go_and_what_is_known_of_jobs_stays(self, run: Run, service: Service, tmp_path: Path) -> None:
        path = inventory(tmp_path / "jobs.csv", "alpha", "bravo")
        for run_id in ("one", "two", "three"):
            run("submit", path, *service.words, "--run-id", run_id)
        _age(tmp_path, "one")
        _age(tmp_path, "two")
        ended = run("runs", "--delete-older", "90d", "--json")
        assert (ended.code, ended.json["deleted"], ended.json["rows"]) == (0, ["one", "two"], 4)
        assert [each["run"] for each in run("runs", "--json").json["runs"]] == ["three"]
        assert (tmp_path / "reports" / "one" / "results.csv").exists(), "reports stay"
        reads = service.sandbox.traffic.requests["getJob"]
        run("submit", path, *service.words, "--run-id", "four")
        assert outcomes(tmp_path / "reports" / "four") == {"existing": 2}
        assert service.sandbox.traffic.requests["getJob"] == reads, "what was known is known"
        for table in ("rows", "attempts", "files", "lookups"):
            (left,) = _sql(tmp_path, f"SELECT count(*) FROM {table} WHERE run NOT IN (SELECT id FROM runs)")
            assert left == (0,), table

    def test_an_open_intent_outlives_its_run_and_is_settled_by_the_next(
        self, run: Run, service: Service, tmp_path: Path
    ) -> None:
        asyncio.run(_killed(_state(tmp_path), service.sandbox.endpoint, "alpha"))
        path = inventory(tmp_path / "jobs.csv", "other")
        _sql(tmp_path, "UPDATE runs SET ended_at = 3000, state = 'killed', reported = 1")
        run("submit", path, *service.words, "--account", "another", "--run-id", "two")
        # The killed run is the last of its account, so it takes a later one for it to go.
        _sql(
            tmp_path,
            "INSERT INTO runs (run_id, scope, api, folder, state, started_at, ended_at, reported)"
            " SELECT 'later', scope, api, folder, 'finished', 5000, 9000000000000, 1 FROM runs WHERE run_id = 'before'",
        )
        ended = run("runs", "--delete-older", "90d")
        assert "Deleted 1 run" in ended.err
        assert "Kept 1 send of unknown end" in ended.err
        assert _sql(tmp_path, "SELECT name FROM attempts WHERE closed = 0") == [("alpha",)]
        run("submit", inventory(path, "alpha"), *service.words, "--run-id", "three")
        story = run("explain", "three", "alpha", "--json").json
        assert "a run that was deleted since" in story["events"][2]["text"]
        assert [event["what"] for event in story["events"]][-5:] == ["lookup", "intent", "sent", "answer", "outcome"]
        assert _sql(tmp_path, "SELECT count(*) FROM attempts WHERE closed = 0") == [(0,)]

    def test_rows_that_a_program_gave_go_with_the_last_run_that_was_made_from_them(
        self, run: Run, tmp_path: Path
    ) -> None:
        shared, alone, newer = (_given(tmp_path, *names) for names in (["alpha"], ["alpha", "bravo"], ["charlie"]))
        own = inventory(tmp_path / "reports" / ".rows" / "own.0123456789abcdef.csv", "delta")
        for path, run_id in ((shared, "one"), (alone, "two"), (own, "three"), (newer, "four"), (shared, "five")):
            submitted = run("submit", path, "--sandbox", "--rate", "1000", "--settle", "0", "--run-id", run_id)
            assert submitted.code == 0, submitted
        for run_id in ("one", "two", "three", "four"):
            _age(tmp_path, run_id)
        for path in (shared, alone, own):
            os.utime(path, (1, 1))  # ``newer`` was written again just now: somebody is about to submit it
        assert run("runs", "--delete-older", "90d", "--json").json["files"] == [str(alone)]
        assert {path.name for path in alone.parent.iterdir()} == {shared.name, own.name, newer.name}

    def test_the_last_run_of_each_account_stays_whatever_its_age(
        self, run: Run, service: Service, tmp_path: Path
    ) -> None:
        path = inventory(tmp_path / "jobs.csv", "alpha")
        run("submit", path, *service.words, "--run-id", "one", "--account", "a")
        run("submit", path, *service.words, "--run-id", "two", "--account", "b")
        _age(tmp_path, "one")
        _age(tmp_path, "two")
        ended = run("runs", "--delete-older", "1d", "--json")
        assert ended.json["deleted"] == []
        reasons = {each["run"]: each["reason"] for each in ended.json["kept"]}
        assert "last run of its endpoint and account" in reasons["one"]
        assert "last run" in reasons["two"]

    def test_a_run_whose_report_is_still_due_stays(self, run: Run, service: Service, tmp_path: Path) -> None:
        path = inventory(tmp_path / "jobs.csv", "alpha")
        run("submit", path, *service.words, "--run-id", "one")
        run("submit", path, *service.words, "--run-id", "two")
        _age(tmp_path, "one")
        _sql(tmp_path, "UPDATE runs SET reported = 0 WHERE run_id = 'one'")
        ended = run("runs", "--delete-older", "1d")
        assert "Kept one: its report is not written yet" in ended.err

    def test_of_an_embedded_sandbox_everything_goes(self, run: Run, tmp_path: Path) -> None:
        path = inventory(tmp_path / "jobs.csv", "alpha")
        for run_id in ("one", "two"):
            run("submit", path, "--sandbox", "--rate", "1000", "--settle", "0", "--run-id", run_id)
        _age(tmp_path, "one")
        assert run("runs", "--delete-older", "1d", "--json").json["deleted"] == ["one"]
        assert _sql(tmp_path, "SELECT endpoint FROM scopes") == [("sandbox:two",)]
        assert _sql(tmp_path, "SELECT count(*) FROM jobs") == [(1,)]
        _age(tmp_path, "two")
        (kept,) = run("runs", "--delete-older", "1d", "--json").json["kept"]
        assert kept == {"run": "two", "reason": "it is the last run"}, "or its number would be given again"

    def test_the_file_gets_smaller(self, run: Run, service: Service, tmp_path: Path) -> None:
        path = inventory(tmp_path / "jobs.csv", *(f"job{number:04}" for number in range(400)))
        for run_id in ("one", "two"):
            run("submit", path, *service.words, "--run-id", run_id)
        _age(tmp_path, "one")
        pruned = run("runs", "--delete-older", "90d", "--json").json
        assert pruned["rows"] == 400
        assert pruned["attempts"] == 400
        assert pruned["bytes_after"] < 0.8 * pruned["bytes_before"]

    async def test_a_state_in_use_is_left_alone(self, run: Run, tmp_path: Path) -> None:
        journal = Journal(_state(tmp_path))
        try:
            await _half_way(journal, "https://a", "alpha", None)
            ended = run("runs", "--delete-older", "1d")
        finally:
            await journal.close()
        assert ended.code == 8
        assert "in use" in ended.err

    @pytest.mark.parametrize("statement", ["DELETE FROM rows", "DELETE FROM runs"])
    def test_a_failure_half_way_deletes_nothing(
        self, run: Run, service: Service, tmp_path: Path, statement: str
    ) -> None:
        path = inventory(tmp_path / "jobs.csv", "alpha")
        for run_id in ("one", "two"):
            run("submit", path, *service.words, "--run-id", run_id)
        _age(tmp_path, "one")
        table = statement.rsplit(maxsplit=1)[-1]
        trigger = f"CREATE TRIGGER no BEFORE DELETE ON {table} BEGIN SELECT raise(ABORT, 'no'); END"
        _sql(tmp_path, trigger)
        assert run("runs", "--delete-older", "1d").code == 9
        assert [each["rows"] for each in run("runs", "--json").json["runs"]] == [1, 1]
        assert _sql(tmp_path, "SELECT count(*) FROM attempts") == [(1,)]

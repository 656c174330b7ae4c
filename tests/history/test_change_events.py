"""``--json-events`` of reconcile and rollback: every outcome is one line, of jobs that no row lists as well."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .conftest import Run, Service, inventory


def _read(path: Path) -> tuple[Any, list[Any], Any]:
    begin, *rows, end = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return begin, rows, end


def test_reconcile_and_rollback_tell_what_they_make_change_delete_and_keep(
    run: Run, service: Service, tmp_path: Path
) -> None:
    path = inventory(tmp_path / "jobs.csv", "alpha", "bravo", "charlie")
    run("submit", path, *service.words, "--run-id", "one")
    service.ahead_s += 2
    service.change("bravo", lambda nodes: nodes[0].update(prefix="elsewhere"))
    inventory(path, "alpha", "bravo", "delta")
    ended = run(
        "reconcile", path, *service.words, "--yes", "--prune", "--max-delete", "1",
        "--json-events", "events.ndjson", "--run-id", "two",
    )  # fmt: skip
    begin, rows, end = _read(tmp_path / "events.ndjson")
    assert (begin["event"], begin["run"], begin["inventories"]) == ("begin", "two", [str(path)])
    last = {row["name"]: row for row in rows}
    assert {name: row["outcome"] for name, row in last.items()} == {
        "alpha": "existing", "bravo": "updated", "charlie": "deleted", "delta": "created",
    }  # fmt: skip
    assert (last["bravo"]["file"], last["bravo"]["line"]) == (str(path), 3)
    assert (last["charlie"]["file"], last["charlie"]["line"]) == (None, None)
    assert last["charlie"]["job_id"]
    assert (end["event"], end["exit_code"], end["counts"]["updated"]) == ("end", ended.code, 1)

    service.change("alpha", lambda nodes: nodes[0].update(prefix="elsewhere"))
    run("rollback", "one", *service.words, "--yes", "--json-events", "back.ndjson")
    begin, rows, end = _read(tmp_path / "back.ndjson")
    assert {row["name"]: row["outcome"] for row in rows} == {
        "alpha": "drifted", "bravo": "deleted", "charlie": "deleted",
    }  # fmt: skip
    assert [row["file"] for row in rows] == [None] * 3
    assert (begin["inventories"], end["exit_code"]) == ([], 4)


def test_a_refused_reconcile_tells_its_rows_too(run: Run, service: Service, tmp_path: Path) -> None:
    path = inventory(tmp_path / "jobs.csv", "alpha", "bravo")
    words = ("reconcile", path, *service.words, "--yes", "--expect-no-changes")
    ended = run(*words, "--json-events", "events.ndjson")
    _, rows, end = _read(tmp_path / "events.ndjson")
    assert {row["name"]: row["outcome"] for row in rows} == dict.fromkeys(("alpha", "bravo"), "not_sent")
    assert (ended.code, end["exit_code"], end["state"]) == (10, 10, "refused")
    ended = run(*words, "--json", "--json-events", "-")
    assert (ended.code, "--json-events FILE" in ended.err) == (2, True)

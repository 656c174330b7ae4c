"""What the service says against a row becomes a problem of that row, the first of them only."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bulkjobs.engine.verify import Verified
from bulkjobs.graph.expand import Expander
from bulkjobs.graph.validation import sendable_rows
from bulkjobs.inventory.reader import InventoryFile
from bulkjobs.library import Target, verify
from bulkjobs.settings import Settings

from .conftest import Verifying
from .program import KEYS, row, write_csv

QUICK = Settings(rate=1000, concurrency=4, timeout=2, patience=0.3, first_patience=0.3, max_problems=2)


async def ask(path: Path, service: Verifying) -> Verified:
    rows = sendable_rows([InventoryFile(path)], Expander())
    return await verify(rows, Target(service.endpoint, environment=KEYS), QUICK)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (400, {"error": {"errorCode": "100", "message": "no\x1b"}}, "(HTTP 400 100): no\\x1b"),
        (400, {"error": {"message": "no"}}, "(HTTP 400): no"),
        (200, False, "(HTTP 200 not-verified): verifyJob replied false"),
    ],
)
async def test_a_refusal_names_row_line_and_words(
    tmp_path: Path, service: Verifying, status: int, body: object, said: str
) -> None:
    path = write_csv(tmp_path / "some rows.csv", [row(1), row(2)])
    service.answer = lambda name, _: (status, json.dumps(body)) if name == "job002" else (200, "true")
    verified = await ask(path, service)
    (problem,) = verified.problems
    assert (verified.asked, verified.refused, verified.stop) == (2, 1, None)
    assert (problem.file, problem.line, problem.code, problem.severity) == (str(path), 3, "server-refused", "error")
    assert problem.message == f"the service refuses the job {said}"
    assert problem.hint == f"`bulkjobs expand '{path}' --row job002` shows what it was asked"


async def test_all_refusals_are_counted_and_the_first_are_kept(tmp_path: Path, service: Verifying) -> None:
    path = write_csv(tmp_path / "rows.csv", [row(number) for number in range(1, 6)])
    service.answer = lambda _name, _number: (200, "false")
    verified = await ask(path, service)
    assert (verified.asked, verified.refused, len(verified.problems)) == (5, 5, 2)

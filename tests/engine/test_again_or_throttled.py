"""What the report's charts get from the journal: retries and throttles, of one run, in order."""

from __future__ import annotations

from pathlib import Path

from bulkjobs.engine.journal.history import History
from bulkjobs.engine.records import AttemptRecord
from bulkjobs.library import render_again

from .conftest import durable, opened, put_end, put_intent, put_row


async def _two_runs(state: Path) -> None:
    """In the second, row 0 was throttled and sent again, row 1 was sent once, row 2 has an open second attempt."""
    async with opened(state, run="r1") as journal:
        put_row(journal, 0)
        put_end(journal, put_intent(journal, "other", 0, at=900), "throttled", closed=True)
        await durable(journal)
    async with opened(state, run="r2") as journal:
        journal.end_killed_runs()
        for seq in range(3):
            put_row(journal, seq)
        for name, seq, at, verdict in (("a", 0, 2_000, "throttled"), ("b", 1, 2_100, "created"), ("c", 2, 2_200, "x")):
            attempt = put_intent(journal, name, seq, at=at)
            await durable(journal)
            put_end(journal, attempt, verdict, closed=True, at=at + 50)
            await durable(journal)
        attempt = put_intent(journal, "a", 0, at=3_000)
        await durable(journal)
        put_end(journal, attempt, "created", closed=True, at=3_040)
        put_intent(journal, "c", 2, at=3_100)
        await durable(journal)


async def test_they_are_what_the_rows_own_records_do_not_tell(state: Path) -> None:
    await _two_runs(state)
    with History(state) as history:
        assert list(history.again_or_throttled(history.run("r2"))) == [
            AttemptRecord(False, 2_000, 2_050, "throttled"),
            AttemptRecord(True, 3_000, 3_040, "created"),
            AttemptRecord(True, 3_100, None, None),
        ]


async def test_of_attempts_that_belong_to_no_row_all_but_the_first_are_told(state: Path) -> None:
    async with opened(state, run="r1") as journal:
        for at, name in ((2_000, "x"), (2_100, "y")):  # of jobs that no row lists
            attempt = put_intent(journal, name, None, at=at)
            await durable(journal)
            put_end(journal, attempt, "unknown", closed=True, at=at + 50)
            await durable(journal)
    with History(state) as history:
        assert list(history.again_or_throttled(history.run("r1"))) == [AttemptRecord(True, 2_100, 2_150, "unknown")]


async def test_they_reach_the_page(state: Path, tmp_path: Path) -> None:
    await _two_runs(state)
    folder, _ = render_again(state, "r2", tmp_path)
    assert "throttled 1 time</title>" in (folder / "report.html").read_text(encoding="utf-8")

"""Deleting old runs, at the journal itself: what goes, what stays, and a disk on which the file cannot shrink."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkjobs.engine.journal.history import has_run
from bulkjobs.engine.journal.journal import Journal
from bulkjobs.engine.journal.lock import is_held
from bulkjobs.engine.journal.pruning import _delete_file, delete_older
from bulkjobs.engine.journal.schema import connect
from bulkjobs.engine.journal.statements import Kind
from bulkjobs.engine.learned import Learned
from bulkjobs.errors import StateError
from tests.engine.conftest import durable, opened, put_end, put_intent, put_job, put_row

OLD, NEW = 5_000, 90_000


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.db"


async def _run(
    state: Path, run: str, ended: int | None = OLD, *, rows: int = 2, is_reported: bool = True, endpoint: str = "https://a"
) -> None:  # fmt: skip
    """A run with something in every table. Its first row's attempt is closed, its last one's is open."""
    async with opened(state, run=run, endpoint=endpoint) as journal:
        _fill(journal, rows)
        closed = put_intent(journal, f"{run}-closed", 0)
        put_intent(journal, f"{run}-open", 1)
        await durable(journal)
        put_end(journal, closed, "created", closed=True)
        await durable(journal)
        journal.put(Kind.CLAIM, journal.scope, "jobs.csv", journal.run)
        await durable(journal)
        journal.learn(Learned(7.0, 1_000))
        if ended is not None:
            journal.end_run("finished", None, 0, {}, ended)
        if is_reported:
            journal.reported(run)


def _fill(journal: Journal, rows: int) -> None:
    for seq in range(rows):
        put_row(journal, seq, f"{journal.run}-{seq}" + "x" * 1_000)
    put_job(journal, "job")
    journal.put(Kind.APPLIED, journal.scope, "job", "j1", b"d", b"[]")
    journal.put(Kind.ORPHAN, journal.run, "orphan", "adopted", "j1", None)
    journal.put(Kind.REMOVED, journal.run, "removed", "j1", "deleted", None, None)
    journal.put(Kind.LOOKUP, journal.run, 0, "n0", 1, "look", 1, "", None, 0, "send")


def _counts(state: Path, *tables: str) -> dict[str, int]:
    with contextlib.closing(connect(state)) as db:
        return {table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}


async def test_a_run_that_ended_before_goes_with_all_that_is_its_own(state: Path) -> None:
    await _run(state, "one")
    await _run(state, "two", ended=NEW)
    pruned = delete_older(state, OLD + 1)
    assert (pruned.run_ids, pruned.rows, pruned.attempts, pruned.open_intents) == (["one"], 2, 1, 1)
    assert (pruned.kept, pruned.not_shrunk) == ([], None)
    assert _counts(state, "runs", "rows", "lookups", "orphans", "removals") == {
        "runs": 1, "rows": 2, "lookups": 1, "orphans": 1, "removals": 1,
    }  # fmt: skip
    assert _counts(state, "attempts", "scopes", "jobs", "applied", "learned") == {
        "attempts": 3, "scopes": 1, "jobs": 1, "applied": 1, "learned": 1,
    }, "what is known of jobs and every open intent stay"  # fmt: skip
    assert not is_held(state)


async def test_a_run_that_ended_at_that_very_time_stays(state: Path) -> None:
    await _run(state, "one")
    await _run(state, "two", ended=NEW)
    pruned = delete_older(state, OLD)
    assert (pruned.run_ids, pruned.kept, pruned.rows) == ((), [], 0)
    assert pruned.bytes_before == pruned.bytes_after > 0


async def test_a_run_whose_report_is_due_or_that_never_ended_stays_and_says_why(state: Path) -> None:
    await _run(state, "unreported", is_reported=False)
    await _run(state, "killed", ended=None)
    await _run(state, "last", ended=NEW)
    pruned = delete_older(state, OLD + 1)
    why = "its report is not written yet: the next run writes it"
    assert (pruned.run_ids, pruned.kept) == ((), [("unreported", why), ("killed", why)])


async def test_a_file_that_cannot_be_made_smaller_is_told_and_what_was_deleted_is_gone(state: Path) -> None:
    await _run(state, "one", rows=5)
    await _run(state, "two", ended=NEW, rows=2_000)
    with _files_of_at_most(600_000):
        pruned = delete_older(state, OLD + 1)
    assert pruned.run_ids == ["one"]
    assert pruned.not_shrunk is not None
    assert "disk" in pruned.not_shrunk
    assert _counts(state, "runs", "rows") == {"runs": 1, "rows": 2_000}
    assert delete_older(state, OLD).not_shrunk is None, "there is nothing left that would need it"


@contextlib.contextmanager
def _files_of_at_most(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_of_a_sandbox_everything_goes_but_for_one_that_still_has_a_run(state: Path) -> None:
    await _run(state, "one", endpoint="sandbox:one")
    await _run(state, "two", endpoint="sandbox:two")
    await _run(state, "three", ended=NEW, endpoint="sandbox:two")
    await _run(state, "four", ended=NEW)
    pruned = delete_older(state, OLD + 1)
    assert (pruned.run_ids, pruned.rows, pruned.attempts, pruned.open_intents) == (["one", "two"], 4, 3, 1)
    with contextlib.closing(connect(state)) as db:
        scopes = [endpoint for (endpoint,) in db.execute("SELECT endpoint FROM scopes ORDER BY id")]
    assert scopes == ["sandbox:two", "https://a"]
    assert _counts(state, "jobs", "applied", "learned") == {"jobs": 2, "applied": 2, "learned": 2}
    assert _counts(state, "claims", "attempts") == {"claims": 6, "attempts": 5}


async def test_the_last_run_of_an_account_stays_unless_its_service_is_gone(state: Path) -> None:
    await _run(state, "one", endpoint="https://b")
    await _run(state, "two", endpoint="sandbox:two")
    await _run(state, "three")
    pruned = delete_older(state, NEW)
    assert pruned.run_ids == ["two"]
    assert pruned.kept == [("one", "it is the last run of its endpoint and account"), ("three", "it is the last run")]


def test_rows_whose_file_is_gone_already_are_no_reason_to_fail(tmp_path: Path) -> None:
    assert not _delete_file(tmp_path / "gone.parquet", NEW)


def test_a_journal_that_is_not_there_is_not_made(state: Path) -> None:
    with pytest.raises(StateError, match="does not exist") as raised:
        delete_older(state, NEW)
    assert raised.value.hint
    assert not state.parent.exists()


class TestWhetherARunIsKnown:
    async def test_it_is_by_its_id(self, state: Path) -> None:
        await _run(state, "one")
        assert has_run(state, "one")
        assert not has_run(state, "two")

    async def test_of_a_file_that_cannot_be_read_none_is_known(self, state: Path, tmp_path: Path) -> None:
        assert not has_run(state, "one")
        await _run(state, "one")
        link = tmp_path / "link.db"
        link.symlink_to(state)
        assert not has_run(link, "one"), "links are not followed"
        link.unlink()
        link.write_bytes(b"")
        assert not has_run(link, "one")
        assert link.read_bytes() == b"", "nor is a journal made of an empty file"
        link.write_bytes(b"x" * 9_000)
        assert not has_run(link, "one")

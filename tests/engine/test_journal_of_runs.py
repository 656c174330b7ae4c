"""What the journal remembers from run to run: scopes, rates that were found, reports that are due, how runs ended."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from bulkjobs.dataflow.listing import ListedJob
from bulkjobs.engine.journal.history import History, has_run
from bulkjobs.engine.journal.journal import Journal
from bulkjobs.engine.journal.pending import Pending
from bulkjobs.engine.journal.schema import VERSION, connect
from bulkjobs.engine.journal.statements import Kind
from bulkjobs.engine.learned import Learned
from bulkjobs.errors import StateError, UsageError

from .conftest import durable, opened, put_end, put_intent, put_row


async def _is_new(state: Path, run: str, endpoint: str, account: str = "x") -> bool:
    async with opened(state, run=run, endpoint=endpoint, account=account) as journal:
        return journal.is_new_scope()


class TestScopes:
    async def test_one_is_new_if_the_journal_knows_only_others(self, state: Path) -> None:
        assert not await _is_new(state, "r1", "https://a"), "there is nothing that it could be mistaken for"
        assert not await _is_new(state, "r2", "https://a")
        assert await _is_new(state, "r3", "https://b")
        assert not await _is_new(state, "r4", "https://b")
        assert await _is_new(state, "r5", "https://a", "another")

    async def test_embedded_services_do_not_count_as_others(self, state: Path) -> None:
        assert not await _is_new(state, "r1", "sandbox:one")
        assert not await _is_new(state, "r2", "sandbox:two")
        assert not await _is_new(state, "r3", "https://a")
        assert await _is_new(state, "r4", "sandbox:three")


async def test_the_rate_that_was_found_last_is_kept_for_its_scope(state: Path) -> None:
    async with opened(state) as journal:
        assert journal.learned() is None
        for rate in (7.0, 9.0):
            journal.learn(Learned(rate, 1_000))
    async with opened(state, run="r2") as journal:
        assert journal.learned() == Learned(9.0, 1_000)
    async with opened(state, run="r3", account="another") as journal:
        assert journal.learned() is None


class TestReports:
    async def test_one_is_due_from_the_end_of_its_run_until_it_is_complete(self, state: Path) -> None:
        async with opened(state) as journal:
            assert journal.runs_without_report() == []
            journal.end_run("finished", None, 0, {}, 5_000)
            assert journal.runs_without_report() == ["r1"]
        async with opened(state, run="r2") as journal:
            journal.end_run("finished", None, 0, {}, 6_000)
            assert journal.runs_without_report() == ["r1", "r2"]
            journal.reported("r1")
            assert journal.runs_without_report() == ["r2"]


class TestEnds:
    async def test_rows_without_an_outcome_get_what_their_attempts_prove_for_good(self, state: Path) -> None:
        async with opened(state) as journal:
            for seq in range(3):
                put_row(journal, seq)
            put_intent(journal, "n0", 0)
            closed = put_intent(journal, "n1", 1)
            await durable(journal)
            put_end(journal, closed, "unknown", closed=True)
            await durable(journal)
            journal.end_run("halted", "why", 5, {"sends": 2}, 5_000)
            sql = "SELECT outcome, attempts, first_sent_at FROM rows ORDER BY seq"
            assert journal.ask(sql) == [("unresolved", 1, 2_000), ("not_sent", 1, 2_000), ("not_sent", 0, None)]
            assert journal.ask("SELECT state, reason, exit_code, ended_at FROM runs") == [("halted", "why", 5, 5_000)]

    @pytest.mark.parametrize(
        ("intended", "ended", "last"), [(2_000, 3_000, 3_000), (4_000, None, 4_000), (500, None, 1_000)]
    )
    async def test_a_killed_run_ended_when_it_was_last_heard_of(
        self, state: Path, intended: int, ended: int | None, last: int
    ) -> None:
        async with opened(state) as journal:
            attempt = put_intent(journal, "n0", at=intended)
            await durable(journal)
            if ended is not None:
                put_end(journal, attempt, "unknown", closed=False, at=ended)
        async with opened(state, run="r2") as journal:
            assert journal.end_killed_runs() == ["r1"]
            ((state_of, ended_at),) = journal.ask("SELECT state, ended_at FROM runs WHERE run_id = 'r1'")
            assert (state_of, ended_at) == ("killed", last)

    async def test_what_was_known_before_a_run_stays_beside_what_is_known_at_its_end(self, state: Path) -> None:
        journal = Journal(state)
        try:
            journal.begin_run("r1", "https://a", "x", "2025-03", state.parent, 1, {"command": "submit", "sends": 0})
            journal.end_run("finished", None, 0, {"sends": 3}, 2)
            journal.begin_run("r2", "https://a", "x", "2025-03", state.parent, 3)
        finally:
            await journal.close()
        with History(state) as history:
            first, second = history.runs()
        assert first.record.facts == {"command": "submit", "sends": 3}
        assert second.record.facts == {}


async def test_more_than_a_batch_takes_is_written_in_order_whatever_waits_behind_it(state: Path) -> None:
    async with opened(state) as journal:
        with contextlib.closing(connect(state)) as other:
            other.execute("BEGIN IMMEDIATE")  # nothing is written while this lasts
            waits = [durable(journal)]
            for first in (0, 6_000):
                for seq in range(first, first + 6_000):
                    put_row(journal, seq)
                waits.append(durable(journal))
            other.execute("ROLLBACK")
        for wait in waits:
            await wait
        assert journal.ask("SELECT count(*), max(seq) FROM rows") == [(12_000, 11_999)]


class TestWanted:
    async def test_names_that_are_not_wanted_any_more_are_orphans_again(self, state: Path) -> None:
        async with opened(state) as journal:
            put_row(journal, 0)
            put_intent(journal, "n0", 0)
            await durable(journal)
            Pending(journal).remember_wanted()
            assert Pending(journal).open_attempts_elsewhere() == []
            journal.begin_run("r2", "https://a", "x", "2025-03", state.parent, 1)
            Pending(journal).remember_wanted()
            assert [orphan.name for orphan in Pending(journal).open_attempts_elsewhere()] == ["n0"]

    async def test_of_a_job_that_is_listed_twice_the_later_word_counts(self, state: Path) -> None:
        async with opened(state) as journal:
            put_row(journal, 0)
            await durable(journal)
            Pending(journal).remember_wanted()
            for date in ("u1", "u2"):
                Pending(journal).remember_listed([ListedJob("j0", "n0", "RUNNABLE", date)])
            (row,) = Pending(journal).unfinished(0, 9)
            assert row.listed == (ListedJob("j0", "n0", "RUNNABLE", "u2"),)


class TestReadingOnly:
    async def test_what_became_of_orphans_and_removals_is_told_by_name(self, state: Path) -> None:
        async with opened(state) as journal:
            for name in ("b", "a"):
                journal.put(Kind.ORPHAN, journal.run, name, "adopted", "j1", "why")
                journal.put(Kind.REMOVED, journal.run, name, "j1", "deleted", "code", "why")
            await durable(journal)
        with History(state) as history:
            record = history.run("r1").record
        assert record.orphans == [
            {"name": name, "outcome": "adopted", "job_id": "j1", "detail": "why"} for name in ("a", "b")
        ]
        assert record.removals == [
            {"name": name, "job_id": "j1", "outcome": "deleted", "code": "code", "detail": "why"} for name in ("a", "b")
        ]

    async def test_a_journal_of_another_release_is_refused(self, state: Path) -> None:
        async with opened(state):
            pass
        with contextlib.closing(connect(state)) as other:
            other.execute(f"PRAGMA user_version = {VERSION + 1}")
        with pytest.raises(StateError, match="another release"):
            History(state)

    async def test_of_no_runs_none_is_the_latest(self, state: Path) -> None:
        await Journal(state).close()
        with History(state) as history, pytest.raises(UsageError) as raised:
            history.run("r1")
        assert raised.value.hint == "the latest runs: none"
        assert not has_run(state, "r1")

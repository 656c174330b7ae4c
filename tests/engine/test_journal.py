"""What the journal answers the planner, what it proves of a run that was killed, and that scopes stay apart."""

from __future__ import annotations

import contextlib
import itertools
import time
from pathlib import Path

import pytest

from bulkjobs.dataflow.listing import ListedJob
from bulkjobs.engine.journal.history import History
from bulkjobs.engine.journal.journal import Journal
from bulkjobs.engine.journal.pending import Pending
from bulkjobs.engine.journal.schema import connect
from bulkjobs.engine.journal.statements import Kind
from bulkjobs.engine.journal.trail import Trails
from bulkjobs.engine.planning import Known
from bulkjobs.engine.protocol import Relation
from bulkjobs.engine.records import InventoryRecord, Outcome, RowRecord
from bulkjobs.errors import StateError, UsageError

from .conftest import DIGEST, durable, opened, put_end, put_intent, put_job, put_row

FILES = [InventoryRecord("a.csv", "00", 3, "/x/a.csv"), InventoryRecord("b.csv", "11", 4, "/x/b.csv")]


async def _killed(path: Path, run: str = "r1") -> None:
    """A run that ended without a word. Its rows: created, in flight, throttled, sent twice, not sent, withdrawn."""
    journal = Journal(path).start()
    try:
        journal.begin_run(run, "https://a", "x", "2025-03", path.parent / run, 1_000)
        journal.set_files(FILES)
        for seq in range(6):
            put_row(journal, seq)
        journal.put(Kind.FINISHED, "created", "j0", "RUNNABLE", 201, None, None, 1, 2_000, 3_000, 9, journal.run, 0)
        put_intent(journal, "n1", 1, at=2_100)
        attempt = put_intent(journal, "n2", 2, at=2_200)
        other = put_intent(journal, "n3", 3, at=2_300)
        unsent = put_intent(journal, "n4", 4, at=2_350)
        withdrawn = put_intent(journal, "n5", 5)
        await durable(journal)
        put_end(journal, attempt, "throttled", closed=True)
        put_end(journal, other, "unknown", closed=True, at=7_000)
        put_end(journal, unsent, "not_sent", closed=True)
        journal.put(Kind.WITHDRAWN, withdrawn)
        await durable(journal)
        put_intent(journal, "n3", 3, at=2_400)
    finally:
        await journal.close()


PROVED = [
    (Outcome.CREATED, 1, 2_000),
    (Outcome.UNRESOLVED, 1, 2_100),
    (Outcome.NOT_SENT, 0, 2_200),
    (Outcome.UNRESOLVED, 2, 2_300),
    (Outcome.NOT_SENT, 0, 2_350),
    (Outcome.NOT_SENT, 0, None),
]


def _rows(path: Path, run: str) -> list[RowRecord]:
    with History(path) as history:
        return list(history.rows(history.run(run)))


class TestKilledRuns:
    async def test_an_open_attempt_leaves_its_row_unresolved_and_all_else_not_sent(self, state: Path) -> None:
        await _killed(state)
        async with opened(state, run="r2") as journal:
            assert journal.end_killed_runs() == ["r1"]
            assert journal.end_killed_runs() == []
        assert [(row.outcome, row.attempts, row.first_sent_at) for row in _rows(state, "r1")] == PROVED

    async def test_history_shows_the_same_before_the_next_run_has_closed_it(self, state: Path) -> None:
        await _killed(state)
        before = _rows(state, "r1")
        async with opened(state, run="r2") as journal:
            journal.end_killed_runs()
        assert before == _rows(state, "r1")

    async def test_a_row_s_story_counts_what_its_report_counts(self, state: Path) -> None:
        await _killed(state)
        with Trails(state) as trails:
            past = trails.run("r1")
            told = [trails.trail(past, record.name or "").row for record in trails.rows(past)]
        assert [(row.outcome, row.attempts, row.first_sent_at) for row in told] == PROVED

    async def test_a_killed_run_ended_when_it_was_last_heard_of(self, state: Path) -> None:
        await _killed(state)
        with History(state) as history:
            past = history.run("r1")
            assert (past.record.state, past.record.ended_at) == ("killed", None)
            assert past.record.inventories == FILES
            assert past.folder == state.parent / "r1"
        async with opened(state, run="r2") as journal:
            journal.end_killed_runs()
        with History(state) as history:
            assert history.run("r1").record.ended_at == 7_000

    async def test_a_run_that_is_still_going_is_neither_killed_nor_closed_by_itself(self, state: Path) -> None:
        async with opened(state) as journal:
            assert journal.end_killed_runs() == []
            with History(state) as history:
                assert history.run("r1").record.state == "running"

    async def test_an_attempt_of_an_earlier_run_keeps_the_row_unresolved(self, state: Path) -> None:
        await _killed(state)
        async with opened(state, run="r2") as journal:
            put_row(journal, 0, "n1")
            put_row(journal, 1, "n4")
            await durable(journal)
            assert Pending(journal).unresolved_left() == 1
            journal.end_run("halted", "why", 6, {"sends": 0}, 9_000)
        assert [(row.outcome, row.attempts) for row in _rows(state, "r2")] == [
            (Outcome.UNRESOLVED, 0),
            (Outcome.NOT_SENT, 0),
        ]


class TestRuns:
    async def test_a_run_keeps_what_it_was_told_at_its_end(self, state: Path) -> None:
        async with opened(state) as journal:
            journal.put(Kind.ORPHAN, journal.run, "old", "adopted", "j9", None)
            await durable(journal)
            journal.end_run("finished", None, 0, {"sends": 3}, 5_000)
        with History(state) as history:
            (past,) = history.runs()
        record = past.record
        assert (record.state, record.ended_at, record.facts, record.api) == ("finished", 5_000, {"sends": 3}, "2025-03")
        assert record.orphans == [{"name": "old", "outcome": "adopted", "job_id": "j9", "detail": None}]

    async def test_the_id_of_a_run_is_taken_once_and_the_refused_one_leaves_nothing(self, state: Path) -> None:
        async with opened(state) as journal:
            run, scope = journal.run, journal.scope
            with pytest.raises(UsageError, match="run r1 exists already") as raised:
                journal.begin_run("r1", "https://other", "x", "2025-03", state.parent, 1)
            assert raised.value.hint is not None
            assert (journal.run, journal.scope) == (run, scope)
            journal.begin_run("r2", "https://a", "x", "2025-03", state.parent, 1)
            assert journal.scope == scope

    async def test_the_files_of_a_run_can_be_set_again(self, state: Path) -> None:
        async with opened(state) as journal:
            journal.set_files(FILES)
            journal.set_files(FILES[:1])
            with History(state) as history:
                assert history.run("r1").record.inventories == FILES[:1]

    async def test_an_unknown_run_is_an_error_that_names_the_latest(self, state: Path) -> None:
        async with opened(state), contextlib.AsyncExitStack():
            pass
        with History(state) as history, pytest.raises(UsageError) as raised:
            history.run("r7")
        assert raised.value.hint == "the latest runs: r1"

    async def test_read_only_commands_take_no_lock(self, state: Path) -> None:
        async with opened(state) as journal:
            put_row(journal, 0)
            await durable(journal)
            with History(state) as history:
                assert [row.name for row in history.rows(history.run("r1"))] == ["n0"]
            put_row(journal, 1)
            await durable(journal)


class TestPlanning:
    async def test_unfinished_rows_come_in_order_with_all_that_is_known_of_their_names(self, state: Path) -> None:
        async with opened(state) as journal:
            for seq in range(6):
                put_row(journal, seq, outcome="invalid" if seq == 1 else None)
            attempt = put_intent(journal, "n2", 2)
            put_job(journal, "n3")
            put_job(journal, "n4", relation=None)
            await durable(journal)
            Pending(journal).remember_wanted()
            listed = ListedJob("j5", "n5", "RUNNABLE", "u")
            Pending(journal).remember_listed(
                [listed, ListedJob("j6", "n5", None, None), ListedJob("j7", "n50", None, None)]
            )
            Pending(journal).remember_listed([ListedJob("j8", "n4", "DELETED", None)])
            rows = Pending(journal).unfinished(0, 100)
            assert [row.seq for row in rows] == [0, 2, 3, 4, 5]
            assert [row.open_attempt for row in rows] == [None, attempt, None, None, None]
            assert rows[2].known == Known("j1", "RUNNABLE", "u1", DIGEST, Relation.OURS_EQUAL, 4_000)
            assert rows[3].known == Known("j1", "RUNNABLE", "u1", DIGEST, None, 4_000)
            assert (rows[3].listed, rows[4].listed) == ((), (listed, ListedJob("j6", "n5", None, None)))
            assert [row.seq for row in Pending(journal).unfinished(2, 2)] == [2, 3]
            assert [list(Pending(journal)._listed(first, count)) for first, count in ((0, 5), (5, 1), (6, 9))] == [
                [],
                ["n5"],
                [],
            ]
            assert Pending(journal).rows_between(0, 3) == [0, 2]

    async def test_open_attempts_of_names_that_are_not_listed_are_orphans(self, state: Path) -> None:
        await _killed(state)
        async with opened(state, run="r2") as journal:
            put_row(journal, 0, "n3")
            await durable(journal)
            Pending(journal).remember_wanted()
            assert [(orphan.attempt, orphan.name) for orphan in Pending(journal).open_attempts_elsewhere()] == [
                (1, "n1")
            ]

    async def test_the_end_of_the_run_before_is_known_unless_it_was_killed(self, state: Path) -> None:
        async with opened(state) as journal:
            assert Pending(journal).last_run_ended() == 0
            journal.end_run("halted", None, 5, {}, 7_000)
        async with opened(state, run="r2") as journal:
            assert Pending(journal).last_run_ended() == 7_000
        async with opened(state, run="r3") as journal:
            journal.end_killed_runs()
            assert Pending(journal).last_run_ended() is None

    async def test_the_wanted_names_can_be_indexed_anew(self, state: Path) -> None:
        async with opened(state) as journal:
            for seq in (1, 2):
                put_row(journal, seq)
                await durable(journal)
                Pending(journal).remember_wanted()
                Pending(journal).remember_listed([ListedJob("j", "n2", None, None)])
            assert [len(row.listed) for row in Pending(journal).unfinished(0, 9)] == [0, 1]

    async def test_what_is_newly_known_of_a_name_replaces_what_was(self, state: Path) -> None:
        async with opened(state) as journal:
            put_row(journal, 1)
            for job_id in ("j1", "j2"):
                put_job(journal, "n1", job_id)
            await durable(journal)
            Pending(journal).remember_wanted()
            (row,) = Pending(journal).unfinished(0, 9)
            assert row.known is not None
            assert row.known.job_id == "j2"

    @pytest.mark.parametrize(("endpoint", "account"), [("https://b", "x"), ("https://a", "y")])
    async def test_nothing_leaks_from_one_scope_into_another(self, state: Path, endpoint: str, account: str) -> None:
        async with opened(state) as journal:
            put_intent(journal, "n1")
            put_job(journal, "n2")
        async with opened(state, run="r2", endpoint=endpoint, account=account) as journal:
            for seq in (1, 2):
                put_row(journal, seq)
            await durable(journal)
            Pending(journal).remember_wanted()
            assert [(row.open_attempt, row.known) for row in Pending(journal).unfinished(0, 9)] == [(None, None)] * 2
            assert (
                Pending(journal).open_attempts_elsewhere(),
                Pending(journal).last_run_ended(),
                Pending(journal).unresolved_left(),
            ) == (
                [],
                0,
                0,
            )
            journal.end_run("finished", None, 0, {}, 1)
        assert [row.outcome for row in _rows(state, "r2")] == [Outcome.NOT_SENT] * 2

    async def test_twenty_thousand_rows_are_planned_without_a_scan_for_each(self, state: Path) -> None:
        async with opened(state) as journal:
            for seq in range(20_000):
                put_row(journal, seq)
                put_job(journal, f"n{seq}")
                if seq % 2:
                    put_intent(journal, f"n{seq}", seq)
            await durable(journal)
            begun = time.process_time()
            Pending(journal).remember_wanted()
            Pending(journal).remember_listed([ListedJob(f"j{seq}", f"n{seq}", None, None) for seq in range(20_000)])
            rows = list(
                itertools.chain.from_iterable(Pending(journal).unfinished(at, 2_000) for at in range(0, 20_000, 2_000))
            )
            assert len(rows) == 20_000
            assert all(row.listed and row.known for row in rows)
            assert Pending(journal).unresolved_left() == 10_000
            assert Pending(journal).open_attempts_elsewhere() == []
            journal.end_run("halted", None, 5, {}, 1)
            assert time.process_time() - begun < 5  # a scan for each row would take minutes


class TestWordsThatCannotHaveBeenWritten:
    @pytest.mark.parametrize(
        "sql",
        [
            "UPDATE rows SET outcome = 'cre8ted'",
            "UPDATE runs SET facts = '{'",
            "UPDATE rows SET name = CAST(x'ff' AS TEXT)",
        ],
    )
    async def test_are_damage_to_history(self, state: Path, sql: str) -> None:
        async with opened(state) as journal:
            put_row(journal, 0)
        with contextlib.closing(connect(state)) as other:
            other.execute(sql)
        with pytest.raises(StateError):
            _rows(state, "r1")

    async def test_are_damage_to_the_planner(self, state: Path) -> None:
        async with opened(state) as journal:
            put_row(journal, 0)
            put_job(journal, "n0", relation="ALMOST")
            await durable(journal)
            Pending(journal).remember_wanted()
            with pytest.raises(StateError, match="is damaged"):
                Pending(journal).unfinished(0, 9)


async def test_an_error_inside_a_transaction_leaves_the_journal_usable(state: Path) -> None:
    async with opened(state) as journal:
        with contextlib.closing(connect(state)) as other:
            other.execute("CREATE TRIGGER t BEFORE INSERT ON files BEGIN SELECT RAISE(ROLLBACK, 'disk full'); END")
        with pytest.raises(StateError, match="disk full"):  # and not: no transaction is active
            journal.set_files(FILES)
        with contextlib.closing(connect(state)) as other:
            other.execute("DROP TRIGGER t")
        journal.set_files(FILES)

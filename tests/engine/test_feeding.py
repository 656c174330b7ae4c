"""What is handed to the sender is what was checked."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from bulkjobs.dataflow.contract import Api
from bulkjobs.engine.clock import Clock
from bulkjobs.engine.feeding import Feeding
from bulkjobs.engine.journal.pending import Pending
from bulkjobs.engine.journal.statements import Kind
from bulkjobs.engine.planning import Moment
from bulkjobs.engine.work import Stop, Tally, Work
from tests.simulation.inventory import SimExpander, SimFile, spec_of
from tests.simulation.journal import SimJournal, SimWriter, connection
from tests.simulation.loop import VirtualLoop

_NAMES = ("alpha", "bravo", "charlie")


class _File(SimFile):
    chunk = 8


class _Sender:
    """Takes rows and sends none."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.stopped: Stop | None = None
        self.is_fed = False

    async def feed(self, work: Work) -> None:
        self.names.append(work.name)

    async def first_answers(self, works: list[Work]) -> None:
        assert works == [], "no canaries were asked for"

    def fed(self) -> None:
        self.is_fed = True


def _fed(*rows: tuple[str, str]) -> tuple[list[str], list[str]]:
    """The rows that are handed over, and why the run stops, when ``_NAMES`` were checked and these are read."""
    database = connection()
    loop = VirtualLoop(0.0)  # type: ignore[abstract]  # the engine asks for no files, sockets, signals
    sender, stops = _Sender(), list[str]()
    clock, tally = Clock(loop.time), Tally(rows=len(_NAMES))

    async def main() -> None:
        journal = SimJournal(database).start_with(SimWriter(database, loop, random.Random(1), None, None, False))
        journal.begin_run("r", "https://a", "x", "2025-03", Path(), 1_000)
        for seq, name in enumerate(_NAMES):
            digest = spec_of(name, "1").digest
            journal.put(Kind.ROW, journal.run, seq, 0, seq + 2, name, digest, None, None, None)
        await journal.writer.durable()
        Pending(journal).remember_wanted()
        files: Any = [_File(rows)]
        expander: Any = SimExpander()
        taker: Any = sender
        feeding = Feeding(
            files, expander, journal, taker, clock, tally, lambda stop: stops.append(stop.reason),
            api=Api.V2025_03, positions=len(_NAMES), settled=0.0,
        )  # fmt: skip
        await feeding.run(Moment(1_000, 1.0), (), looks_first=False)
        await journal.close()

    loop.run(main())
    database.close()
    assert sender.is_fed
    return sender.names, stops


def test_rows_that_were_checked_are_handed_over_in_their_order() -> None:
    assert _fed(*((name, "1") for name in _NAMES)) == (list(_NAMES), [])


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_row_that_was_edited_is_not_handed_over_nor_what_follows_it(place: int) -> None:
    rows = [(name, "2" if number == place else "1") for number, name in enumerate(_NAMES)]
    assert _fed(*rows) == (list(_NAMES[:place]), ["the inventory changed while it was being sent"])


def test_of_a_chunk_that_is_longer_than_what_was_checked_nothing_is_handed_over() -> None:
    rows = [(name, "1") for name in (*_NAMES, "delta")]
    assert _fed(*rows) == ([], ["the inventory changed while it was being sent"])

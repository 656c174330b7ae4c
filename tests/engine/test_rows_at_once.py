"""Many rows in one record are the same rows as one by one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from bulkjobs.engine.journal.rows_at_once import rows_at_once
from bulkjobs.engine.journal.statements import Kind
from bulkjobs.graph.spec import fingerprint

from .conftest import durable, opened


def _digests(names: Sequence[str]) -> list[bytes]:
    return [fingerprint(name.encode()) for name in names]


@pytest.mark.parametrize(
    ("seqs", "lines"),
    [
        ([0], [2]),
        (range(5), range(2, 7)),
        ([3, 4, 90, 1_000_000, 9_999_999_999], [5, 9, 9, 8_000_000, 123_456_789_012]),
    ],
)
async def test_they_are_the_same_rows_as_one_by_one(state: Path, seqs: Sequence[int], lines: Sequence[int]) -> None:
    names = ["a_1", "_-_", "B" * 100, "x--9", "null"][: len(seqs)]
    digests = _digests(names)
    async with opened(state) as journal:
        for row in zip(seqs, [1] * len(seqs), lines, names, digests, strict=True):
            journal.put(Kind.ROW, journal.run, *row, None, None, None)
        journal.put(Kind.ROWS, journal.run + 1, *rows_at_once(1, seqs, lines, names, digests))
        await durable(journal)
        one_by_one, at_once = (
            journal.ask("SELECT seq, file, line, name, digest, outcome, error, typeof(line), typeof(digest) FROM rows"
                        " WHERE run = ? ORDER BY seq", run)
            for run in (journal.run, journal.run + 1)
        )  # fmt: skip
    assert at_once == one_by_one
    assert len(at_once) == len(names)


def test_a_row_that_lacks_something_is_a_defect_and_not_a_shift_of_all_others() -> None:
    with pytest.raises(AssertionError):
        rows_at_once(0, [0, 1], [2, 3], ["a_1", "a_2"], _digests(["a_1"]))

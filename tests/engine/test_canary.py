"""Which rows go first, and what their refusal means for the others."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable

from bulkjobs.dataflow.contract import Api
from bulkjobs.dataflow.replies import Answer, Verdict
from bulkjobs.engine.canary import SHAPES, Canaries, Shapes, are_awaited, refused
from bulkjobs.engine.protocol import RowState
from bulkjobs.engine.records import Outcome
from bulkjobs.engine.work import Work


def canary(row: RowState, outcome: Outcome | None = None) -> Work:
    return Work(0, "n0", None, row, outcome=outcome)


NO = Answer(Verdict.REJECTED, 400, "bad-parameter", "body: no type")
REFUSED = canary(RowState(1, last=NO), Outcome.REJECTED)
CREATED = canary(RowState(1, last=Answer(Verdict.CREATED, 201)), Outcome.CREATED)
UNKNOWN = canary(RowState(1, unknown=True, last=Answer(Verdict.UNKNOWN, 503)))
THROTTLED = canary(RowState(last=Answer(Verdict.THROTTLED, 429)))
DOUBTFUL = canary(RowState(1, last=NO, refusal=NO))
NAME_FREE = canary(RowState(1, last=NO, looks=1), Outcome.REJECTED)
NAME_TAKEN = canary(RowState(1, last=NO, refusal=NO, looks=1), Outcome.CONFLICT)
NAME_DELETED = canary(RowState(1, last=NO, looks=1))
SILENT = canary(RowState())


def shapes(*shapes: str) -> Shapes:
    known = Shapes()
    known.add(shapes)
    return known


def chosen(known: Shapes, rows: Iterable[int], more: int) -> list[int]:
    canaries = Canaries(known)
    for row in rows:
        canaries.offer(row)
    return canaries.chosen(more)


def test_the_first_row_of_each_shape_goes_first() -> None:
    known = shapes("A", "A", "AB", "", "A", "B")
    assert chosen(known, [0, 1, 2, 4, 5], 0) == [0, 2, 5]
    assert chosen(known, [1, 4, 5], 0) == [1, 5]


def test_more_are_taken_if_asked_and_never_fewer_than_two() -> None:
    known = shapes(*"AAAAAAAAA")
    assert chosen(known, range(9), 0) == [0, 8]
    assert chosen(known, range(9), 3) == [0, 2, 5, 8]
    assert chosen(known, [4], 3) == [4]


def test_they_lie_far_apart_in_the_first_tenth_that_is_read_for_them() -> None:
    for rows, last in ((2_000, 1_999), (20_000, 1_999), (50_000, 4_999), (100_000, 9_999), (300_000, 9_999)):
        assert chosen(shapes(*["A"] * rows), range(rows), 0) == [0, last]


def test_as_many_are_taken_as_asked_though_they_reach_beyond_the_first_tenth() -> None:
    assert chosen(shapes(*["A"] * 5_000), range(5_000), 3_000) == list(range(3_001))


def test_at_most_ten_shapes_get_one() -> None:
    known = shapes(*map(str, range(300)))
    assert chosen(known, range(300), 0) == list(range(SHAPES))


def test_beyond_those_that_are_near_no_row_is_kept() -> None:
    rows = 100_000
    canaries = Canaries(shapes(*["A"] * rows))
    for row in range(rows // 5):
        canaries.offer(row)
    tracemalloc.start()
    try:
        for row in range(rows // 5, rows):
            canaries.offer(row)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10_000
    assert canaries.chosen(0)[0] == 0


def test_if_all_are_refused_the_message_says_what_the_service_said_and_which_contract_is_in_use() -> None:
    assert refused([REFUSED, REFUSED], 4_998, Api.V2025_03) == (
        "2 of 2 first jobs were refused: bad-parameter: body: no type: 4,998 rows not sent; "
        "contract 2025-03 in use, --api 2026-09 adds `type`"
    )


def test_only_refusals_stop_the_rest() -> None:
    for other in (CREATED, UNKNOWN, THROTTLED, NAME_TAKEN, NAME_DELETED):
        assert refused([REFUSED, other], 9, Api.V2025_03) is None
    assert refused([], 9, Api.V2025_03) is None


def test_the_rest_waits_for_an_answer_to_each() -> None:
    for other in (REFUSED, CREATED, UNKNOWN, THROTTLED, DOUBTFUL):
        assert are_awaited([other, SILENT])
        assert not are_awaited([other, CREATED])
    assert not are_awaited([])


def test_a_refusal_that_may_be_about_the_name_is_waited_for_until_it_was_looked_up() -> None:
    assert are_awaited([REFUSED, DOUBTFUL])
    assert are_awaited([DOUBTFUL, DOUBTFUL])
    assert not are_awaited([REFUSED, NAME_FREE])
    assert refused([REFUSED, NAME_FREE], 9, Api.V2025_03) is not None


def test_it_is_not_waited_for_if_the_rest_may_go_on_whatever_it_means() -> None:
    for other in (CREATED, UNKNOWN, THROTTLED, NAME_TAKEN, NAME_DELETED):
        assert not are_awaited([DOUBTFUL, other])

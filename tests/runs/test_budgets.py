"""Canaries, the halt rule, deadlines, limits of a plan: a run that goes wrong stops early, and says why."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from bulkjobs.dataflow.contract import Api, Contract
from bulkjobs.engine.work import Again
from bulkjobs.errors import ExitCode
from bulkjobs.settings import HaltRule

from .conftest import Begin, outcomes, row, rows


async def test_a_service_that_refuses_the_first_jobs_gets_no_more_of_them(begin: Begin) -> None:
    world = await begin(api="2026-09")
    ended = await world.run(rows(500))
    assert ended.result.exit_code is ExitCode.NOT_FINISHED
    assert world.sandbox.traffic.requests["createJob"] == 2
    assert ended.result.stop is not None
    assert ended.result.stop.reason.startswith("2 of 2 first jobs were refused: bad-parameter: ")
    assert ended.result.stop.reason.endswith(": 498 rows not sent; contract 2025-03 in use, --api 2026-09 adds `type`")
    assert ended.result.stop.again is Again.ONCE_MENDED
    assert ended.summary["counts"]["rejected"] == 2
    assert ended.summary["counts"]["not_sent"] == 498
    ended = await world.run(rows(500), contract=Contract(Api.V2026_09))
    assert ended.result.exit_code is ExitCode.OK
    assert len(world.names()) == 500


@pytest.mark.parametrize(("more", "sent"), [(None, 2), (0, 2), (1, 2), (2, 3)])
async def test_of_one_shape_two_go_first_or_as_many_more_as_asked_and_only_their_refusal_stops_a_run_at_100_percent(
    begin: Begin, more: int | None, sent: int
) -> None:
    world = await begin(api="2026-09")
    ended = await world.run(rows(30), canary=more, halt=HaltRule(percent=100.0))
    assert world.sandbox.traffic.requests["createJob"] == sent
    assert ended.result.exit_code is ExitCode.NOT_FINISHED
    assert ended.result.stop is not None
    assert ended.result.stop.reason.startswith(f"{sent} of {sent} first jobs were refused: ")


@pytest.mark.parametrize(("more", "sent"), [(None, 20), (0, 2)])
async def test_a_few_rows_answer_for_themselves_unless_canaries_are_asked_for(
    begin: Begin, more: int | None, sent: int
) -> None:
    world = await begin(api="2026-09")
    ended = await world.run(rows(20), canary=more, halt=HaltRule(percent=100.0))
    assert world.sandbox.traffic.requests["createJob"] == sent
    assert ended.summary["counts"]["rejected"] == sent


async def test_one_row_of_every_shape_goes_before_the_crowd_and_more_if_asked(begin: Begin) -> None:
    world = await begin()
    crowd = [*rows(40), row("with_filter", filter="id == 1"), row("as_json", data_type="JSON")]
    await world.run(crowd, concurrency=1)
    made = [job.name for job in world.sandbox.jobs()]
    assert made[:3] == ["job_0000", "with_filter", "as_json"]
    assert sorted(made) == sorted(cells["name"] for cells in crowd)
    other = await begin()
    await other.run(crowd, concurrency=1, canary=2, state="other.db")
    first = [job.name for job in other.sandbox.jobs()][:5]
    assert first == ["job_0000", "job_0019", "job_0039", "with_filter", "as_json"]


async def test_canaries_that_are_throttled_hold_nobody_up(begin: Begin) -> None:
    world = await begin(rate=5.0)
    ended = await world.run(rows(25), rate=None)
    assert ended.result.exit_code is ExitCode.OK
    assert len(world.names()) == 25


async def test_so_many_rejected_rows_stop_the_run(begin: Begin) -> None:
    world = await begin()
    crowd = rows(60)
    for cells in crowd[30:38]:  # taken by our checks, too large for the service
        cells["prefix"] = cells["target_prefix"] = "x" * 600_000
    ended = await world.run(crowd, concurrency=1, halt=HaltRule(count=5, percent=None))
    assert ended.result.exit_code is ExitCode.NOT_FINISHED
    assert ended.result.stop is not None
    assert ended.result.stop.reason.startswith("5 rows were rejected (--halt 5), the last with HTTP 413 430: ")
    assert ended.result.stop.again is Again.GOES_ON
    counts = ended.summary["counts"]
    assert (counts["rejected"], counts["created"]) == (5, 31)  # the last row was a canary
    ended = await world.run(crowd, halt=HaltRule(percent=100.0))
    assert ended.result.exit_code is ExitCode.NEEDS_DECISION
    assert (ended.summary["counts"]["rejected"], len(world.names())) == (8, 52)


async def test_a_deadline_ends_the_run_in_time_and_the_next_goes_on(begin: Begin) -> None:
    world = await begin()
    begun = time.monotonic()
    ended = await world.run(rows(200), rate=50.0, deadline=2.0, timeout=0.5)
    assert time.monotonic() - begun < 2.5
    assert ended.result.exit_code is ExitCode.NOT_FINISHED
    assert ended.result.stop is not None
    said = re.fullmatch(  # the rest of it only if something is on its way just then
        "sending stopped (.*) s before --deadline 2s(, to wait for what is on its way)?", ended.result.stop.reason
    )
    assert said is not None
    assert 0.3 < float(said[1]) <= 0.5
    made = len(world.names())
    assert 20 < made < 200
    assert ended.summary["counts"]["created"] == made
    ended = await world.run(rows(200))
    assert (ended.result.exit_code, len(world.names())) == (ExitCode.OK, 200)


class TestARuleThatStopsARunWithNothingLeft:
    """Every row has an end of its own, so the run is finished, whatever would have stopped it."""

    @staticmethod
    def is_finished(ended: Any, **counts: int) -> bool:
        assert {outcome: count for outcome, count in ended.summary["counts"].items() if count} == counts
        assert ended.summary["state"] == "finished"
        return ended.result.stop is None and ended.result.exit_code is ExitCode.NEEDS_DECISION

    async def test_the_halt_rule(self, begin: Begin) -> None:
        world = await begin()
        crowd = rows(8)
        crowd[-1]["prefix"] = crowd[-1]["target_prefix"] = "x" * 600_000
        ended = await world.run(crowd, concurrency=1, halt=HaltRule(count=1, percent=None))
        assert self.is_finished(ended, created=7, rejected=1)

    async def test_one_and_the_same_refusal_of_twenty_rows(self, begin: Begin) -> None:
        world = await begin(api="2026-09")
        assert self.is_finished(await world.run(rows(20)), rejected=20)

    async def test_canaries_that_are_all_there_is(self, begin: Begin) -> None:
        world = await begin(api="2026-09")
        assert self.is_finished(await world.run(rows(2), canary=0), rejected=2)

    async def test_a_deadline_that_comes_while_the_last_are_on_their_way(self, begin: Begin) -> None:
        world = await begin(latency=1.0)
        ended = await world.run(rows(2), deadline=4.0, timeout=2.4)  # at 2 s, when they have been sent for 1 s
        assert ended.summary["counts"]["created"] == 2
        assert (ended.result.stop, ended.result.exit_code) == (None, ExitCode.OK)


async def test_a_plan_that_is_larger_than_expected_sends_nothing(begin: Begin) -> None:
    world = await begin()
    ended = await world.run(rows(11), max_jobs=10)
    assert ended.result.exit_code is ExitCode.NOT_FINISHED
    assert ended.result.stop is not None
    assert ended.result.stop.reason == "the plan has 11 jobs to create, more than --max-jobs 10"
    assert (ended.result.stop.hint or "").endswith("--max-jobs 11 permits it")
    assert ended.result.stop.again is Again.ENDS_ALIKE
    assert world.sandbox.traffic.requests["createJob"] == 0
    assert set(outcomes(ended).values()) == {"not_sent"}
    ended = await world.run(rows(11), max_jobs=11)
    assert ended.result.exit_code is ExitCode.OK
    ended = await world.run(rows(11), max_jobs=0)
    assert ended.result.exit_code is ExitCode.OK

"""Live jobs read for an inventory: which are taken, which are told, and how a service that will not answer ends it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from bulkjobs.dataflow.client import Job
from bulkjobs.dataflow.listing import ListedJob
from bulkjobs.dataflow.replies import Answer, Cause, Verdict
from bulkjobs.engine.clock import Clock
from bulkjobs.engine.export import Live, live_jobs
from bulkjobs.engine.work import Tally
from bulkjobs.errors import AccessError, BulkJobsError, NotFinished
from bulkjobs.logs import SilentLog
from bulkjobs.settings import Settings

from .conftest import virtually
from .scripted import KEYS, REJECTED, SILENT, ScriptedClient
from .test_resolver import job_of, listed

QUOTA = Answer(Verdict.HALTED, 429, "400", "used up", cause=Cause.QUOTA, slow_down=True)
Pages = Callable[[int, str | None], Sequence[ListedJob] | Answer]


class Export:
    def __init__(
        self, pages: Pages, job: Callable[[str], Job | Answer | None] = job_of, wanted: str = "", page_size: int = 1_000
    ) -> None:
        self.client = ScriptedClient(pages=pages, job=job, page_size=page_size)
        self.tally = Tally()
        self._wanted = wanted
        self.batches = virtually(self._main)

    async def _main(self, clock: Clock) -> list[Live]:
        settings = Settings(rate=10_000, concurrency=4, patience=30, first_patience=10)
        work = live_jobs(self.client, settings, clock, self.tally, SilentLog(), self._is_wanted)
        return [batch async for batch in work]

    def _is_wanted(self, name: str) -> bool:
        return name.startswith(self._wanted)

    @property
    def names(self) -> list[str]:
        return [job.name for batch in self.batches for job in batch.jobs]


def test_live_jobs_that_are_wanted_are_read_in_the_order_of_the_list() -> None:
    shown = [listed("n2"), listed("n1"), listed("n3", status="DELETED"), listed("other")]
    export = Export(lambda page, name: shown, wanted="n")
    assert export.names == ["n2", "n1"]
    assert export.client.gets == ["job-n2", "job-n1"]
    assert len(export.client.lists) == 1
    assert export.tally.listed == 4


def test_a_list_of_several_pages_is_read_twice_and_both_readings_count() -> None:
    pages = [[listed("n1"), listed("n2")], [listed("n3")], [listed("n2"), listed("n3")], [listed("n4")]]
    left = iter(pages)
    assert Export(lambda page, name: next(left), page_size=2).names == ["n1", "n2", "n3", "n4"]


def test_two_jobs_of_a_name_and_one_without_an_id_are_told_and_not_read() -> None:
    shown = [listed("n1", "a"), listed("n1", "b"), ListedJob("", "n2", None, None), listed("n3")]
    export = Export(lambda page, name: shown)
    (live,) = export.batches
    assert [(each.name, each.job_ids) for each in live.refused] == [("n1", ("a", "b")), ("n2", ())]
    assert live.refused[0].reason == "2 jobs of one name: an inventory holds one"
    assert live.refused[1].reason == "the list gives no id that can be used"
    assert export.names == ["n3"]


@pytest.mark.parametrize("gone", [None, Job("job-n1", "n1", "DELETED", "u1", [])])
def test_a_job_that_went_away_since_it_was_listed_is_none_that_lives(gone: Job | None) -> None:
    shown = [listed("n1"), listed("n2")]
    export = Export(lambda page, name: shown, lambda job_id: gone if job_id == "job-n1" else job_of(job_id))
    assert export.names == ["n2"]


def test_many_jobs_come_in_batches() -> None:
    shown = [listed(f"n{number}") for number in range(450)]
    assert [len(batch.jobs) for batch in Export(lambda page, name: shown).batches] == [200, 200, 50]


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (KEYS, AccessError, "export: "),
        (QUOTA, NotFinished, "export: "),
        (SILENT, AccessError, "export: "),
        (REJECTED, NotFinished, "export: the jobs cannot be read: no such bucket"),
    ],
)
@pytest.mark.parametrize("where", ["list", "job"])
def test_a_service_that_will_not_answer_ends_it_and_says_why(
    answer: Answer, error: type[BulkJobsError], said: str, where: str
) -> None:
    if answer is SILENT and where == "job":
        error = NotFinished  # it was there before
    shown = answer if where == "list" else [listed("n1")]
    with pytest.raises(error) as raised:
        Export(lambda page, name: shown, lambda job_id: answer)
    assert raised.value.message.startswith(said)
    assert answer.message in raised.value.message
    assert raised.value.hint

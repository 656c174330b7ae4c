"""A row that was not sent may have its job from an earlier run: nothing says that it has none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from bulkjobs.dataflow.client import CallFailed, DataFlowClient
from bulkjobs.dataflow.replies import Answer, Cause, Verdict

from .conftest import Ended, Run, Service, inventory

_OLD = [f"old{i:02d}" for i in range(8)]
_NEW = [f"new{i:02d}" for i in range(24)]
_NO = Answer(Verdict.REJECTED, 400, "100", "not like that")
_FORBIDDEN = Answer(Verdict.HALTED, 401, "210", "no permission", cause=Cause.PERMISSION)


def _submit(run: Run, service: Service, path: Path, state: str, run_id: str) -> Ended:
    return run("submit", path, *service.words, "--state", state, "--run-id", run_id)


@pytest.fixture
def refuses_all(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    async def create_job(_client: DataFlowClient, _name: str, _nodes: bytes) -> Answer:
        return _NO

    with monkeypatch.context() as patched:
        patched.setattr(DataFlowClient, "create_job", create_job)
        yield


def _made(run: Run, service: Service, folder: Path) -> None:
    assert _submit(run, service, inventory(folder / "old.csv", *_OLD), "a.db", "made").code == 0


@pytest.fixture
def existing(run: Run, service: Service, tmp_path: Path) -> None:
    _made(run, service, tmp_path)


@pytest.mark.usefixtures("existing", "refuses_all")
class TestCanariesAreRefused:
    def _ended(self, run: Run, service: Service, tmp_path: Path, state: str) -> Ended:
        return _submit(run, service, inventory(tmp_path / "all.csv", *_OLD, *_NEW), state, "refused")

    def test_jobs_that_were_listed_and_not_read_may_be_there(self, run: Run, service: Service, tmp_path: Path) -> None:
        ended = self._ended(run, service, tmp_path, "b.db")
        said = "8 of the 30 rows that were not sent may have their jobs already: the run ended before it looked."
        assert (ended.code, said in ended.err) == (5, True), ended.err
        page = (tmp_path / "reports/refused/report.html").read_text()
        assert "None of the 32 rows is known to have its job: 2 rejected, 30 not sent." in page
        assert said in page
        assert "no job" not in page
        summary = json.loads((tmp_path / "reports/refused/summary.json").read_text())
        assert (summary["counts"]["not_sent"], summary["facts"]["not_looked_at"]) == (30, 8)

    def test_with_the_journal_that_knows_them_nothing_is_left_open(
        self, run: Run, service: Service, tmp_path: Path
    ) -> None:
        ended = self._ended(run, service, tmp_path, "a.db")
        assert "may have their jobs" not in ended.err
        page = (tmp_path / "reports/refused/report.html").read_text()
        assert "8 of 32 rows have their job; 24 do not: 2 rejected, 22 not sent." in page


class TestTheListWasNotRead:
    @pytest.fixture(autouse=True)
    def forbidden(self, existing: None, monkeypatch: pytest.MonkeyPatch) -> None:
        async def list_page(_client: DataFlowClient, *_given: object, **_more: object) -> NoReturn:
            raise CallFailed("getJobs", _FORBIDDEN)

        monkeypatch.setattr(DataFlowClient, "list_page", list_page)

    def test_every_row_may_have_its_job(self, run: Run, service: Service, tmp_path: Path) -> None:
        ended = _submit(run, service, tmp_path / "old.csv", "a.db", "blind")
        assert "The 8 rows that were not sent may have their jobs already" in ended.err
        page = (tmp_path / "reports/blind/report.html").read_text()
        assert "None of the 8 rows is known to have its job: 8 not sent." in page

    def test_explain_tells_of_the_job_that_the_journal_knows(self, run: Run, service: Service, tmp_path: Path) -> None:
        _submit(run, service, tmp_path / "old.csv", "a.db", "blind")
        story = run("explain", "blind", "old03", "--state", "a.db", "--json").json
        (job,) = [job for job in service.sandbox.jobs() if job.name == "old03"]
        assert story["outcome"] == "not_sent"
        assert f"but job {job.job_id} has its name, as run made saw it" in story["events"][-1]["text"]

    def test_a_row_of_which_no_job_is_known_is_told_of_none(self, run: Run, service: Service, tmp_path: Path) -> None:
        _submit(run, service, inventory(tmp_path / "new.csv", *_NEW), "a.db", "blind")
        story = run("explain", "blind", "new03", "--state", "a.db", "--json").json
        assert "has its name" not in story["events"][-1]["text"]

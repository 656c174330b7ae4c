"""``explain``: a row's whole story in order, whatever became of its run."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bulkjobs.dataflow.client import CallFailed, DataFlowClient
from bulkjobs.dataflow.replies import Answer, Verdict
from bulkjobs.engine.journal.journal import Journal
from bulkjobs.engine.journal.statements import Kind
from bulkjobs.engine.records import InventoryRecord
from bulkjobs.graph.comparison import BUILT_IN
from bulkjobs.inventory.reader import file_sha256
from bulkjobs.sandbox import SandboxOptions
from bulkjobs.settings import Shard

from .conftest import HEADER, Ended, Run, Service, inventory

_LOST = Answer(Verdict.UNKNOWN, None, "closed", "the connection was closed before an answer came")
_DIGEST = b"d" * 16


def _words(story: Any) -> list[str]:
    return [event["what"] for event in story["events"]]


def _event(story: Any, what: str, place: int = 0) -> Any:
    return [event for event in story["events"] if event["what"] == what][place]


@pytest.fixture
def loses(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """``loses(name, made=…)``: the answer to that name's first create never comes, whether it was made or not."""
    real = DataFlowClient.create_job
    lost: dict[str, bool] = {}

    async def create_job(client: DataFlowClient, name: str, nodes: bytes) -> Answer:
        if name not in lost:
            return await real(client, name, nodes)
        if lost.pop(name):
            await real(client, name, nodes)
        return _LOST

    monkeypatch.setattr(DataFlowClient, "create_job", create_job)
    return lambda name, made: lost.update({name: made})


class TestInOrder:
    def test_a_row_that_was_created(self, run: Run, service: Service, tmp_path: Path) -> None:
        path = inventory(tmp_path / "jobs.csv", "alpha", "bravo_f")
        run("submit", path, *service.words, "--run-id", "one")
        story = run("explain", "one", "bravo_f", "--json").json
        assert (story["run"], story["name"], story["outcome"], story["state"]) == (
            "one",
            "bravo_f",
            "created",
            "finished",
        )
        assert _words(story) == ["read", "expanded", "intent", "sent", "answer", "outcome"]
        read = _event(story, "read")
        assert (read["file"], read["line"], read["cells"]["filter"]) == (str(path), 3, "id GT 7")
        expanded = json.dumps(_event(story, "expanded")["nodes"]).encode()
        assert BUILT_IN.same(expanded, service.nodes("bravo_f"))
        answer = _event(story, "answer")
        assert (answer["verdict"], answer["http_status"], answer["open"]) == ("created", 201, False)
        assert 0 <= _event(story, "sent")["waited_ms"] < 10_000
        times = [event["at"] for event in story["events"] if event["at"]]
        assert times == sorted(times)
        job = next(job for job in service.sandbox.jobs() if job.name == "bravo_f")
        assert _event(story, "outcome")["job_id"] == job.job_id

    @pytest.mark.parametrize(("made", "outcome"), [(True, "adopted"), (False, "created")])
    def test_a_lost_answer_is_told_with_the_lookup_that_settled_it(
        self, run: Run, service: Service, tmp_path: Path, loses: Callable[..., None], made: bool, outcome: str
    ) -> None:
        loses("alpha", made=made)
        run("submit", inventory(tmp_path / "jobs.csv", "alpha"), *service.words, "--run-id", "one")
        story = run("explain", "one", "alpha", "--json").json
        again = [] if made else ["intent", "sent", "answer"]
        assert _words(story) == ["read", "expanded", "intent", "sent", "answer", "lookup", *again, "outcome"]
        assert _event(story, "answer")["verdict"] == "unknown"
        assert "nothing more is sent before a lookup" in _event(story, "answer")["text"]
        (job,) = service.sandbox.jobs()
        lookup = _event(story, "lookup")
        assert (lookup["how"], lookup["complete"], lookup["ids"]) == ("look", True, [job.job_id] if made else [])
        assert (lookup["decision"], lookup.get("relation")) == (("adopted", "ours, equal") if made else ("send", None))
        assert story["outcome"] == outcome

    def test_the_trace_id_of_an_answer_is_told(self, run: Run, service: Service, tmp_path: Path) -> None:
        run("submit", inventory(tmp_path / "jobs.csv", "alpha"), *service.words, "--run-id", "one")
        trace = _event(run("explain", "one", "alpha", "--json").json, "answer")["trace_id"]
        assert re.fullmatch(r"[0-9a-f]{32}", trace)
        assert f"(trace {trace})" in run("explain", "one", "alpha").out

    def test_a_job_that_drifted_tells_that_it_was_read(self, run: Run, service: Service, tmp_path: Path) -> None:
        path = inventory(tmp_path / "jobs.csv", "alpha")
        run("submit", path, *service.words, "--run-id", "one")
        inventory(path, "alpha", prefix="elsewhere")
        run("submit", path, *service.words, "--run-id", "two")
        story = run("explain", "two", "alpha", "--json").json
        lookup = _event(story, "lookup")
        assert (lookup["how"], lookup["relation"], lookup["decision"]) == ("read", "ours, differs", "drifted")
        assert "differs" in _event(story, "outcome")["text"]

    def test_a_row_that_needed_nothing_tells_why(self, run: Run, service: Service, tmp_path: Path) -> None:
        path = inventory(tmp_path / "jobs.csv", "alpha")
        run("submit", path, *service.words, "--run-id", "one")
        run("submit", path, *service.words, "--run-id", "two")
        run("submit", path, *service.words, "--run-id", "three")
        story = run("explain", "three", "alpha", "--json").json
        assert "unchanged since it was last compared" in _event(story, "outcome")["text"]
        assert _event(story, "intent")["run"] == "one", "the run that made it is told"

    @pytest.mark.parametrize("service", [SandboxOptions(list_lag=600)], indirect=True)
    def test_a_job_that_the_list_does_not_show_yet_is_told_as_believed(
        self, run: Run, service: Service, tmp_path: Path
    ) -> None:
        path = inventory(tmp_path / "jobs.csv", "alpha")
        words = (*service.words[:4], "--settle", "300")
        run("submit", path, *words, "--run-id", "one")
        assert run("submit", path, *words, "--run-id", "two").code == 0
        lookup = _event(run("explain", "two", "alpha", "--json").json, "lookup")
        assert (lookup["how"], lookup["decision"]) == ("believe", "existing")

    def test_a_send_of_an_earlier_run_is_part_of_the_story(
        self, run: Run, service: Service, tmp_path: Path, loses: Callable[..., None]
    ) -> None:
        loses("alpha", made=True)
        path = inventory(tmp_path / "jobs.csv", "alpha")
        _leave_open(tmp_path / "reports" / "journal.db", service.sandbox.endpoint, "alpha")
        run("submit", path, *service.words, "--run-id", "two")
        story = run("explain", "two", "alpha", "--json").json
        first = _event(story, "intent")
        assert (first["run"], first["earlier"]) == ("before", True)
        assert _event(story, "no_answer")["text"].startswith("no answer was written down")


class TestReconciled:
    """Looks of plans, updates, deletes and rollbacks, each with what was seen, the decision and its reason."""

    @pytest.fixture
    def path(self, run: Run, service: Service, tmp_path: Path) -> Path:
        path = inventory(tmp_path / "jobs.csv", "alpha", "bravo_f", "charlie")
        run("submit", path, *service.words, "--run-id", "one")
        service.ahead_s += 2
        return path

    @staticmethod
    def _looks(story: Any) -> list[tuple[Any, ...]]:
        looks = [event for event in story["events"] if event["what"] == "lookup"]
        return [(look["how"], look.get("seen"), look["decision"]) for look in looks]

    def test_an_update_is_told_from_its_plan_to_the_look_that_proves_it(
        self, run: Run, service: Service, path: Path
    ) -> None:
        inventory(path, "alpha", "bravo_f", "charlie", prefix="elsewhere")
        run("reconcile", path, *service.words, "--run-id", "two", "--yes")
        story = run("explain", "two", "alpha", "--json").json
        kinds = [(event["kind"], event.get("run")) for event in story["events"] if event["what"] == "intent"]
        assert kinds == [("create", "one"), ("update", None)]
        assert self._looks(story) == [
            ("plan", None, "update"),
            ("change", "as it was when the change was decided", "update"),
            ("change", "as the inventory wants it", "updated"),
        ]
        assert _event(story, "lookup")["reason"] == ('changed here; source.prefix: "in/alpha" → "elsewhere/alpha"')
        assert [word for word in _words(story) if word in ("lookup", "intent", "answer")][3:] == [
            "lookup", "intent", "answer", "lookup",
        ]  # fmt: skip
        assert story["outcome"] == "updated"
        said = run("explain", "two", "alpha").out
        assert 'to be updated, changed here; source.prefix: "in/alpha" → "elsewhere/alpha"' in said
        assert "as it was when the change was decided: the update may be sent" in said

    def test_a_hand_edit_is_told_as_what_it_is(self, run: Run, service: Service, path: Path) -> None:
        service.change("bravo_f", lambda nodes: nodes[1]["filterConditionList"][0].update(value="8"))
        run("reconcile", path, *service.words, "--run-id", "two", "--yes")
        look = _event(run("explain", "two", "bravo_f", "--json").json, "lookup")
        assert look["reason"] == 'changed in the console; filter.value: "8" → "7"'

    def test_a_job_that_no_row_lists_has_its_story_too(self, run: Run, service: Service, path: Path) -> None:
        inventory(path, "alpha")
        run("reconcile", path, *service.words, "--run-id", "two", "--yes", "--prune", "--max-delete", "2")
        story = run("explain", "two", "charlie", "--json").json
        assert self._looks(story) == [
            ("plan", None, "delete"),
            ("change", "as it was when the change was decided", "delete"),
        ]
        assert (_event(story, "lookup")["reason"], story["outcome"]) == ("no row lists it any more", "deleted")
        assert _words(story) == [
            "unlisted", "intent", "sent", "answer", "lookup", "lookup", "intent", "sent", "answer", "outcome",
        ]  # fmt: skip
        assert "no row of this run lists it" in run("explain", "two", "charlie").out

    def test_a_job_that_is_kept_tells_why(self, run: Run, service: Service, path: Path) -> None:
        service.change("bravo_f", lambda nodes: nodes[1]["filterConditionList"][0].update(value="8"))
        inventory(path, "alpha", "charlie")
        run("reconcile", path, *service.words, "--run-id", "two", "--yes", "--prune", "--max-delete", "2")
        story = run("explain", "two", "bravo_f", "--json").json
        assert self._looks(story) == [("plan", None, "keep")]
        assert "edited by hand" in _event(story, "lookup")["reason"]
        assert "edited by hand" in _event(story, "outcome")["text"]

    def test_a_rollback_tells_its_looks_and_whose_row_it_was(self, run: Run, service: Service, path: Path) -> None:
        service.change("alpha", lambda nodes: nodes[0].update(prefix="elsewhere"))
        run("rollback", "one", *service.words, "--run-id", "back", "--yes")
        gone, kept = (run("explain", "back", name, "--json").json for name in ("bravo_f", "alpha"))
        assert self._looks(gone) == [
            ("plan", None, "delete"),
            ("change", "as it was when the change was decided", "delete"),
        ]
        assert (gone["outcome"], _event(gone, "undone")["of"], _event(gone, "undone")["line"]) == ("deleted", "one", 3)
        assert self._looks(kept) == [("plan", None, "drifted")]
        assert _event(kept, "lookup")["reason"] == "the job is not as this run made it"

    def test_a_change_whose_answer_was_lost_tells_the_look_that_settled_it(
        self, run: Run, service: Service, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real, lost = DataFlowClient.update_job, [True]

        async def update_job(client: DataFlowClient, job_id: str, name: str, nodes: bytes) -> None:
            await real(client, job_id, name, nodes)
            if lost:
                lost.pop()
                raise CallFailed("updateJob", _LOST)

        monkeypatch.setattr(DataFlowClient, "update_job", update_job)
        inventory(path, "alpha", "bravo_f", "charlie", prefix="elsewhere")
        run("reconcile", path, *service.words, "--run-id", "two", "--yes", "--concurrency", "1")
        story = run("explain", "two", "alpha", "--json").json
        assert self._looks(story)[-1] == ("change", "as the inventory wants it", "updated")
        assert _event(story, "answer", 1)["verdict"] == "unknown"


def _leave_open(state: Path, endpoint: str, name: str) -> None:
    """A run that was killed between an intent and its answer."""
    asyncio.run(_killed(state, endpoint, name))


async def _killed(state: Path, endpoint: str, name: str, path: Path | None = None) -> None:
    journal = Journal(state)
    try:
        await _half_way(journal, endpoint, name, path)
    finally:
        await journal.close()


async def _half_way(journal: Journal, endpoint: str, name: str, path: Path | None) -> None:
    journal.start()
    journal.begin_run("before", endpoint, "default", "2025-03", journal.path.parent / "before", 1_000)
    journal.put(Kind.ROW, journal.run, 0, 0, 2, name, _DIGEST, None, None, None)
    journal.put(Kind.ROW, journal.run, 1, 0, 3, "waiting", _DIGEST, None, None, None)
    if path is not None:
        journal.set_files([InventoryRecord(str(path), file_sha256(path), 2, str(path))])
    attempt = journal.new_attempt()
    journal.put(Kind.INTENT, attempt, journal.scope, journal.run, 0, name, 1, _DIGEST, 2_000)
    await journal.writer.durable()


class TestUnfinishedRuns:
    async def test_a_run_at_work_is_told_without_its_lock(self, run: Run, tmp_path: Path) -> None:
        state = tmp_path / "reports" / "journal.db"
        journal = Journal(state)
        try:
            await _half_way(journal, "https://a", "alpha", None)
            story = run("explain", "before", "alpha", "--json").json
            waiting = run("explain", "before", "waiting", "--json").json
        finally:
            await journal.close()
        assert (story["state"], story["outcome"]) == ("running", None)
        assert _words(story) == ["read", "expanded", "intent", "no_answer", "pending"]
        assert _words(waiting) == ["read", "expanded", "pending"]

    async def test_a_killed_run_is_told_as_far_as_its_attempts_prove(self, run: Run, tmp_path: Path) -> None:
        path = inventory(tmp_path / "jobs.csv", "alpha", "waiting")
        await _killed(tmp_path / "reports" / "journal.db", "https://a", "alpha", path)
        story = run("explain", "before", "alpha", "--json").json
        assert (story["state"], story["outcome"]) == ("killed", "unresolved")
        assert "its last send is not settled" in _event(story, "outcome")["text"]
        assert run("explain", "before", "waiting", "--json").json["outcome"] == "not_sent"


class TestTheInventory:
    def _submitted(self, run: Run, service: Service, tmp_path: Path) -> Path:
        path = inventory(tmp_path / "jobs.csv", "alpha", "bravo_f")
        run("submit", path, *service.words, "--run-id", "one")
        return path

    def test_a_file_that_changed_is_not_taken_for_what_the_run_read(
        self, run: Run, service: Service, tmp_path: Path
    ) -> None:
        path = self._submitted(run, service, tmp_path)
        inventory(path, "alpha", "bravo_f", prefix="elsewhere")
        story = run("explain", "one", "alpha", "--json").json
        assert "cells" not in _event(story, "read")
        assert "changed since" in _event(story, "expanded")["text"]

    def test_a_file_that_is_gone_is_said(self, run: Run, service: Service, tmp_path: Path) -> None:
        self._submitted(run, service, tmp_path).unlink()
        assert "the inventory is gone" in run("explain", "one", "alpha").out

    def test_another_layout_than_the_runs_is_found_out(self, run: Run, service: Service, tmp_path: Path) -> None:
        self._submitted(run, service, tmp_path)
        layout = Path(__file__).parents[2] / "inputs" / "layouts" / "copy.toml"
        story = run("explain", "one", "bravo_f", "--layout", layout, "--json").json
        assert "give --layout and --set" in _event(story, "expanded")["text"]

    def test_an_invalid_row_tells_its_problems(self, run: Run, service: Service, tmp_path: Path) -> None:
        path = tmp_path / "bad.csv"
        path.write_text(HEADER + "alpha,raw-bucket,in/1,id:nonsense,,clean-bucket,out/1,\n", encoding="utf-8")
        run("submit", path, *service.words, "--run-id", "one")
        story = run("explain", "one", "2", "--json").json
        assert story["outcome"] == "invalid"
        assert "unknown type" in _event(story, "expanded")["problems"][0]
        assert "unknown type" in _event(story, "outcome")["text"]

    def test_parquet_is_read_by_its_rows(self, run: Run, service: Service, tmp_path: Path) -> None:
        run("submit", inventory(tmp_path / "jobs.csv", "alpha", "bravo_f"), *service.words)
        run("export", *service.words[:4], "--out", "jobs.parquet")
        run("submit", "jobs.parquet", *service.words, "--state", "other.db", "--run-id", "one")
        story = run("explain", "one", "bravo_f", "--state", "other.db", "--json").json
        assert _event(story, "read")["cells"]["name"] == "bravo_f"


class TestWhichRow:
    def _two_files(self, run: Run, service: Service, tmp_path: Path) -> None:
        one, two = (
            inventory(tmp_path / "one.csv", "alpha", "bravo"),
            inventory(tmp_path / "two.csv", "charlie", "delta"),
        )
        run("submit", one.name, two.name, *service.words, "--run-id", "one")

    def test_a_line_of_one_file_among_several(self, run: Run, service: Service, tmp_path: Path) -> None:
        self._two_files(run, service, tmp_path)
        story = run("explain", "one", "two.csv:3", "--json").json
        assert (story["name"], _event(story, "read")["cells"]["prefix"]) == ("delta", "in/delta")
        ended = run("explain", "one", "3")
        assert ended.code == 2
        assert "several rows of run one: one.csv:3, two.csv:3" in ended.err

    @pytest.mark.parametrize(
        ("row", "said"),
        [
            ("alhpa", "did you mean alpha?"),
            ("99", "give the job's name, or the line"),
            ("three.csv:2", "has no such row"),
            ("x:" + "9" * 40, "has no such row"),
            ("\x1b[2J", "has no such row"),
        ],
    )
    def test_a_row_that_is_none_gets_a_hint(
        self, run: Run, service: Service, tmp_path: Path, row: str, said: str
    ) -> None:
        self._two_files(run, service, tmp_path)
        ended = run("explain", "one", row)
        assert ended.code == 2
        assert said in ended.err
        assert "\x1b" not in ended.err

    def test_a_run_that_is_none_names_the_latest(self, run: Run, service: Service, tmp_path: Path) -> None:
        self._two_files(run, service, tmp_path)
        ended = run("explain", "none", "alpha")
        assert (ended.code, "one" in ended.err) == (2, True)

    def test_hostile_cells_cannot_drive_the_terminal(self, run: Run, service: Service, tmp_path: Path) -> None:
        path = tmp_path / "bad.csv"
        cells = 'alpha,raw-bucket,in/1,id:bigint,"id EQ ""\x1b]0;t\x07\u202e""",clean-bucket,out/1,\n'
        path.write_text(HEADER + cells, encoding="utf-8")
        run("submit", path, *service.words, "--run-id", "one")
        for ended in (run("explain", "one", "alpha"), run("explain", "one", "alpha", "--json")):
            assert ended.code == 0
            assert not {"\x1b", "\x07", "\u202e"} & set(ended.out)


def test_explain_writes_nothing(run: Run, service: Service, tmp_path: Path) -> None:
    run("submit", inventory(tmp_path / "jobs.csv", "alpha"), *service.words, "--run-id", "one")
    state = tmp_path / "reports" / "journal.db"
    before = state.read_bytes()
    ended: Ended = run("explain", "one", "alpha")
    assert ended.code == 0
    assert state.read_bytes() == before


def test_a_row_of_another_shard_is_said_to_be_in_that(run: Run, service: Service, tmp_path: Path) -> None:
    names = [f"n{number}" for number in range(8)]
    run("submit", inventory(tmp_path / "jobs.csv", *names), *service.words, "--run-id", "half", "--shard", "2/2")
    other = next(name for name in names if Shard(1, 2).holds(name))
    ended = run("explain", "half", other)
    assert (ended.code, "only shard 2/2; a job of that name is in shard 1/2" in ended.err) == (2, True), ended.err
    line = run("explain", "half", str(2 + names.index(other)))
    assert (line.code, "that line may be in another" in line.err) == (2, True), line.err
    unknown = next(name for name in ("nx", "ny", "nz", "nw") if Shard(2, 2).holds(name))
    assert "shard" not in run("explain", "half", unknown).err

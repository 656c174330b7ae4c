"""Jobs are listed, read, changed and deleted as documented, at the rate that is permitted, and kept on disk."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from bulkjobs.sandbox import DataFileError, Sandbox, SandboxOptions
from bulkjobs.sandbox.throttle import Throttle

from .conftest import Clock, Start, example

ITEM_KEYS = [
    "jobId", "name", "type", "status", "lastExecutionStatus", "createdDate", "updatedDate", "lastExecutionDate",
    "resourceId", "disabled",
]  # fmt: skip


async def test_pages_start_at_zero_and_together_hold_every_job_once(start: Start) -> None:
    call = await start()
    made = [(await call.create(example(name=f"job{n:03}"))).body["jobId"] for n in range(7)]
    pages = [(await call("GET", f"/api/v1/jobs?page={page}&limit=3")).body for page in range(4)]
    assert [len(page["list"]) for page in pages] == [3, 3, 1, 0]
    assert [item["jobId"] for page in pages for item in page["list"]] == made
    assert {page["count"] for page in pages} == {7}
    assert list(pages[0]) == ["list", "count", "page", "limit"]
    assert list(pages[0]["list"][0]) == ITEM_KEYS
    everything = (await call("GET", "/api/v1/jobs")).body
    assert (everything["page"], everything["limit"], len(everything["list"])) == (0, 1000, 7)


async def test_pages_cross_a_thousand_jobs_and_survive_deletions(start: Start) -> None:
    call = await start()
    made = [(await call.create(example(name=f"job{n:04}"))).body["jobId"] for n in range(2100)]
    await call("GET", "/api/v1/jobs")
    for job_id in made[:1000] + made[1500:1510]:
        assert (await call("DELETE", f"/api/v1/jobs/{job_id}")).body is True
    left = made[1000:1500] + made[1510:]
    pages = [(await call("GET", f"/api/v1/jobs?page={page}&limit=450")).body["list"] for page in range(3)]
    assert [item["jobId"] for page in pages for item in page] == left
    found = (await call("GET", "/api/v1/jobs?name=job20&limit=60&page=1")).body
    assert (found["count"], len(found["list"])) == (100, 40)


@pytest.mark.parametrize("query", ["page=-1", "page=x", "limit=0", "limit=" + "9" * 5000, "limit=1.5"])
async def test_a_page_that_is_no_number_is_refused(start: Start, query: str) -> None:
    call = await start()
    assert (await call("GET", f"/api/v1/jobs?{query}")).status == 400


async def test_the_name_filter_is_partial_or_exact_as_told(start: Start) -> None:
    for match, expected in (("partial", ["job1", "job10", "my-job1"]), ("exact", ["job1"])):
        call = await start(name_match=match)
        for name in ("job1", "job10", "my-job1", "JOB1"):
            await call.create(example(name=name))
        got = (await call("GET", "/api/v1/jobs?name=job1")).body
        assert [item["name"] for item in got["list"]] == expected
        assert got["count"] == len(expected)
        assert (await call("GET", "/api/v1/jobs?name=a%0Ab")).body["list"] == []
        assert len((await call("GET", "/api/v1/jobs?status=RUNNABLE")).body["list"]) == 4


@pytest.mark.parametrize("match", ["exact", "partial"])
async def test_a_created_job_shows_in_lists_after_the_lag_and_by_id_at_once(
    start: Start, clock: Clock, match: str
) -> None:
    call = await start(list_lag=5, name_match=match)
    job_id = (await call.create()).body["jobId"]
    for passed, seen in ((0.0, 0), (4.9, 0), (0.2, 1)):
        clock.now += passed
        assert (await call("GET", f"/api/v1/jobs/{job_id}")).status == 200
        for query in ("", "?name=job001", "?status=RUNNABLE"):
            assert (await call("GET", f"/api/v1/jobs{query}")).body["count"] == seen


async def test_requests_beyond_the_rate_are_refused_before_anything_is_looked_at(start: Start, clock: Clock) -> None:
    call = await start(rate=2)
    assert [(await call.create()).status for _ in range(2)] == [201, 201]
    call.spoilt = {"x-ncp-apigw-signature-v2": "wrong"}
    for method, path in (("POST", "/api/v1/jobs"), ("GET", "/api/v1/jobs"), ("GET", "/nowhere")):
        got = await call(method, path)
        assert (got.status, got.body["error"]["errorCode"]) == (429, "410")
    call.spoilt = {}
    clock.now += 1
    assert (await call.create()).status == 201
    traffic = call.sandbox.traffic
    assert traffic.requests == {"createJob": 4, "getJobs": 1, "unknown": 1}
    assert traffic.replies == {201: 3, 429: 3}
    assert list(traffic.create_times) == [clock.now - 1] * 3 + [clock.now]


async def test_a_limit_of_another_kind_is_asked_with_the_sandbox_s_time(start: Start, clock: Clock) -> None:
    asked: list[float] = []

    def admits(now: float) -> bool:
        asked.append(now)
        return len(asked) != 2

    call = await start(admits=admits)
    assert [(await call.create()).status for _ in range(3)] == [201, 429, 201]
    assert asked == [clock.now] * 3


@pytest.mark.parametrize(("rate", "most", "window"), [(5, 5, 1.0), (2.5, 2, 0.8), (0.5, 1, 2.0)])
def test_no_window_ever_holds_more_than_the_rate(rate: float, most: int, window: float) -> None:
    throttle = Throttle(rate)
    admitted = [step / 100 for step in range(2000) if throttle.admits(step / 100)]
    for place in range(len(admitted) - most):
        assert admitted[place + most] - admitted[place] >= window - 1e-9
    assert len(admitted) == pytest.approx(rate * 20, rel=0.03)


def test_a_clock_that_is_set_back_does_not_block_the_throttle() -> None:
    throttle = Throttle(1)
    assert [throttle.admits(now) for now in (100.0, 50.0, 50.5, 51.0)] == [True, True, False, True]


async def test_put_changes_a_job_and_saves_a_draft(start: Start, clock: Clock) -> None:
    call = await start()
    job = (await call.create()).body
    clock.now += 60
    path, body = f"/api/v1/jobs/{job['jobId']}", example(name="other", type="DATAFLOW", isTemp=False)
    got = await call("PUT", path, body)
    assert got.status == 200
    assert got.body == job | {"name": "other", "updatedDate": "2025-03-21T10:03:02+09:00"}
    assert (await call("GET", "/api/v1/jobs?name=other")).body["list"][0]["jobId"] == job["jobId"]
    assert (await call("GET", "/api/v1/jobs?name=job001")).body["count"] == 0
    for key in ("name", "type", "isTemp", "nodes"):
        assert (await call("PUT", path, {k: v for k, v in body.items() if k != key})).status == 400
    assert (await call("PUT", path, body | {"nodes": []})).status == 400
    assert (await call("PUT", path, body | {"nodes": [], "isTemp": True})).body["status"] == "DRAFT"


async def test_an_id_that_is_not_there_is_a_bad_parameter(start: Start) -> None:
    call = await start()
    job_id = (await call.create()).body["jobId"]
    assert (await call("DELETE", f"/api/v1/jobs/{job_id}")).body is True
    for method in ("GET", "DELETE", "PUT"):
        got = await call(method, f"/api/v1/jobs/{job_id}", example() if method == "PUT" else None)
        assert (got.status, got.body["errorType"]) == (400, "bad-parameter")


async def test_the_newer_contract_takes_a_type_and_run_options_and_drops_the_worker_type(start: Start) -> None:
    call = await start(api="2026-09")
    condition = {"numWorker": 10, "timeout": 1440, "nrn": "n", "scriptPath": "s", "logPath": "l"}
    got = await call.create(example(type="VISUAL", maxConcurrentRuns=3, jobCondition=condition))
    assert (got.status, got.body["type"], got.body["status"]) == (201, "VISUAL", "READY")
    assert got.body["runCondition"] == condition
    path = f"/api/v1/jobs/{got.body['jobId']}"
    patched = await call("PATCH", path, {"type": "VISUAL", "jobCondition": {"timeout": 5}})
    assert patched.body == got.body | {"runCondition": condition | {"timeout": 5}}
    assert (await call("PATCH", path, {"name": "other"})).status == 400
    assert (await call("PATCH", path, {"type": "SCRIPT"})).status == 400
    script = {"name": "script", "type": "SCRIPT", "jobCondition": {"parameters": {"a": "b"}}}
    assert (await call.create(script)).status == 201


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"type": "DATAFLOW"},
        {"type": "SCRIPT"},
        {"type": "VISUAL", "nodes": []},
        {"type": "VISUAL", "maxConcurrentRuns": 0},
        {"type": "VISUAL", "jobCondition": {"numWorker": 1}},
        {"type": "VISUAL", "jobCondition": {"numWorker": 11}},
        {"type": "VISUAL", "jobCondition": {"timeout": 0}},
        {"type": "VISUAL", "jobCondition": {"timeout": 1441}},
        {"type": "VISUAL", "jobCondition": {"workerType": "DEFAULT"}},
        {"type": "VISUAL", "jobCondition": {"parameters": {}}},
    ],
)
async def test_the_newer_contract_refuses(start: Start, changes: dict[str, object]) -> None:
    call = await start(api="2026-09")
    assert (await call.create(example(**changes))).status == 400


async def test_jobs_in_a_data_file_outlive_the_sandbox(clock: Clock, start: Start, tmp_path: Path) -> None:
    data = tmp_path / "jobs"
    first = await start(data=data, list_lag=5)
    made = [(await first.create(example(name=f"job{n}"))).body for n in range(4)]
    await first("DELETE", f"/api/v1/jobs/{made[1]['jobId']}")
    changed = example(name="other", type="DATAFLOW", isTemp=False)
    await first("PUT", f"/api/v1/jobs/{made[2]['jobId']}", changed)
    assert stat.S_IMODE(data.stat().st_mode) == 0o600
    with pytest.raises(DataFileError, match="another sandbox"):
        await start(data=data)
    # What a killed sandbox leaves: everything that was answered, and perhaps half a line.
    copy = tmp_path / "copy"
    copy.write_bytes(data.read_bytes() + b'{"put":{"jobId"')
    second = await start(data=copy, list_lag=5)
    assert [job.name for job in second.sandbox.jobs()] == ["job0", "other", "job3"]
    assert (await second("GET", f"/api/v1/jobs/{made[0]['jobId']}")).body == made[0]
    assert (await second("GET", "/api/v1/jobs")).body["count"] == 0
    clock.now += 5
    assert (await second("GET", "/api/v1/jobs")).body["count"] == 3
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600


async def test_a_file_of_something_else_is_refused_untouched(tmp_path: Path) -> None:
    data = tmp_path / "notes.txt"
    data.write_text("mine\n")
    mode = data.stat().st_mode
    with pytest.raises(DataFileError, match="not a file of a sandbox"):
        await Sandbox(SandboxOptions(data=data)).__aenter__()
    assert (data.read_text(), data.stat().st_mode) == ("mine\n", mode)


async def test_a_job_that_cannot_be_written_is_not_made(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = await start(data=tmp_path / "jobs")
    await call.create()
    size, write = (tmp_path / "jobs").stat().st_size, os.write

    def full(fd: int, data: bytes) -> int:
        if len(data) < 600:
            raise OSError(28, "No space left on device")
        return write(fd, data[: len(data) // 2])

    with monkeypatch.context() as disk:
        disk.setattr("bulkjobs.sandbox.datafile.os.write", full)
        got = await call.create()
    assert (got.status, got.body["error"]["errorCode"]) == (500, "900")
    assert (tmp_path / "jobs").stat().st_size == size
    assert len(call.sandbox.jobs()) == 1


async def test_a_taken_port_leaves_the_data_file_free(start: Start, tmp_path: Path) -> None:
    call = await start()
    port = int(call.sandbox.endpoint.rsplit(":", 1)[1])
    with pytest.raises(OSError, match=str(port)):
        await Sandbox(SandboxOptions(port=port, data=tmp_path / "jobs")).__aenter__()
    assert (await start(data=tmp_path / "jobs")).sandbox.jobs() == []


def test_the_endpoint_exists_once_the_sandbox_was_entered() -> None:
    with pytest.raises(RuntimeError, match="async with"):
        _ = Sandbox().endpoint


@pytest.mark.parametrize(
    "options",
    [{"port": -1}, {"api": "2024"}, {"rate": 0}, {"list_lag": -1}, {"latency": float("nan")}, {"name_match": "x"}],
)
def test_options_that_no_sandbox_could_follow_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        SandboxOptions(**options)  # type: ignore[arg-type]  # that is the point

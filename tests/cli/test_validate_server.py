"""``validate --server``: the service judges too, within the rate, and nobody's patience is without end."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkjobs.dataflow.replies import Cause
from bulkjobs.engine.verify import Verified
from bulkjobs.errors import AccessError
from bulkjobs.graph.expand import Expander
from bulkjobs.graph.sample import Sample, SampledRow, shape_of
from bulkjobs.graph.validation import sendable_rows, validate
from bulkjobs.inventory.reader import InventoryFile
from bulkjobs.library import Target, verify
from bulkjobs.settings import Settings

from .conftest import Verifying
from .program import KEYS, Run, process, row, write_csv

_QUICK = Settings(rate=1000, concurrency=4, timeout=2, patience=0.3, first_patience=0.3)


def _refused(code: str, message: str) -> tuple[int, str]:
    return 400, json.dumps({"error": {"errorCode": code, "message": message}})


def _rows(path: Path) -> Iterator[SampledRow]:
    return sendable_rows([InventoryFile(path)], Expander())


async def _ask(path: Path, service: Verifying, settings: Settings = _QUICK) -> Verified:
    return await verify(_rows(path), Target(service.endpoint, environment=KEYS), settings)


@pytest.fixture
def many(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "many.csv", [row(number) for number in range(1, 31)])


async def test_a_refusal_is_a_problem_of_its_row_with_what_the_service_said(many: Path, service: Verifying) -> None:
    service.answer = lambda name, _: _refused("bad-parameter", "no\x1b bucket") if name == "job007" else (200, "true")
    ended = await process(
        "validate", many, "--server=all", "--rate", "1000", "--json", "--endpoint", service.endpoint, **KEYS
    )
    told = json.loads(ended.out)
    assert ended.code == 3
    assert told["server"] == {"asked": 30, "refused": 1, "error": None}
    (problem,) = told["problems"]
    assert (problem["file"], problem["line"], problem["code"]) == (str(many), 8, "server-refused")
    assert problem["message"] == "the service refuses the job (HTTP 400 bad-parameter): no\\x1b bucket"
    assert "--row job007" in problem["hint"]
    assert sorted(service.names) == [f"job{number:03}" for number in range(1, 31)]
    assert service.paths == {"/api/v1/jobs/verify"}


async def test_refusals_stand_among_the_other_problems_and_are_grouped(tmp_path: Path, service: Verifying) -> None:
    service.answer = lambda _name, _number: _refused("bad-parameter", "no such bucket")
    path = write_csv(tmp_path / "some.csv", [row(1), row(2, fields=""), row(3)])
    ended = await process("validate", "--server", path, "--rate", "1000", "--endpoint", service.endpoint, **KEYS)
    lines = ended.err.splitlines()
    assert ended.code == 3
    assert lines[0] == "2 rows: the service refuses the job (HTTP 400 bad-parameter): no such bucket"
    assert lines[1] == f"    {path}:2, 4"
    assert f"{path}:3, fields: `fields` is empty" in lines
    assert lines[-2:] == ["verifyJob: 2 rows asked, 2 refused", "3 rows: 3 errors"]


async def test_keys_that_are_refused_end_with_7_after_one_question_and_with_the_problems_found(
    tmp_path: Path, service: Verifying
) -> None:
    service.answer = lambda _name, _number: (401, json.dumps({"error": {"errorCode": "200", "message": "who?"}}))
    path = write_csv(tmp_path / "some.csv", [row(1), row(2, fields=""), row(3)])
    ended = await process(
        "validate", path, "--server=all", "--concurrency", "1", "--endpoint", service.endpoint, "--json", **KEYS
    )
    assert ended.code == 7
    assert len(service.names) == 1
    assert "credentials" in json.loads(ended.out)["server"]["error"]
    assert [problem["code"] for problem in json.loads(ended.out)["problems"]] == ["empty"]
    assert KEYS["NCLOUD_SECRET_ACCESS_KEY"] not in ended.out + ended.err


async def test_no_credentials_end_with_7(many: Path) -> None:
    ended = await process("validate", many, "--server", HOME=str(many.parent))
    assert ended.code == 7
    assert "30 rows: no problems" in ended.err
    assert "no credentials found" in ended.err


async def test_silence_is_repeated_within_patience_and_then_ends_it(many: Path, service: Verifying) -> None:
    service.answer = lambda _name, _number: (500, "oops")
    verified = await _ask(many, service)
    assert verified.stop is not None
    assert verified.stop.cause is None
    assert verified.asked == 0
    assert len(service.names) < 40


async def test_a_question_without_an_answer_is_asked_again_and_counted_once(many: Path, service: Verifying) -> None:
    service.answer = lambda _name, number: (503, "later") if number == 1 else (200, "true")
    verified = await _ask(many, service, Settings(rate=1000, concurrency=4, timeout=2, patience=20))
    assert (verified.asked, verified.refused, verified.stop) == (30, 0, None)
    assert len(service.names) == 31


async def test_a_service_that_lacks_verify_is_told_as_an_endpoint(many: Path, service: Verifying) -> None:
    missing = json.dumps({"error": {"errorCode": "300", "message": "Not Found"}})
    service.answer = lambda _name, _number: (404, missing)
    verified = await _ask(many, service)
    assert verified.stop is not None
    assert verified.stop.cause is Cause.ENDPOINT


async def test_questions_keep_to_the_rate(many: Path, service: Verifying) -> None:
    begun = time.monotonic()
    verified = await _ask(many, service, Settings(rate=30, concurrency=8))
    assert verified.asked == 30
    assert time.monotonic() - begun > 0.9  # 30 at 30/s; a burst would be over at once


async def test_no_keys_for_the_library_are_an_error_of_access(many: Path, tmp_path: Path) -> None:
    with pytest.raises(AccessError):
        await verify(_rows(many), Target(environment={}, credentials_file=tmp_path / "none"), _QUICK)


async def test_a_file_that_changed_after_it_was_checked_ends_it(many: Path, service: Verifying) -> None:
    files, expander = [InventoryFile(many)], Expander()
    validate(files, expander)
    write_csv(many, [row(number) for number in range(1, 20)])
    with pytest.raises(Exception, match="changed while it was used"):
        await verify(sendable_rows(files, expander), Target(service.endpoint, environment=KEYS), _QUICK)


def test_server_alone_does_not_swallow_the_inventory_and_asks_ten(run: Run, many: Path) -> None:
    ended = run("validate", "--server", many, "--sandbox", "--rate", "1000")
    assert ended.code == 0
    assert "verifyJob: 10 rows asked, 0 refused" in ended.err
    assert run("validate", many, "--server=0", "--sandbox").code == 2
    assert run("validate", many, "--server=some", "--sandbox").code == 2


def test_a_contract_that_cannot_be_is_told_before_the_work(run: Run, many: Path) -> None:
    ended = run("validate", many, "--server", "--sandbox", "--num-worker", "3")
    assert ended.code == 2
    assert "rows" not in ended.err


def test_a_sample_has_every_shape_before_it_repeats_one(tmp_path: Path) -> None:
    rows = [row(number) for number in range(1, 200)]
    rows[120] = row(121, filter="id > 3")
    rows[150] = row(151, filter="id > 3 AND name == A")
    rows[170] = row(171, fields="id:int")
    sample = Sample(6, random.Random(0).randrange)
    validate([InventoryFile(write_csv(tmp_path / "shapes.csv", rows))], sample=sample)
    names = [taken.job.name for taken in sample.rows()]
    assert len(set(names)) == len(names) == 6
    assert {"job001", "job121", "job151", "job171"} <= set(names)
    assert names == sorted(names)


def test_a_shape_is_what_two_jobs_share_that_differ_in_data_only(tmp_path: Path) -> None:
    def shape(**cells: str) -> object:
        path = write_csv(tmp_path / "one.csv", [row(1, **cells)])
        return shape_of(next(_rows(path)).job.nodes)

    plain = shape()
    assert plain == shape(name="other", bucket="elsewhere", target_prefix="x", fields="key:bigint, text:string")
    assert plain != shape(fields="id:int, name:string")
    assert plain != shape(filter="id > 3")
    assert shape(filter="id > 3") == shape(filter="id > 4")
    assert shape(filter="id > 3") != shape(filter="id < 3")

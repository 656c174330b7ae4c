"""createJob takes what the specification shows and refuses what the documentation rules out."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from .conftest import EXAMPLE, Start, example

Break = Callable[[dict[str, Any]], Any]


async def test_the_specifications_example_is_accepted_and_answered_with_every_documented_key(start: Start) -> None:
    call = await start()
    got = await call.create()
    assert got.status == 201
    assert list(got.body) == [
        "jobId", "name", "description", "type", "status", "nodes", "runCondition", "createdDate", "updatedDate",
    ]  # fmt: skip
    assert (got.body["description"], got.body["type"], got.body["status"]) == ("", "DATAFLOW", "RUNNABLE")
    assert list(got.body["runCondition"]) == [
        "workerType", "numWorker", "timeout", "nrn", "scriptPath", "logPath",
    ]  # fmt: skip
    assert got.body["createdDate"] == got.body["updatedDate"] == "2025-03-21T10:02:02+09:00"
    sent = example()["nodes"]
    for node in (sent[0], sent[2]):
        for item in node["fieldList"]:
            item["properties"] = []
    assert got.body["nodes"] == sent
    assert (await call("GET", f"/api/v1/jobs/{got.body['jobId']}")).body == got.body


async def test_two_jobs_of_one_name_get_two_ids_unless_duplicates_are_refused(start: Start) -> None:
    call = await start()
    ids = {(await call.create()).body["jobId"] for _ in range(2)}
    assert len(ids) == len(call.sandbox.jobs()) == 2
    strict = await start(duplicate_names="refuse", list_lag=60)
    assert [(await strict.create()).status for _ in range(2)] == [201, 400]
    await strict("DELETE", f"/api/v1/jobs/{strict.sandbox.jobs()[0].job_id}")
    assert (await strict.create()).status == 201


async def test_properties_nest(start: Start) -> None:
    call = await start()
    body = example()
    inner = {"name": "city", "type": "STRING"}
    body["nodes"][0]["fieldList"] = [{"name": "name", "type": "Struct", "properties": [inner]}]
    body["nodes"][1]["filterConditionList"][0]["name"] = "name.city"
    got = await call.create(body)
    assert got.status == 201
    assert got.body["nodes"][0]["fieldList"][0]["properties"] == [inner | {"properties": []}]


def _set(*path: Any) -> Break:
    """Sets the value at the end of ``path`` in a body."""
    *way, last, value = path

    def spoil(body: dict[str, Any]) -> None:
        place: Any = body
        for step in way:
            place = place[step]
        place[last] = value

    return spoil


def _drop(*path: Any) -> Break:
    *way, last = path

    def spoil(body: dict[str, Any]) -> None:
        place: Any = body
        for step in way:
            place = place[step]
        del place[last]

    return spoil


SOURCE, FILTER, TARGET = (("nodes", place) for place in range(3))
CONDITION = (*FILTER, "filterConditionList", 0)
FIELD = (*SOURCE, "fieldList", 0)

BROKEN: dict[str, Break] = {
    "no name": _drop("name"),
    "no nodes": _drop("nodes"),
    "nodes null": _set("nodes", None),
    "nodes an object": _set("nodes", {}),
    "nodes empty": _set("nodes", []),
    "a node that is no object": _set(*FILTER, 7),
    "name of two characters": _set("name", "ab"),
    "name of 101 characters": _set("name", "a" * 101),
    "name begins with a digit": _set("name", "1abc"),
    "name begins with a hyphen": _set("name", "-abc"),
    "name with a blank": _set("name", "a bc"),
    "name in Korean": _set("name", "작업입니다"),
    "name ends with a newline": _set("name", "abc\n"),
    "name a number": _set("name", 1234),
    "name with half a surrogate pair": _set("name", "abc\ud800"),
    "the other contract's type": _set("type", "VISUAL"),
    "the other contract's jobCondition": _set("jobCondition", {}),
    "the other contract's maxConcurrentRuns": _set("maxConcurrentRuns", 1),
    "unknown key": _set("descripton", ""),
    "unknown key in a node": _set(*SOURCE, "bucket", "x"),
    "key of another node type": _set(*SOURCE, "updateType", "APPEND"),
    "unknown key in a field": _set(*FIELD, "nullable", True),
    "unknown key in a condition": _set(*CONDITION, "field", "x"),
    "unknown node type": _set(*FILTER, "type", "TRANSFORM_MAGIC"),
    "node type a list": _set(*FILTER, "type", []),
    "node without type": _drop(*FILTER, "type"),
    "node without id": _drop(*FILTER, "id"),
    "node without name": _drop(*FILTER, "name"),
    "node without parentNodeIds": _drop(*SOURCE, "parentNodeIds"),
    "id a string": _set(*TARGET, "id", "1697776948956"),
    "id a fraction": _set(*TARGET, "id", 1697776948956.0),
    "id true": _set(*TARGET, "id", True),
    "id beyond a Long": _set(*TARGET, "id", 1 << 63),
    "no bucketName": _drop(*SOURCE, "bucketName"),
    "prefix null": _set(*SOURCE, "prefix", None),
    "regionNo a number": _set(*SOURCE, "regionNo", 1),
    "bucket in capitals": _set(*SOURCE, "bucketName", "Aitems"),
    "bucket of two characters": _set(*SOURCE, "bucketName", "ai"),
    "bucket of 64 characters": _set(*SOURCE, "bucketName", "a" * 64),
    "bucket ends with a hyphen": _set(*TARGET, "bucketName", "aitems-"),
    "bucket like an address": _set(*TARGET, "bucketName", "10.0.0.1"),
    "dataType unknown": _set(*SOURCE, "dataType", "XML"),
    "dataType in lower case": _set(*SOURCE, "dataType", "csv"),
    "NDJSON target": _set(*TARGET, "dataType", "NDJSON"),
    "updateType unknown": _set(*TARGET, "updateType", "MERGE"),
    "coalesce a string": _set(*TARGET, "coalesce", "1"),
    "coalesce beyond an Integer": _set(*TARGET, "coalesce", 1 << 31),
    "filterType unknown": _set(*FILTER, "filterType", "XOR"),
    "operator unknown": _set(*CONDITION, "operator", "LIKE"),
    "value a number": _set(*CONDITION, "value", 1),
    "condition without value": _drop(*CONDITION, "value"),
    "field type unknown": _set(*FIELD, "type", "text"),
    "field without type": _drop(*FIELD, "type"),
    "properties null": _set(*FIELD, "properties", None),
    "properties of an unknown type": _set(*FIELD, "properties", [{"name": "x", "type": "y"}]),
    "ids not unique": _set(*TARGET, "id", 1697776942407),
    "parent that does not exist": _set(*TARGET, "parentNodeIds", [1]),
    "cycle": _set(*FILTER, "parentNodeIds", [1697776914576, 1697776942407]),
    "source with a parent": _set(*SOURCE, "parentNodeIds", [1697776942407]),
    "target with a child": _set(*FILTER, "parentNodeIds", [1697776914576, 1697776948956]),
    "target without a parent": _set(*TARGET, "parentNodeIds", []),
    "no target": _drop(*TARGET),
    "no source": _drop(*SOURCE),
    "filter on a field that does not exist": _set(*CONDITION, "name", "nmae"),
}


@pytest.mark.parametrize("spoil", BROKEN.values(), ids=BROKEN.keys())
async def test_a_body_broken_in_one_place_is_refused(start: Start, spoil: Break) -> None:
    call = await start()
    body = example()
    spoil(body)
    for path in ("/api/v1/jobs", "/api/v1/jobs/verify"):
        got = await call("POST", path, body)
        assert (got.status, got.body["errorType"]) == (400, "bad-parameter")
        assert list(got.body) == ["detail", "errorType"]
    assert call.sandbox.jobs() == []


RAW = {
    "empty": b"",
    "not JSON": b"name=job001",
    "a list": b"[]",
    "null": b"null",
    "two documents": b"{}{}",
    "not UTF-8": b'{"name": "\xff"}',
    "NaN": b'{"name": NaN}',
    "deep lists": b'{"name":"abc","nodes":' + b"[" * 100_000,
    "deep objects": b'{"name":"abc","nodes":[{"type":' + b'{"a":' * 50_000,
    "huge integer": json.dumps(EXAMPLE).encode().replace(b"1697776914576", b"9" * 30000),
    "deep but readable properties": json.dumps(EXAMPLE)
    .encode()
    .replace(
        b'"type": "string"',
        b'"type":"struct","properties":' + b'[{"name":"x","type":"struct","properties":' * 70 + b"[]" + b"}]" * 70,
        1,
    ),
    "deep properties": json.dumps(EXAMPLE)
    .encode()
    .replace(
        b'"type": "string"',
        b'"type":"struct","properties":' + b'[{"name":"x","type":"struct","properties":' * 3000 + b"[]" + b"}]" * 3000,
        1,
    ),
}


@pytest.mark.parametrize("raw", RAW.values(), ids=RAW.keys())
async def test_bytes_that_are_no_body_are_refused(start: Start, raw: bytes) -> None:
    call = await start()
    got = await call("POST", "/api/v1/jobs", raw=raw)
    assert (got.status, got.body["errorType"]) == (400, "bad-parameter")


async def test_a_body_that_is_not_declared_as_json_is_refused(start: Start) -> None:
    call = await start()
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        got = await call("POST", "/api/v1/jobs", example(), Content_Type=kind)
        assert got.status == 400
    got = await call("POST", "/api/v1/jobs", example(), Content_Type="application/json; charset=utf-8")
    assert got.status == 201


async def test_a_compressed_body_is_refused(start: Start) -> None:
    call = await start()
    packed = gzip.compress(json.dumps(EXAMPLE).encode())
    for raw in (packed, b"no gzip at all"):
        assert (await call("POST", "/api/v1/jobs", raw=raw, Content_Encoding="gzip")).status == 400


async def test_a_job_that_is_taken_can_be_kept_and_read_again(start: Start, tmp_path: Path) -> None:
    call = await start(api="2026-09", data=tmp_path / "jobs")
    statuses = []
    for depth in (60, 64, 300, 900, 970, 5000):
        parameters = b'{"a":' * depth + b"1" + b"}" * depth
        raw = b'{"name":"abc","type":"SCRIPT","jobCondition":{"parameters":%b}}' % parameters
        statuses.append((await call("POST", "/api/v1/jobs", raw=raw)).status)
    assert statuses == [201, 400, 400, 400, 400, 400]
    shutil.copy(tmp_path / "jobs", tmp_path / "copy")
    assert len((await start(api="2026-09", data=tmp_path / "copy")).sandbox.jobs()) == 1


async def test_a_body_of_more_than_a_mebibyte_gets_413_430(start: Start) -> None:
    call = await start()
    got = await call("POST", "/api/v1/jobs", raw=BytesIO(b" " * ((1 << 20) + 1)))
    assert (got.status, got.body["error"]["errorCode"]) == (413, "430")


async def test_verify_answers_true_and_makes_nothing(start: Start) -> None:
    call = await start()
    got = await call("POST", "/api/v1/jobs/verify", example())
    assert (got.status, got.body) == (200, True)
    assert call.sandbox.jobs() == []

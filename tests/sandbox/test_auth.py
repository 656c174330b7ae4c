"""The gateway lets in what is signed as documented, and nothing else."""

from __future__ import annotations

import pytest

from bulkjobs.sandbox.auth import authenticate, signature
from bulkjobs.sandbox.errors import Refusal

from .conftest import Clock, Start

VECTORS = [
    ("/cluster/kubeconfig", "LTJli9+OKT2KvUXxiKslMfu5FIOmDN83avehOvgUFp0="),
    (
        "/iam/krs-v1/user?clusterUuid=D11328F1-ECA9-4F1B-BA22-921F61D9C5FF",
        "emeahfW4CmzsxIQ5ip0cd9yqERXJ+ZJsRfQpGNmKdXk=",
    ),
]
STAMP = "1668407407855"


@pytest.mark.parametrize(("target", "expected"), VECTORS)
def test_the_published_vectors_are_reproduced_and_accepted(target: str, expected: str) -> None:
    assert signature("GET", target, STAMP, "access", "secret") == expected
    headers = {
        "x-ncp-apigw-timestamp": STAMP,
        "x-ncp-iam-access-key": "access",
        "x-ncp-apigw-signature-v2": expected,
    }
    authenticate("GET", target, headers, access_key="access", secret_key="secret", now=int(STAMP) / 1000)
    with pytest.raises(Refusal):
        authenticate("PUT", target, headers, access_key="access", secret_key="secret", now=int(STAMP) / 1000)


@pytest.mark.parametrize(
    "spoilt",
    [
        {"x-ncp-apigw-signature-v2": None},
        {"x-ncp-iam-access-key": None},
        {"x-ncp-apigw-timestamp": None},
        {"x-ncp-apigw-signature-v2": "AAAA"},
        {"x-ncp-apigw-signature-v2": "é"},
        {"x-ncp-iam-access-key": "another"},
        {"x-ncp-apigw-timestamp": "soon"},
        {"x-ncp-apigw-timestamp": "9" * 4000},
        {"x-ncp-apigw-timestamp": "١٧٤٢٥١٨٩٢٢٠٠٠"},
    ],
)
async def test_a_request_with_a_missing_or_wrong_part_gets_401_200(start: Start, spoilt: dict[str, str]) -> None:
    call = await start()
    call.spoilt = spoilt
    got = await call.create()
    assert (got.status, got.body["error"]["errorCode"]) == (401, "200")
    assert got.body["error"]["message"] == "Authentication Failed"
    assert call.sandbox.jobs() == []


@pytest.mark.parametrize("off", [-301, 301])
async def test_a_timestamp_more_than_five_minutes_off_is_refused_and_a_nearer_one_is_not(
    start: Start, clock: Clock, off: int
) -> None:
    call = await start()
    call.clock = Clock(clock.now + off)
    assert (await call("GET", "/api/v1/jobs")).status == 401
    call.clock = Clock(clock.now + off - (off // 150))
    assert (await call("GET", "/api/v1/jobs")).status == 200


async def test_the_query_is_signed_as_it_travels(start: Start) -> None:
    call = await start()
    assert (await call("GET", "/api/v1/jobs?name=a%2Db&limit=5&page=0")).status == 200


async def test_an_unknown_url_or_method_gets_404_300(start: Start) -> None:
    call = await start()
    for method, path in [
        ("GET", "/api/v2/jobs"),
        ("GET", "/"),
        ("GET", "/api/v1/jobs/"),
        ("DELETE", "/api/v1/jobs"),
        ("PATCH", "/api/v1/jobs/abc"),
        ("POST", "/api/v1/jobs/abc/executions"),
    ]:
        got = await call(method, path)
        assert (got.status, got.body["error"]["errorCode"]) == (404, "300"), path


async def test_every_reply_carries_a_trace_id_and_the_date_of_the_clock(start: Start) -> None:
    call = await start()
    first, second = await call("GET", "/api/v1/jobs"), await call("GET", "/nowhere")
    assert first.headers["x-ncp-trace-id"] != second.headers["x-ncp-trace-id"]
    assert first.headers["Date"] == second.headers["Date"] == "Fri, 21 Mar 2025 01:02:02 GMT"

"""Each call of the API over a wire that answers as told: what is sent, and what an answer means to that call."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp.http import HttpProcessingError

from bulkjobs.dataflow.client import CallFailed, DataFlowClient, Job
from bulkjobs.dataflow.contract import Api, Contract
from bulkjobs.dataflow.credentials import find_credentials
from bulkjobs.dataflow.replies import Answer, Failure, FailureKind, Reply, Verdict
from bulkjobs.dataflow.signature import Credentials
from bulkjobs.dataflow.transport import Transport, _failure
from bulkjobs.errors import AccessError

KEYS = Credentials("canary-access", "canary-secret-Zx81", "a test")
NODES = b'[{"id":1}]'
ERROR = {"error": {"errorCode": "100", "message": "no"}}


class Wire(Transport):
    """Gives one reply to whatever is asked, and notes what that was."""

    def __init__(self, reply: Reply | Failure) -> None:
        super().__init__("http://127.0.0.1:1", KEYS, 1.0, lambda: 1)
        self._reply = reply
        self.asked: list[tuple[str, str, bytes | None, bool]] = []

    async def call(
        self, method: str, target: str, body: bytes | None = None, bound: int = 1 << 20, *, alone: bool = False
    ) -> Reply | Failure:
        self.asked.append((method, target, body, alone))
        return self._reply


def client(status: int, document: object, api: Api = Api.V2025_03, *, complete: bool = True) -> tuple[Any, Wire]:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    wire = Wire(Reply(status, {}, body, complete))
    made = DataFlowClient(KEYS, "http://127.0.0.1:1", Contract(api))
    made._transport = wire
    return made, wire


async def failure(call: Any) -> Answer:
    with pytest.raises(CallFailed) as raised:
        await call
    return raised.value.answer


class TestVerify:
    @pytest.mark.parametrize("body", [b"true", b"", b"{}", b"anything"])
    async def test_whatever_is_no_refusal_accepts_the_job(self, body: bytes) -> None:
        made, wire = client(200, body)
        assert await made.verify_job("alpha", NODES) is None
        assert wire.asked == [("POST", "/api/v1/jobs/verify", b'{"name":"alpha","nodes":[{"id":1}]}', False)]

    async def test_a_plain_false_refuses_it(self) -> None:
        made, _ = client(200, False)
        assert await made.verify_job("alpha", NODES) == Answer(
            Verdict.REJECTED, 200, "not-verified", "verifyJob replied false"
        )

    async def test_a_refusal_is_what_the_service_said(self) -> None:
        made, _ = client(400, ERROR)
        assert await made.verify_job("alpha", NODES) == Answer(Verdict.REJECTED, 400, "100", "no")

    @pytest.mark.parametrize(("status", "complete"), [(500, True), (200, False), (429, True)])
    async def test_no_answer_is_no_refusal(self, status: int, complete: bool) -> None:
        made, _ = client(status, ERROR, complete=complete)
        assert (await failure(made.verify_job("alpha", NODES))).verdict is Verdict.UNKNOWN


class TestUpdate:
    @pytest.mark.parametrize(
        ("api", "method", "body"),
        [
            (Api.V2025_03, "PUT", b'{"name":"\xec\x9d\xbc","type":"DATAFLOW","isTemp":false,"nodes":[{"id":1}]}'),
            (Api.V2026_09, "PATCH", b'{"type":"VISUAL","name":"\xec\x9d\xbc","nodes":[{"id":1}]}'),
        ],
    )
    async def test_each_contract_has_its_method_and_body(self, api: Api, method: str, body: bytes) -> None:
        made, wire = client(200, {"jobId": "j/1"}, api)
        await made.update_job("j/1", "일", NODES)
        assert wire.asked == [(method, "/api/v1/jobs/j%2F1", body, False)]

    @pytest.mark.parametrize(
        ("status", "complete", "verdict"), [(400, True, Verdict.REJECTED), (200, False, Verdict.UNKNOWN)]
    )
    async def test_what_is_no_whole_2xx_failed(self, status: int, complete: bool, verdict: Verdict) -> None:
        made, _ = client(status, ERROR, complete=complete)
        assert (await failure(made.update_job("j1", "alpha", NODES))).verdict is verdict


class TestDelete:
    async def test_the_documented_true_is_done(self) -> None:
        made, wire = client(200, True)
        await made.delete_job("j1")
        assert wire.asked == [("DELETE", "/api/v1/jobs/j1", None, False)]

    @pytest.mark.parametrize("document", [False, 1, "true", {}, None])
    async def test_another_2xx_leaves_open_whether_it_was_deleted(self, document: object) -> None:
        made, _ = client(200, document)
        assert await failure(made.delete_job("j1")) == Answer(
            Verdict.UNKNOWN, 200, "unreadable", "HTTP 200 with an unreadable body"
        )


class TestGet:
    async def test_a_job_is_read_with_what_is_text(self) -> None:
        shown = {"jobId": "j1", "name": "alpha", "status": 7, "updatedDate": "u", "nodes": [1], "createdDate": "c"}
        made, _ = client(200, shown | {"lastExecutionStatus": "COMPLETED", "lastExecutionDate": None})
        assert await made.get_job("j1") == Job("j1", "alpha", None, "u", [1], "c", "COMPLETED", None)

    @pytest.mark.parametrize("job_id", [None, 7, "", "a b"])
    async def test_a_reply_without_a_usable_id_is_about_the_job_that_was_asked_for(self, job_id: object) -> None:
        made, _ = client(200, {"jobId": job_id})
        assert (await made.get_job("j1")).job_id == "j1"

    async def test_a_reply_about_another_job_is_none(self) -> None:
        made, _ = client(200, {"jobId": "j2"})
        assert (await failure(made.get_job("j1"))).code == "other-job"

    @pytest.mark.parametrize(
        ("status", "document"),
        [
            (404, {"status": 404, "error": "Not Found"}),
            (404, {"detail": "no", "errorType": "not-found"}),
            (404, b"<html>"),
            (400, {"detail": "no", "errorType": "bad-parameter"}),
            (400, {"detail": "no", "errorType": "not-found"}),
        ],
    )
    async def test_a_job_that_is_missing_is_none(self, status: int, document: object) -> None:
        made, _ = client(status, document)
        assert await made.get_job("j1") is None

    @pytest.mark.parametrize(
        ("status", "document"), [(404, {"error": {"errorCode": "300", "message": "URL"}}), (400, ERROR), (200, [])]
    )
    async def test_a_wrong_url_or_another_refusal_or_no_job_at_all_is_a_failure(
        self, status: int, document: object
    ) -> None:
        made, _ = client(status, document)
        await failure(made.get_job("j1"))

    @pytest.mark.parametrize(
        ("status", "is_live"), [("RUNNABLE", True), (None, True), ("DELETED", False), ("deleted", False)]
    )
    def test_a_job_that_was_deleted_is_not_live(self, status: str | None, is_live: bool) -> None:
        assert Job("j1", None, status, None, None).is_live is is_live


class TestList:
    async def test_a_page_of_a_name_travels_alone(self) -> None:
        made, wire = client(200, {"jobs": []})
        await failure(made.list_page(0, "a&b"))
        await failure(made.list_page(2))
        assert [(target, alone) for _, target, _, alone in wire.asked] == [
            ("/api/v1/jobs?name=a%26b&page=0&limit=1000", True),
            ("/api/v1/jobs?page=2&limit=1000", False),
        ]


class TestTransport:
    async def test_one_that_was_never_entered_or_left_twice_has_nothing_to_close(self) -> None:
        transport = Transport("http://127.0.0.1:1", KEYS, 1.0, lambda: 1)
        await transport.__aexit__()
        async with transport:
            pass
        await transport.__aexit__()

    def test_what_happened_is_told_by_its_number_and_never_by_the_librarys_words(self) -> None:
        error = aiohttp.ClientOSError(104, "Cannot write to x-ncp-apigw-signature-v2: hush")
        assert _failure(error, True) == Failure(FailureKind.DISCONNECTED, True, "Connection reset by peer")
        assert _failure(aiohttp.ServerDisconnectedError("hush"), True) == Failure(
            FailureKind.DISCONNECTED, True, "the connection was closed before a reply"
        )
        garbled = Failure(FailureKind.GARBLED, True, "the reply is not HTTP")
        assert _failure(ValueError("hush"), True) == garbled
        assert _failure(HttpProcessingError(message="hush"), True) == garbled

    @pytest.mark.parametrize(
        ("reason", "said"), [("certificate has expired", "certificate has expired"), (None, "not for this host")]
    )
    def test_a_certificate_that_is_not_right_is_told_in_the_words_of_openssl(
        self, reason: str | None, said: str
    ) -> None:
        error: Exception = ssl.SSLCertVerificationError(1, "hush") if reason else ssl.CertificateError("hush")
        if reason:
            error.verify_message = reason  # type: ignore[attr-defined]  # as OpenSSL sets it
        place: Any = SimpleNamespace(host="h", port=1, is_ssl=True)
        assert _failure(aiohttp.ClientConnectorCertificateError(place, error), False) == Failure(
            FailureKind.CERTIFICATE, False, f"the server's certificate is not valid: {said}"
        )


class TestCredentialsFile:
    def test_the_name_of_a_section_may_be_in_any_letter_case(self, tmp_path: Path) -> None:
        file = tmp_path / "configure"
        file.write_text("[Dev]\nncloud_access_key_id = d\nncloud_secret_access_key = s\n", encoding="utf-8")
        found = find_credentials({}, "dev", file)
        assert (found.access_key, found.secret_key) == ("d", "s")

    @pytest.mark.parametrize("key", ["a b", "a\x07", "일", "a\u202eb"])
    def test_a_key_that_no_header_can_carry_is_refused_and_not_shown(self, key: str) -> None:
        with pytest.raises(AccessError, match="holds characters that no key has") as raised:
            find_credentials({"NCLOUD_ACCESS_KEY": key, "NCLOUD_SECRET_KEY": "s"})
        assert key not in str(raised.value)
        assert raised.value.hint == "copy it again"

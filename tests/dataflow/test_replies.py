"""Every row of the tables in dataflow-api.md §7 and submit-protocol.md, and whatever else a server may send."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkjobs.dataflow.replies import Answer, Cause, Failure, FailureKind, Reply, Verdict, judge


def reply(status: int, body: object = b"", headers: dict[str, str] | None = None, complete: bool = True) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return judge(Reply(status, headers or {}, raw, complete))


def gateway(code: object, message: str = "no") -> dict[str, object]:
    return {"error": {"errorCode": code, "message": message, "details": "…"}}


def service(error_type: str, detail: object = "no") -> dict[str, object]:
    return {"detail": detail, "errorType": error_type}


GENERIC = {"timestamp": "2026-11-23T00:00:00", "status": 400, "error": "Bad Request", "path": "/api/v1/jobs"}


class TestCreated:
    @pytest.mark.parametrize("status", [200, 201, 202, 299])
    def test_any_2xx_with_a_usable_job_id_is_created(self, status: int) -> None:
        answer = reply(status, {"jobId": "5Yns7J", "status": "RUNNABLE", "updatedDate": "2025-03-21T10:02:02+09:00"})
        assert (answer.verdict, answer.job_id, answer.job_status) == (Verdict.CREATED, "5Yns7J", "RUNNABLE")
        assert answer.updated_date == "2025-03-21T10:02:02+09:00"

    def test_unknown_keys_statuses_and_types_do_not_break_it(self) -> None:
        answer = reply(201, {"jobId": "a", "status": "NEW-WORD", "type": 7, "extra": [{}]})
        assert answer.verdict is Verdict.CREATED

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"<html>ok</html>",
            b"{}",
            b'{"jobId":null}',
            b'{"jobId":""}',
            b'{"jobId":7}',
            b'{"jobId":"a b"}',
            b'{"jobId":".."}',
            b'{"jobId":"a\\u001b[2J"}',
            b'{"jobId":"\\ud800"}',
            b'{"jobId":"' + b"x" * 201 + b'"}',
            b"[" * 100_000,
            b'{"jobId":"a","n":' + b"9" * 5000 + b"x}",
            b'["jobId"]',
            b"\xff\xfe",
        ],
    )
    def test_a_2xx_without_a_usable_job_id_is_unknown_and_noted_as_accepted(self, body: bytes) -> None:
        answer = reply(201, body)
        assert (answer.verdict, answer.accepted, answer.job_id) == (Verdict.UNKNOWN, True, None)

    def test_half_a_2xx_is_unknown_and_accepted_even_if_the_half_parses(self) -> None:
        answer = reply(201, b'{"jobId":"a"}', complete=False)
        assert (answer.verdict, answer.accepted) == (Verdict.UNKNOWN, True)


class TestRefused:
    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (400, gateway("100")),
            (400, gateway(100)),
            (400, service("bad-parameter")),
            (400, service("bad-state")),
            (400, service("bad-parameter", {"nested": "detail"})),
            (400, GENERIC),
            (413, gateway("430")),
            (422, service("anything")),
        ],
    )
    def test_a_parsed_4xx_about_this_request_is_rejected(self, status: int, body: object) -> None:
        assert reply(status, body).verdict is Verdict.REJECTED

    @pytest.mark.parametrize("body", [b"", b"<h1>Bad Request</h1>", b"{}", b"[]", b'"no"', b'{"error":', b"\x1f\x8b"])
    @pytest.mark.parametrize("status", [400, 404, 413, 422])
    def test_a_4xx_without_a_real_error_reply_is_unknown(self, status: int, body: bytes) -> None:
        assert reply(status, body).verdict is Verdict.UNKNOWN

    def test_half_a_refusal_is_unknown(self) -> None:
        raw = json.dumps(service("bad-parameter")).encode()
        assert reply(400, raw, complete=False).verdict is Verdict.UNKNOWN

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            (service("bad-parameter", "name already exists"), True),
            (service("bad-parameter", "작업 이름이 중복되었습니다"), True),
            (service("bad-state", "no"), True),
            (service("bad-parameter", "bucket is missing"), False),
        ],
    )
    def test_a_refusal_that_may_be_about_the_name_says_so(self, body: object, expected: bool) -> None:
        assert reply(400, body).about_name is expected

    def test_the_message_is_inert(self) -> None:
        answer = reply(400, service("bad-parameter", "a\x1b[31m\nb\u202ec"))
        assert answer.message == "a\\x1b[31m\\nb\\u202ec"


class TestHalted:
    @pytest.mark.parametrize(
        ("status", "body", "cause"),
        [
            (401, gateway("200"), Cause.CREDENTIALS),
            (401, b"<html>", Cause.CREDENTIALS),
            (401, gateway("210"), Cause.PERMISSION),
            (401, gateway(210), Cause.PERMISSION),
            (403, b"", Cause.PERMISSION),
            (404, gateway("300"), Cause.ENDPOINT),
            (404, {"status": 404, "error": "Not Found", "path": "/x"}, Cause.ENDPOINT),
            (429, gateway("400"), Cause.QUOTA),
        ],
    )
    def test_what_concerns_the_whole_run_halts_it(self, status: int, body: object, cause: Cause) -> None:
        answer = reply(status, body)
        assert (answer.verdict, answer.cause) == (Verdict.HALTED, cause)

    def test_the_servers_clock_is_kept_to_name_a_wrong_one_here(self) -> None:
        answer = reply(401, gateway("200"), {"Date": "Mon, 23 Nov 2026 09:00:00 GMT"})
        assert answer.server_time == 1795424400.0


class TestThrottled:
    @pytest.mark.parametrize("code", ["410", 410, "420", 420])
    def test_the_two_throttling_codes(self, code: object) -> None:
        answer = reply(429, gateway(code))
        assert (answer.verdict, answer.slow_down) == (Verdict.THROTTLED, True)

    @pytest.mark.parametrize("body", [b"", b"<html>", gateway("999"), GENERIC])
    def test_another_429_slows_down_but_proves_nothing(self, body: object) -> None:
        answer = reply(429, body)
        assert (answer.verdict, answer.slow_down) == (Verdict.UNKNOWN, True)

    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("7", 7.0),
            ("300", 300.0),
            ("Mon, 23 Nov 2026 09:00:30 GMT", 30.0),
            ("0", None),
            ("-5", None),
            ("301", None),
            ("99999999999999999999", None),
            ("soon", None),
            ("", None),
            ("٣", None),
            ("Mon, 23 Nov 2020 09:00:30 GMT", None),
        ],
    )
    def test_retry_after_is_honoured_within_sane_bounds(self, value: str, seconds: float | None) -> None:
        headers = {"Retry-After": value, "Date": "Mon, 23 Nov 2026 09:00:00 GMT"}
        assert reply(429, gateway("410"), headers).retry_after == seconds


class TestUnknown:
    @pytest.mark.parametrize("status", [100, 301, 302, 307, 308, 408, 409, 425, 500, 502, 503, 504, 599])
    @pytest.mark.parametrize("body", [b"", b"<html>", gateway("900"), service("bad-parameter"), {"jobId": "a"}])
    def test_these_statuses_prove_nothing_whatever_the_body(self, status: int, body: object) -> None:
        assert reply(status, body).verdict is Verdict.UNKNOWN

    @pytest.mark.parametrize("kind", list(FailureKind))
    def test_no_reply_after_the_headers_left_is_unknown(self, kind: FailureKind) -> None:
        assert judge(Failure(kind, True, "gone")).verdict is Verdict.UNKNOWN


class TestNotSent:
    @pytest.mark.parametrize("kind", list(FailureKind))
    def test_headers_that_never_left_prove_it(self, kind: FailureKind) -> None:
        assert judge(Failure(kind, False, "refused")).verdict is Verdict.NOT_SENT

    def test_a_bad_certificate_will_not_heal(self) -> None:
        assert judge(Failure(FailureKind.CERTIFICATE, False, "bad")).cause is Cause.CERTIFICATE


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["error", "errorCode", "message", "detail", "errorType", "jobId", "status", "path"]), inner
        )
    ),
    max_leaves=12,
)


class TestAnything:
    @given(st.integers(100, 999), st.binary(max_size=200), st.booleans())
    def test_no_bytes_make_it_raise_and_only_a_2xx_creates(self, status: int, body: bytes, complete: bool) -> None:
        answer = judge(Reply(status, {"Retry-After": "x", "Date": "y"}, body, complete))
        assert answer.verdict is not Verdict.CREATED or 200 <= status < 300

    @given(st.integers(200, 599), JSON)
    def test_no_document_makes_it_raise_and_created_always_has_an_id(self, status: int, document: object) -> None:
        answer = judge(Reply(status, {}, json.dumps(document).encode(), True))
        assert (answer.verdict is Verdict.CREATED) == (answer.job_id is not None)
        active = {"Cc", "Cf", "Cs", "Zl", "Zp"}
        assert not active & {unicodedata.category(character) for character in answer.message}

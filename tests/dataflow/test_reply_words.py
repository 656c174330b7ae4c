"""What is kept of a reply, word by word: codes, messages, ids and times, each only where it can be relied on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bulkjobs.dataflow.replies import Answer, Cause, Failure, FailureKind, Reply, Verdict, judge

JOB = {"jobId": "j1", "status": "RUNNABLE", "updatedDate": "u1", "name": "alpha"}
TRACED = {"x-ncp-trace-id": "trace"}
DATE = {"Date": "Mon, 23 Nov 2026 09:00:00 GMT"}


def reply(status: int, document: object, headers: dict[str, str] | None = None, name: str | None = "alpha") -> Answer:
    return judge(Reply(status, headers or {}, json.dumps(document).encode()), name)


def error(**parts: object) -> dict[str, object]:
    return {"error": parts}


class TestCreated:
    def test_all_that_the_service_says_of_its_job_is_kept(self) -> None:
        assert reply(201, JOB, TRACED) == Answer(
            Verdict.CREATED, 201, job_id="j1", job_status="RUNNABLE", updated_date="u1", trace_id="trace"
        )

    def test_what_is_no_text_is_not_kept(self) -> None:
        assert reply(200, {"jobId": "j1", "status": 7, "updatedDate": None}) == Answer(
            Verdict.CREATED, 200, job_id="j1"
        )

    @pytest.mark.parametrize("status", [199, 300])
    def test_only_a_2xx_creates(self, status: int) -> None:
        assert reply(status, JOB).verdict is Verdict.UNKNOWN

    @pytest.mark.parametrize("other", ["bravo", None, 7, ""])
    def test_a_reply_about_another_job_answers_nothing_and_accepts_nothing(self, other: object) -> None:
        assert reply(201, {**JOB, "name": other}, TRACED) == Answer(
            Verdict.UNKNOWN, 201, "other-job", "HTTP 201 about another job", trace_id="trace"
        )

    def test_a_reply_that_names_no_job_or_whose_job_nobody_named_is_believed(self) -> None:
        assert reply(201, {"jobId": "j1"}).verdict is Verdict.CREATED
        assert reply(201, {**JOB, "name": "bravo"}, name=None).verdict is Verdict.CREATED

    def test_a_2xx_without_an_id_is_accepted_and_said_so(self) -> None:
        assert reply(202, {"status": "RUNNABLE"}, TRACED) == Answer(
            Verdict.UNKNOWN, 202, "no-job-id", "HTTP 202 without a usable jobId", accepted=True, trace_id="trace"
        )

    @pytest.mark.parametrize("job_id", ["x", "x" * 200, "a.b", "~!", "-"])
    def test_an_id_of_up_to_two_hundred_printable_characters_is_usable(self, job_id: str) -> None:
        assert reply(201, {"jobId": job_id}).job_id == job_id

    @pytest.mark.parametrize("job_id", ["", "x" * 201, ".", "....", "a b", "a\t", "일", "é", "a\x7f", 7, None, ["j1"]])
    def test_another_one_is_not(self, job_id: object) -> None:
        assert reply(201, {"jobId": job_id}).job_id is None


class TestFailures:
    @pytest.mark.parametrize(
        ("kind", "code"),
        [
            (FailureKind.CONNECT, "connect"),
            (FailureKind.CERTIFICATE, "certificate"),
            (FailureKind.TIMEOUT, "timeout"),
            (FailureKind.DISCONNECTED, "disconnected"),
            (FailureKind.GARBLED, "garbled"),
        ],
    )
    def test_the_kind_is_the_code_and_the_text_is_inert(self, kind: FailureKind, code: str) -> None:
        sent, unsent = judge(Failure(kind, True, "a\x1b[2J")), judge(Failure(kind, False, "a\x1b[2J"))
        assert sent == Answer(Verdict.UNKNOWN, code=code, message="a\\x1b[2J")
        cause = Cause.CERTIFICATE if kind is FailureKind.CERTIFICATE else None
        assert unsent == Answer(Verdict.NOT_SENT, code=code, message="a\\x1b[2J", cause=cause)


class TestRefusals:
    @pytest.mark.parametrize(
        ("document", "code", "message"),
        [
            (error(errorCode="100", message="no", details="why"), "100", "no: why"),
            (error(errorCode=100, message="no"), "100", "no"),
            (error(errorCode="100", details="why"), "100", "why"),
            (error(errorCode="100"), "100", "HTTP 400"),
            (error(message="no"), None, "no"),
            (error(errorCode="100", message=7, details=["why"]), "100", "HTTP 400"),
            ({"detail": "no", "errorType": "bad-parameter"}, "bad-parameter", "no"),
            ({"detail": "no"}, None, "no"),
            ({"errorType": "bad-parameter"}, "bad-parameter", "HTTP 400"),
            ({"detail": None, "errorType": "x"}, "x", "HTTP 400"),
            ({"detail": {"why": [1]}, "errorType": "x"}, "x", '{"why":[1]}'),
            ({"detail": "a\nb", "errorType": "x\x1b"}, "x\\x1b", "a\\nb"),
            ({"status": 400, "error": "Bad Request", "path": "/"}, None, "Bad Request"),
            ({"status": 400, "error": "Bad Request", "message": "why"}, None, "why"),
            ({"path": "/", "error": "Bad\nRequest", "message": ""}, None, "Bad\\nRequest"),
        ],
    )
    def test_the_documented_shapes_are_read_with_code_and_message(
        self, document: Any, code: str | None, message: str
    ) -> None:
        answer = reply(400, document, {**TRACED, **DATE})
        assert answer == Answer(Verdict.REJECTED, 400, code, message, server_time=1795424400.0, trace_id="trace")

    @pytest.mark.parametrize(
        "document",
        [error(), error(details="why"), {"error": "Bad Request"}, {"error": ["no"], "status": 400}, {"message": "no"}],
    )
    def test_what_only_looks_like_one_is_no_answer_but_its_status_is_told(self, document: object) -> None:
        answer = reply(400, document)
        assert (answer.verdict, answer.code, answer.message) == (Verdict.UNKNOWN, None, "HTTP 400")

    @pytest.mark.parametrize(
        ("code", "kept"),
        [
            (0, "0"),
            (-999_999_999, "-999999999"),
            (999_999_999, "999999999"),
            (10**9, None),
            (-(10**9), None),
            (True, None),
            (1.5, None),
            ({}, None),
            ("x" * 100, "x" * 100),
            ("x" * 101, "x" * 99 + "…"),
        ],
    )
    def test_a_code_is_a_short_text_or_a_small_number(self, code: object, kept: str | None) -> None:
        assert reply(400, error(errorCode=code, message="no")).code == kept

    @pytest.mark.parametrize(("status", "verdict"), [(399, Verdict.UNKNOWN), (499, Verdict.REJECTED)])
    def test_only_a_4xx_refuses(self, status: int, verdict: Verdict) -> None:
        assert reply(status, error(errorCode="100", message="no")).verdict is verdict

    def test_a_refusal_is_about_the_name_only_if_its_words_are(self) -> None:
        answer = reply(400, error(errorCode="100", message="no such bucket"))
        assert (answer.about_name, answer.slow_down, answer.accepted) == (False, False, False)
        assert reply(400, error(errorCode="100", message="name exists already")).about_name

    def test_whose_create_was_refused_is_known_to_who_reads_the_words(self) -> None:
        document = error(errorCode="100", message="orders_table: exists already in this database")
        assert reply(400, document, name="orders_table").about_name
        assert not reply(400, document, name="orders").about_name

    def test_a_number_of_five_thousand_digits_is_no_code(self) -> None:
        body = b'{"error":{"errorCode":' + b"9" * 5_000 + b',"message":"no"}}'
        assert judge(Reply(400, {}, body)).code is None


class TestHeaders:
    def test_a_throttle_has_its_wait_its_time_and_its_trace(self) -> None:
        answer = reply(429, error(errorCode="410", message="slow"), {**TRACED, **DATE, "Retry-After": "7"})
        assert answer == Answer(
            Verdict.THROTTLED, 429, "410", "slow", slow_down=True, retry_after=7.0, server_time=1795424400.0,
            trace_id="trace",
        )  # fmt: skip

    @pytest.mark.parametrize(
        ("headers", "kept"),
        [
            ({"x-ncp-trace-id": "a", "x-ncp-apigw-request-id": "b"}, "a"),
            ({"x-ncp-trace-id": "", "x-ncp-apigw-request-id": "b"}, "b"),
            ({"x-ncp-apigw-request-id": "b"}, "b"),
            ({"x-ncp-trace-id": "a\x1b"}, "a\\x1b"),
            ({"x-ncp-trace-id": "x" * 100}, "x" * 100),
            ({"x-ncp-trace-id": "x" * 101}, "x" * 99 + "…"),
            ({}, None),
        ],
    )
    def test_the_first_trace_id_there_is_kept_short_and_inert(self, headers: dict[str, str], kept: str | None) -> None:
        assert reply(400, error(errorCode="1", message="no"), headers).trace_id == kept

    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("1", 1.0),
            (" 7 ", 7.0),
            ("000000007", 7.0),
            ("0000000007", None),
            ("Mon, 23 Nov 2026 09:05:00 GMT", 300.0),
            ("Mon, 23 Nov 2026 09:05:01 GMT", None),
            ("Mon, 23 Nov 2026 09:00:01 GMT", 1.0),
            ("Mon, 23 Nov 2026 09:00:00 GMT", None),
        ],
    )
    def test_a_wait_is_believed_up_to_five_minutes(self, value: str, seconds: float | None) -> None:
        assert reply(429, error(errorCode="410"), {**DATE, "Retry-After": value}).retry_after == seconds

    @pytest.mark.parametrize("date", [None, "yesterday", "", "Mon, 99 Nov 2026 09:00:00 GMT"])
    def test_a_wait_until_a_time_counts_only_from_the_services_own_clock(self, date: str | None) -> None:
        headers = {"Retry-After": "Mon, 23 Nov 2026 09:00:30 GMT"} | ({} if date is None else {"Date": date})
        answer = reply(429, error(errorCode="410"), headers)
        assert (answer.retry_after, answer.server_time) == (None, None)


def test_the_words_that_the_journal_keeps_stay_what_they_are() -> None:
    assert [verdict.value for verdict in Verdict] == [
        "created", "rejected", "halted", "throttled", "not_sent", "unknown",
    ]  # fmt: skip
    assert [cause.value for cause in Cause] == ["credentials", "permission", "endpoint", "certificate", "quota"]


def test_a_reply_is_whole_unless_it_says_otherwise() -> None:
    assert Reply(200, {}, b"").complete

"""Heads of requests, against the grammar of RFC 9112."""

from __future__ import annotations

import pytest

from bulkjobs.dataflow.request_head import RequestHead, end

COMMON = b"Accept: application/json\r\nAccept-Encoding: identity\r\nUser-Agent: bulkjobs\r\n"
HEAD = RequestHead("host.example:8080")


def test_a_request_with_a_body_says_what_it_is_and_how_long() -> None:
    head = HEAD.start("POST", "/api/v1/jobs", {"x-one": "1", "x-two": "b/+="}) + end("POST", b'{"a":1}')
    assert head == (
        b"POST /api/v1/jobs HTTP/1.1\r\nHost: host.example:8080\r\n"
        + COMMON
        + b"x-one: 1\r\nx-two: b/+=\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n"
    )


@pytest.mark.parametrize(("method", "length"), [("GET", b""), ("DELETE", b"Content-Length: 0\r\n")])
def test_a_request_without_a_body(method: str, length: bytes) -> None:
    head = HEAD.start(method, "/api/v1/jobs?name=a%20b", {}) + end(method, None)
    assert head == (
        method.encode()
        + b" /api/v1/jobs?name=a%20b HTTP/1.1\r\nHost: host.example:8080\r\n"
        + COMMON
        + length
        + b"\r\n"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-key", "secret\r\nx-role: admin"),
        ("x-key", "secret\n\nGET / HTTP/1.1"),
        ("x-key", "secret\r"),
        ("x-key: secret\r\nx-role", "admin"),
        ("x-key", "secret\u010d\u010a"),
    ],
    ids=["a field more", "a request more", "half a line break", "in the name", "not ASCII"],
)
def test_a_text_cannot_become_a_field_or_a_request(name: str, value: str) -> None:
    with pytest.raises(ValueError, match="line break, or is not ASCII") as raised:
        HEAD.start("GET", "/api/v1/jobs", {name: value})
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("target", ["/jobs HTTP/1.1", "/jobs\r\nx: y", "/jobs/일", "/jobs\x7f"])
def test_a_target_that_is_not_encoded_is_refused(target: str) -> None:
    with pytest.raises(ValueError, match="target is not encoded"):
        HEAD.start("GET", target, {})

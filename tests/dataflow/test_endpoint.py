"""TLS always, but to this very machine."""

import pytest

from bulkjobs.dataflow.endpoint import checked_endpoint
from bulkjobs.errors import UsageError


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://dataflow.apigw.ntruss.com", "https://dataflow.apigw.ntruss.com"),
        ("https://dataflow.apigw.ntruss.com/", "https://dataflow.apigw.ntruss.com"),
        ("https://example.com:8443", "https://example.com:8443"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://localhost:1", "http://localhost:1"),
        ("http://[::1]:1", "http://[::1]:1"),
    ],
)
def test_scheme_and_host_are_kept(given: str, kept: str) -> None:
    assert checked_endpoint(given) == kept


@pytest.mark.parametrize(
    "given",
    [
        "http://example.com",
        "http://10.0.0.1",
        "http://127.0.0.1.example.com",
        "https://user:pw@example.com",
        "https://example.com/api/v1",
        "https://example.com?x=1",
        "https://example.com:port",
        "ftp://example.com",
        "example.com",
        "",
    ],
)
def test_everything_else_is_refused(given: str) -> None:
    with pytest.raises(UsageError) as caught:
        checked_endpoint(given)
    assert "pw" not in str(caught.value)

"""The published vectors are the only judge of a signature."""

import base64
import hmac

import pytest

from bulkjobs.dataflow.signature import Credentials, sign, signed_headers

KEYS = Credentials("access", "secret")


def test_the_published_vector_without_a_query() -> None:
    assert sign(KEYS, "GET", "/cluster/kubeconfig", 1668407407855) == "LTJli9+OKT2KvUXxiKslMfu5FIOmDN83avehOvgUFp0="


def test_the_published_vector_with_a_query() -> None:
    target = "/iam/krs-v1/user?clusterUuid=D11328F1-ECA9-4F1B-BA22-921F61D9C5FF"
    assert sign(KEYS, "GET", target, 1668407407855) == "emeahfW4CmzsxIQ5ip0cd9yqERXJ+ZJsRfQpGNmKdXk="


def test_the_three_headers_are_named_as_documented() -> None:
    headers = signed_headers(KEYS, "POST", "/api/v1/jobs", 1)
    assert set(headers) == {"x-ncp-apigw-timestamp", "x-ncp-iam-access-key", "x-ncp-apigw-signature-v2"}
    assert headers["x-ncp-apigw-timestamp"] == "1"


def test_keys_do_not_show_in_repr() -> None:
    assert repr(Credentials("AKIA", "hush", "a file")) == "Credentials(source='a file')"


@pytest.mark.parametrize("length", [1, 40, 64, 65, 200])
def test_a_key_of_any_length_signs_as_hmac_does(length: int) -> None:
    key = "k" * (length - 1) + "키"
    expected = hmac.digest(key.encode(), b"GET /api/v1/jobs\n7\nA", "sha256")
    assert sign(Credentials("A", key), "GET", "/api/v1/jobs", 7) == base64.b64encode(expected).decode()

"""Signature v2 of NAVER Cloud's API gateway (``dataflow-api.md`` §2).

The body is not signed: whoever sees a signature can replay it with another body for five minutes, so
signatures are secrets like keys and never leave this package but in a request's headers.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Credentials:
    """An access key and its secret. Neither shows in ``repr``. ``source`` says in people's words whence."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    source: str = "given"


def sign(credentials: Credentials, method: str, target: str, timestamp_ms: int) -> str:
    """The value of ``x-ncp-apigw-signature-v2``.

    ``target`` is the path with its query exactly as it goes over the wire, from ``/api`` on, without host.
    """
    text = f"{method} {target}\n{timestamp_ms}\n{credentials.access_key}"
    digest = hmac.digest(credentials.secret_key.encode(), text.encode(), hashlib.sha256)
    return base64.b64encode(digest).decode("ascii")


def signed_headers(credentials: Credentials, method: str, target: str, timestamp_ms: int) -> dict[str, str]:
    """The three headers that every call carries."""
    return {
        "x-ncp-apigw-timestamp": str(timestamp_ms),
        "x-ncp-iam-access-key": credentials.access_key,
        "x-ncp-apigw-signature-v2": sign(credentials, method, target, timestamp_ms),
    }

"""Signature v2 of NAVER Cloud's API gateway (``dataflow-api.md`` §2).

The body is not signed: whoever sees a signature can replay it with another body for five minutes, so
signatures are secrets like keys and never leave this package but in a request's headers.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hashlib import _Hash


_BLOCK = 64
"""Bytes that SHA-256 takes at a time."""


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
    return base64.b64encode(_hmac_sha256(credentials.secret_key, text.encode())).decode("ascii")


def _hmac_sha256(key: str, text: bytes) -> bytes:
    """HMAC (RFC 2104). The hashes of the padded key are made once: ``hmac.digest`` takes five times as long."""
    start, end = _padded(key)
    inner, outer = start.copy(), end.copy()
    inner.update(text)
    outer.update(inner.digest())
    return outer.digest()


@lru_cache(maxsize=4)
def _padded(key: str) -> tuple[_Hash, _Hash]:
    secret = key.encode()
    if len(secret) > _BLOCK:
        secret = hashlib.sha256(secret).digest()
    padded = secret.ljust(_BLOCK, b"\0")
    return hashlib.sha256(bytes(b ^ 0x36 for b in padded)), hashlib.sha256(bytes(b ^ 0x5C for b in padded))


def signed_headers(credentials: Credentials, method: str, target: str, timestamp_ms: int) -> dict[str, str]:
    """The three headers that every call carries."""
    return {
        "x-ncp-apigw-timestamp": str(timestamp_ms),
        "x-ncp-iam-access-key": credentials.access_key,
        "x-ncp-apigw-signature-v2": sign(credentials, method, target, timestamp_ms),
    }

"""Checks the signature of a request the way the gateway documents it (``dataflow-api.md`` §2). Pure.

Written from the documentation alone and sharing nothing with the client, so that a mistake in the client's
signature cannot hide behind the same mistake here.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping

from bulkjobs.sandbox.errors import unauthenticated

TIMESTAMP = "x-ncp-apigw-timestamp"
ACCESS_KEY = "x-ncp-iam-access-key"
SIGNATURE = "x-ncp-apigw-signature-v2"

TOLERANCE_MS = 5 * 60 * 1000
"""How far a timestamp may be off, in either direction."""


def signature(method: str, target: str, timestamp: str, access_key: str, secret_key: str) -> str:
    """The signature of ``target``: path with query, byte for byte as it travels on the request line."""
    text = f"{method} {target}\n{timestamp}\n{access_key}"
    digest = hmac.digest(_octets(secret_key), _octets(text), hashlib.sha256)
    return base64.b64encode(digest).decode("ascii")


def authenticate(
    method: str, target: str, headers: Mapping[str, str], *, access_key: str, secret_key: str, now: float
) -> None:
    """Passes a request that is signed with this pair of keys at ``now`` (seconds since the epoch).

    Raises Refusal 401/200 otherwise. ``headers`` must look names up whatever their letter case.
    """
    timestamp, sender, signed = headers.get(TIMESTAMP), headers.get(ACCESS_KEY), headers.get(SIGNATURE)
    if not (timestamp and sender and signed):
        raise unauthenticated("Authentication information are missing.")
    # Length first: int() of thousands of digits is slow, and 15 digits of milliseconds last 30,000 years.
    if not (len(timestamp) <= 15 and timestamp.isascii() and timestamp.isdigit()):
        raise unauthenticated("Invalid authentication information: timestamp is not milliseconds.")
    if abs(now * 1000 - int(timestamp)) > TOLERANCE_MS:
        raise unauthenticated("Expired timestamp: more than 5 minutes off.")
    expected = signature(method, target, timestamp, access_key, secret_key)
    # Both comparisons always run, so that time does not tell a wrong access key from a wrong signature.
    known = hmac.compare_digest(_octets(sender), _octets(access_key))
    right = hmac.compare_digest(_octets(signed), _octets(expected))
    if not (known and right):
        raise unauthenticated("Invalid authentication information.")


def _octets(text: str) -> bytes:
    """The bytes that aiohttp decoded ``text`` from: it keeps octets that are no UTF-8 as surrogates."""
    return text.encode("utf-8", "surrogateescape")

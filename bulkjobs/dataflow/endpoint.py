"""Where the API is: scheme and host only. TLS always, but to this very machine."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from bulkjobs.errors import UsageError

DEFAULT_ENDPOINT = "https://dataflow.apigw.ntruss.com"
PREFIX = "/api/v1"


def checked_endpoint(url: str) -> str:
    """``url`` as ``scheme://host[:port]``.

    Raises UsageError for a path, query, user or password in it, and for plain http to anything but loopback.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"--endpoint: not a URL: {error}", f"the default is {DEFAULT_ENDPOINT}") from None
    host = parts.hostname
    if parts.scheme not in ("http", "https") or not host:
        raise UsageError(f"--endpoint {url!r}: must be https://HOST", f"the default is {DEFAULT_ENDPOINT}")
    if "@" in parts.netloc:
        raise UsageError("--endpoint: must not hold a user or password", "credentials are never options")
    if parts.path.rstrip("/") or parts.query or parts.fragment:
        raise UsageError(f"--endpoint {url!r}: scheme and host only", f"{PREFIX} is added by bulkjobs")
    if parts.scheme == "http" and not _is_loopback(host):
        raise UsageError(f"--endpoint {url!r}: plain http is for this machine only", f"use https://{host}")
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + (f":{port}" if port is not None else "")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

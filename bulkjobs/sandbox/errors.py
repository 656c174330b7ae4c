"""How the embedded service says no, in the documented shapes (``dataflow-api.md`` §7). Pure.

Two speakers: the API gateway, which stands in front (``{"error": {"errorCode", "message", "details"}}``), and
the service behind it (``{"detail", "errorType"}``). Neither ever repeats a header, a key or a signature.
"""

from __future__ import annotations

import msgspec


class Refusal(Exception):
    """A request is answered with ``status`` and the JSON ``body``, and changes nothing."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body


def gateway(status: int, code: str, message: str, details: str) -> Refusal:
    """A refusal by the gateway: the service has not seen the request. The code is a string, as documented."""
    error = {"errorCode": code, "message": message, "details": details}
    return Refusal(status, msgspec.json.encode({"error": error}))


def bad_parameter(detail: str) -> Refusal:
    """A refusal by the service: 400 ``bad-parameter``.

    ``detail`` may quote the request; what JSON cannot carry, such as half a surrogate pair, becomes ``?``.
    """
    text = detail.encode("utf-8", "replace").decode("utf-8")
    return Refusal(400, msgspec.json.encode({"detail": text[:2000], "errorType": "bad-parameter"}))


def unauthenticated(details: str) -> Refusal:
    return gateway(401, "200", "Authentication Failed", details)


def no_such_url() -> Refusal:
    return gateway(404, "300", "Not Found Exception", "URL not found.")


def throttled() -> Refusal:
    return gateway(429, "410", "Throttle Limited", "Rate exceeded.")


def too_large() -> Refusal:
    return gateway(413, "430", "Request Entity Too Large", "Request entity is too large.")


def undefined() -> Refusal:
    return gateway(500, "900", "Unexpected Error", "Unexpected error.")

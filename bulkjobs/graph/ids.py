"""Node ids tell our jobs from a stranger's (``submit-protocol.md``, Ownership).

An id has 13 digits, like the epoch milliseconds of the documentation's examples: ten from a hash of the job's
name, three from the node's key. Both rules never change: they are how a later release knows our jobs. CRC-32 will do
for both: nobody gains by a collision, and it is computed once a row.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence

_OWN = 10**9
_KEYS = 1000


def owner_part(name: str) -> int:
    """The ten leading digits of every node id of the job ``name``: 10⁹ + CRC-32 of the name in UTF-8."""
    return _OWN + zlib.crc32(name.encode())


def owner_texts(names: Sequence[str | None]) -> list[bytes]:
    """``owner_part`` of each name in digits; a row without a name gets those of the empty text."""
    encoded = "\n".join([name or "" for name in names]).encode().split(b"\n")
    if len(encoded) != len(names):  # a name with a line break in it: no job will have it
        encoded = [(name or "").encode() for name in names]
    return [b"%d" % (_OWN + zlib.crc32(name)) for name in encoded]


def key_parts(keys: Iterable[str]) -> Mapping[str, int]:
    """The three last digits of each node's id, unique among ``keys``, whatever their order.

    Each key starts at its hash; the few that collide move on to the next free number, in the keys' alphabetical
    order. Raises ValueError for more than 1,000 keys.
    """
    taken: dict[int, str] = {}
    for key in sorted(set(keys)):
        if len(taken) == _KEYS:
            raise ValueError("a job has at most 1,000 nodes")
        part = zlib.crc32(key.encode()) % _KEYS
        while part in taken:
            part = (part + 1) % _KEYS
        taken[part] = key
    return {key: part for part, key in taken.items()}


def node_id(owner: int, part: int) -> int:
    """13 digits from ``owner_part`` and one of ``key_parts``."""
    return owner * _KEYS + part


def is_ours(name: str, ids: Iterable[int]) -> bool:
    """Whether a job of this name with these node ids was made by us.

    One id of ours is enough: a node added by hand in the console gets an id of its own, and the job stays ours. A
    stranger's id has our ten digits once in 4·10⁹.
    """
    owner = owner_part(name)
    return any(number // _KEYS == owner for number in ids)

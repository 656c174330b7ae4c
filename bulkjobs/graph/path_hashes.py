"""Salted 64-bit hashes of many paths at once, and of everything that they lie in.

A path is a JSON text. The hash of its first n bytes is the sum, modulo 2⁶⁴, of one random number for each byte times
another for its position: so one running sum over a whole column gives the hash of every path and of every path above
it. Byte by byte in C, this takes 0.1 µs a path; a hash of Python's for each level took 1 µs and more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Numbers = np.ndarray[Any, np.dtype[Any]]
_MOST_BYTES = 1 << 19
"""Bytes hashed at a time, if more than one path: each takes some forty of memory meanwhile."""
_SLASH, _LINE = ord("/"), ord("\n")


class PathHashes:
    """Hashes that compare with each other, but with those of no other instance."""

    def __init__(self) -> None:
        self._random = np.random.default_rng()
        self._of_byte = self._numbers(256)
        self._of_place = self._numbers(256)

    def of(self, paths: Sequence[bytes], heads: Numbers, wants_above: bool) -> tuple[Numbers, Numbers, Numbers]:
        """One hash a path, then one for each path that it lies in, and which path that is (an index).

        ``heads``: a hash of what stands before each path and must be equal too. Slashes at a path's end do not
        count. Without ``wants_above`` the last two are empty.
        """
        together = b"\n".join(paths) + b"\n"  # JSON holds no line end as it stands
        if b'/"\n' in together:
            together = b"\n".join([b'"' + path[1:-1].rstrip(b"/") + b'"' for path in paths]) + b"\n"
        if len(together) > _MOST_BYTES and len(paths) > 1:
            return self._halves(paths, heads, wants_above)
        data = np.frombuffer(together, np.uint8)
        ends = np.flatnonzero(data == _LINE)
        starts = np.concatenate(([0], ends[:-1] + 1))
        lengths = ends - starts
        self._learn(int(lengths.max()) + 1)
        place = np.arange(len(data)) - np.repeat(starts, lengths + 1)
        sums = np.zeros(len(data) + 1, np.uint64)
        np.cumsum(self._of_byte[data] * self._of_place[place], out=sums[1:])
        before = sums[starts]
        # The closing quote is left out: a path is to have the hash that it has when another lies in it.
        own = _mixed(sums[np.maximum(ends - 1, starts)] - before, heads)
        if not wants_above:
            return own, _NONE, _NONE
        slashes = np.flatnonzero(data == _SLASH)
        of = np.searchsorted(ends, slashes)
        return own, _mixed(sums[slashes] - before[of], heads[of]), of

    def _learn(self, places: int) -> None:
        if places > len(self._of_place):
            self._of_place = np.concatenate([self._of_place, self._numbers(places - len(self._of_place))])

    def _halves(self, paths: Sequence[bytes], heads: Numbers, wants_above: bool) -> tuple[Numbers, Numbers, Numbers]:
        middle = len(paths) // 2
        own, above, of = self.of(paths[:middle], heads[:middle], wants_above)
        more_own, more_above, more_of = self.of(paths[middle:], heads[middle:], wants_above)
        return (
            np.concatenate((own, more_own)),
            np.concatenate((above, more_above)),
            np.concatenate((of, more_of + middle)),
        )

    def _numbers(self, count: int) -> Numbers:
        return self._random.integers(0, 1 << 64, count, np.uint64)


_NONE = np.zeros(0, np.int64)
_ODD = np.uint64(0x9E3779B97F4A7C15)


def _mixed(paths: Numbers, heads: Numbers) -> Numbers:
    mixed: Numbers = (paths + heads.view(np.uint64) * _ODD).view(np.int64)
    return mixed

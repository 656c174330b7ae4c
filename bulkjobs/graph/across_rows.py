"""What only shows across rows: names that occur twice, jobs that write to one place or over another's source.

A row costs some bytes of hashes, not its texts: what was found is told by row numbers, and texts are read again
for the few that are shown. Two different texts share a 64-bit hash once in 10⁶ inventories of a million rows; the
hash is salted, so running again tells.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeVar, cast

import numpy as np

from bulkjobs.graph.expand import Expansion, Use
from bulkjobs.graph.path_hashes import Numbers, PathHashes

_OVERWRITE = b'"OVERWRITE"'
_ON_OBJECT_STORAGE = b'"bucketName"'
_MARK_BITS = 24
_AT_ONCE = 1 << 16
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Clash:
    """Row ``seq`` clashes with row ``other``. ``code`` says how, ``place`` over which place (a hash), if over one."""

    seq: int
    other: int
    code: str
    place: int | None = None


class AcrossRows:
    """Gets every row once, in order; ``find`` is asked at the end."""

    def __init__(self) -> None:
        self._names = array("q")
        self._folded = array("q")
        self._hashes = PathHashes()
        self._targets = _Keys()
        self._sources = _Keys()
        self._above = _Keys()  # every place that an overwriting target lies in

    def add(self, first: int, expansion: Expansion) -> None:
        """The rows of a chunk, the first of which is row ``first`` of the inventory."""
        names = expansion.names
        together = "" if None in names else "\n".join(cast(Sequence[str], names))
        if None in names or together.count("\n") != max(len(names) - 1, 0):  # a bad name may hold a line break
            self._names.extend([hash(name or (first, i)) for i, name in enumerate(names)])
            self._folded.extend([hash(name.lower() if name else (first, i)) for i, name in enumerate(names)])
        else:
            hashes = list(map(hash, names))
            self._names.extend(hashes)
            folded = together.lower()
            self._folded.extend(hashes if folded == together else map(hash, folded.split("\n")))
        for is_target in (False, True):
            if uses := [use for use in expansion.uses if use.is_target is is_target]:
                self._note(first, uses, len(names))

    def _note(self, first: int, uses: Sequence[Use], count: int) -> None:
        """Sources, or targets, of a chunk's rows, all at once: rows with graphs of their own have a ``Use`` each."""
        is_whole = len(uses) == 1 and len(uses[0].rows) == count
        rows = np.arange(count) if is_whole else _array(_joined([use.rows for use in uses]))
        heads, paths = _addresses(uses)
        updates = _joined([use.updates for use in uses]) if uses[0].is_target else ()
        overwrites = {update for update in set(updates) if update.endswith(_OVERWRITE)}
        own, above, of = self._hashes.of(paths, heads, wants_above=bool(overwrites))
        (self._targets if uses[0].is_target else self._sources).extend(own, first + rows)
        if overwrites:
            does = np.fromiter(map(overwrites.__contains__, updates), np.bool_, len(rows))
            self._above.extend(own[does], first + rows[does])
            is_path = np.repeat(
                [use.parts[0][0] == _ON_OBJECT_STORAGE for use in uses], [len(use.rows) for use in uses]
            )
            lies_in = (does & is_path)[of]
            self._above.extend(above[lies_in], first + rows[of[lies_in]])

    def find(self) -> Iterator[Clash]:
        """All clashes, kind by kind, each in the order of the rows."""
        for seq, other, _ in _repeats(self._names):
            yield Clash(seq, other, "duplicate-name")
        if not np.array_equal(self._folded, self._names):
            names = self._names
            for seq, other, _ in _repeats(self._folded):
                if names[seq] != names[other]:
                    yield Clash(seq, other, "name-differs-in-case")
        for seq, other, place in _repeats(self._targets.keys, self._targets.rows):
            if seq != other:
                yield Clash(seq, other, "same-target", place)
        yield from self._overwrites()

    def column_of(self, clash: Clash, i: int, expansion: Expansion) -> str | None:
        """The column to change: that of the target by which row ``i`` of the chunk, the clash's row, clashes."""
        for use in expansion.uses:
            if use.is_target and i in use.rows:
                at = use.rows.index(i)
                only = Use(True, use.column, [i], [part[at : at + 1] for part in use.parts], [use.updates[at]])
                heads, paths = _addresses([only])
                own, above, _ = self._hashes.of(paths, heads, wants_above=True)
                if clash.place in {*own.tolist(), *above.tolist()}:
                    return use.column
        return None

    def _overwrites(self) -> Iterator[Clash]:
        hits = _among(np.asarray(self._above.keys), np.asarray(self._sources.keys))
        if not len(hits):
            return
        readers: dict[int, int] = {}
        for key, row in zip(self._sources.keys, self._sources.rows, strict=True):
            readers.setdefault(key, row)
        told: set[int] = set()
        for index in hits.tolist():
            seq = self._above.rows[index]
            if seq not in told:
                told.add(seq)
                place = self._above.keys[index]
                yield Clash(seq, readers[place], "overwrites-source", place)


class _Keys:
    """Hashes with the rows they come from."""

    def __init__(self) -> None:
        self.keys = array("q")
        self.rows = array("I")

    def extend(self, keys: Numbers, rows: Numbers) -> None:
        self.keys.frombytes(keys.tobytes())
        self.rows.frombytes(rows.astype(np.uint32).tobytes())


def _repeats(keys: array[int], rows: array[int] | None = None) -> list[tuple[int, int, int]]:
    """Rows whose key occurred in an earlier one, the first of that key, and it. ``rows`` None: key after key."""
    hashes = np.asarray(keys)
    ordered = np.sort(hashes)
    if not (ordered[1:] == ordered[:-1]).any():
        return []  # as nearly always, and much quicker to see than which row is whose
    order = np.argsort(hashes, kind="stable")
    hashes = hashes[order]
    of = order if rows is None else np.asarray(rows)[order]
    is_first = np.concatenate(([True], hashes[1:] != hashes[:-1]))
    first = of[np.flatnonzero(is_first)[np.cumsum(is_first) - 1]]
    later = ~is_first
    return sorted(zip(of[later].tolist(), first[later].tolist(), hashes[later].tolist(), strict=True))


def _among(wanted: Numbers, known: Numbers) -> Numbers:
    """Positions in ``wanted`` of what is in ``known``.

    A table of the keys' first bits lets nearly all misses go by, and misses are what there is: to search a million
    keys for each takes four times as long.
    """
    marked = np.zeros(1 << _MARK_BITS, np.bool_)
    for _, marks in _marks(known):
        marked[marks] = True
    maybe = np.concatenate([first + np.flatnonzero(marked[marks]) for first, marks in _marks(wanted)])
    if not len(maybe):
        return maybe
    ordered = np.sort(known)
    at = np.searchsorted(ordered, wanted[maybe])
    at[at == len(ordered)] = 0
    found: Numbers = maybe[ordered[at] == wanted[maybe]]
    return found


def _marks(keys: Numbers) -> Iterator[tuple[int, Numbers]]:
    """The keys' first bits, some at a time and one time at least, each with the position of its first."""
    for first in range(0, max(len(keys), 1), _AT_ONCE):
        yield first, keys[first : first + _AT_ONCE].view(np.uint64) >> np.uint64(64 - _MARK_BITS)


def _addresses(uses: Sequence[Use]) -> tuple[Numbers, Sequence[bytes]]:
    """Of each row's place: a hash of its kind and where it is, and the path there."""
    heads = [hash(head) for use in uses for head in zip(*use.parts[:-1], strict=True)]
    return _array(heads), _joined([use.parts[-1] for use in uses])


def _joined(parts: Sequence[Sequence[T]]) -> Sequence[T]:
    return parts[0] if len(parts) == 1 else list(chain.from_iterable(parts))


def _array(numbers: Sequence[int]) -> Numbers:
    return np.array(numbers, np.int64)

"""What only shows across rows: names that occur twice, jobs that write to one place or over another's source.

A row costs some bytes of hashes, not its texts: what was found is told by row numbers, and texts are read again
for the few that are shown. Two different texts share a 64-bit hash once in 10⁷ inventories of a million rows; the
hash is salted, so running again tells.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from bulkjobs.graph.expand import Expansion, Use

_OVERWRITE = b'"OVERWRITE"'
_ON_OBJECT_STORAGE = b'"bucketName"'


@dataclass(frozen=True, slots=True)
class Clash:
    """Row ``seq`` clashes with row ``other``. ``code`` says how; ``column`` is the one to change."""

    seq: int
    other: int
    code: str


class AcrossRows:
    """Gets every row once, in order; ``find`` is asked at the end."""

    def __init__(self) -> None:
        self._names = array("q")
        self._folded = array("q")
        self._targets = _Keys()
        self._sources = _Keys()
        self._above = _Keys()  # every place that an overwriting target lies in

    def add(self, first: int, expansion: Expansion) -> None:
        """The rows of a chunk, the first of which is row ``first`` of the inventory."""
        names = expansion.names
        if None in names:
            self._names.extend([hash(name or (first, i)) for i, name in enumerate(names)])
            self._folded.extend([hash(name.lower() if name else (first, i)) for i, name in enumerate(names)])
        else:
            together = "\n".join(cast(Sequence[str], names))
            hashes = list(map(hash, names))
            self._names.extend(hashes)
            folded = together.lower()
            self._folded.extend(hashes if folded == together else map(hash, folded.split("\n")))
        for use in expansion.uses:
            rows = range(first, first + len(names)) if len(use.rows) == len(names) else [first + i for i in use.rows]
            places = _places(use)
            (self._targets if use.is_target else self._sources).extend(map(hash, places), rows)
            if use.is_target:
                self._note_overwrites(use, rows, places)

    def find(self) -> Iterator[Clash]:
        """All clashes, kind by kind, each in the order of the rows."""
        yield from (Clash(*pair, "duplicate-name") for pair in self.duplicates())
        if self._folded != self._names:
            names = self._names
            for seq, other in _repeats(self._folded):
                if names[seq] != names[other]:
                    yield Clash(seq, other, "name-differs-in-case")
        for seq, other in _repeats(self._targets.keys, self._targets.rows):
            if seq != other:
                yield Clash(seq, other, "same-target")
        yield from self._overwrites()

    def duplicates(self) -> list[tuple[int, int]]:
        """Rows whose name occurred before, with the first row of that name."""
        return _repeats(self._names)

    def _note_overwrites(self, use: Use, rows: Sequence[int], places: Sequence[bytes]) -> None:
        overwrites = {update for update in set(use.updates) if update.endswith(_OVERWRITE)}
        if not overwrites:
            return
        keys, of_rows = self._above.keys, self._above.rows
        for row, place, update in zip(rows, places, use.updates, strict=True):
            if update in overwrites:
                outer = [hash(place) for place in _outwards(place)]
                keys.extend(outer)
                of_rows.extend([row] * len(outer))

    def _overwrites(self) -> Iterator[Clash]:
        places = np.sort(np.array(self._sources.keys, np.int64))
        above = np.array(self._above.keys, np.int64)
        if not len(places) or not len(above):
            return
        at = np.searchsorted(places, above)
        at[at == len(places)] = 0
        hits = np.flatnonzero(places[at] == above)
        if not len(hits):
            return
        readers: dict[int, int] = {}
        for key, row in zip(self._sources.keys, self._sources.rows, strict=True):
            readers.setdefault(key, row)
        told: set[int] = set()
        for index in hits:
            seq = self._above.rows[index]
            if seq not in told:
                told.add(seq)
                yield Clash(seq, readers[self._above.keys[index]], "overwrites-source")


class _Keys:
    """Hashes with the rows they come from."""

    def __init__(self) -> None:
        self.keys = array("q")
        self.rows = array("I")

    def extend(self, keys: Iterable[int], rows: Iterable[int]) -> None:
        self.keys.extend(keys)
        self.rows.extend(rows)


def _repeats(keys: array[int], rows: array[int] | None = None) -> list[tuple[int, int]]:
    """Rows whose key occurred in an earlier one, with the first of that key. ``rows`` None: key after key."""
    hashes = np.array(keys, np.int64)
    ordered = np.sort(hashes)
    if not (ordered[1:] == ordered[:-1]).any():
        return []  # as nearly always, and much quicker to see than which row is whose
    order = np.argsort(hashes, kind="stable")
    hashes = hashes[order]
    of = order if rows is None else np.array(rows, np.uint32)[order]
    is_first = np.concatenate(([True], hashes[1:] != hashes[:-1]))
    first = of[np.flatnonzero(is_first)[np.cumsum(is_first) - 1]]
    return sorted(zip(of[~is_first].tolist(), first[~is_first].tolist(), strict=True))


def _places(use: Use) -> list[bytes]:
    """The address of each row's place as one text: its kind, where it is, and the path there, without end slashes."""
    *heads, paths = use.parts
    if any(path.endswith(b'/"') for path in paths):
        paths = [b'"' + path.strip(b'"').rstrip(b"/") + b'"' for path in paths]
    return list(map(b"".join, zip(*heads, paths, strict=True)))


def _outwards(place: bytes) -> list[bytes]:
    """A place and, on Object Storage, all those that it lies in."""
    found = [place]
    if place.startswith(_ON_OBJECT_STORAGE):
        head = place.rfind(b'"', 0, -1)
        cut = place.rfind(b"/")
        while cut > head:
            found.append(place[:cut] + b'"')
            cut = place.rfind(b"/", head, cut)
    return found

"""A tiny inventory: names and versions instead of files and cells, behind the interfaces that ``Submit`` uses.

The survey of a real inventory is not modelled: every row here is valid. What is compared with the jobs on the
service are real node arrays, by the real ``graph.definition``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from hashlib import sha256

import msgspec

from bulkjobs.engine.checked_rows import CheckedRows
from bulkjobs.engine.journal.checks import EarlierCheck
from bulkjobs.graph.expand import Expansion
from bulkjobs.graph.ids import node_id, owner_part
from bulkjobs.graph.spec import JobSpec, fingerprint
from bulkjobs.graph.survey import Surveyed
from bulkjobs.inventory.problems import Problem
from bulkjobs.inventory.rows import Chunk, Header

_HEADER = Header(("name", "version"), {"name": 0, "version": 1})


@cache
def spec_of(name: str, version: str) -> JobSpec:
    """The row ``name`` with this version of its definition."""
    nodes = _nodes(node_id(owner_part(name), 1), f"bucket-{version}")
    return JobSpec(name, nodes, fingerprint(nodes))


@cache
def foreign(name: str, is_alike: bool) -> bytes:
    """The nodes of a stranger's job of that name, ``is_alike`` the row's first version but for the ids."""
    return _nodes(1_700_000_000_001, "bucket-1" if is_alike else "bucket-strange")


@cache
def decoded(nodes: bytes) -> object:
    """What getJob shows of them."""
    return msgspec.json.decode(nodes)


def _nodes(number: int, bucket: str) -> bytes:
    return msgspec.json.encode(
        [{"type": "SOURCE_OBS", "id": number, "name": "source", "parentNodeIds": [], "bucketName": bucket}]
    )


class SimFile:
    """Stands in for ``InventoryFile``. ``rows``: name and version of each row.

    ``written``: when it was, as far as its bytes tell; of two with the same rows and time they are the same.
    """

    path = location = "inventory"
    chunk = 4

    def __init__(self, rows: Sequence[tuple[str, str]], written: int = 0) -> None:
        self.rows = rows
        self.sha256 = sha256(msgspec.json.encode((rows, written))).hexdigest()

    def chunks(self) -> Iterator[Chunk]:
        for first in range(0, len(self.rows), self.chunk):
            rows = self.rows[first : first + self.chunk]
            yield Chunk(self.path, _HEADER, [first + i + 2 for i in range(len(rows))], rows)


def are(self: CheckedRows, earlier: EarlierCheck) -> bool:
    """Stands in for ``CheckedRows.are``: there are no files to read."""
    return [sha256 for sha256, _ in earlier.files] == [file.sha256 for file in self._files]


def rules_of(*_: object) -> bytes:
    """Stands in for ``rules_of``: they never change here."""
    return b"rules"


class SimExpander:
    """Stands in for ``Expander``."""

    layout = None

    def expand(self, chunk: Chunk) -> Expansion:
        specs = [spec_of(row[0], row[1]) for row in chunk.rows]
        return Expansion([row[0] for row in chunk.rows], list(specs), [()] * len(specs))


class SimSurvey:
    """Stands in for ``Survey``: names here are unique and cells valid, so there is nothing to find across rows."""

    def __init__(self, files: Sequence[SimFile], expander: SimExpander, max_problems: int) -> None:
        self._files = files
        self._expander = expander
        self.errors = self.warnings = 0
        self.problems: Sequence[Problem] = ()

    def __iter__(self) -> Iterator[Surveyed]:
        first = 0
        for number, file in enumerate(self._files):
            for chunk in file.chunks():
                yield Surveyed(number, first, chunk, self._expander.expand(chunk))
                first += len(chunk.rows)

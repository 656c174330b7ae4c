"""What decides, beside the bytes of its files, what the rows of an inventory become and what is wrong with them."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from bulkjobs.graph.layout import Layout
from bulkjobs.inventory.reader import InventoryFile
from bulkjobs.settings import Shard


def rules_of(files: Sequence[InventoryFile], layout: Layout, shard: Shard | None) -> bytes:
    """A digest of all of it: two checks with the same one, of the same bytes, find the same.

    The program is told by its files, as they were when it was loaded: a version's number stays the same while the
    version is being written.
    """
    import pyarrow as pa  # noqa: PLC0415  # 0.1 s that a small inventory does without

    places = [(file.path, file.location, file.limits) for file in files]
    facts = (_PROGRAM, sys.version, pa.__version__, places, layout, shard)
    return hashlib.blake2b(repr(facts).encode("utf-8", "backslashreplace"), digest_size=32).digest()


def _our_files() -> Iterator[tuple[str, int, int]]:
    for path in sorted(Path(__file__).parents[1].rglob("*.*")):
        if path.suffix in (".py", ".toml"):
            status = path.stat()
            yield str(path), status.st_size, status.st_mtime_ns


_PROGRAM = tuple(_our_files())

"""How much an inventory may hold before it is refused: bounds against bombs and against mistakes.

Every bound is stated in the problem that it causes, with the option that raises it. ``max_unpacked_ratio`` has no
option: a file that honest people pack so well can be unpacked first, which is the hint that comes with it.
"""

from __future__ import annotations

from dataclasses import dataclass

RATIO_APPLIES_FROM = 8 * 1024**2
"""Bytes. Below this size, unpacked, a file is harmless however well it was packed."""

MAX_COLUMNS = 2_000


@dataclass(frozen=True, slots=True)
class Limits:
    """Rows per file, bytes of one cell in UTF-8, bytes of one file unpacked, and unpacked : packed."""

    max_rows: int = 10_000_000
    max_cell_bytes: int = 1024**2
    max_unpacked_bytes: int = 8 * 1024**3
    max_unpacked_ratio: int = 300

    def __post_init__(self) -> None:
        if min(self.max_rows, self.max_cell_bytes, self.max_unpacked_bytes, self.max_unpacked_ratio) < 1:
            raise ValueError("every limit of an inventory must be at least 1")

    @property
    def max_record_bytes(self) -> int:
        """Bytes of one record, so that memory stays bounded whatever the number of cells."""
        return max(16 * self.max_cell_bytes, 1024**2)


def size(count: int) -> str:
    """A number of bytes as people write it, exact where it is round: ``1 MiB``, ``1,234 bytes``."""
    for unit, scale in (("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024)):
        if count >= scale and count % scale == 0:
            return f"{count // scale:,} {unit}"
    return f"{count:,} bytes"

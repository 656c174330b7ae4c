"""What is wrong with an inventory: where, what, and how to mend it."""

from __future__ import annotations

from typing import Literal

import msgspec

Severity = Literal["error", "warning"]


class Problem(msgspec.Struct, frozen=True, gc=False):
    """One finding: a structure, since a dataclass takes nine times as long to make and a file may have a million.

    ``line`` is the physical line on which the record begins (Parquet: the row, from 1), ``column`` a header
    name or None, ``value`` the cell as it stands, ``code`` a stable word for scripts.
    """

    file: str
    line: int | None
    column: str | None
    value: str | None
    code: str
    severity: Severity
    message: str
    hint: str | None = None

    @property
    def where(self) -> str:
        """``file:line`` or ``file``, as editors and terminals understand it."""
        return self.file if self.line is None else f"{self.file}:{self.line}"

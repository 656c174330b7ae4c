"""The rows of a plan, read again as often as wanted, and out of memory beyond a few megabytes: they may be millions.

Each is kept as the line of JSON that a plan's document has of it, in a file without a name that only this process can
open and that is gone with it.
"""

from __future__ import annotations

import tempfile
import weakref
from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import UNSET

from bulkjobs.engine.planned import Action, Planned
from bulkjobs.engine.three_way import FieldChange, Side

_IN_MEMORY = 4 << 20
_BLOCK = 1 << 16


class PlanRows:
    """Rows in the order in which they were added; to be added before they are read."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115  # as long as the plan
        weakref.finalize(self, self._file.close)
        self.counts: Counter[Action] = Counter()

    def add(self, row: Planned) -> None:
        self.counts[row.action] += 1
        self._file.write(msgspec.json.encode(_document(row)) + b"\n")

    def __len__(self) -> int:
        return self.counts.total()

    def __iter__(self) -> Iterator[Planned]:
        return map(_planned, self.lines())

    def of(self, action: Action) -> Iterator[Planned]:
        """The rows with this action."""
        if not self.counts[action]:
            return
        word = b'"action":"%b"' % action.value.encode()
        for line in self.lines():
            if word in line and (row := _planned(line)).action is action:
                yield row

    def lines(self) -> Iterator[bytes]:
        """Each row's JSON, on one line, without its end."""
        at, rest = 0, b""
        while True:
            self._file.seek(at)  # there may be several readers
            block = self._file.read(_BLOCK)
            if not block:
                return
            at += len(block)
            *lines, rest = (rest + block).split(b"\n")
            yield from lines


def _document(row: Planned) -> dict[str, object]:
    return {
        "file": row.file,
        "line": row.line,
        "name": row.name,
        "action": row.action.value,
        "reason": row.reason,
        "diff": [_difference(change) for change in row.diff],
        "digest": None if row.digest is None else row.digest.hex(),
        "job_id": row.job_id,
        "updated_date": row.updated_date,
    }


def _difference(change: FieldChange) -> dict[str, object]:
    found: dict[str, object] = {"field": change.label, "path": change.path, "side": change.side.value}
    if change.there is not UNSET:
        found["there"] = change.there
    if change.wanted is not UNSET:
        found["wanted"] = change.wanted
    return found


def _planned(line: bytes) -> Planned:
    row: dict[str, Any] = msgspec.json.decode(line)
    diff = [
        FieldChange(
            part["field"], part["path"], part.get("there", UNSET), part.get("wanted", UNSET), Side(part["side"])
        )
        for part in row["diff"]
    ]
    digest = None if row["digest"] is None else bytes.fromhex(row["digest"])
    return Planned(
        row["file"], row["line"], row["name"], Action(row["action"]), row["reason"], diff, digest,
        row["job_id"], row["updated_date"],
    )  # fmt: skip

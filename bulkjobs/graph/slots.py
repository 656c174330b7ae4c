"""One value of a node, from the cells that it depends on to the JSON that travels; once per distinct text.

A ``Slot`` is made when a layout is compiled and asked with whole columns. What is wrong with a cell comes back as a
``Bad`` in its place, never as an exception.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from bulkjobs.graph.cell_error import CellError
from bulkjobs.graph.lacking import lacked
from bulkjobs.graph.values import Kind, Make
from bulkjobs.graph.wire import json_of

_REMEMBERED = 50_000
"""Distinct texts that a slot remembers; a column in which every cell is new must not fill the memory."""


@dataclass(frozen=True, slots=True)
class Bad:
    """Why a cell cannot be used. ``column`` is None where the layout itself is to blame."""

    column: str | None
    code: str
    message: str
    hint: str | None = None


Fragment = bytes | Bad


class _Known(dict[Any, Fragment]):
    """Fragments by cell text, made when they are first asked for."""

    def __init__(self, make: Callable[[Any], Fragment]) -> None:
        super().__init__()
        self._make = make
        self.has_bad = False

    def __missing__(self, cells: Any) -> Fragment:
        if len(self) >= _REMEMBERED:
            self.clear()
        fragment = self[cells] = self._make(cells)
        if isinstance(fragment, Bad):
            self.has_bad = True
        return fragment


class Slot:
    """``columns`` are those it depends on, in the order of its cells; ``node`` and ``key`` say whose value it is.

    ``prefix`` comes before a fragment; an optional value whose cells are all empty has no fragment at all. ``words``
    are those that a CHOICE allows; ``place`` tells the slots of a template apart. ``takes_plain``: the value is a whole
    cell, and any plain text will do (``are_plain``).
    """

    def __init__(
        self,
        node: str,
        key: str,
        kind: Kind,
        columns: Sequence[str],
        make: Make,
        *,
        prefix: bytes = b"",
        may_be_empty: Set[str] = frozenset(),
        is_optional: bool = False,
        words: tuple[str, ...] = (),
        place: int = 0,
        takes_plain: bool = False,
    ) -> None:
        self.node = node
        self.key = key
        self.kind = kind
        self.columns = tuple(columns)
        self._make = make
        self._prefix = prefix
        self._may_be_empty = may_be_empty
        self.is_optional = is_optional
        self.words = words
        self.place = place
        self._takes_plain = takes_plain
        self._known = _Known(self._one if len(self.columns) == 1 else self._several)

    @property
    def has_bad(self) -> bool:
        """Whether any cell so far was bad: while none was, nobody need look for one."""
        return self._known.has_bad

    @property
    def sample(self) -> bytes:
        """A fragment that stands in for any row's where only the graph's shape matters."""
        if self.is_optional:
            return b""
        if self.kind is Kind.CHOICE:
            return json_of(self.words[0])
        return json_of(f"x-{self.place}") if self.kind is Kind.TEXT else b"1"

    def fragments(self, texts: Mapping[str, Sequence[str]]) -> list[Fragment]:
        """One fragment a row, from the columns' cells."""
        known = self._known
        if len(self.columns) == 1:
            cells = texts[self.columns[0]]
            if is_constant(cells):
                return [known[cells[0]]] * len(cells)
            if self._takes_plain and are_plain(cells):
                return [b'"%b"' % cell for cell in "\n".join(cells).encode().split(b"\n")]
            return list(itemgetter(*cells)(known))  # of two cells or more, else they were constant
        return [known[cells] for cells in zip(*[texts[column] for column in self.columns], strict=True)]

    def _one(self, cell: str) -> Fragment:
        if not cell and self.is_optional:
            return b""
        return self._fragment({self.columns[0]: cell})

    def _several(self, cells: tuple[str, ...]) -> Fragment:
        if self.is_optional and not any(cells):
            return b""
        return self._fragment(dict(zip(self.columns, cells, strict=True)))

    def _fragment(self, cells: Mapping[str, str]) -> Fragment:
        for column in self.columns:
            if not cells[column] and column not in self._may_be_empty:
                return Bad(column, "empty", f"`{column}` is empty", f"fill it in: {self.node} needs it as {self.key}")
            if cause := lacked(cells[column]):
                hint = f"fill it in, or `{column}`, whose default in the layout needs it"
                return Bad(cause, "empty", f"`{cause}` is empty", hint)
        try:
            return self._prefix + self._make(cells)
        except CellError as error:
            return Bad(self._blamed(cells, error.message), error.code, error.message, error.hint)

    def _blamed(self, cells: Mapping[str, str], message: str) -> str:
        """Of several columns the one whose text the message quotes, else the first that has any."""
        filled = [column for column in self.columns if cells[column]]
        quoted = (column for column in filled if f"'{cells[column]}'" in message)
        return next(quoted, filled[0] if filled else self.columns[0])


def is_constant(column: Sequence[object]) -> bool:
    """Whether all entries are equal, as in most columns of most chunks: told in C, a few nanoseconds each."""
    return bool(column) and column[0] == column[-1] and column.count(column[0]) == len(column)


def are_plain(cells: Sequence[str]) -> bool:
    """Whether each is a text that JSON takes as it stands: not empty, printable, nothing to escape, no leading slash.

    One look at the whole column, for columns in which every cell is new; False only means to look closer.
    """
    if len(set(cells[:100])) < 50:
        return False  # few distinct texts: remembering them is quicker
    together = "\n".join(cells)
    return (
        _needs_no_escape(together)
        and together.count("\n") == len(cells) - 1
        and together[0] not in "\n/ "
        and together[-1] != "\n"
        and "\n\n" not in together
        and "\n/" not in together
        and "\n " not in together
    )


_PLAIN = bytes(set(range(0x20, 0x7F)) - set(b'"\\')) + b"\n"


def _needs_no_escape(text: str) -> bool:
    if text.isascii():  # four times as quick
        return not text.encode().translate(None, _PLAIN)
    return '"' not in text and "\\" not in text and text.replace("\n", "").isprintable()

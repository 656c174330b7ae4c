"""The cells of a chunk by column, with a layout's defaults in place of empty ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat

from bulkjobs.errors import UsageError
from bulkjobs.graph.columns import NAME, NODES, names_itself, used_columns
from bulkjobs.graph.lacking import lacked, lacking
from bulkjobs.graph.layout import Layout
from bulkjobs.graph.names import default_name
from bulkjobs.graph.optional import optional_columns
from bulkjobs.graph.references import Text
from bulkjobs.inventory.rows import Chunk

Texts = Mapping[str, Sequence[str]]
"""The cells of each column, defaults put in."""


class CellTexts:
    """Raises UsageError, when asked, for defaults that run in a circle."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._columns = used_columns(layout)
        self._optional = optional_columns(layout)
        self._names_itself = names_itself(layout)

    def of(self, chunk: Chunk) -> dict[str, Sequence[str]]:
        """All cells that the layout reads, and those of ``nodes`` if the file has them."""
        count = len(chunk.header.names)
        rows: Iterable[Sequence[str]] = chunk.rows
        if set(map(len, chunk.rows)) != {count}:
            rows = [[*row[:count], *repeat("", count - len(row))] for row in chunk.rows]
        columns = list(zip(*rows, strict=True))
        given = {name: columns[place] for name, place in chunk.header.index.items()}
        texts: dict[str, Sequence[str]] = {}
        if NODES in given:
            texts[NODES] = [cell.strip() for cell in given[NODES]]
        for name in self._columns:
            self._text(name, given, texts, len(chunk.rows), ())
        return texts

    def _text(
        self,
        name: str,
        given: Mapping[str, Sequence[str]],
        texts: dict[str, Sequence[str]],
        count: int,
        asked: tuple[str, ...],
    ) -> Sequence[str]:
        """The cells of a column, its default where they are empty. A default may read other columns."""
        if name in texts:
            return texts[name]
        if name in asked:
            circle = " → ".join([*asked[asked.index(name) :], name])
            hint = (
                "a row without a name has it made from bucket and prefix"
                if NAME in asked
                else "leave one of the defaults out"
            )
            raise UsageError(f"layout {self._layout.source}: defaults.{name}: a circle: {circle}", hint)
        if name == NAME and self._names_itself:
            texts[NAME] = self._row_names(given, texts, count, (*asked, NAME))
            return texts[NAME]
        cells = given.get(name)
        default = self._layout.defaults.get(name)
        if default is not None and (cells is None or not all(cells)):
            literal = default.literal
            if literal is not None:
                fallback: Sequence[str] = [literal] * count
            else:
                needed = {n: self._text(n, given, texts, count, (*asked, name)) for n in default.names}
                fallback = needed[default.whole] if default.whole is not None else self._filled(default, needed)
            cells = fallback if cells is None else [a or b for a, b in zip(cells, fallback, strict=True)]
        texts[name] = cells if cells is not None else [""] * count
        return texts[name]

    def _filled(self, default: Text, needed: Texts) -> list[str]:
        """What a default comes to in every row; a text of ``lacking`` where a cell is empty that it needs."""
        must = [(place, lacking(name)) for place, name in enumerate(needed) if name not in self._optional]
        rows = zip(*needed.values(), strict=True)
        if not any("" in cells for cells in needed.values()):
            return [default.fill(dict(zip(needed, cells, strict=True))) for cells in rows]
        return [
            next((lack for place, lack in must if not cells[place]), None)
            or default.fill(dict(zip(needed, cells, strict=True)))
            for cells in rows
        ]

    def _row_names(
        self,
        given: Mapping[str, Sequence[str]],
        texts: dict[str, Sequence[str]],
        count: int,
        asked: tuple[str, ...],
    ) -> Sequence[str]:
        cells = given.get(NAME)
        if cells is not None and "" not in cells:
            return cells
        buckets, prefixes = (self._text(name, given, texts, count, asked) for name in ("bucket", "prefix"))
        if cells is None:
            return [_made(bucket, prefix) for bucket, prefix in zip(buckets, prefixes, strict=True)]
        return [name or _made(bucket, prefix) for name, bucket, prefix in zip(cells, buckets, prefixes, strict=True)]


def _made(bucket: str, prefix: str) -> str:
    """The name of a row that has none; empty where there is nothing to make it from."""
    if not (bucket and prefix) or lacked(bucket) or lacked(prefix):
        return ""
    return default_name(bucket, prefix)

"""Rows → job specs, a chunk at a time: whole columns at once, and each distinct text only once.

What is wrong comes out as problems beside the jobs; a row with an error has no job. An ``Expander`` is asked by one
thread at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bulkjobs.errors import UsageError
from bulkjobs.graph.cell_error import CellError
from bulkjobs.graph.cell_texts import CellTexts, Texts
from bulkjobs.graph.chunk_work import ChunkWork, Expansion, Use
from bulkjobs.graph.columns import NAME, NODES, required_columns, used_columns
from bulkjobs.graph.headers import judge_header
from bulkjobs.graph.job_names import JobNames
from bulkjobs.graph.layout import BUILT_IN, Layout, load_layout
from bulkjobs.graph.raw_nodes import addresses, encode_raw, judge_raw, read_nodes, shape_of_raw
from bulkjobs.graph.references import Text
from bulkjobs.graph.shape import Shape
from bulkjobs.graph.slots import Bad, Fragment, is_constant
from bulkjobs.graph.spec import JobSpec
from bulkjobs.graph.template import compile_template
from bulkjobs.graph.verdicts import OVERWRITES
from bulkjobs.inventory.rows import Chunk, Header

__all__ = ["Expander", "Expansion", "Use"]


class Expander:
    """``layout`` None: the built-in one. Raises UsageError for a layout that no row can satisfy."""

    def __init__(self, layout: Layout | None = None) -> None:
        self.layout = layout if layout is not None else load_layout()
        self._columns = used_columns(self.layout)
        self._required = required_columns(self.layout)
        self._texts = CellTexts(self.layout)
        self._names = JobNames(self.layout)
        self._conditions = [node for node in self.layout.nodes if node.when is not None]
        self._shapes: dict[frozenset[str], Shape | str] = {}
        self._shape(frozenset())
        self._header: Header | None = None

    def expand(self, chunk: Chunk) -> Expansion:
        """The jobs of a chunk, with every problem of its rows; those of the header once per file."""
        work = ChunkWork(chunk, len(chunk.rows))
        is_new = chunk.header is not self._header
        self._header = chunk.header
        if is_new and chunk.header.names:
            work.problems += judge_header(
                chunk, self._columns, self._required, has_variables=self.layout.source != BUILT_IN
            )
        if not chunk.rows:
            return work.expansion()
        if NODES not in chunk.header.index:
            work.missing = frozenset(name for name in self._required if name not in chunk.header.index)
        texts = self._texts.of(chunk)
        raw = texts.get(NODES, ())
        work.names = self._names.of(work, texts)
        ordinary: Sequence[int] = range(len(chunk.rows))
        if any(raw):
            self._expand_raw(work, raw)
            ordinary = [i for i in ordinary if not raw[i]]
        for absent, rows in self._by_shape(ordinary, texts):
            self._expand_shape(work, absent, rows, texts)
        self._names.say_nameless(work)
        return work.expansion()

    # Shapes

    def _by_shape(self, rows: Sequence[int], texts: Texts) -> Iterable[tuple[frozenset[str], Sequence[int]]]:
        """The rows by the nodes that their conditions drop."""
        if not self._conditions or not rows:
            return [(frozenset(), rows)] if rows else []
        keys = [node.key for node in self._conditions]
        marks = [self._holds(node.when, texts) for node in self._conditions if node.when is not None]
        if all(map(is_constant, marks)):
            return [(frozenset(key for key, mark in zip(keys, marks, strict=True) if not mark[0]), rows)]
        shapes = list(zip(*marks, strict=True))
        groups: dict[tuple[bool, ...], list[int]] = {}
        for i in rows:
            groups.setdefault(shapes[i], []).append(i)
        return [
            (frozenset(key for key, holds in zip(keys, shape, strict=True) if not holds), members)
            for shape, members in groups.items()
        ]

    @staticmethod
    def _holds(when: Text, texts: Texts) -> list[bool]:
        if when.whole is not None:
            return [bool(cell) for cell in texts[when.whole]]
        count = len(texts[NAME])
        if when.literal is not None:
            return [bool(when.literal)] * count
        used = when.names
        return [
            bool(when.fill(dict(zip(used, cells, strict=True))))
            for cells in zip(*[texts[name] for name in used], strict=True)
        ]

    def _shape(self, absent: frozenset[str]) -> Shape | str:
        """The template of a shape, or why there is none: rows that ask for it are wrong, not the layout."""
        ready = self._shapes.get(absent)
        if ready is None:
            try:
                ready = Shape(compile_template(self.layout, absent))
            except UsageError as error:
                if not absent:
                    raise
                ready = error.message
            self._shapes[absent] = ready
        return ready

    def _expand_shape(self, work: ChunkWork, absent: frozenset[str], rows: Sequence[int], texts: Texts) -> None:
        shape = self._shape(absent)
        if isinstance(shape, str):
            for i in rows:
                work.say(i, None, "bad-shape", "error", shape, "fill in the cell that its `when` asks for")
            return
        template = shape.template
        if len(rows) < len(work.jobs):
            texts = {name: [cells[i] for i in rows] for name, cells in texts.items() if cells}
        fragments = {slot: slot.fragments(texts) for slot in template.slots}
        for slot in template.slots:
            if slot.has_bad:
                self._say_bad(work, rows, fragments[slot])
        shape.say_verdicts(work, rows, fragments)
        shape.build(work, rows, fragments)
        shape.note_uses(work, rows, fragments)

    def _say_bad(self, work: ChunkWork, rows: Sequence[int], fragments: Sequence[Fragment]) -> None:
        for i, fragment in zip(rows, fragments, strict=True):
            if isinstance(fragment, Bad):
                column = self._written_in(work, i, fragment.column)
                is_known = column in work.missing or (column == NAME and i in work.nameless)
                if fragment.code == "empty" and is_known:
                    work.bad[i] = True  # said once, of the header, or of what the name is made of
                elif fragment.code == "empty" and column != fragment.column:
                    hint = f"fill it in, or `{fragment.column}`, whose default in the layout needs it"
                    work.say(i, column, "empty", "error", f"`{column}` is empty", hint)
                else:
                    through = "" if column == fragment.column else f"as `{fragment.column}`: "
                    work.say(i, column, fragment.code, "error", through + fragment.message, fragment.hint)

    def _written_in(self, work: ChunkWork, i: int, column: str | None) -> str | None:
        """The column whose cell a person wrote, if all that ``column`` has comes from there by default."""
        while column is not None and not work.cell(i, column):
            default = self.layout.defaults.get(column)
            if default is None or default.whole is None:
                break
            column = default.whole
        return column

    # The way out: a graph of the row's own

    def _expand_raw(self, work: ChunkWork, raw: Sequence[str]) -> None:
        for i, text in enumerate(raw):
            if not text:
                continue
            try:
                nodes = read_nodes(text)
            except CellError as error:
                work.say(i, NODES, error.code, "error", error.message, error.hint)
                continue
            verdicts = judge_raw(nodes)
            for verdict in verdicts:
                work.say(i, NODES, verdict.code, verdict.severity, verdict.message, verdict.hint, one_of_many=True)
            name = work.names[i]
            if name is None:
                work.say(i, NAME, "empty", "error", "`name` is empty", "a row with `nodes` needs a name of its own")
            if name is not None and not work.bad[i]:
                work.jobs[i] = JobSpec(name, encode_raw(name, nodes))
                work.shapes[i] = shape_of_raw(nodes)
                is_told = any(verdict.code == OVERWRITES for verdict in verdicts)
                for is_target, parts, update in addresses(nodes):
                    shown = b"" if is_told else update  # once a row is enough
                    work.uses.append(Use(is_target, NODES, [i], [[part] for part in parts], [shown]))

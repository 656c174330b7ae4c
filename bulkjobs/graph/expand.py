"""Rows → job specs, a chunk at a time: whole columns at once, and each distinct text only once.

What is wrong comes out as problems beside the jobs; a row with an error has no job. An ``Expander`` is asked by one
thread at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import cast

from bulkjobs.errors import UsageError
from bulkjobs.graph.cell_error import CellError
from bulkjobs.graph.columns import NAME, NODES, names_itself, required_columns, used_columns
from bulkjobs.graph.headers import judge_header
from bulkjobs.graph.ids import owner_texts
from bulkjobs.graph.layout import Layout, load_layout
from bulkjobs.graph.names import are_names, check_name, default_name
from bulkjobs.graph.raw_nodes import addresses, encode_raw, judge_raw, read_nodes
from bulkjobs.graph.references import Text
from bulkjobs.graph.slots import Bad, Fragment, Slot, is_constant
from bulkjobs.graph.spec import JobSpec
from bulkjobs.graph.template import Template, compile_template
from bulkjobs.graph.verdicts import OVERWRITES, Verdict, judge_json
from bulkjobs.inventory.problems import Problem, Severity
from bulkjobs.inventory.rows import Chunk, Header

Texts = Mapping[str, Sequence[str]]
"""The cells of each column, defaults put in."""


@dataclass(frozen=True, slots=True)
class Use:
    """Where some rows of a chunk read or write. ``rows`` are indices, ``parts`` JSON texts of each row's address."""

    is_target: bool
    column: str | None
    rows: Sequence[int]
    parts: Sequence[Sequence[bytes]]
    updates: Sequence[bytes]


@dataclass(slots=True)
class Expansion:
    """One entry a row of the chunk. ``jobs[i]`` is None where the row has an error; its name may still be known."""

    names: list[str | None]
    jobs: list[JobSpec | None]
    problems: list[Problem] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)


class Expander:
    """``layout`` None: the built-in one. Raises UsageError for a layout that no row can satisfy."""

    def __init__(self, layout: Layout | None = None) -> None:
        self.layout = layout if layout is not None else load_layout()
        self._columns = used_columns(self.layout)
        self._required = required_columns(self.layout)
        self._names_itself = names_itself(self.layout)
        self._conditions = [node for node in self.layout.nodes if node.when is not None]
        self._templates: dict[frozenset[str], _Ready | str] = {}
        self._ready(frozenset())
        self._header: Header | None = None

    def expand(self, chunk: Chunk) -> Expansion:
        """The jobs of a chunk, with every problem of its rows; those of the header once per file."""
        work = _Work(chunk, len(chunk.rows))
        is_new = chunk.header is not self._header
        self._header = chunk.header
        if is_new and chunk.header.names:
            work.problems += judge_header(chunk, self._columns, self._required)
        if not chunk.rows:
            return Expansion([], [], work.listed())
        if NODES not in chunk.header.index:
            work.missing = frozenset(name for name in self._required if name not in chunk.header.index)
        texts = self._texts(chunk)
        raw = texts.get(NODES, ())
        work.names = self._job_names(work, texts)
        ordinary: Sequence[int] = range(len(chunk.rows))
        if any(raw):
            self._expand_raw(work, raw)
            ordinary = [i for i in ordinary if not raw[i]]
        for absent, rows in self._by_shape(ordinary, texts):
            self._expand_shape(work, absent, rows, texts)
        self._say_nameless(work)
        return Expansion(work.names, work.jobs, work.listed(), work.uses)

    # Columns

    def _texts(self, chunk: Chunk) -> dict[str, Sequence[str]]:
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
            hint = "a row without a name has it made from bucket and prefix" if NAME in asked else None
            raise UsageError(f"layout {self.layout.source}: defaults.{name}: a circle: {circle}", hint)
        if name == NAME and self._names_itself:
            texts[NAME] = self._row_names(given, texts, count, (*asked, NAME))
            return texts[NAME]
        cells = given.get(name)
        default = self.layout.defaults.get(name)
        if default is not None and (cells is None or not all(cells)):
            literal = default.literal
            if literal is not None:
                fallback: Sequence[str] = [literal] * count
            else:
                needed = {n: self._text(n, given, texts, count, (*asked, name)) for n in default.names}
                fallback = (
                    needed[default.whole]
                    if default.whole is not None
                    else [
                        default.fill(dict(zip(needed, cell, strict=True)))
                        for cell in zip(*needed.values(), strict=True)
                    ]
                )
            cells = fallback if cells is None else [a or b for a, b in zip(cells, fallback, strict=True)]
        texts[name] = cells if cells is not None else [""] * count
        return texts[name]

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
            return [default_name(b, p) if b and p else "" for b, p in zip(buckets, prefixes, strict=True)]
        return [
            name or (default_name(b, p) if b and p else "") for name, b, p in zip(cells, buckets, prefixes, strict=True)
        ]

    def _job_names(self, work: _Work, texts: Texts) -> list[str | None]:
        job_name = self.layout.job_name
        if job_name.whole == NAME:
            names: Sequence[str] = texts[NAME]
        else:
            used = job_name.names
            columns = zip(*[texts[name] for name in used], strict=True) if used else repeat((), len(texts[NAME]))
            names = [job_name.fill(dict(zip(used, cells, strict=True))) for cells in columns]
        out: list[str | None] = list(names)
        if not are_names(names):
            for i, name in enumerate(names):
                try:
                    check_name(name)
                except CellError as error:
                    self._bad_name(work, i, name, error)
                    out[i] = name or None
        for part in job_name.names if job_name.whole != NAME else ():
            if part not in self.layout.defaults and "" in texts[part]:
                self._say_half_named(work, part, texts[part], out)
        return out

    def _say_half_named(self, work: _Work, part: str, cells: Sequence[str], out: list[str | None]) -> None:
        """Rows in which a column is empty that is a part of the job's name: what is left may look like a name."""
        for i, cell in enumerate(cells):
            if cell:
                continue
            out[i] = None
            if part == NAME and self._names_itself:
                work.nameless[i] = None
            elif part not in work.missing:
                work.say(i, part, "empty", "error", f"`{part}` is empty", "fill it in: the job's name needs it")
            work.bad[i] = True

    def _bad_name(self, work: _Work, i: int, name: str, error: CellError) -> None:
        cell = work.cell(i, NAME)
        if not name and not cell:
            work.bad[i] = True
            if self._names_itself:
                work.nameless[i] = None
            elif NAME not in work.missing:
                hint = "write a name: this layout has no bucket and prefix to make one from"
                work.say(i, NAME, error.code, "error", error.message, hint)
            return
        shown = "" if cell == name else f" (the name is {name[:120]!r})"
        work.say(i, NAME, error.code, "error", error.message + shown, error.hint)

    def _say_nameless(self, work: _Work) -> None:
        """Rows without a name, since bucket or prefix is empty: mostly said of those, but they may be allowed to be."""
        told = work.told() if work.nameless and not work.missing else set()
        for i in work.nameless:
            if i not in told and not work.missing:
                hint = "write a name, or fill in bucket and prefix: then it is made from them"
                work.say(i, NAME, "empty", "error", "the name is empty", hint)

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

    def _ready(self, absent: frozenset[str]) -> _Ready | str:
        """The template of a shape, or why there is none: rows that ask for it are wrong, not the layout."""
        ready = self._templates.get(absent)
        if ready is None:
            try:
                ready = _Ready(compile_template(self.layout, absent))
            except UsageError as error:
                if not absent:
                    raise
                ready = error.message
            self._templates[absent] = ready
        return ready

    def _expand_shape(self, work: _Work, absent: frozenset[str], rows: Sequence[int], texts: Texts) -> None:
        ready = self._ready(absent)
        if isinstance(ready, str):
            for i in rows:
                work.say(i, None, "bad-shape", "error", ready, "fill in the cell that its `when` asks for")
            return
        template = ready.template
        if len(rows) < len(work.jobs):
            texts = {name: [cells[i] for i in rows] for name, cells in texts.items() if cells}
        fragments = {slot: slot.fragments(texts) for slot in template.slots}
        for slot in template.slots:
            if slot.has_bad:
                self._say_bad(work, rows, fragments[slot])
        self._judge(work, rows, ready, fragments)
        self._build(work, rows, template, fragments)
        self._note_uses(work, rows, template, fragments)

    def _say_bad(self, work: _Work, rows: Sequence[int], fragments: Sequence[Fragment]) -> None:
        for i, fragment in zip(rows, fragments, strict=True):
            if isinstance(fragment, Bad):
                column = self._written_in(work, i, fragment.column)
                is_known = column in work.missing or (column == NAME and i in work.nameless)
                if fragment.code == "empty" and is_known:
                    work.bad[i] = True  # said once, of the header, or of what the name is made of
                else:
                    through = "" if column == fragment.column else f"as `{fragment.column}`: "
                    work.say(i, column, fragment.code, "error", through + fragment.message, fragment.hint)

    def _written_in(self, work: _Work, i: int, column: str | None) -> str | None:
        """The column whose cell a person wrote, if all that ``column`` has comes from there by default."""
        while column is not None and not work.cell(i, column):
            default = self.layout.defaults.get(column)
            if default is None or default.whole is None:
                break
            column = default.whole
        return column

    def _judge(
        self, work: _Work, rows: Sequence[int], ready: _Ready, fragments: Mapping[Slot, Sequence[Fragment]]
    ) -> None:
        graph = [fragments[slot] for slot in ready.template.graph]
        keys = zip(*graph, strict=True) if graph else repeat((), len(rows))
        for i, key in zip(rows, keys, strict=True):
            verdicts = ready.verdicts.get(key)
            if verdicts is None:
                verdicts = ready.judge(key)
            if verdicts:
                for verdict in verdicts:
                    column = ready.column_of(verdict.node)
                    work.say(i, column, verdict.code, verdict.severity, verdict.message, verdict.hint, one_of_many=True)

    def _build(
        self, work: _Work, rows: Sequence[int], template: Template, fragments: Mapping[Slot, Sequence[Fragment]]
    ) -> None:
        names = work.names if len(rows) == len(work.names) else [work.names[i] for i in rows]
        owners = owner_texts(names)
        arguments: list[Sequence[object]] = [
            fragments[argument] if isinstance(argument, Slot) else owners for argument in template.arguments
        ]
        text, arguments = _fold(template.text, arguments, owners)
        named = cast(Sequence[str], names)  # a row without a name is bad, and drops out below
        values = zip(*arguments, strict=True) if arguments else repeat((), len(rows))
        jobs: list[JobSpec | None]
        if True in work.bad:
            jobs = [
                None if work.bad[i] else JobSpec(name, text % value)
                for i, name, value in zip(rows, named, values, strict=True)
            ]
        else:
            jobs = list(map(JobSpec, named, map(text.__mod__, values)))
        if len(jobs) == len(work.jobs):
            work.jobs = jobs
        else:
            for i, job in zip(rows, jobs, strict=True):
                work.jobs[i] = job

    def _note_uses(
        self, work: _Work, rows: Sequence[int], template: Template, fragments: Mapping[Slot, Sequence[Fragment]]
    ) -> None:
        good: Sequence[int] = range(len(rows))
        if True in work.bad:
            good = [at for at, i in enumerate(rows) if work.jobs[i] is not None]
        if not good:
            return
        count = len(rows)

        def texts(part: bytes | Slot | None) -> Sequence[bytes]:
            if isinstance(part, Slot):
                # A row that has its job has no Bad.
                whole = cast(Sequence[bytes], fragments[part])
                return whole if len(good) == count else [whole[at] for at in good]
            return [part or b""] * len(good)

        for place in template.places:
            columns = [column for part in place.parts if isinstance(part, Slot) for column in part.columns]
            work.uses.append(
                Use(
                    place.node.type.__name__.startswith("Target"),
                    columns[-1] if columns else None,
                    rows if len(good) == count else [rows[at] for at in good],
                    [texts(part) for part in place.parts],
                    texts(place.update),
                )
            )

    # The way out: a graph of the row's own

    def _expand_raw(self, work: _Work, raw: Sequence[str]) -> None:
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
                is_told = any(verdict.code == OVERWRITES for verdict in verdicts)
                for is_target, parts, update in addresses(nodes):
                    shown = b"" if is_told else update  # once a row is enough
                    work.uses.append(Use(is_target, NODES, [i], [[part] for part in parts], [shown]))


class _Ready:
    """A template with what is known of the graphs that it gave so far."""

    def __init__(self, template: Template) -> None:
        self.template = template
        self.verdicts: dict[tuple[Fragment, ...], Sequence[Verdict]] = {}
        self._columns: dict[str, str] = {}
        for slot in template.graph:
            for column in slot.columns:
                self._columns.setdefault(slot.node, column)

    def judge(self, key: tuple[Fragment, ...]) -> Sequence[Verdict]:
        """The findings of one graph: its deciding values as they are, samples for all others."""
        verdicts: Sequence[Verdict] = ()
        if not any(isinstance(fragment, Bad) for fragment in key):
            known = dict(zip(self.template.graph, key, strict=True))
            values = tuple(
                known.get(argument, argument.sample) if isinstance(argument, Slot) else b"1000000000"
                for argument in self.template.arguments
            )
            found = judge_json(self.template.text % values, self.template.labels)
            # Samples write nowhere: which places are overwritten only the rows tell (``across_rows``).
            verdicts = [verdict for verdict in found if verdict.code != OVERWRITES]
        if len(self.verdicts) >= _REMEMBERED:
            self.verdicts.clear()
        self.verdicts[key] = verdicts
        return verdicts

    def column_of(self, node: str | None) -> str | None:
        """The column that decides what a node is."""
        return None if node is None else self._columns.get(node)


_REMEMBERED = 50_000


def _fold(
    text: bytes, arguments: Sequence[Sequence[object]], owners: Sequence[object]
) -> tuple[bytes, list[Sequence[object]]]:
    """Put the values that are the same in every row into the text, once for the chunk; the others stay arguments."""
    own: list[object] = []
    left = []
    for values in arguments:
        if values is not owners and isinstance(values[0], bytes) and is_constant(values):
            own.append(values[0].replace(b"%", b"%%"))
        else:
            own.append(b"%b")
            left.append(values)
    return text.replace(b"%%", b"%%%%") % tuple(own), left


class _Work:
    """A chunk while it is expanded."""

    def __init__(self, chunk: Chunk, count: int) -> None:
        self._chunk = chunk
        self.names: list[str | None] = [None] * count
        self.jobs: list[JobSpec | None] = [None] * count
        self.bad = [False] * count
        self.problems: list[Problem] = []
        self.uses: list[Use] = []
        self.missing: frozenset[str] = frozenset()
        self.nameless: dict[int, None] = {}
        self._of_rows: list[tuple[int, Problem]] = []
        self._said: set[tuple[int, str | None, str, str]] = set()
        spoilt = {problem.line for problem in chunk.problems if problem.severity == "error"}
        self._spoilt: set[int] = set()
        if spoilt:
            self.bad = [line in spoilt for line in chunk.lines]
            self._spoilt = {i for i, bad in enumerate(self.bad) if bad}

    def cell(self, i: int, column: str | None) -> str | None:
        """The cell as it stands, None if the row has none."""
        place = self._chunk.header.index.get(column) if column is not None else None
        row = self._chunk.rows[i]
        return row[place] if place is not None and place < len(row) else None

    def told(self) -> set[int]:
        """The rows of which something was said, or that the reader found wrong."""
        return {i for i, _ in self._of_rows} | self._spoilt

    def say(
        self,
        i: int,
        column: str | None,
        code: str,
        severity: Severity,
        message: str,
        hint: str | None = None,
        *,
        one_of_many: bool = False,
    ) -> None:
        """A problem of row ``i``; an error leaves it without a job.

        A cell that is used twice is told once, unless its text may have several faults of one kind (``one_of_many``);
        of a cell that the row does not have, the reader told.
        """
        if severity == "error":
            self.bad[i] = True
        key = (i, column, code, message if one_of_many else "")
        if key in self._said:
            return
        self._said.add(key)
        chunk = self._chunk
        place = chunk.header.index.get(column) if column is not None else None
        named = column if place is None else chunk.header.names[place]
        value = self.cell(i, column)
        if code == "empty" and value is None and i in self._spoilt:
            return
        self._of_rows.append((i, Problem(chunk.file, chunk.lines[i], named, value, code, severity, message, hint)))

    def listed(self) -> list[Problem]:
        """All problems, the header's first, then row by row."""
        self._of_rows.sort(key=lambda entry: entry[0])
        return [*self.problems, *(problem for _, problem in self._of_rows)]

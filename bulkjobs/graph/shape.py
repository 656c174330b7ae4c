"""Rows with the same nodes: their graphs judged once per distinct one, their jobs made in one go."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import repeat
from typing import cast

from bulkjobs.graph.chunk_work import ChunkWork, Use
from bulkjobs.graph.ids import owner_texts
from bulkjobs.graph.slots import Bad, Fragment, Slot, is_constant
from bulkjobs.graph.spec import JobSpec
from bulkjobs.graph.template import Template
from bulkjobs.graph.verdicts import OVERWRITES, Verdict, judge_json

_REMEMBERED = 50_000


class Shape:
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

    def say_verdicts(self, work: ChunkWork, rows: Sequence[int], fragments: Mapping[Slot, Sequence[Fragment]]) -> None:
        """What the graph rules say of ``rows``."""
        graph = [fragments[slot] for slot in self.template.graph]
        keys = zip(*graph, strict=True) if graph else repeat((), len(rows))
        for i, key in zip(rows, keys, strict=True):
            verdicts = self.verdicts.get(key)
            if verdicts is None:
                verdicts = self.judge(key)
            if verdicts:
                for verdict in verdicts:
                    column = self.column_of(verdict.node)
                    work.say(i, column, verdict.code, verdict.severity, verdict.message, verdict.hint, one_of_many=True)

    def build(self, work: ChunkWork, rows: Sequence[int], fragments: Mapping[Slot, Sequence[Fragment]]) -> None:
        """The jobs of ``rows``, from what each slot gave for them."""
        names = work.names if len(rows) == len(work.names) else [work.names[i] for i in rows]
        owners = owner_texts(names)
        arguments: list[Sequence[object]] = [
            fragments[argument] if isinstance(argument, Slot) else owners for argument in self.template.arguments
        ]
        text, arguments = _fold(self.template.text, arguments, owners)
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
        self._note_shapes(work, rows, fragments)

    def _note_shapes(self, work: ChunkWork, rows: Sequence[int], fragments: Mapping[Slot, Sequence[Fragment]]) -> None:
        """Node types and data types of ``rows``: nearly always the same in a whole chunk."""
        words = [fragments[word] if isinstance(word, Slot) else [word] for word in self.template.shape]
        shapes: list[Hashable]
        if all(map(is_constant, words)):
            shapes = [tuple(word[0] for word in words)] * len(rows)
        else:
            each = [word if len(word) == len(rows) else repeat(word[0], len(rows)) for word in words]
            shapes = list(zip(*each, strict=True))
        if len(rows) == len(work.shapes):
            work.shapes = shapes
        else:
            for i, shape in zip(rows, shapes, strict=True):
                work.shapes[i] = shape

    def note_uses(self, work: ChunkWork, rows: Sequence[int], fragments: Mapping[Slot, Sequence[Fragment]]) -> None:
        """Where the jobs of ``rows`` read and write."""
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

        for place in self.template.places:
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

"""The job names of a chunk's rows, and what is said of those that are none."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat

from bulkjobs.graph.cell_error import CellError
from bulkjobs.graph.cell_texts import Texts
from bulkjobs.graph.chunk_work import ChunkWork
from bulkjobs.graph.columns import NAME, names_itself
from bulkjobs.graph.lacking import lacked
from bulkjobs.graph.layout import Layout
from bulkjobs.graph.names import are_names, check_name

_NEEDED = "fill it in: the job's name needs it"


class JobNames:
    """``[job] name`` of a layout, or a row's own name."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._names_itself = names_itself(layout)

    def of(self, work: ChunkWork, texts: Texts) -> list[str | None]:
        """The name of each row's job; None, or a text that is no name, where it is bad."""
        job_name = self._layout.job_name
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
                    if cause := lacked(name):
                        work.say(i, cause, "empty", "error", f"`{cause}` is empty", _NEEDED)
                        out[i] = None
                        continue
                    self._bad_name(work, i, name, error)
                    out[i] = name or None
        for part in job_name.names if job_name.whole != NAME else ():
            if part not in self._layout.defaults and "" in texts[part]:
                self._say_half_named(work, part, texts[part], out)
        return out

    def _say_half_named(self, work: ChunkWork, part: str, cells: Sequence[str], out: list[str | None]) -> None:
        """Rows in which a column is empty that is a part of the job's name: what is left may look like a name."""
        for i, cell in enumerate(cells):
            if cell:
                continue
            out[i] = None
            if part == NAME and self._names_itself:
                work.nameless[i] = None
            elif part not in work.missing:
                work.say(i, part, "empty", "error", f"`{part}` is empty", _NEEDED)
            work.bad[i] = True

    def _bad_name(self, work: ChunkWork, i: int, name: str, error: CellError) -> None:
        cell = work.cell(i, NAME)
        if not name and not cell:
            work.bad[i] = True
            if self._names_itself:
                work.nameless[i] = None
            elif NAME not in work.missing:
                hint = "write a name: this layout has no bucket and prefix to make one from"
                work.say(i, NAME, error.code, "error", error.message, hint)
            return
        hint = error.hint
        if self._names_itself and not name.isascii():
            hint = f"{hint}; or leave the name out: then it is made from bucket and prefix"
        shown = "" if cell == name else f" (the name is {name[:120]!r})"
        work.say(i, NAME, error.code, "error", error.message + shown, hint)

    def say_nameless(self, work: ChunkWork) -> None:
        """Rows without a name, since bucket or prefix is empty: mostly said of those, but they may be allowed to be."""
        told = work.told() if work.nameless and not work.missing else set()
        for i in work.nameless:
            if i not in told and not work.missing:
                hint = "write a name, or fill in bucket and prefix: then it is made from them"
                work.say(i, NAME, "empty", "error", "the name is empty", hint)

"""What a file's header lacks, or seems to misspell, for a layout's columns."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from bulkjobs.graph.columns import NAME, NODES
from bulkjobs.inventory.problems import Problem
from bulkjobs.inventory.rows import Chunk

_SURELY = 0.8
_PERHAPS = 0.75
_SHORT = 0.85
"""How alike (0 to 1) an unknown and an absent column must be to be taken for a misspelling."""


def judge_header(
    chunk: Chunk, columns: Sequence[str], required: Sequence[str], *, has_variables: bool = False
) -> list[Problem]:
    """Problems of the header: a column that is missing, or that an unknown one most likely means.

    Unknown columns are fine in themselves: they are carried into the report. A file with a ``nodes`` column needs no
    other but ``name``: its rows say what they lack. ``has_variables``: what is missing may be meant as a variable of
    a layout of the user's own.
    """
    index = chunk.header.index
    known = (*columns, NODES)
    absent = [name for name in known if name not in index and name != NODES]
    unknown = [name for name in index if name not in known]
    meant = _meant(unknown, absent)
    problems = []
    for name in required:
        other = f"; if the layout means a variable, give it with --set {name}=…" if has_variables else ""
        if name not in index and NODES not in index:
            near = meant.get(name)
            hint = f"the file has `{near}`: did you mean `{name}`?" if near else f"add a column `{name}`{other}"
            written = chunk.header.names[index[near]] if near else None
            problems.append(
                Problem(
                    chunk.file, None, name, written, "missing-column", "error", f"there is no column `{name}`", hint
                )
            )
    for name, near in meant.items():
        if name in required and NODES not in index:
            continue
        alike = difflib.SequenceMatcher(None, near, name).ratio()
        written = chunk.header.names[index[near]]
        problems.append(
            Problem(
                chunk.file,
                None,
                written,
                written,
                "misspelt-column",
                "error" if alike >= _SURELY else "warning",
                f"there is no column `{written}`: did you mean `{name}`?",
                f"rename it to `{name}`; if it is a column of your own, give it a name that is less like `{name}`",
            )
        )
    return problems


def _meant(unknown: Sequence[str], absent: Sequence[str]) -> dict[str, str]:
    """Absent columns with the unknown one that most likely means each; ``name`` is too short a word to guess at."""
    found: dict[str, str] = {}
    for name in absent:
        left = [word for word in unknown if word not in found.values()]
        near = difflib.get_close_matches(name, left, 1, _PERHAPS if name != NAME else _SHORT)
        if near:
            found[name] = near[0]
    return found

"""What is wrong with a graph, or merely suspicious."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bulkjobs.plain import plain

_LONGEST = 100


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding. An ``error`` is a graph that cannot run.

    ``code`` is a stable word for scripts; ``node`` the place of the node in the graph, None for the graph as a
    whole; ``hint`` says how to mend it. Message and hint are one line each and safe to print.
    """

    severity: Literal["error", "warning"]
    code: str
    message: str
    node: int | None = None
    hint: str | None = None


def quoted(text: str) -> str:
    """Text of the inventory or the layout as a message shows it."""
    return f"'{plain(text, _LONGEST)}'"


def listed(texts: list[str], most: int = 10) -> str:
    """Several such texts, the first ``most``."""
    shown = ", ".join(quoted(text) for text in texts[:most])
    return f"{shown} and {len(texts) - most} more" if len(texts) > most else shown

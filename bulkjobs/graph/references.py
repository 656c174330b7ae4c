"""Text of a layout with ``${column}`` and ``${variable}`` in it. ``$$`` is a dollar sign."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_TOKEN = re.compile(r"\$(?:\$|\{([^{}]*)\})|\$")
_NAME = re.compile(r"[^\s{}$][^{}$]*")


class BadReference(ValueError):
    """A ``$`` that begins no reference. The message says where."""


@dataclass(frozen=True, slots=True)
class Ref:
    """The cell of a column, by its canonical name, or a variable."""

    name: str


@dataclass(frozen=True, slots=True)
class Text:
    """Literal text and references in turn. ``whole`` is the reference if there is nothing else."""

    parts: tuple[str | Ref, ...]

    @property
    def whole(self) -> str | None:
        return self.parts[0].name if len(self.parts) == 1 and isinstance(self.parts[0], Ref) else None

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that it needs, each once, in order."""
        return tuple(dict.fromkeys(part.name for part in self.parts if isinstance(part, Ref)))

    @property
    def literal(self) -> str | None:
        """The text, if it refers to nothing."""
        return None if self.names else "".join(part for part in self.parts if isinstance(part, str))

    def fill(self, cells: Mapping[str, str]) -> str:
        return "".join([part if isinstance(part, str) else cells[part.name] for part in self.parts])


def names_in(text: str) -> Iterator[str]:
    """The names that a text refers to, columns and variables alike; what is no reference is passed over."""
    return (token.group(1).strip().lower() for token in _TOKEN.finditer(text) if token.group(1) is not None)


def parse_text(text: str, variables: Mapping[str, str]) -> Text:
    """``text`` with its variables put in; what remains are columns. Raises BadReference.

    A variable's value is taken as it is: a ``$`` in it means nothing.
    """
    parts: list[str | Ref] = []
    at = 0
    for token in _TOKEN.finditer(text):
        parts.append(text[at : token.start()])
        at = token.end()
        name = token.group(1)
        if token.group() == "$$":
            parts.append("$")
        elif name is None or not _NAME.fullmatch(name.strip()):
            raise BadReference(f"character {token.start() + 1}: write ${{column}}, or $$ for a dollar sign")
        else:
            name = name.strip().lower()
            parts.append(variables[name] if name in variables else Ref(name))
    parts.append(text[at:])
    return Text(_joined(parts))


def _joined(parts: list[str | Ref]) -> tuple[str | Ref, ...]:
    out: list[str | Ref] = []
    for part in parts:
        if isinstance(part, str) and out and isinstance(out[-1], str):
            out[-1] += part
        elif part != "":
            out.append(part)
    return tuple(out)

"""The columns that a layout reads: which it needs, what stands in for an empty cell, what each accepts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bulkjobs.graph.layout import Layout
from bulkjobs.graph.template import Template, compile_template
from bulkjobs.graph.values import Kind, accepted_text

NAME, NODES = "name", "nodes"

_ACCEPTS = {
    Kind.TEXT: "text",
    Kind.INTEGER: "a whole number",
    Kind.FIELDS: "name:type, name:type, … or the JSON of a fieldList",
    Kind.NAMES: "names with commas between them, or a JSON list",
    Kind.OBJECTS: "JSON",
    Kind.FILTER: "field, operator (EQ NE GT LT GTE LTE or == != > < >= <=), value; joined by AND or by OR; or JSON",
}


@dataclass(frozen=True, slots=True)
class Column:
    """``default`` is what stands in for an empty cell, as a layout writes it; None: nothing does.

    ``required``: an empty cell is an error. ``allowed``: the words it accepts, if it is a choice. ``uses``: the
    values of nodes that it goes into, as ``node.key``.
    """

    name: str
    about: str
    required: bool
    default: str | None
    accepts: str
    allowed: tuple[str, ...]
    example: str | None
    uses: tuple[str, ...]


@dataclass(slots=True)
class _Use:
    accepts: str | None = None
    kinds: list[Kind] = field(default_factory=list)
    words: list[tuple[str, ...]] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    required: bool = False


def columns_of(layout: Layout) -> list[Column]:
    """Every column of ``layout``, in the order in which a person would fill them in."""
    uses = _uses(layout, compile_template(layout))
    # As the layout describes them, if it does: its author knows what comes first.
    names = dict.fromkeys((*(name for name in layout.notes if name in uses), *uses))
    return [_name(layout, uses), *(_column(layout, name, uses[name]) for name in names if name != NAME), _nodes()]


def names_itself(layout: Layout) -> bool:
    """Whether a row without a name gets one from its bucket and prefix."""
    return NAME not in layout.defaults and {"bucket", "prefix"} <= _uses(layout, compile_template(layout)).keys()


def required_columns(layout: Layout) -> list[str]:
    """The columns that a file must have."""
    return [column.name for column in columns_of(layout) if column.required]


def used_columns(layout: Layout) -> list[str]:
    """Every column that the layout reads, with those that its defaults, conditions and job name read."""
    return list(dict.fromkeys((NAME, *_uses(layout, compile_template(layout)))))


def _uses(layout: Layout, template: Template) -> Mapping[str, _Use]:
    uses: dict[str, _Use] = {}
    nodes = {node.key: node for node in layout.nodes}
    conditional = {name for node in layout.nodes if node.when is not None for name in node.when.names}
    for slot in template.slots:
        for name in slot.columns:
            use = uses.setdefault(name, _Use())
            # Of a list in the layout, a cell is a text within an item; of a text, it is all of it.
            value = nodes[slot.node].values.get(slot.key)
            use.kinds.append(Kind.TEXT if isinstance(value, list) else slot.kind)
            use.places.append(f"{slot.node}.{slot.key}")
            use.accepts = use.accepts or accepted_text(nodes[slot.node].type, slot.key)
            use.required |= not slot.is_optional and name not in layout.defaults and name not in conditional
            if slot.kind is Kind.CHOICE:
                use.words.append(slot.words)
    for node in layout.nodes:
        for name in node.when.names if node.when is not None else ():
            uses.setdefault(name, _Use())
    for name in layout.job_name.names:
        if name != NAME:
            use = uses.setdefault(name, _Use(kinds=[Kind.TEXT]))
            use.places.append("the job's name")
            use.required |= name not in layout.defaults
    waiting = list(uses)
    for default in waiting:  # grows while it is read: a default may read a column that has one too
        for name in layout.defaults[default].names if default in layout.defaults else ():
            if name not in uses:
                uses[name] = _Use()
                waiting.append(name)
            uses[name].places.append(f"the default of {default}")
    return uses


def _column(layout: Layout, name: str, use: _Use) -> Column:
    note = layout.notes.get(name)
    default = layout.defaults.get(name)
    allowed = tuple(word for word in (use.words[0] if use.words else ()) if all(word in words for words in use.words))
    about = note.about if note is not None and note.about else f"used as {', '.join(use.places) or 'a condition'}"
    return Column(
        name,
        about,
        use.required,
        None if default is None else _written(default.parts),
        _accepted(use, allowed),
        allowed,
        note.example if note is not None else None,
        tuple(use.places),
    )


def _accepted(use: _Use, allowed: tuple[str, ...]) -> str:
    kind = next((kind for kind in use.kinds if kind is not Kind.TEXT), Kind.TEXT)
    if allowed or kind is Kind.CHOICE:
        return ", ".join(allowed) or "a word"
    return (use.accepts if kind is Kind.TEXT else None) or _ACCEPTS[kind]


def _name(layout: Layout, uses: Mapping[str, _Use]) -> Column:
    makes_names = NAME not in layout.defaults and {"bucket", "prefix"} <= uses.keys()
    note = layout.notes.get(NAME)
    default = layout.defaults.get(NAME)
    return Column(
        NAME,
        note.about if note is not None and note.about else "the job's name, unique in the account",
        not makes_names and default is None and NAME in (*layout.job_name.names, *uses),
        "made from bucket and prefix" if makes_names else None if default is None else _written(default.parts),
        "letters, digits, '_' and '-'; 3 to 100 characters; begins with a letter or '_'",
        (),
        note.example if note is not None and note.example else "job001",
        ("the job's name",),
    )


def _nodes() -> Column:
    return Column(
        NODES,
        "the whole graph of the row as JSON, in place of the layout",
        False,
        None,
        "the JSON of createJob's nodes; ids are replaced by ours",
        (),
        None,
        (),
    )


def _written(parts: tuple[object, ...]) -> str:
    return "".join(part if isinstance(part, str) else f"${{{getattr(part, 'name', '')}}}" for part in parts)

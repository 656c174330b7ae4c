"""Which columns may be empty although something reads them."""

from __future__ import annotations

from collections.abc import Set

from bulkjobs.graph.layout import Layout


def optional_columns(layout: Layout) -> Set[str]:
    """Those that a condition reads, that have ``x = ""`` in the defaults, or a default that may itself be empty.

    Of any other column that a text is made from, an empty cell is a mistake: ``out/${team}`` without a team would be
    ``out/``, the folder of all teams.
    """
    conditional = {name for node in layout.nodes if node.when is not None for name in node.when.names}
    return conditional | {name for name in layout.defaults if _may_be_empty(layout, name, conditional)}


def _may_be_empty(layout: Layout, name: str, conditional: Set[str]) -> bool:
    """It ends: a layout whose defaults go in a circle is refused when it is read."""
    while name not in conditional:
        default = layout.defaults.get(name)
        if default is None or default.whole is None:
            return default is not None and default.literal == ""
        name = default.whole
    return True

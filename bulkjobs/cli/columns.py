"""``bulkjobs columns``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bulkjobs.cli import options
from bulkjobs.cli.given import layout_of
from bulkjobs.cli.summary import write_json
from bulkjobs.graph.columns import NAME, NODES, Column, columns_of
from bulkjobs.graph.layout import Layout
from bulkjobs.plain import plain

_EXAMPLES = """\b
Examples:
  bulkjobs columns
  bulkjobs columns --layout join.toml
  bulkjobs columns --json-schema > row.schema.json
"""
_NARROWEST = 120
"""Terminal columns; in a table of less every cell is a tower, so each column of the inventory is a paragraph."""


@click.command("columns", epilog=_EXAMPLES)
@options.config
@options.graph
@click.option("--json-schema", is_flag=True, help="A JSON Schema of one row, all cells being texts.")
def command(json_schema: bool, **given: Any) -> int:
    """Show every column of an inventory: its meaning, its default, what it accepts, an example.

    Columns with a star must be there and be filled in. Letter case of a column's name does not matter. Any further
    column is carried into the report untouched.
    """
    layout = layout_of(given)
    columns = columns_of(layout)
    if json_schema:
        write_json(row_schema(layout, columns))
    else:
        _show(Console(highlight=False), columns)
    return 0


def row_schema(layout: Layout, columns: Sequence[Column]) -> dict[str, object]:
    """A JSON Schema (draft 2020-12) of a row: an object of texts by column.

    A cell of its own defaults may be empty. Words are listed as they are sent; any letter case of them is accepted.
    """
    required = [column.name for column in columns if column.required]
    filled = {"minLength": 1}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"a row of an inventory for {plain(layout.source)}",
        "type": "object",
        "properties": {column.name: _property(layout, column) for column in columns},
        "anyOf": [
            {"required": required, "properties": dict.fromkeys(required, filled)},
            {"required": [NAME, NODES], "properties": {NAME: filled, NODES: filled}},
        ],
        "additionalProperties": {"type": "string"},
    }


def _property(layout: Layout, column: Column) -> dict[str, object]:
    about = column.about
    found: dict[str, object] = {"type": "string"}
    if column.name == NAME:
        found["pattern"] = "^([A-Za-z_][A-Za-z0-9_-]{2,99})?$"
    default = layout.defaults.get(column.name)
    if default is not None and default.literal is not None:
        found["default"] = default.literal
    elif column.default is not None:
        about += f"; if empty: {column.default}"
    if column.allowed:
        found["enum"] = [*column.allowed, *(() if column.required else ("",))]
    else:
        about += f"; accepts {column.accepts}"
    if column.example is not None:
        found["examples"] = [column.example]
    return {"description": about, **found}


def _show(console: Console, columns: Sequence[Column]) -> None:
    if console.width < _NARROWEST:
        _show_narrow(console, columns)
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 1, 0))
    table.add_column("column", no_wrap=True, overflow="fold")
    table.add_column("meaning", overflow="fold")
    table.add_column("default", overflow="fold")
    table.add_column("accepts", overflow="fold")
    table.add_column("example", overflow="fold")
    for column in columns:
        table.add_row(_name(column), *(Text(text) for text in _texts(column)))
    console.print(table)
    console.print(Text("* must be filled in"))


def _show_narrow(console: Console, columns: Sequence[Column]) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True, overflow="fold")
    table.add_column(overflow="fold")
    for column in columns:
        about, default, accepts, example = _texts(column)
        rest = [
            f"accepts {accepts}",
            f"example: {example}" if example else "",
            f"default: {default}" if default else "",
        ]
        said = Text("\n").join([Text(about), Text("; ".join(filter(None, rest)), style="dim")])
        table.add_row(_name(column), said)
    console.print(table)
    console.print(Text("* must be filled in"))


def _name(column: Column) -> Text:
    return Text(plain(column.name, 60) + ("*" if column.required else ""), style="bold" if column.required else "")


def _texts(column: Column) -> tuple[str, str, str, str]:
    default = "" if column.default is None else "empty" if column.default == "" else column.default
    return plain(column.about), plain(default), plain(column.accepts), plain(column.example or "")

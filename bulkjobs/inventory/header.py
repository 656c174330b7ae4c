"""The first record of a file → Header, with a problem for every name that cannot be used.

Which columns are wanted depends on the layout, so a name that is merely misspelt is judged elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence

from bulkjobs.inventory.defects import error
from bulkjobs.inventory.problems import Problem
from bulkjobs.inventory.rows import Header
from bulkjobs.plain import plain

_OTHER_DELIMITERS = {";": "a semicolon", "\t": "a tab", "|": "a vertical bar"}


def read_header(file: str, names: Sequence[str], line: int | None) -> tuple[Header, list[Problem]]:
    """``names`` as written. Of two equal names the first counts, as ``Header.canonical`` compares them."""
    index: dict[str, int] = {}
    problems: list[Problem] = []
    for position, name in enumerate(names):
        canonical = Header.canonical(name)
        if not canonical:
            problems.append(
                error(
                    file,
                    "missing-header-name",
                    f"column {position + 1} of {len(names)} has no name",
                    "name the column, or delete it (a spreadsheet often leaves empty columns behind)",
                    line=line,
                    value=name,
                )
            )
        elif canonical in index:
            problems.append(
                error(
                    file,
                    "duplicate-header",
                    f"columns {index[canonical] + 1} and {position + 1} are both named '{plain(canonical, 100)}'",
                    "rename or delete one of them (upper and lower case and spaces around a name do not count)",
                    line=line,
                    column=name,
                    value=name,
                )
            )
        else:
            index[canonical] = position
    return Header(tuple(names), index), problems


def wrong_delimiter(file: str, names: Sequence[str], line: int) -> Problem | None:
    """A header whose names hold more semicolons, tabs or bars than it has commas was written with those."""
    first = names[0].strip() if names else ""
    if first.lower().startswith("sep=") and len(first) <= 5 and len(names) <= 2:
        return error(
            file,
            "wrong-delimiter",
            "the first line is 'sep=…', an instruction to Excel, not a header",
            "delete that line and separate the cells with commas",
            line=line,
        )
    for delimiter, name in _OTHER_DELIMITERS.items():
        if sum(cell.count(delimiter) for cell in names) > len(names) - 1:
            return error(
                file,
                "wrong-delimiter",
                f"the cells are separated by {name}, not by commas",
                "save the file with commas (in Excel: Save As, 'CSV UTF-8 (comma delimited)')",
                line=line,
            )
    return None

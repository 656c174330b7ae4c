"""Colours by the conventions: NO_COLOR, CLICOLOR, CLICOLOR_FORCE (bixense.com/clicolors, no-color.org).

In this order: NO_COLOR, if it is not empty, means none; CLICOLOR_FORCE, if it is neither empty nor 0, means colours
wherever the text goes; CLICOLOR=0 means none; else a terminal has them and a file has not.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def wants_colour(environment: Mapping[str, str], is_terminal: bool) -> bool:
    """Whether text that goes to such a place is coloured."""
    if environment.get("NO_COLOR"):
        return False
    if environment.get("CLICOLOR_FORCE", "0") not in ("", "0") or environment.get("FORCE_COLOR"):
        return True
    return is_terminal and environment.get("CLICOLOR") != "0" and environment.get("TERM") != "dumb"


def follow_conventions(environment: MutableMapping[str, str]) -> None:
    """Say the same in the words that rich knows, which are NO_COLOR and FORCE_COLOR. For a process of our own."""
    if not wants_colour(environment, is_terminal=True):
        environment["NO_COLOR"] = "1"
    elif wants_colour(environment, is_terminal=False):
        environment["FORCE_COLOR"] = "1"


def is_terminal(console: Console) -> bool:
    """Whether somebody may read it as it comes: a terminal, whatever the colours. Rich calls forced colours one."""
    try:
        return os.isatty(console.file.fileno())
    except (OSError, ValueError):
        return False


def is_lively(console: Console) -> bool:
    """Whether lines may be drawn over."""
    return is_terminal(console) and console.is_interactive

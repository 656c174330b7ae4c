"""The configuration file: TOML with one key for each option, the same for all commands; flags and environment win.

Keys are options without their dashes (``max_rows`` or ``max-rows``); ``set`` may be a table. The tables ``[[compare]]``
are rules of comparison, which ``graph.comparison`` reads.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from bulkjobs.errors import UsageError
from bulkjobs.plain import plain

COMPARE = "compare"
"""The tables that hold rules of comparison."""

_PLAIN_TYPES = (str, int, float, bool)


@dataclass(frozen=True)
class ConfigFile:
    """A file's settings by key, with underscores. ``compare``: its rules of comparison as they stand; None: none."""

    path: Path
    values: Mapping[str, Any]
    compare: Any = None
    text: str = field(default="", repr=False)

    def place_of(self, key: str) -> str:
        """``bulkjobs.toml:3``."""
        line = self._lines.get(key)
        return f"{self.path}:{line}" if line else str(self.path)

    @cached_property
    def _lines(self) -> dict[str, int]:
        """tomllib tells no lines: the first that begins with the key, alone or as a table, is taken."""
        found: dict[str, int] = {}
        for number, line in enumerate(self.text.splitlines(), start=1):
            match = re.match(r"\s*\[?\s*[\"']?([\w-]+)[\"']?\s*(?:=|\.|\])", line)
            if match is not None:
                found.setdefault(match[1].replace("-", "_"), number)
        return found


def read_config(path: Path) -> ConfigFile:
    """Raises UsageError for a file that cannot be read, and for a value that no option could have."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        document = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not UTF-8"
        raise UsageError(f"--config {path}: cannot be read: {why}", "name a TOML file with settings") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"--config {path}: not valid TOML: {error}", "a setting is KEY = VALUE: rate = 20") from None
    compare = document.pop(COMPARE, None)
    config = ConfigFile(path, {key.replace("-", "_"): value for key, value in document.items()}, compare, text)
    checked = {key: _checked(config, key, value) for key, value in config.values.items()}
    return ConfigFile(path, checked, compare, text)


def refuse_unknown(config: ConfigFile, known: Iterable[str]) -> None:
    """Raises UsageError for the first key that is no option of any command, with the nearest that is."""
    from bulkjobs.graph.suggest import nearest  # noqa: PLC0415  # difflib, only where a key is wrong

    names = sorted(known)
    for key in config.values:
        if key not in names:
            near = nearest(key, names)
            hint = f"did you mean {near!r}? " if near else ""
            raise UsageError(
                f"--config {config.place_of(key)}: unknown setting {plain(key, 100)!r}",
                f"{hint}`bulkjobs config` lists every setting",
            )


def refuse_mistyped(config: ConfigFile, is_flag: Mapping[str, bool]) -> None:
    """Raises UsageError where a flag is not true or false, or anything else is."""
    for key, value in config.values.items():
        if isinstance(value, bool) != is_flag[key]:
            kind = "true or false" if is_flag[key] else "a number or a text"
            said = f"{key} must be {kind}, and is {plain(_text(value), 100)}"
            raise UsageError(f"--config {config.place_of(key)}: {said}", "`bulkjobs config` shows it")


def _checked(config: ConfigFile, key: str, value: Any) -> Any:
    if key == "set" and isinstance(value, dict) and all(isinstance(text, _PLAIN_TYPES) for text in value.values()):
        return [f"{name}={_text(part)}" for name, part in value.items()]
    parts = value if isinstance(value, list) else [value]
    if all(isinstance(part, _PLAIN_TYPES) for part in parts) and (key == "set") == isinstance(value, list):
        return value
    kind = "a list of texts, KEY=VALUE, or a table" if key == "set" else "a text, a number, true or false"
    raise UsageError(f"--config {config.place_of(key)}: {plain(key, 100)} must be {kind}", "`bulkjobs config` shows it")


def _text(value: Any) -> str:
    """A value as the command line would have it: ``true`` is TOML's word, and ours."""
    return str(value).lower() if isinstance(value, bool) else str(value)

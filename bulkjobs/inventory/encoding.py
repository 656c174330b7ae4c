"""Bytes that are not UTF-8: which encoding they look like, and how to convert them.

A guess serves the hint only. Nothing is ever read in a guessed encoding.
"""

from __future__ import annotations

import codecs

from bulkjobs.inventory.defects import error
from bulkjobs.inventory.problems import Problem

_EXCEL = "in Excel: Save As, 'CSV UTF-8 (comma delimited)'"
_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_HANGUL = range(0xAC00, 0xD7A4)


def wide_encoding(start: bytes) -> str | None:
    """``UTF-16`` or ``UTF-32`` if the file's first bytes say so, by a mark or by every other byte being zero."""
    for mark, name in _MARKS:
        if start.startswith(mark):
            return name
    pairs = len(start) // 2
    if pairs >= 4:
        for half in (start[0 : 2 * pairs : 2], start[1 : 2 * pairs : 2]):
            if half.count(0) > 0.7 * pairs:
                return "UTF-16"
    return None


def wide_text(file: str, name: str) -> Problem:
    return error(
        file,
        "not-utf-8",
        f"the file is {name}, not UTF-8",
        f"convert it to UTF-8 ({_EXCEL}; elsewhere: iconv -f {name} -t UTF-8)",
        line=1,
    )


def undecodable(file: str, line: int, text: bytes, start: int) -> Problem:
    """``text``: the physical line that holds the byte; ``start``: where in it, from 0."""
    byte = f"byte {start + 1} of the line (0x{text[start]:02X})"
    if _is_korean(text):
        return error(
            file,
            "not-utf-8",
            f"{byte} is not UTF-8; the file looks like CP949 (EUC-KR)",
            f"convert it to UTF-8 ({_EXCEL}; elsewhere: iconv -f CP949 -t UTF-8)",
            line=line,
        )
    return error(file, "not-utf-8", f"{byte} is not UTF-8", f"save the file as UTF-8 ({_EXCEL})", line=line)


def _is_korean(text: bytes) -> bool:
    try:
        decoded = text.decode("cp949")
    except UnicodeDecodeError:
        return False
    wide = [c for c in decoded if ord(c) > 127]
    return bool(wide) and sum(ord(c) in _HANGUL for c in wide) * 2 > len(wide)

"""Bytes → blocks of text that end at line ends. UTF-8 only, a byte order mark at the start allowed.

A physical line ends with LF, CRLF or CR, as editors count them. A lone CR is safe to accept: the CSV reader ends a
record at it too, and inside quotes it belongs to the cell.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from functools import partial

from bulkjobs.inventory import defects
from bulkjobs.inventory.defects import Defect
from bulkjobs.inventory.encoding import undecodable, wide_encoding, wide_text
from bulkjobs.inventory.limits import Limits
from bulkjobs.inventory.problems import Problem
from bulkjobs.inventory.source import Content

_BLOCK = 128 * 1024
"""Bytes: 1,000 to 2,000 rows of the usual width. Twice as much leaves the processor's cache and costs a tenth more."""


class BadLine(Exception):
    """The line after the last block cannot be used. Who counts the lines calls ``problem`` with its number."""

    def __init__(self, problem: Callable[[int], Problem]) -> None:
        super().__init__("a line that cannot be used")
        self.problem = problem


def text_blocks(file: str, content: Content, limits: Limits) -> Iterator[str]:
    """Every block but the last ends with a line end. Raises BadLine, or Defect where the whole file is no use."""
    data = content.read(_BLOCK)
    if name := wide_encoding(data[:256]):
        raise Defect(wide_text(file, name))
    data = data.removeprefix(codecs.BOM_UTF8)
    while data:
        more = content.read(_BLOCK)
        while more and not (end := _last_line_end(data)):
            if len(data) > limits.max_record_bytes:
                raise BadLine(partial(defects.record_too_large, file, limits))
            data += more
            more = content.read(_BLOCK)
        if not more:
            end = len(data)
        text, undecoded = _decode(data, end)
        if text:
            yield text
        if undecoded:
            raise BadLine(partial(_undecodable, file, undecoded))
        data = data[end:] + more


def _last_line_end(data: bytes) -> int:
    """Where the last complete line of ``data`` ends; 0 if there is none. A CR at the very end may be half a CRLF."""
    return max(data.rfind(b"\n"), data.rfind(b"\r", max(0, len(data) - _BLOCK), len(data) - 1)) + 1


def _decode(data: bytes, end: int) -> tuple[str, bytes]:
    """The text of ``data[:end]`` up to the first line that is not UTF-8, and the bytes from there on."""
    try:
        return str(memoryview(data)[:end], "utf-8"), b""
    except UnicodeDecodeError as error:
        good = max(data.rfind(b"\n", 0, error.start), data.rfind(b"\r", 0, error.start)) + 1
        return data[:good].decode(), data[good:end]


def _undecodable(file: str, rest: bytes, line: int) -> Problem:
    text = rest.splitlines()[0]
    try:
        text.decode()
    except UnicodeDecodeError as error:
        return undecodable(file, line, text, error.start)
    raise AssertionError("a line end is never part of a longer UTF-8 sequence")


def line_ends(text: str) -> int:
    """How often a line ends in ``text``: at LF, CRLF or CR."""
    returns = text.count("\r")
    return text.count("\n") + (returns - text.count("\r\n") if returns else 0)

"""Blocking work beside the loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import TypeVar

T = TypeVar("T")

_END = object()


async def in_thread(iterator: Iterator[T]) -> AsyncIterator[T]:
    """Items of a blocking iterator, each made in a thread, so that the loop goes on."""
    while (item := await asyncio.to_thread(next, iterator, _END)) is not _END:
        yield item  # type: ignore[misc]  # not the sentinel

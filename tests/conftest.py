"""For all tests: the longest first, and files in memory where there is enough of it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

_MEMORY = Path("/dev/shm")
_ENOUGH = 2 << 30  # bytes; a container has 64 MB of it if nobody asked for more
_LONGEST = ("tests/test_readme.py", "tests/packaging/")


def pytest_configure(config: pytest.Config) -> None:
    """Temporary folders in memory: whole runs wait for hundreds of fsyncs, 3 ms each, of which no test asks anything.

    What is synced when is seen by the shim in ``tests/kills``, not by pulling plugs.
    """
    if config.option.basetemp is None and _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ENOUGH:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test of half a minute that comes last keeps one worker busy when all others are done."""
    items.sort(key=lambda item: not item.nodeid.startswith(_LONGEST))

"""The compiled shim, the nursery of processes, and a stage for every test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.nursery import Nursery

from .shim import Shim, compile_shim
from .stage import Stage, environment_of, staged


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Shim:
    return compile_shim(tmp_path_factory.mktemp("shim"))


@pytest.fixture(scope="session")
def nursery(shim: Shim) -> Iterator[Nursery]:
    nursery = Nursery(environment_of(), shim.library)
    yield nursery
    nursery.close()


@pytest.fixture
async def stage(tmp_path: Path, nursery: Nursery) -> AsyncIterator[Stage]:
    async with staged(tmp_path, nursery) as made:
        yield made

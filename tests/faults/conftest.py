"""Scenes for every test: a fault server on loopback, and at the end the search for the canary."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from .certificates import Certificates, make_certificates
from .scene import Scene
from .server import FaultServer


@pytest.fixture
async def server() -> AsyncIterator[FaultServer]:
    async with FaultServer() as started:
        yield started


@pytest.fixture
async def scene(tmp_path: Path, server: FaultServer) -> AsyncIterator[Scene]:
    """A scene in which at least one run is made. Nothing of it may hold a key or a signature."""
    scene = Scene(tmp_path, server)
    yield scene
    scene.has_no_leak()
    assert not server.defects, server.defects


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    if shutil.which("openssl") is None:
        pytest.skip("certificates are made by the openssl command, which is not here")
    return make_certificates(tmp_path_factory.mktemp("certificates"))

"""Runs of the program within the test, and a service that answers verifyJob as it is told."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from bulkjobs.cli.main import main

from .program import Ended, Run


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """The program in an empty folder, with no settings from outside."""
    for name in [name for name in os.environ if name.startswith(("BULKJOBS_", "NCLOUD_", "COLUMNS"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def command(*words: str | Path) -> Ended:
        monkeypatch.setattr(sys, "argv", ["bulkjobs", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Ended(ended.value.code, captured.out, captured.err)

    return command


@dataclass
class Verifying:
    """A service with verifyJob only. ``answer`` makes status and body from a job's name and the number of the call."""

    answer: Callable[[str, int], tuple[int, str]] = lambda _name, _number: (200, "true")
    endpoint: str = ""
    names: list[str] = field(default_factory=list)
    paths: set[str] = field(default_factory=set)

    async def handle(self, request: web.Request) -> web.Response:
        name = (await request.json())["name"]
        self.names.append(name)
        self.paths.add(request.path)
        status, body = self.answer(name, len(self.names))
        return web.Response(status=status, text=body, content_type="application/json")


@pytest.fixture
async def service() -> AsyncIterator[Verifying]:
    verifying = Verifying()
    app = web.Application()
    app.router.add_post("/{path:.*}", verifying.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    verifying.endpoint = f"http://{host}:{port}"
    yield verifying
    await runner.cleanup()

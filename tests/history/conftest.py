"""The program within the test, beside the real sandbox in a thread of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

from bulkjobs.cli.main import main
from bulkjobs.dataflow.client import DataFlowClient
from bulkjobs.dataflow.signature import Credentials
from bulkjobs.sandbox import Sandbox

T = TypeVar("T")
HEADER = "name,bucket,prefix,fields,filter,target_bucket,target_prefix,update_type\n"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended. ``out`` and ``err`` are what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Service:
    """A sandbox. ``call`` runs something in its loop and returns what comes of it."""

    sandbox: Sandbox
    loop: asyncio.AbstractEventLoop
    words: tuple[str, ...] = field(default=())
    ahead_s: float = 0.0

    def call(self, what: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(what, self.loop).result(20)

    def make(self, name: str, nodes: object) -> None:
        """A job as another program would make it."""
        answer = self.call(self._with(lambda client: client.create_job(name, json.dumps(nodes).encode())))
        assert answer.job_id, answer

    def make_all(self, jobs: dict[str, list[dict[str, Any]]]) -> None:
        """The same for several."""

        async def make(client: DataFlowClient) -> None:
            for name, nodes in jobs.items():
                answer = await client.create_job(name, json.dumps(nodes).encode())
                assert answer.job_id, (name, answer)

        self.call(self._with(make))

    def change(self, name: str, edit: Callable[[list[dict[str, Any]]], None]) -> None:
        """Edit a job's nodes by hand, as in the console, two seconds later: its dates have no fractions."""
        self.ahead_s += 2
        job = next(job for job in self.sandbox.jobs() if job.name == name)
        nodes = json.loads(bytes(job.nodes))
        edit(nodes)
        self.call(self._with(lambda client: client.update_job(job.job_id, name, json.dumps(nodes).encode())))

    def delete(self, name: str) -> None:
        job = next(job for job in self.sandbox.jobs() if job.name == name)
        self.call(self._with(lambda client: client.delete_job(job.job_id)))

    def nodes(self, name: str) -> list[dict[str, Any]]:
        (job,) = [job for job in self.sandbox.jobs() if job.name == name]
        found: list[dict[str, Any]] = json.loads(bytes(job.nodes))
        return found

    async def _with(self, call: Callable[[DataFlowClient], Coroutine[Any, Any, T]]) -> T:
        keys = Credentials(self.sandbox.access_key, self.sandbox.secret_key, "a test")
        async with DataFlowClient(keys, self.sandbox.endpoint) as client:
            return await call(client)


@pytest.fixture
def service(request: pytest.FixtureRequest) -> Iterator[Service]:
    """``request.param``, if there is one: the sandbox's options."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    sandbox = Sandbox(getattr(request, "param", None), clock=lambda: time.time() + made.ahead_s)
    made = Service(sandbox, loop)
    made.call(sandbox.__aenter__())
    made.words = ("--endpoint", sandbox.endpoint, "--rate", "1000", "--settle", "0")
    try:
        yield made
    finally:
        made.call(sandbox.__aexit__(None, None, None))
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


Run = Callable[..., Ended]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """The program in an empty folder, with the sandbox's keys and no other settings from outside."""
    for name in [name for name in os.environ if name.startswith(("BULKJOBS_", "NCLOUD_", "COLUMNS"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NCLOUD_ACCESS_KEY_ID", "sandbox-access-key")
    monkeypatch.setenv("NCLOUD_SECRET_ACCESS_KEY", "sandbox-secret-key")
    monkeypatch.setenv("COLUMNS", "200")
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


def inventory(path: Path, *names: str, update_type: str = "", prefix: str = "in") -> Path:
    """A sound row for each name; the job has a filter if its name has an ``f``."""
    lines = [
        f'{name},raw-bucket,{prefix}/{name},"id:bigint, name:string",'
        f"{'id GT 7' if 'f' in name else ''},clean-bucket,out/{name},{update_type}\n"
        for name in names
    ]
    path.write_text(HEADER + "".join(lines), encoding="utf-8")
    return path


def outcomes(folder: Path) -> dict[str, int]:
    """The counts of a report, but for those that are zero."""
    counts = json.loads((folder / "summary.json").read_text(encoding="utf-8"))["counts"]
    return {outcome: count for outcome, count in counts.items() if count}

"""A person at a terminal is asked with the numbers: yes goes on, anything else changes nothing."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from bulkjobs.sandbox import Sandbox, SandboxOptions

from .stage import Ran, Service, Stage, environment

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
THREE = {"alpha": "A", "bravo": "B", "charlie": "C"}


class Terminal:
    """A command at a pseudo-terminal: what it shows, and a person who types."""

    def __init__(self, process: asyncio.subprocess.Process, ours: int) -> None:
        self.process = process
        self._ours = ours
        self.shown = ""

    async def until(self, text: str) -> None:
        """Wait until it shows ``text``, or ends."""

        async def read() -> None:
            while text not in self.said() and (part := await asyncio.to_thread(self._part)):
                self.shown += part

        await asyncio.wait_for(read(), 60)
        assert text in self.said(), self.shown

    def said(self) -> str:
        """What it showed so far, without colours and moves, as one line."""
        return " ".join(_CONTROL.sub("", self.shown).split())

    def type(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    async def ended(self) -> Ran:
        async def read() -> None:
            while part := await asyncio.to_thread(self._part):
                self.shown += part

        await asyncio.wait_for(read(), 60)
        code = await asyncio.wait_for(self.process.wait(), 60)
        assert "Traceback" not in self.shown, self.shown
        return Ran(code, "", self.said())

    def _part(self) -> str:
        try:
            return os.read(self._ours, 65_536).decode()
        except OSError:  # EIO: nobody has the terminal open any more
            return ""


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """Beside a sandbox in this process: what is asked of the program is the matter."""
    async with Sandbox(SandboxOptions(control=True)) as sandbox, aiohttp.ClientSession() as session:
        yield Stage(tmp_path, Service(sandbox.endpoint, session))


async def at_a_terminal(stage: Stage, command: str, *words: str | Path) -> Terminal:
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bulkjobs", *map(str, stage.words(command, *words)),
        cwd=stage.folder, env=environment() | {"TERM": "xterm", "COLUMNS": "150"},
        stdin=theirs, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    return Terminal(process, ours)


def _state(stage: Stage) -> str:
    """Of the only run, by its report."""
    (summary,) = (stage.folder / "reports").glob("*/summary.json")
    state: str = json.loads(summary.read_text(encoding="utf-8"))["state"]
    return state


async def test_yes_carries_the_plan_out_and_then_nobody_is_asked(stage: Stage) -> None:
    stage.write(THREE)
    terminal = await at_a_terminal(stage, "reconcile")
    await terminal.until("Plan: 3 to create. Go on? [y/N]")
    assert await stage.service.jobs() == {}, "nothing is sent before the answer"
    terminal.type("y\n")
    assert (await terminal.ended()).code == 0
    assert await stage.service.values() == THREE
    ran = await (await at_a_terminal(stage, "reconcile")).ended()
    assert ran.code == 0
    assert "Go on?" not in ran.err


@pytest.mark.parametrize("keys", ["n\n", "\x04", "yes please\n"])
async def test_any_other_answer_changes_nothing(stage: Stage, keys: str) -> None:
    stage.write(THREE)
    terminal = await at_a_terminal(stage, "reconcile")
    await terminal.until("Go on? [y/N]")
    terminal.type(keys)
    ran = await terminal.ended()
    assert ran.code == 5
    assert "the answer was no nothing was changed" in ran.said()
    assert await stage.service.jobs() == {}
    assert _state(stage) == "refused"


async def test_an_interrupt_at_the_question_changes_nothing_and_ends_the_run(stage: Stage) -> None:
    stage.write(THREE)
    terminal = await at_a_terminal(stage, "reconcile")
    await terminal.until("Go on? [y/N]")
    terminal.process.send_signal(signal.SIGINT)
    assert (await terminal.ended()).code == 5
    assert await stage.service.jobs() == {}
    assert _state(stage) == "interrupted"


async def test_the_question_names_updates_and_deletes_too(stage: Stage) -> None:
    stage.write(THREE)
    run = (await stage.reconciled())["run"]
    stage.write({"alpha": "A2", "bravo": "B"})
    terminal = await at_a_terminal(stage, "reconcile", "--prune", "--max-delete", "1")
    await terminal.until("Plan: 1 to update, 1 to delete, 1 unchanged. Go on? [y/N]")
    assert "- charlie no row lists it any more" in terminal.said()
    terminal.type("n\n")
    await terminal.ended()
    assert await stage.service.values() == THREE

    terminal = await at_a_terminal(stage, "rollback", run)
    await terminal.until("Delete 3 jobs? [y/N]")
    for name in THREE:
        assert f"- {name} " in terminal.said()
    terminal.type("y\n")
    assert (await terminal.ended()).code == 0
    assert await stage.service.jobs() == {}


async def test_where_nobody_can_be_asked_the_run_is_refused_and_has_ended(stage: Stage) -> None:
    stage.write(THREE)
    ran = await stage.run("reconcile")
    assert ran.code == 2
    assert "Plan: 3 to create. Go on? Nobody can be asked here" in ran.said()
    assert "--yes" in ran.said()
    assert await stage.service.jobs() == {}
    assert _state(stage) == "refused"

"""The shim (``shim.c``) compiled, and the environments that tell it what to do."""

from __future__ import annotations

import errno
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True, slots=True)
class Call:
    """One call that touches state or network. ``path`` is that of the file; a socket has none."""

    number: int
    name: str
    path: str


class Shim:
    """Environments for the program; each is passed to ``Stage.ran``. ``library``: the compiled shim."""

    def __init__(self, library: Path) -> None:
        self.library = library
        self._base = {"LD_PRELOAD": str(library)}

    def kill(self, at: int, how: str) -> dict[str, str]:
        """SIGKILL at the ``at``-th call: ``before`` it, ``after`` it, or with ``half`` of its bytes."""
        return {**self._base, "KILLS_AT": str(at), "KILLS_HOW": how}

    def kill_on(self, call: str, part: str = "-", nth: int = 1, how: str = "before") -> dict[str, str]:
        """SIGKILL at the ``nth`` of the ``call``s on files whose path holds ``part`` (``-``: any)."""
        return {**self.kill(nth, how), "KILLS_ON": f"{call},{part}"}

    def signal_on(self, number: int, call: str, part: str = "-", nth: int = 1) -> dict[str, str]:
        """This signal right before that call, which is then made."""
        return {**self.kill_on(call, part, nth), "KILLS_SIGNAL": str(number)}

    def stall_on(self, call: str, part: str, note: Path) -> dict[str, str]:
        """That call hangs; ``note`` exists from then on."""
        return {**self.kill_on(call, part), "KILLS_STALL": str(note)}

    def trace(self, path: Path) -> dict[str, str]:
        return {**self._base, "KILLS_TRACE": str(path)}

    def fail(self, call: str, part: str, error: int, skip: int = 0, when: Path | None = None) -> dict[str, str]:
        """``call`` fails with ``error`` on files whose path holds ``part``, after the first ``skip`` of them.

        With ``when`` only while that file exists.
        """
        assert error in errno.errorcode
        told = {**self._base, "KILLS_FAIL": f"{call},{part},{skip},{error}"}
        return told if when is None else {**told, "KILLS_FAIL_WHEN": str(when)}

    def clock(self, seconds: float, from_send: int = 0) -> dict[str, str]:
        """The wall clock is off by ``seconds``, from the ``from_send``-th send on."""
        return {**self._base, "KILLS_CLOCK": str(round(seconds * 1000)), "KILLS_CLOCK_FROM": str(from_send)}


def compile_shim(folder: Path) -> Shim:
    """Skips the test where nothing can be compiled or preloaded."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("the shim between program and kernel needs a C compiler, and there is none")
    library = folder / "shim.so"
    source = Path(__file__).with_name("shim.c")
    command = [compiler, "-O1", "-shared", "-fPIC", "-Wall", "-o", str(library), str(source), "-ldl"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        pytest.skip(f"the shim between program and kernel cannot be compiled: {ran.stderr[:300]}")
    return Shim(library)


def calls_in(trace: Path) -> list[Call]:
    """What a run with ``Shim.trace`` did, in order."""
    calls = []
    for line in trace.read_text(encoding="utf-8").splitlines():
        number, name, path = line.split(" ", 2)
        calls.append(Call(int(number), name, path))
    return calls

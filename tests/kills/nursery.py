"""The program's processes, forked from one that has imported everything: a run then starts in 10 ms instead of 1 s.

A child is the real program from its ``main`` on, with arguments, environment, standard streams and system calls of
its own; the shim is there from the start and told anew. What a fresh interpreter does before ``main`` touches neither
state nor network. As a script this module is the parent: one line of JSON a run in, one exit status a run out.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import pkgutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).parents[2]


class Nursery:
    """Runs one process at a time. ``library``: the shim. A context manager would not outlive a session's fixtures."""

    def __init__(self, library: Path, environment: dict[str, str]) -> None:
        self._parent = subprocess.Popen(
            [sys.executable, "-m", "tests.kills.nursery", str(library)],
            env={**environment, "LD_PRELOAD": str(library), "OPENBLAS_NUM_THREADS": "1"},
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def run(self, arguments: list[str], environment: dict[str, str], out: Path, err: Path) -> int:
        """The exit code, or minus the signal. Blocks."""
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        order = {"arguments": arguments, "environment": environment, "out": str(out), "err": str(err)}
        self._parent.stdin.write(json.dumps(order).encode() + b"\n")
        self._parent.stdin.flush()
        return os.waitstatus_to_exitcode(int(self._parent.stdout.readline()))

    def close(self) -> None:
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.close()
        self._parent.wait(60)
        self._parent.stdout.close()


def _serve(library: str) -> None:
    import bulkjobs

    for module in pkgutil.walk_packages(bulkjobs.__path__, "bulkjobs."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    assert threading.active_count() == 1, "a process with threads cannot be forked safely"  # jemalloc's own knows how
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _be_the_program(json.loads(line), ctypes.CDLL(library))
        print(os.waitpid(child, 0)[1], flush=True)


def _be_the_program(order: dict[str, Any], shim: ctypes.CDLL) -> NoReturn:
    for number, path in ((1, order["out"]), (2, order["err"])):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.argv = ["bulkjobs", *order["arguments"]]
    shim.begin()
    from bulkjobs.cli.main import main

    main()


if __name__ == "__main__":
    _serve(sys.argv[1])

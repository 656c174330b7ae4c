"""The program's processes, forked from one that has imported everything: a run then starts in 10 ms instead of 1 s.

A child is the real program from its ``main`` on, with arguments, environment, folder, standard streams, signals and
system calls of its own. What a fresh interpreter does before ``main`` touches neither state nor network; whatever
depends on it (what is imported when, locale, TLS settings that are read at import) is tested by ``python -m bulkjobs``.

As a script this module is the parent: an order with the child's file descriptors in, its process id out; and through
one of these descriptors its exit status, when it has ended.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import ctypes
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).parents[1]
_LARGEST = 1 << 16  # bytes of an order


class Child:
    """A process of the program: as much of ``asyncio.subprocess.Process`` as tests ask for."""

    def __init__(
        self,
        pid: int,
        status: asyncio.StreamReader,
        stdout: asyncio.StreamReader | None,
        stderr: asyncio.StreamReader | None,
    ) -> None:
        self.pid = pid
        self.stdout = stdout
        self.stderr = stderr
        self.returncode: int | None = None
        self._status = status
        self._ended = asyncio.ensure_future(self._end())

    async def wait(self) -> int:
        """The exit code, or minus the signal."""
        return await asyncio.shield(self._ended)

    async def communicate(self) -> tuple[bytes, bytes]:
        """What is left of the streams, once it has ended."""
        out, err, _ = await asyncio.gather(_rest(self.stdout), _rest(self.stderr), self.wait())
        return out, err

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    async def _end(self) -> int:
        self.returncode = os.waitstatus_to_exitcode(int(await self._status.read()))
        return self.returncode


class Nursery:
    """``library``: the shim that is loaded into all its children, if any. To be closed when it is not needed any more.

    ``environment`` is the parent's; a child has another.
    """

    def __init__(self, environment: Mapping[str, str], library: Path | None = None) -> None:
        self._control, theirs = socket.socketpair()
        preload = {"LD_PRELOAD": str(library)} if library is not None else {}
        with theirs:
            self._parent = subprocess.Popen(
                [sys.executable, "-m", "tests.nursery", str(theirs.fileno()), str(library or "")],
                env={**environment, **preload, "OPENBLAS_NUM_THREADS": "1"},
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )

    async def start(
        self,
        arguments: Sequence[str | Path],
        environment: Mapping[str, str],
        *,
        cwd: Path = ROOT,
        stdout: int = subprocess.PIPE,
        stderr: int = subprocess.PIPE,
        is_quick: bool = True,
    ) -> Child:
        """The program with these arguments. Streams: PIPE, DEVNULL, STDOUT or a descriptor. Standard input is empty.

        ``is_quick``: without the interpreter's own end, which takes 50 ms and is the same for all.
        """
        with contextlib.ExitStack() as passed:
            readers = []
            handles = [_null(passed, os.O_RDONLY)]
            for stream in (stdout, stderr, subprocess.PIPE):
                reader = None
                if stream == subprocess.PIPE:
                    read, write = os.pipe()
                    passed.callback(os.close, write)
                    reader, handle = await _reading(read), write
                else:
                    handle = _null(passed, os.O_WRONLY) if stream == subprocess.DEVNULL else stream
                readers.append(reader)
                handles.append(handles[1] if handle == subprocess.STDOUT else handle)
            order = {
                "arguments": [str(argument) for argument in arguments],
                "environment": dict(environment),
                "cwd": str(cwd),
                "umask": _umask(),
                "is_quick": is_quick,
            }
            socket.send_fds(self._control, [json.dumps(order).encode()], handles)
            pid = int(self._control.recv(32))
        out, err, status = readers
        assert status is not None
        return Child(pid, status, out, err)

    def close(self) -> None:
        self._control.close()
        self._parent.wait(60)


Process = Child | asyncio.subprocess.Process


@cache
def shared() -> Nursery:
    """One without a shim, for all tests of this process."""
    kept = {key: value for key, value in os.environ.items() if key in ("PATH", "HOME", "LANG", "TMPDIR")}
    nursery = Nursery(kept)
    atexit.register(nursery.close)
    return nursery


async def _reading(handle: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, os.fdopen(handle, "rb", 0))
    return reader


async def _rest(stream: asyncio.StreamReader | None) -> bytes:
    return await stream.read() if stream is not None else b""


def _null(passed: contextlib.ExitStack, flags: int) -> int:
    handle = os.open(os.devnull, flags)
    passed.callback(os.close, handle)
    return handle


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


# The parent


def _serve(control: socket.socket, shim: ctypes.CDLL | None) -> None:
    import bulkjobs

    for module in pkgutil.walk_packages(bulkjobs.__path__, "bulkjobs."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    assert threading.active_count() == 1, "a process with threads cannot be forked safely"  # jemalloc's own knows how
    gc.freeze()  # or a child's first collection would copy all of it
    ended, wake = os.pipe()
    os.set_blocking(ended, False)
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    statuses: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([control.fileno(), ended], [], [])
        if ended in ready:
            os.read(ended, _LARGEST)
            _reap(statuses)
            continue
        message, handles, _, _ = socket.recv_fds(control, _LARGEST, 4)
        if not message:
            for left in statuses:  # of a test that could not clean up
                os.kill(left, signal.SIGKILL)
            return
        child = os.fork()
        if child == 0:
            for handle in (control.fileno(), ended, wake, handles[3], *statuses.values()):
                os.close(handle)
            control.detach()
            _be_the_program(json.loads(message), handles[:3], shim)
        statuses[child] = handles[3]
        for handle in handles[:3]:
            os.close(handle)
        control.send(str(child).encode())


def _reap(statuses: dict[int, int]) -> None:
    while statuses:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        handle = statuses.pop(pid)
        os.write(handle, str(status).encode())
        os.close(handle)


def _be_the_program(order: dict[str, Any], streams: Sequence[int], shim: ctypes.CDLL | None) -> NoReturn:
    signal.set_wakeup_fd(-1)
    for word in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(word, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever the tests were started by
    for number, handle in enumerate(streams):
        os.dup2(handle, number)
    for handle in streams:
        if handle > 2:
            os.close(handle)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  # as a fresh interpreter makes them
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115
    os.umask(order["umask"])
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.argv = ["bulkjobs", *order["arguments"]]
    if shim is not None:
        shim.begin()
    from bulkjobs.cli.main import main

    try:
        main()
    except SystemExit as ended:
        if not order["is_quick"] or not isinstance(ended.code, int):
            raise
        os._exit(ended.code)  # ``main`` has flushed its streams


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])), ctypes.CDLL(sys.argv[2]) if sys.argv[2] else None)

"""Issue 5, "Engine": the same rows at the same permitted rate, against what people use today.

Each client makes all rows once, undisturbed, and once more with a SIGKILL to its whole process group when a third of
the jobs is there, followed by the same command again. The service is the project's sandbox, which makes a second job
of a name if it is asked to, as the real one may.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bulkjobs.dataflow.contract import Contract
from bulkjobs.graph.expand import Expander
from bulkjobs.graph.validation import sendable_rows
from bulkjobs.inventory.reader import InventoryFile

from .child import ROOT
from .figures import Cell, Table
from .inventories import write_csv
from .sandbox import Service, service

RATE = 50
_BASELINES = Path(__file__).parent / "baselines"
_SETTLE = "3"


def _clients(service: Service, inventory: Path, bodies: Path, folder: Path) -> dict[str, list[str]]:
    """The command of each client. The inventory and the bodies say the same."""
    rest = [service.endpoint, str(bodies), str(folder / "done")]
    clients = {"curl and openssl in a loop": [str(_BASELINES / "curl_loop.sh"), *rest]}
    if shutil.which("parallel"):
        clients["GNU parallel with curl"] = [str(_BASELINES / "parallel_curl.sh"), *rest]
    clients["asyncio, semaphore, retries"] = [sys.executable, str(_BASELINES / "plain_asyncio.py"), *rest]
    options = ["--endpoint", service.endpoint, "--state", str(folder / "journal.db"), "--report-dir", str(folder)]
    submit = [sys.executable, "-m", "bulkjobs", "submit", str(inventory), *options, "--settle", _SETTLE, "--quiet"]
    clients["bulkjobs --rate N"] = [*submit, "--rate", str(RATE)]
    clients["bulkjobs --rate auto"] = submit
    return clients


def run(rows: int | None, full: bool) -> Table:
    count = rows or (2_000 if full else 200)
    found: list[list[Cell]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        inventory = write_csv(folder / "rows.csv", count)
        bodies = folder / "bodies"
        contract = Contract()
        jobs = [row.job for row in sendable_rows([InventoryFile(inventory)], Expander())]
        bodies.write_bytes(b"".join(contract.create_body(job.name, job.nodes) + b"\n" for job in jobs))
        with service(RATE) as first:
            names = list(_clients(first, inventory, bodies, folder))
        for client in names:
            found.append([client, *_undisturbed(client, inventory, bodies, count), *_killed(client, inventory, bodies)])
    columns = ("", "seconds", "jobs/s", "CPU s", "429s", "missing", "killed: duplicates", "missing after it")
    return Table(
        f"against what people use today: {count:,} rows, {RATE}/s permitted",
        columns,
        found,
        (
            f"GNU parallel: {'installed' if shutil.which('parallel') else 'not installed, left out'}.",
            "CPU s: the client with all processes that it starts. Every client skips what it noted as done.",
        ),
    )


def _undisturbed(client: str, inventory: Path, bodies: Path, count: int) -> list[Cell]:
    with tempfile.TemporaryDirectory() as folder, service(RATE) as sandbox:
        command = _clients(sandbox, inventory, bodies, Path(folder))[client]
        begun = time.perf_counter()
        process = _start(command, sandbox)
        _, _, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begun
        process.returncode = 0  # waited for already
        seen = sandbox.seen()
    return [seconds, seen.made / seconds, usage.ru_utime + usage.ru_stime, seen.refused, count - seen.names]


def _killed(client: str, inventory: Path, bodies: Path) -> list[Cell]:
    with tempfile.TemporaryDirectory() as folder, service(RATE) as sandbox:
        command = _clients(sandbox, inventory, bodies, Path(folder))[client]
        count = bodies.read_bytes().count(b"\n")
        process = _start(command, sandbox)
        while sandbox.seen().made < count // 3 and process.poll() is None:
            time.sleep(0.02)
        assert process.poll() is None, f"{client} ended before it was killed"
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        _start(command, sandbox).wait()
        seen = sandbox.seen()
    return [seen.made - seen.names, count - seen.names]


def _start(command: list[str], sandbox: Service) -> subprocess.Popen[bytes]:
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "TMPDIR") if key in os.environ}
    environment = kept | sandbox.keys
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, start_new_session=True)

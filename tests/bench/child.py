"""One turn of a benchmark in a process of its own: processor time, time and peak memory of it alone.

``python -m tests.bench.child MODULE FUNCTION JSON`` imports the module, calls the function with the JSON's keys and
prints a JSON document. What is imported before the call costs the turn nothing.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Turn:
    """``cpu`` and ``seconds`` of the call alone, ``peak`` memory of the whole process in bytes."""

    cpu: float
    seconds: float
    peak: int
    result: Any


def turn(function: Callable[..., Any], **given: object) -> Turn:
    """Call a module's function in a fresh process. Its arguments and its result are plain JSON."""
    words = [sys.executable, "-m", "tests.bench.child", function.__module__, function.__name__, json.dumps(given)]
    done = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    return Turn(**json.loads(done.stdout))


def peak_bytes() -> int:
    """The most memory that this process ever held. Not ``ru_maxrss``: that one is inherited."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def main() -> None:
    module, function, given = sys.argv[1:]
    call = getattr(importlib.import_module(module), function)
    cpu, begun = time.process_time(), time.perf_counter()
    result = call(**json.loads(given))
    cpu, seconds = time.process_time() - cpu, time.perf_counter() - begun
    print(json.dumps({"cpu": cpu, "seconds": seconds, "peak": peak_bytes(), "result": result}))


if __name__ == "__main__":
    main()

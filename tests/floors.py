"""Coverage by branch, held to its floors: by hand, for it takes three times as long as the suite.

``python -m tests.floors`` runs the whole suite under coverage and judges every module of the engine, the client and
the graph; with ``--kept`` it judges what an earlier run left; what comes after ``--`` goes to pytest. What programs do
that tests fork or kill is not seen, so every module has tests that call it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import coverage

ROOT = Path(__file__).parents[1]
ROOMS = ("engine/", "dataflow/", "graph/")
CORES = (
    "engine/protocol.py",
    "engine/change_protocol.py",
    "engine/recorder.py",
    "engine/change_recorder.py",
    "dataflow/replies.py",
    "engine/journal/",
)
CORE, OTHER = 100.0, 95.0


def floor_of(module: str) -> float:
    """Per cent that a module, by its path in the package, has to reach."""
    return CORE if module.startswith(CORES) else OTHER


def measure(arguments: list[str]) -> None:
    """Run the suite, or what pytest is told to, and gather what all its processes saw."""
    run = [sys.executable, "-m", "coverage"]
    subprocess.run([*run, "erase"], cwd=ROOT, check=True)
    subprocess.run([*run, "run", "-m", "pytest", *arguments], cwd=ROOT, check=False)
    subprocess.run([*run, "combine", "--quiet"], cwd=ROOT, check=True)


def judged() -> Iterator[tuple[str, float, str]]:
    """Every module with its per cent, and what is missing."""
    found = coverage.Coverage(data_file=str(ROOT / ".coverage"), config_file=str(ROOT / "pyproject.toml"))
    found.load()
    with tempfile.TemporaryDirectory() as folder:
        document = Path(folder, "coverage.json")
        found.json_report(outfile=str(document))
        files = json.loads(document.read_text(encoding="utf-8"))["files"]
    for path, file in sorted(files.items()):
        module = path.rpartition("bulkjobs/")[2]
        if module.startswith(ROOMS):
            branches = [f"{start} to {end}" for start, end in file["missing_branches"]]
            missing = ", ".join([*map(str, file["missing_lines"]), *branches])
            yield module, file["summary"]["percent_covered"], f"lines {missing}"


def main(arguments: list[str]) -> int:
    if "--kept" not in arguments:
        measure(arguments[arguments.index("--") + 1 :] if "--" in arguments else [])
    below = 0
    for module, per_cent, missing in judged():
        if per_cent < floor_of(module):
            below += 1
            print(f"{module}: {per_cent:.1f} %, its floor is {floor_of(module):.0f} %: {missing}")
    print(f"{below} modules are below their floor" if below else "every module is at its floor or above")
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

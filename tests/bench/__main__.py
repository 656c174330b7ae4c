"""Run benchmarks and keep their tables: ``python -m tests.bench [NAME …] [--rows N] [--full]``."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from .figures import Table, machine

NAMES = ("validate", "submit_path", "today", "memory", "resume", "start", "pacing", "hidden_limits")
_FOLDER = Path("reports/bench")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(NAMES)}; all if none is given")
    parser.add_argument("--rows", type=int, help="rows, instead of each benchmark's own number")
    parser.add_argument("--full", action="store_true", help="the sizes of the promises: up to a million rows, an hour")
    given = parser.parse_args(arguments)
    unknown = [name for name in given.names if name not in NAMES]
    if unknown:
        parser.error(f"no benchmark {unknown[0]!r}: one of {', '.join(NAMES)}")
    tables: list[Table] = []
    stem = time.strftime("%Y%m%dT%H%M%S")
    before = machine()
    for name in given.names or NAMES:
        table = importlib.import_module(f"tests.bench.{name}").run(given.rows, given.full)
        print(table.text(), flush=True)
        tables.append(table)
        _keep(stem, before, tables)
    print(f"{before} before, {machine()} after; kept as {_FOLDER / stem}.txt and .json")
    return 0


def _keep(stem: str, before: str, tables: Sequence[Table]) -> None:
    """After each table: an hour's figures are not lost to the last one's mistake."""
    _FOLDER.mkdir(parents=True, exist_ok=True)
    heading = [f"{before} before, {machine()} after", ""]
    (_FOLDER / f"{stem}.txt").write_text("\n".join([*heading, *(table.text() for table in tables)]), encoding="utf-8")
    document = {"before": before, "after": machine(), "tables": [table.plain() for table in tables]}
    (_FOLDER / f"{stem}.json").write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())

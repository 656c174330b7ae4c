"""``--help`` answers at once: it imports nothing that takes long."""

from __future__ import annotations

import os
import subprocess
import sys

SLOW = ("pandas", "numpy", "pyarrow", "aiohttp", "matplotlib", "jinja2", "sqlite3", "asyncio")
ASK = f"""
import sys
from bulkjobs.cli.main import main
sys.argv = ["bulkjobs", "--help"]
try:
    main()
except SystemExit as ended:
    assert ended.code == 0
print("imported:", [name for name in {SLOW!r} if name in sys.modules])
"""


def test_help_imports_none_of_the_large_libraries() -> None:
    # Without the measuring of coverage, which keeps what it finds in SQLite.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    done = subprocess.run(
        [sys.executable, "-c", ASK], check=False, capture_output=True, text=True, timeout=30, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert "Commands" in done.stdout
    assert done.stdout.splitlines()[-1] == "imported: []"

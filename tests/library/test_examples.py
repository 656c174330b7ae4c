"""The examples run as they stand, in an empty folder, and say what they should."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "inputs" / "examples"
SAYS = {
    "submit_to_the_sandbox.py": "'created': 5",
    "rows_from_a_database.py": "'created': 3",
    "plain_client.py": "listed: ['job001']\nread: job001 RUNNABLE\nleft: None\n",
}


def test_every_example_is_run_here() -> None:
    assert {path.name for path in EXAMPLES.iterdir() if path.is_file()} == set(SAYS)


@pytest.mark.parametrize("name", SAYS)
def test_an_example_does_what_it_says(tmp_path: Path, name: str) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("BULKJOBS_", "NCLOUD_"))}
    done = subprocess.run(
        [sys.executable, "-B", "-W", "error", EXAMPLES / name],
        cwd=tmp_path,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert SAYS[name] in done.stdout
    assert done.stderr == ""


def test_a_submit_takes_ten_lines() -> None:
    lines = (EXAMPLES / "submit_to_the_sandbox.py").read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if line and not line.startswith('"""')]) <= 10

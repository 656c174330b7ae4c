"""The README is what a stranger types: its commands run as they stand, and say what it says."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(marker: str) -> str:
    """The code block under ``<!-- marker -->``."""
    found = re.search(rf"<!-- {marker} -->\n```\w+\n(.*?)```", README, re.DOTALL)
    assert found is not None, marker
    return found[1].strip()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that git knows, as a fresh clone has them."""
    folder = tmp_path_factory.mktemp("clone")
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((ROOT / name).read_bytes())
    return folder


def test_the_first_command_sets_up_and_runs_the_main_job_on_a_clean_checkout(checkout: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("BULKJOBS_", "NCLOUD_"))}
    ran = subprocess.run(
        ["bash", "-c", block("main command")],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    expected = [re.sub(r"\d{8}T\d{6}Z", "RUN", line) for line in block("output of the main command").splitlines()]
    said = [re.sub(r"\d{8}T\d{6}Z", "RUN", line).rstrip() for line in ran.stderr.splitlines()]
    assert said[-len(expected) :] == expected
    (run,) = [path for path in (checkout / "reports").iterdir() if path.is_dir()]
    assert sorted(path.name for path in run.iterdir()) == [
        "report.html",
        "results.csv",
        "results.parquet",
        "retry.csv",
        "summary.json",
    ]


def test_both_commands_are_one_line_each() -> None:
    assert "\n" not in block("main command")
    assert "\n" not in block("test command")


def test_the_top_level_holds_what_was_agreed() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split(
        "\n"
    )
    top = {name.split("/")[0] for name in tracked if name and not name.startswith(".")}
    assert top <= {"pyproject.toml", "README.md", "bulkjobs", "tests", "inputs", "reports"}

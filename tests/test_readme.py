"""The README is what a stranger types: its commands run as they stand, and say what it says."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bulkjobs.cli.help import EXIT_CODES
from bulkjobs.sandbox import Sandbox

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


CONSOLE = re.findall(r"(<!-- with a service -->\n)?```console\n(.*?)```", README, re.DOTALL)


def steps(text: str) -> list[tuple[str, str]]:
    """Commands of a block (``$ …``, going on over lines that end with a backslash) with what each prints."""
    found: list[tuple[str, str]] = []
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, said = re.sub(r"\\\n\s*", "", part).partition("\n")
        found.append((command, said))
    return found


def told(text: str) -> list[str]:
    """Lines without what differs from run to run: times, ids, durations."""
    for pattern, word in (
        (r"\d{8}T\d{6}Z(-\d+)?", "RUN"),
        (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?(Z|[+-]\d\d:\d\d)?", "TIME"),
        (r"\d\d:\d\d:\d\d\.\d{3}Z", "TIME"),
        (r"\b(?=\w*[A-Z])(?=\w*[a-z0-9])[A-Za-z0-9]{12}\b", "JOBID"),
        (r"\b\d+(\.\d+)? ?(ms|s)\b", "DURATION"),
        (r"127\.0\.0\.1:\d+", "SERVICE"),
    ):
        text = re.sub(pattern, word, text)
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def is_as_told(said: list[str], expected: list[str]) -> bool:
    """``…`` stands for any number of lines."""
    if not expected:
        return not said
    if expected[0] == "…":
        return any(is_as_told(said[skip:], expected[1:]) for skip in range(len(said) + 1))
    return (
        bool(said)
        and re.sub(r" +", " ", said[0]) == re.sub(r" +", " ", expected[0])
        and is_as_told(said[1:], expected[1:])
    )


@pytest.fixture
async def service() -> AsyncIterator[Sandbox]:
    async with Sandbox() as sandbox:
        yield sandbox


async def test_every_other_command_says_what_the_readme_says(checkout: Path, service: Sandbox) -> None:
    assert CONSOLE, "the README shows commands"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("BULKJOBS_", "NCLOUD_"))}
    environment |= {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "100", "TERM": "dumb"}
    keys = {"NCLOUD_ACCESS_KEY_ID": service.access_key, "NCLOUD_SECRET_ACCESS_KEY": service.secret_key}
    for with_service, text in CONSOLE:
        for command, expected in steps(text):
            typed = command.replace("https://dataflow.apigw.ntruss.com", service.endpoint)
            if with_service:
                typed = f"export BULKJOBS_ENDPOINT={service.endpoint}; {typed}"
            process = await asyncio.create_subprocess_exec(
                "bash",
                "-c",
                typed,
                cwd=checkout,
                env=environment | (keys if with_service else {}),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            said = (await asyncio.wait_for(process.communicate(), 120))[0].decode()
            assert is_as_told(told(said), told(expected)), f"$ {command}\n{said}"


def test_both_commands_are_one_line_each() -> None:
    assert "\n" not in block("main command")
    assert "\n" not in block("test command")


def test_the_top_level_holds_what_was_agreed() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split(
        "\n"
    )
    top = {name.split("/")[0] for name in tracked if name and not name.startswith(".")}
    assert top <= {"pyproject.toml", "README.md", "bulkjobs", "tests", "inputs", "reports"}


def test_exit_codes_are_worded_as_the_program_words_them() -> None:
    told = dict(re.findall(r"^\| (\d+) \| (.*) \|$", README.partition("## Exit codes")[2].partition("\n## ")[0], re.M))
    assert {int(code): words.replace("`", "") for code, words in told.items()} == {**EXIT_CODES}


def test_every_promise_of_the_reliability_table_names_tests_that_exist() -> None:
    table = README.split("<!-- reliability -->")[1].split("<!-- end of reliability -->")[0]
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", table)
    assert len(named) > 20
    for path, function in named:
        source = ROOT / path
        assert source.is_file(), path
        if function:
            assert re.search(rf"^\s*(async )?def {function}\(", source.read_text(encoding="utf-8"), re.MULTILINE), (
                function
            )
    for row in table.splitlines():
        if row.startswith("|") and not row.startswith(("|--", "| fault")):
            assert re.search(r"`tests/", row), row

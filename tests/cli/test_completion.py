"""Completion, asked as the shells ask, and in the shells themselves where they are installed."""

from __future__ import annotations

import os
import pty
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import click
import pytest

from bulkjobs.cli.commands import COMMANDS, load
from bulkjobs.engine.journal.schema import make_ready

from .program import Run

Asked = Callable[..., list[str]]
"""What bash would be offered at the end of a line."""


@pytest.fixture
def asked(run: Run, monkeypatch: pytest.MonkeyPatch) -> Asked:
    def offered(line: str, **environment: str) -> list[str]:
        words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1), "_BULKJOBS_COMPLETE": "bash_complete"}
        with monkeypatch.context() as patch:
            for key, value in (words | environment).items():
                patch.setenv(key, value)
            return [said.partition(",")[2] for said in run().out.splitlines() if said]

    return offered


def journal_of(path: Path, *run_ids: str) -> None:
    """A state file in which these runs are finished."""
    make_ready(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("INSERT INTO scopes (endpoint, account) VALUES ('https://there.example', 'default')")
        db.executemany(
            "INSERT INTO runs (run_id, scope, api, folder, state, started_at, facts)"
            " VALUES (?, 1, '2025-03', 'r', 'finished', 0, '{}')",
            [(run_id,) for run_id in run_ids],
        )
        db.commit()


def layouts_in(folder: Path) -> list[str]:
    files = ["inputs/layouts/copy.toml", "inputs/layouts/join.toml", "layouts/mine.toml"]
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()
    return files


def test_commands_options_and_choices_complete(asked: Asked) -> None:
    assert asked("bulkjobs su") == ["submit"]
    assert asked("bulkjobs submit --max-at") == ["--max-attempts"]
    assert asked("bulkjobs submit --api ") == ["2025-03", "2026-09"]


def _choices() -> list[tuple[str, str, tuple[str, ...]]]:
    """Command, flag and words of every option that takes one of some words; arguments have no flag."""
    return [
        (name, param.opts[0] if isinstance(param, click.Option) else "", tuple(map(str, param.type.choices)))
        for name in COMMANDS
        if (command := load(name)) is not None
        for param in command.params
        if isinstance(param.type, click.Choice)
    ]


def test_every_choice_completes_and_corrects_a_misspelling(run: Run, asked: Asked) -> None:
    places = _choices()
    assert {("submit", "--api"), ("plan", "--log-format"), ("config", "")} <= {place[:2] for place in places}
    for name, flag, choices in places:
        typed = f"bulkjobs {name} {flag} " if flag else f"bulkjobs {name} "
        assert asked(typed) == list(choices), typed
    for name, flag, choices in {place[1:]: place for place in places}.values():
        mistaken = choices[-1][:-1] + "~"
        ended = run(*filter(None, (name, flag, mistaken)))
        assert (ended.code, f"did you mean {choices[-1]}?" in ended.err) == (2, True), ended.err


def test_what_may_be_one_of_some_words_completes_too(asked: Asked) -> None:
    assert asked("bulkjobs submit --rate ") == ["auto"]
    assert asked("bulkjobs submit --api 2026-09 --job-type v") == ["VISUAL"]
    assert asked("bulkjobs submit --json-events ev") == ["ev"]


def test_run_ids_complete_from_the_state_that_is_named(asked: Asked, tmp_path: Path) -> None:
    journal_of(tmp_path / "s.db", "alpha", "beta")
    assert asked("bulkjobs report --state s.db ") == ["beta", "alpha"]
    assert asked("bulkjobs report ") == []
    assert asked("bulkjobs explain al", BULKJOBS_STATE="s.db") == ["alpha"]
    assert not (tmp_path / "reports" / "journal.db").exists()


def test_layouts_complete_by_path_and_by_name(asked: Asked, tmp_path: Path) -> None:
    every = layouts_in(tmp_path)
    assert asked("bulkjobs submit x --layout ") == every
    assert asked("bulkjobs submit x --layout jo") == [every[1]]
    assert asked("bulkjobs submit x --layout inputs/layouts/c") == [every[0]]
    assert asked("bulkjobs submit x --layout elsewhere/") == ["elsewhere/"]


TYPED = {
    "bulkjobs su": "bulkjobs submit ",
    "bulkjobs report al": "bulkjobs report alpha ",
    "bulkjobs submit x --layout=jo": "bulkjobs submit x --layout=inputs/layouts/join.toml ",
    "bulkjobs submit --api=2025-03 --log-format j": "bulkjobs submit --api=2025-03 --log-format json ",
    "bulkjobs submit --state=my": "bulkjobs submit --state=my\\ file.csv ",
}
"""What stands there before the tabulator and after it, in every shell."""

_BASH = r"""
source <(bulkjobs completion bash)
tell() { printf '%s\n' "$READLINE_LINE" >> told; READLINE_LINE=; READLINE_POINT=0; }
bind -x '"\C-xd": tell'
"""
_ZSH = r"""
source <(bulkjobs completion zsh)
tell() { print -r -- "$BUFFER" >> told; BUFFER=; }
zle -N tell
bindkey '^Xd' tell
"""


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A folder with something of everything to complete, and ``bulkjobs`` in ``bin``."""
    layouts_in(tmp_path)
    (tmp_path / "reports").mkdir()
    journal_of(tmp_path / "reports" / "journal.db", "alpha", "beta")
    (tmp_path / "my file.csv").touch()
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "bulkjobs"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m bulkjobs "$@"\n')
    program.chmod(0o755)
    return tmp_path


def surroundings(shelf: Path) -> dict[str, str]:
    return {"PATH": f"{shelf / 'bin'}:{os.environ['PATH']}", "HOME": str(shelf), "TERM": "dumb", "PS1": "> "}


def typed(shelf: Path, shell: list[str], preparation: str) -> list[str]:
    """Every line of ``TYPED`` after a tabulator, in a shell on a terminal. Nothing waits: keys queue up."""
    keys = preparation + "".join(f"{line}\t\x18d" for line in TYPED) + "\nexit\n"
    leader, follower = pty.openpty()
    child = subprocess.Popen(
        shell, cwd=shelf, env=surroundings(shelf), stdin=follower, stdout=follower, stderr=follower,
        start_new_session=True,
    )  # fmt: skip
    os.close(follower)
    os.write(leader, keys.encode())
    said = bytearray()
    while True:
        try:
            said += os.read(leader, 65_536)
        except OSError:  # the other end is closed: how a terminal on Linux says so
            break
    os.close(leader)
    child.wait(30)
    told = shelf / "told"
    assert told.exists(), said.decode(errors="replace")
    return told.read_text().splitlines()


@pytest.mark.parametrize(
    ("shell", "preparation"), [(["bash", "--norc", "--noprofile", "-i"], _BASH), (["zsh", "-f", "-i"], _ZSH)]
)
def test_a_tabulator_completes_in_the_shell_itself(shelf: Path, shell: list[str], preparation: str) -> None:
    if shutil.which(shell[0]) is None:
        pytest.skip(f"{shell[0]} is not installed here: apt-get install {shell[0]}")
    assert typed(shelf, shell, preparation) == list(TYPED.values())


def test_a_tabulator_completes_in_fish_itself_with_whole_descriptions(shelf: Path) -> None:
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed here: apt-get install fish")
    lines = "".join(f"complete --do-complete '{line}'\n" for line in [*TYPED, "bulkjobs report "])
    done = subprocess.run(
        ["fish", "--no-config", "-c", f"bulkjobs completion fish | source\n{lines}"],
        cwd=shelf, env=surroundings(shelf), capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    words = [line.split(" ")[-1].replace("\\", "") for line in (after.rstrip() for after in TYPED.values())]
    words[-1] = "--state=my file.csv"
    offered = [line.split("\t") for line in done.stdout.splitlines()]
    assert [line[0] for line in offered] == [*words, "beta", "alpha"], done
    assert offered[0][1] == "Validate, plan, create what is missing, report."


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_each_shell(run: Run, shell: str) -> None:
    script = run("completion", shell).out
    assert f"_BULKJOBS_COMPLETE={shell}_complete" in script
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)

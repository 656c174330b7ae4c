"""Settings: a flag wins over the environment, the environment over the file, and ``config`` says which it was."""

from __future__ import annotations

from pathlib import Path

import pytest

import bulkjobs.graph
from bulkjobs.cli.commands import COMMANDS, load, options_of

from .program import KEYS, Run, row, write_csv

_BUILT_IN = Path(bulkjobs.graph.__file__).with_name("builtin.toml").read_text(encoding="utf-8")
_LAYOUT = _BUILT_IN.replace("${target_prefix}", "${folder}/${target_prefix}").replace(
    "[defaults]",
    '[variables]\nenv = "dev"\nfolder = "f"\n\n[job]\nname = "${env}_${name}"\n\n[defaults]',
)


def test_the_environment_wins_over_the_file_and_each_is_named(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "b.toml").write_text('# ours\nrate = 20\nmax-rows = 5000\nset = { env = "dev" }\n', encoding="utf-8")
    monkeypatch.setenv("BULKJOBS_RATE", "7")
    found = run("config", "submit", "--config", "b.toml", "--json").json
    settings = {setting["key"]: setting for setting in found["settings"]}
    assert (settings["rate"]["value"], settings["rate"]["from"]) == ("7", "BULKJOBS_RATE")
    assert (settings["max_rows"]["value"], settings["max_rows"]["from"]) == ("5000", "b.toml:3")
    assert (settings["set"]["value"], settings["set"]["from"]) == ("env=dev", "b.toml:4")
    assert (settings["timeout"]["value"], settings["timeout"]["from"]) == ("30.0", "default")
    assert settings["rate"]["environment"] == "BULKJOBS_RATE"


def test_every_option_of_every_command_is_listed(run: Run) -> None:
    listed = {
        (command, setting["environment"])
        for setting in run("config", "--json").json["settings"]
        for command in setting["commands"]
    }
    for name in COMMANDS:
        command = load(name)
        assert command is not None
        for option in options_of(command):
            assert (name, option.envvar) in listed


def test_values_of_the_file_and_of_the_environment_reach_the_command(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inventory = write_csv(tmp_path / "jobs.csv", [row(1), row(2)])
    (tmp_path / "b.toml").write_text("max_rows = 1\n", encoding="utf-8")
    assert run("validate", inventory).code == 0
    assert run("validate", inventory, "--config", "b.toml").code == 3
    monkeypatch.setenv("BULKJOBS_CONFIG", "b.toml")
    assert run("validate", inventory).code == 3
    monkeypatch.setenv("BULKJOBS_MAX_ROWS", "2")
    assert run("validate", inventory).code == 0
    assert run("validate", inventory, "--max-rows", "1").code == 3


def test_variables_of_a_layout_come_from_the_environment_as_a_shell_would_write_them(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "l.toml").write_text(_LAYOUT, encoding="utf-8")
    inventory = write_csv(tmp_path / "jobs.csv", [row(1)])
    monkeypatch.setenv("BULKJOBS_SET", "folder='two words' env=dev")
    ended = run("expand", inventory, "--layout", "l.toml")
    assert ended.code == 0, ended.err
    assert '"dev_job001"' in ended.out
    assert '"two words/out/1"' in ended.out
    monkeypatch.setenv("BULKJOBS_SET", "other=1")
    assert run("expand", inventory, "--layout", "l.toml").code == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mx_rows = 1\n", "b.toml:1: unknown setting 'mx_rows'\n  did you mean 'max_rows'?"),
        ("rate = 2\nzzzzzz = 1\n", "b.toml:2: unknown setting 'zzzzzz'"),
        ("rate = true\n", "b.toml:1: rate must be a number or a text, and is true"),
        ('sandbox = "yes"\n', "b.toml:1: sandbox must be true or false"),
        ("rate = [1]\n", "b.toml:1: rate must be a text, a number, true or false"),
        ("\nrate = 0\n", "(from b.toml:2)"),
        ("rate = \n", "not valid TOML"),
        ('api = "2025-3"\n', "did you mean 2025-03?"),
        ('[[compare]]\nfield = "x"\n', "compare"),
    ],
)
def test_a_mistake_in_the_file_is_an_error_with_its_line(run: Run, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "b.toml").write_text(text, encoding="utf-8")
    ended = run("submit", write_csv(tmp_path / "jobs.csv", [row(1)]), "--sandbox", "--config", "b.toml")
    assert ended.code == 2
    assert said in ended.err


def test_a_value_that_cannot_be_used_is_shown_with_its_place(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BULKJOBS_RATE", "fast")
    ended = run("config")
    assert ended.code == 2
    assert "--rate from BULKJOBS_RATE: 'fast' is not a number" in ended.err
    ended = run("submit", "jobs.csv")
    assert "(from BULKJOBS_RATE)" in ended.err


def test_a_variable_that_is_no_setting_is_pointed_out(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BULKJOBS_RTAE", "5")
    ended = run("config")
    assert ended.code == 0
    assert "BULKJOBS_RTAE is set, and is no setting; did you mean BULKJOBS_RATE?" in ended.err


def test_of_credentials_only_the_place_is_shown(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("config", "--json", "submit").json["credentials"]["access_key"] == "not set"
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    ended = run("config")
    assert "the environment" in ended.out
    assert not any(key[:6] in ended.out + ended.err for key in KEYS.values())
    (tmp_path / "keys").write_text(
        "[prod]\nncloud_access_key_id = qqqqqq1\nncloud_secret_access_key = qqqqqq2\n", encoding="utf-8"
    )
    monkeypatch.setenv("BULKJOBS_CREDENTIALS_FILE", "keys")
    monkeypatch.setenv("BULKJOBS_PROFILE", "prod")
    ended = run("config")
    assert "keys, profile prod" in ended.out
    assert "qqqqqq" not in ended.out + ended.err


def test_the_sandbox_has_names_of_its_own(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BULKJOBS_RATE", "auto")
    assert run("config", "sandbox").code == 0
    monkeypatch.setenv("BULKJOBS_SANDBOX_RATE", "auto")
    assert run("config", "sandbox").code == 2

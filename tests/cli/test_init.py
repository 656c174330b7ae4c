"""``init``: a start that works as it is, and never at the cost of a file that is there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bulkjobs.cli.starter import layout_text
from bulkjobs.graph.layout import builtin_text, load_layout, read_layout

from .program import Run

_QUICK = ("--sandbox", "--rate", "1000", "--settle", "0")


@pytest.fixture
def started(run: Run, tmp_path: Path) -> Path:
    folder = tmp_path / "a new" / "start"
    ended = run("init", folder)
    assert (ended.code, ended.out) == (0, "")
    assert f"bulkjobs validate '{folder}/inventory.csv'" in ended.err
    return folder


def test_what_it_writes_passes_validate_with_and_without_its_layout(run: Run, started: Path) -> None:
    for words in ([], ["--layout", started / "layout.toml"]):
        ended = run("validate", started / "inventory.csv", "--server=all", *_QUICK[:3], *words)
        assert ended.code == 0
        assert "verifyJob: 3 rows asked, 0 refused" in ended.err
        assert ended.err.endswith("3 rows: no problems\n")


def test_what_it_writes_can_be_submitted(run: Run, started: Path) -> None:
    ended = run("submit", started / "inventory.csv", "--layout", started / "layout.toml", *_QUICK, "--json")
    assert ended.code == 0
    assert ended.json["counts"]["created"] == 3


def test_its_layout_is_the_built_in_one_with_comments() -> None:
    ours, builtin = read_layout(layout_text(), "x", {}), read_layout(builtin_text(), "x", {})
    assert ours == builtin
    assert layout_text().count("\n#") > builtin_text().count("\n#") + 15


def test_its_readme_explains_every_column_of_its_inventory(started: Path) -> None:
    readme = (started / "README.txt").read_text(encoding="utf-8")
    for name in (started / "inventory.csv").read_text(encoding="utf-8").splitlines()[0].split(","):
        assert name in readme


def test_the_recipe_for_environments_in_its_layout_works(started: Path) -> None:
    text = (started / "layout.toml").read_text(encoding="utf-8")
    text = text.replace('bucketName = "${bucket}"', 'bucketName = "${env}-${bucket}"')
    (started / "layout.toml").write_text(
        '[variables]\nenv = "dev"\n\n[job]\nname = "${env}_${name}"\n\n' + text[text.index("[defaults]") :],
        encoding="utf-8",
    )
    assert load_layout(started / "layout.toml", {"env": "prod"}).job_name.parts[0] == "prod_"


@pytest.mark.parametrize("name", ["inventory.csv", "layout.toml", "README.txt"])
def test_a_file_that_is_there_is_left_alone_and_nothing_is_written(run: Run, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / name).write_text("mine", encoding="utf-8")
    ended = run("init", folder)
    assert ended.code == 2
    assert name in ended.err
    assert [path.name for path in folder.iterdir()] == [name]
    assert (folder / name).read_text(encoding="utf-8") == "mine"


def test_a_link_is_not_followed(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    os.symlink(tmp_path / "elsewhere", folder / "layout.toml")
    assert run("init", folder).code == 2
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_cannot_be_is_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    ended = run("init", tmp_path / "file" / "below")
    assert ended.code == 9
    assert "cannot be written" in ended.err

"""``validate``: every problem at once, precisely, in three forms, and none of them can be forged by a cell."""

from __future__ import annotations

import gzip
import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from bulkjobs.cli.problems import github_annotations, show_problem
from bulkjobs.inventory.problems import Problem

from .program import HEADER, Run, process, row, write_csv


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    """Seven rows: two sound, five wrong in six ways."""
    return write_csv(
        tmp_path / "wrong.csv",
        [
            row(1),
            row(2, fields=""),
            row(3, fields=""),
            row(4, bucket="Shop_Raw"),
            row(5, filter="nme EQ A"),
            row(6, name="job001", prefix="/in"),
            row(7),
        ],
    )


async def test_a_sound_inventory_ends_with_0_and_a_wrong_one_with_3(tmp_path: Path, wrong: Path) -> None:
    sound = write_csv(tmp_path / "sound.csv", [row(1), row(2)])
    good, bad = await process("validate", sound), await process("validate", wrong)
    assert (good.code, bad.code) == (0, 3)
    assert good.out == bad.out == ""
    assert "2 rows: no problems" in good.err


def test_all_problems_are_listed_with_place_cell_and_remedy_and_the_total_at_the_end(run: Run, wrong: Path) -> None:
    ended = run("validate", wrong)
    lines = ended.err.splitlines()
    assert lines[-1] == "7 rows: 6 errors"
    at = next(i for i, line in enumerate(lines) if line.startswith(f"{wrong}:6, filter: "))
    assert "'nme' does not exist" in lines[at]
    assert lines[at + 1] == "    the cell: 'nme EQ A'"
    assert lines[at + 2] == "    did you mean 'name'?"
    assert any(line.startswith(f"{wrong}:5, bucket: ") for line in lines)
    assert any(line.startswith(f"{wrong}:7, prefix: ") for line in lines)
    assert any(line.startswith(f"{wrong}:7, name: the same job name as line 2") for line in lines)


def test_one_cause_in_many_rows_is_told_once_with_the_first_places(run: Run, tmp_path: Path) -> None:
    many = write_csv(tmp_path / "many.csv", [row(number, fields="") for number in range(1, 4813)])
    ended = run("validate", many, "--max-problems", "20")
    assert "4,812 rows: fields: `fields` is empty" in ended.err
    assert f"{many}:2, 3, 4, 5, 6, 7, 8, 9, …" in ended.err
    assert "not listed" not in ended.err
    assert len(ended.err.splitlines()) == 4


def test_beyond_max_problems_the_rest_is_counted(run: Run, wrong: Path) -> None:
    ended = run("validate", wrong, "--max-problems", "2")
    assert "2 rows: fields: `fields` is empty" in ended.err
    assert "and 4 problems of other kinds: --max-problems lists more" in ended.err
    assert ended.err.endswith("7 rows: 6 errors\n")


def test_json_is_the_contract(run: Run, wrong: Path) -> None:
    ended = run("validate", wrong, "--json")
    told = ended.json
    assert ended.code == 3
    assert (told["rows"], told["errors"], told["warnings"], told["total"]) == (7, 6, 0, 6)
    assert len(told["problems"]) == 6
    for problem in told["problems"]:
        assert list(problem) == ["file", "line", "column", "value", "code", "severity", "message", "hint"]
        assert problem["file"] == str(wrong)
        assert problem["severity"] == "error"
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", problem["code"])
    assert [(problem["line"], problem["column"], problem["value"]) for problem in told["problems"]] == [
        (3, "fields", ""),
        (4, "fields", ""),
        (5, "bucket", "Shop_Raw"),
        (6, "filter", "nme EQ A"),
        (7, "prefix", "/in"),
        (7, "name", "job001"),
    ]


def test_warnings_are_listed_and_do_not_fail(run: Run, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "same.csv", [row(1), row(2, target_prefix="out/1")])
    ended = run("validate", path)
    assert ended.code == 0
    assert f"{path}:3, target_prefix: warning: the job writes to the same place as line 2" in ended.err
    assert ended.err.endswith("2 rows: 1 warning\n")
    quiet = run("validate", path, "--quiet")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")


def test_problems_of_several_files_name_their_file_and_duplicates_across_them(run: Run, tmp_path: Path) -> None:
    first = write_csv(tmp_path / "first.csv", [row(1)])
    second = write_csv(tmp_path / "second.csv", [row(2, fields=""), row(1, target_prefix="elsewhere")])
    ended = run("validate", first, second, "--json")
    assert [(problem["file"], problem["line"], problem["code"]) for problem in ended.json["problems"]] == [
        (str(second), 2, "empty"),
        (str(second), 3, "duplicate-name"),
    ]
    assert f"{first}:2" in ended.json["problems"][1]["message"]


def test_a_file_that_is_not_there_and_options_that_clash_are_usage(run: Run, tmp_path: Path, wrong: Path) -> None:
    missing = run("validate", tmp_path / "missing.csv")
    assert (missing.code, missing.err.startswith("Error: inventory ")) == (2, True)
    clash = run("validate", wrong, "--json", "--github")
    assert (clash.code, clash.out) == (2, "")
    assert run("validate").code == 2


def test_a_misspelt_column_is_found_before_any_row(run: Run, tmp_path: Path) -> None:
    header = ["bucket" if name == "bucket" else "feilds" if name == "fields" else name for name in HEADER]
    ended = run("validate", write_csv(tmp_path / "header.csv", [row(1), row(2)], header), "--json")
    (problem,) = ended.json["problems"]
    assert (problem["code"], problem["column"], problem["line"]) == ("missing-column", "fields", None)
    assert "did you mean `fields`?" in problem["hint"]


def test_the_limits_are_options(run: Run, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "three.csv", [row(1), row(2), row(3)])
    packed = tmp_path / "packed.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert run("validate", path, "--max-rows", "2", "--json").json["problems"][0]["code"] == "too-many-rows"
    assert run("validate", path, "--max-cell-bytes", "5", "--json").json["problems"][0]["code"] == "cell-too-large"
    ended = run("validate", packed, "--max-unpacked-bytes", "50", "--json")
    assert ended.json["problems"][0]["code"] == "too-large-unpacked"
    assert run("validate", packed).code == 0


def test_a_layout_and_its_variables_are_used(run: Run, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "one.csv", [row(1)])
    assert run("validate", path, "--layout", tmp_path / "none.toml").code == 2
    unknown = run("validate", path, "--set", "env=dev")
    assert unknown.code == 2
    assert "--set env: no such variable" in unknown.err


def test_github_gets_one_annotation_for_each_problem(run: Run, wrong: Path) -> None:
    ended = run("validate", wrong, "--github")
    lines = ended.out.splitlines()
    assert ended.code == 3
    assert len(lines) == 6
    assert lines[0].startswith(f"::error file={wrong},line=3,title=empty::fields: `fields` is empty")
    assert ended.err == "7 rows: 6 errors\n"


def test_a_hostile_inventory_cannot_forge_an_annotation_or_command_a_terminal(run: Run, tmp_path: Path) -> None:
    cell = "a\n::error file=x::forged%0A::warning::\x1b[2J\u202e"
    path = tmp_path / "a,line=1::b%.csv"
    write_csv(path, [row(1, bucket=cell), row(2, fields=f"{cell}:string")])
    github, text, told = run("validate", path, "--github"), run("validate", path), run("validate", path, "--json")
    lines = github.out.splitlines()
    assert lines
    for line in lines:
        found = re.fullmatch(r"::(?:error|warning) file=([^,:]+)(?:,line=\d+)?,title=[a-z-]+::(.+)", line)
        assert found is not None
        assert found[1].endswith("a%2Cline=1%3A%3Ab%25.csv")
        assert "%0A" not in found[2]  # an escaped percent sign: what the cell says stays what it says
    for output in (github.out, text.err, told.out):
        assert not set("\x1b\u202e\r") & set(output)
    assert cell in [problem["value"] for problem in told.json["problems"]]


def test_no_part_of_a_problem_can_command_a_terminal_or_end_its_line() -> None:
    evil = "x\n::error::\x1b[2J\u2028\r"
    problem = Problem(evil, 3, evil, evil, "code", "error", evil, evil)
    (annotation,) = github_annotations([problem])
    assert annotation.isprintable()
    told = io.StringIO()
    show_problem(Console(file=told), problem)
    assert len(told.getvalue().splitlines()) == 3
    assert told.getvalue().replace("\n", "").isprintable()


def test_people_can_set_it_up_in_a_file_that_serves_other_commands_too(run: Run, tmp_path: Path, wrong: Path) -> None:
    config = tmp_path / "bulkjobs.toml"
    config.write_text("json = true\nmax_problems = 1\nsettle = 3\n", encoding="utf-8")
    assert len(run("validate", wrong, "--config", config).json["problems"]) == 1
    config.write_text("max_problem = 1\n", encoding="utf-8")
    ended = run("validate", wrong, "--config", config)
    assert ended.code == 2
    assert "did you mean 'max_problems'?" in ended.err

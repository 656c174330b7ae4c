"""``columns``: every column of the layout at hand, for people in the terminal's width, for machines as a schema."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.cells import cell_len

from .program import Run

_LAYOUT = """
[columns."표"]
about = "읽을 표의 이름과 그 밖의 아주 긴 설명이 여기에 들어가므로 여러 줄로 나뉘어야 한다"
example = "주문"

[nodes.source]
type = "SOURCE_CATALOG"
database = "${env}_lake"
table = "${표}"
schemaVersion = "1"
fieldList = "${fields}"

[nodes.target]
type = "TARGET_OBS"
parents = ["source"]
regionNo = "1"
bucketName = "${target_bucket}"
prefix = "${target_prefix}"
dataType = "CSV"
updateType = "${update_type}"
fieldList = "${fields}"
"""


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    path = tmp_path / "layout.toml"
    path.write_text(_LAYOUT, encoding="utf-8")
    return path


def test_every_column_of_the_contract_is_shown_with_default_words_and_example(run: Run) -> None:
    shown = run("columns")
    assert (shown.code, shown.err) == (0, "")
    for name in ("name", "bucket*", "prefix*", "fields*", "filter", "data_type", "region_no", "target_bucket*",
                 "target_prefix*", "target_data_type", "target_region_no", "update_type", "nodes"):  # fmt: skip
        assert re.search(rf"^{re.escape(name)} ", shown.out, re.MULTILINE), name
    for text in ("OVERWRITE", "APPEND", "IGNORE", "NDJSON", "job001", "${data_type}", "made from bucket"):
        assert text in " ".join(shown.out.split())


def test_columns_stand_in_the_order_of_filling_them_in_and_say_what_is_checked(run: Run) -> None:
    shown = run("columns").out
    heads = re.findall(r"^([a-z_]+)", shown, re.MULTILINE)
    assert heads[:4] == ["name", "bucket", "prefix", "fields"]
    assert "accepts text" not in shown
    assert "accepts 3 to 63 lower-case letters" in shown


@pytest.mark.parametrize("width", [40, 80, 120])
def test_nothing_is_wider_than_the_terminal_and_nothing_is_lost(
    run: Run, layout: Path, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    shown = run("columns", "--layout", layout, "--set", "env=dev").out
    assert max(map(cell_len, shown.splitlines())) <= width
    about = "읽을 표의 이름과 그 밖의 아주 긴 설명이 여기에 들어가므로 여러 줄로 나뉘어야 한다"
    assert sorted(re.sub(r"[^가-힣]", "", shown)) == sorted(f"표{about}주문".replace(" ", ""))


def test_columns_stand_below_their_heads_in_korean_too(run: Run, layout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "150")
    lines = run("columns", "--layout", layout).out.splitlines()
    head = cell_len(lines[0][: lines[0].index("example")])
    example = next(line for line in lines if "주문" in line)
    assert cell_len(example[: example.index("주문")]) == head


def test_a_variable_is_no_column_once_it_is_set(run: Run, layout: Path) -> None:
    free = run("columns", "--layout", layout, "--json-schema").json["properties"]
    bound = run("columns", "--layout", layout, "--set", "env=dev", "--json-schema").json["properties"]
    assert set(free) - set(bound) == {"env"}


def test_the_schema_says_what_is_needed_allowed_and_assumed(run: Run) -> None:
    schema = run("columns", "--json-schema").json
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["type"] == "object"
    assert all(column["type"] == "string" and column["description"] for column in schema["properties"].values())
    usual, raw = schema["anyOf"]
    assert set(usual["required"]) == {"bucket", "prefix", "fields", "target_bucket", "target_prefix"}
    assert usual["properties"].keys() == set(usual["required"])
    assert set(raw["required"]) == {"name", "nodes"}
    properties = schema["properties"]
    assert set(properties["update_type"]["enum"]) == {"OVERWRITE", "APPEND", "IGNORE", ""}
    assert properties["data_type"]["default"] == "CSV"
    assert "default" not in properties["target_data_type"]
    assert "${data_type}" in properties["target_data_type"]["description"]
    assert re.fullmatch(properties["name"]["pattern"], "job001")
    assert not re.fullmatch(properties["name"]["pattern"], "1")


def test_a_layout_with_a_mistake_names_its_file_and_key(run: Run, layout: Path) -> None:
    layout.write_text(_LAYOUT.replace("TARGET_OBS", "TARGET_OBJ"), encoding="utf-8")
    ended = run("columns", "--layout", layout)
    assert ended.code == 2
    assert f"layout {layout}: nodes.target.type" in ended.err
    assert "did you mean 'TARGET_OBS'?" in ended.err


def test_a_hostile_layout_cannot_command_the_terminal(run: Run, layout: Path) -> None:
    layout.write_text(_LAYOUT.replace("주문", "\\u001b[2J\\u202e"), encoding="utf-8")
    for words in (["columns"], ["columns", "--json-schema"]):
        ended = run(*words, "--layout", layout)
        assert ended.code == 0
        assert not set("\x1b\u202e") & set(ended.out)


@pytest.mark.parametrize(
    "words", [["--help"], ["columns"], ["columns", "--help"], ["validate", "--help"], ["expand", "--help"]]
)
def test_what_needs_no_tables_and_no_network_imports_neither(words: list[str]) -> None:
    code = (
        "import sys\n"
        "from bulkjobs.cli.main import main\n"
        "try: main()\n"
        "except SystemExit as ended: assert not ended.code\n"
        "heavy = {'pandas', 'pyarrow', 'aiohttp', 'numpy'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

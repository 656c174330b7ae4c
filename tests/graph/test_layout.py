"""A layout that is wrong says so when it is read: the file, the key, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulkjobs.errors import ExitCode, UsageError
from bulkjobs.graph.expand import Expander
from bulkjobs.graph.layout import builtin_text, load_layout, read_layout
from bulkjobs.graph.nodes import SourceObs, TargetObs, TransformFilter

SOURCE = """
[nodes.source]
type = "SOURCE_OBS"
regionNo = "1"
bucketName = "${bucket}"
prefix = "${prefix}"
dataType = "CSV"
fieldList = "${fields}"
"""
TARGET = """
[nodes.target]
type = "TARGET_CATALOG"
parents = ["source"]
database = "shop"
table = "${table}"
schemaVersion = "1"
fieldList = "${fields}"
"""
PLAIN = SOURCE + TARGET
JOIN = """
[nodes.join]
type = "TRANSFORM_JOIN"
left = "source"
right = "other"
joinType = "INNER"
joinConditionList = []
"""
SQL = """
[nodes.query]
type = "TRANSFORM_SQL"
sources = { source = "t" }
sql = "SELECT * FROM t"
"""


def _other(text: str) -> str:
    return text.replace("nodes.source", "nodes.other")


def _refusal(text: str, **variables: str) -> UsageError:
    """What is said of a layout, when it is read or, at the latest, before the first row."""
    with pytest.raises(UsageError) as caught:
        Expander(read_layout(text, "mine.toml", variables))
    assert caught.value.exit_code is ExitCode.USAGE
    assert caught.value.message.startswith("layout mine.toml: ")
    return caught.value


def test_the_built_in_layout_is_source_filter_target() -> None:
    layout = load_layout()
    assert layout.source == "the built-in layout"
    assert [node.type for node in layout.nodes] == [SourceObs, TransformFilter, TargetObs]
    assert layout == read_layout(builtin_text(), "the built-in layout", {})


def test_a_plain_layout_is_taken() -> None:
    assert [node.key for node in read_layout(PLAIN, "mine.toml", {}).nodes] == ["source", "target"]


@pytest.mark.parametrize(
    ("text", "key", "message", "hint"),
    [
        # Sections and keys
        ("[node.source]\n", "node", "unknown key", "did you mean 'nodes'?"),
        ("[zzz]\n", "zzz", "unknown key", "known here: description, job, "),
        ("[job]\nnme = 'x'\n", "job.nme", "unknown key", "did you mean 'name'?"),
        ("[job]\nname = 1.5\n" + PLAIN, "job.name", "must be a text", ""),
        ("job = 'x'\n", "job", "must be a table", "write [job]"),
        ("nodes = 'x'\n", "nodes", "must be a table", "write [nodes]"),
        ("", "nodes", "a layout has nodes", "add [nodes.source]"),
        ("[nodes]\nsource = 1\n", "nodes.source", "must be a table", "write [nodes.source]"),
        (PLAIN + "fieldlist = ''\n", "nodes.target.fieldlist", "unknown key", "did you mean 'fieldList'?"),
        (PLAIN + "id = 5\n", "nodes.target.id", "unknown key", ""),
        (PLAIN + "parentNodeIds = []\n", "nodes.target.parentNodeIds", "unknown key", "did you mean 'parents'?"),
        (PLAIN + JOIN + "leftNodeId = 5\n", "nodes.join.leftNodeId", "unknown key", "known here: "),
        # Node types
        ("[nodes.a]\ntype = 'SOURCE_OBJ'\n", "nodes.a.type", "unknown node type 'SOURCE_OBJ'", "mean 'SOURCE_OBS'?"),
        ("[nodes.a]\ntype = 'zzz'\n", "nodes.a.type", "unknown node type 'zzz'", "one of SOURCE_OBS, "),
        ("[nodes.a]\ntype = 5\n", "nodes.a.type", "unknown node type 5", "one of SOURCE_OBS, "),
        ("[nodes.a]\n", "nodes.a.type", "is missing", "one of SOURCE_OBS, "),
        # What a node needs
        (SOURCE.replace("regionNo", "# "), "nodes.source.regionNo", "is missing", ""),
        (PLAIN + JOIN.replace("left =", "# "), "nodes.join.left", "is missing", ""),
        (PLAIN + SQL.replace("sources", "# "), "nodes.query.sources", "is missing", ""),
        (PLAIN + "[nodes.f]\ntype='TRANSFORM_FILTER'\n", "nodes.f.filter", "is missing", ""),
        (PLAIN + "[nodes.f]\ntype='TRANSFORM_FILTER'\nfilterType='AND'\n", "nodes.f.filter", "is missing", ""),
        (
            PLAIN + "[nodes.f]\ntype='TRANSFORM_FILTER'\nfilter='a==1'\nfilterType='AND'\n",
            "nodes.f.filterType",
            "is given twice: 'filter' says it too",
            "",
        ),
        # Parents
        (SOURCE + TARGET.replace('"source"', '"sorce"'), "nodes.target.parents", "no node 'sorce'", "mean 'source'?"),
        (SOURCE + TARGET.replace('"source"', '"zzz"'), "nodes.target.parents", "no node 'zzz'", "are source, target"),
        (SOURCE + TARGET.replace('["source"]', "5"), "nodes.target.parents", "must be a list of node keys", ""),
        (SOURCE + TARGET.replace('["source"]', "[5]"), "nodes.target.parents", "must be a list of node keys", ""),
        (SOURCE + TARGET.replace('["source"]', "[]"), "nodes.target.parents", "is missing", "name the node"),
        (SOURCE + "parents = ['target']\n" + TARGET, "nodes.", "a circle: ", "take one of these out"),
        (SOURCE + TARGET.replace('["source"]', '["target"]'), "nodes.target.parents", "a circle: target → target", ""),
        (SOURCE + "parents = ['other']\n" + _other(SOURCE) + TARGET, "nodes.source.parents", "has no parents", ""),
        (PLAIN + SQL.replace("source =", "target ="), "nodes.query.parents", "'target' is a target", ""),
        (SOURCE, "nodes", "no node has a type that begins with TARGET_", 'add one: type = "TARGET_OBS"'),
        (PLAIN + JOIN, "nodes.join.parents", "no node 'other'", ""),
        (PLAIN + JOIN.replace("other", "source"), "nodes.join.parents", "a join has two different sides", ""),
        (PLAIN + JOIN.replace('"other"', "7"), "nodes.join.right", "must be the key of a node", ""),
        (
            PLAIN + _other(SOURCE) + JOIN + "parents = ['source']\n",
            "nodes.join.parents",
            "are not the nodes that it names otherwise",
            "leave `parents` out here",
        ),
        (
            PLAIN + "[nodes.u]\ntype='TRANSFORM_UNION'\nunionType='ALL'\nparents=['source', 'source']\n",
            "nodes.u.parents",
            "a union has two parents or more",
            "",
        ),
        (PLAIN + SQL.replace('{ source = "t" }', "'t'"), "nodes.query.sources", "must be a table of node", ""),
        (PLAIN + SQL.replace('{ source = "t" }', "{}"), "nodes.query.sources", "must be a table of node", ""),
        # Values
        (PLAIN.replace('"${table}"', "['x']"), "nodes.target.table", "must be a text", ""),
        (PLAIN.replace('"${table}"', "1.5"), "nodes.target.table", "must be a text", ""),
        (PLAIN.replace('"${table}"', "true"), "nodes.target.table", "must be a text", ""),
        (PLAIN.replace('"${table}"', "2026-11-24"), "nodes.target.table", "must be a text", ""),
        (PLAIN.replace('"${table}"', '""'), "nodes.target.table", "is empty", ""),
        (PLAIN.replace("${table}", "${table"), "nodes.target.table", "character 1: write ${column}, or $$", ""),
        (PLAIN.replace('"${bucket}"', '"Shop"'), "nodes.source.bucketName", "a bucket name cannot have 'S'", "shop?"),
        (PLAIN.replace('"${prefix}"', '"/a"'), "nodes.source.prefix", "begins with a slash", ""),
        (PLAIN.replace('"1"\nbucket', '"kr"\nbucket'), "nodes.source.regionNo", "not a region number", "1 is Korea"),
        (PLAIN.replace('"CSV"', '"CVS"'), "nodes.source.dataType", "'CVS' is not one of JSON, CSV,", "mean 'CSV'?"),
        (PLAIN + "updateType = 'zzz'\n", "nodes.target.updateType", "not one of OVERWRITE,", "use OVERWRITE, "),
        (PLAIN + "coalesce = 'x'\n", "nodes.target.coalesce", "'x' is not a whole number from 1 on", ""),
        (PLAIN + "coalesce = 0\n", "nodes.target.coalesce", "'0' is not a whole number from 1 on", ""),
        (PLAIN + "coalesce = true\n", "nodes.target.coalesce", "must be a text", ""),
        (PLAIN.replace('"${fields}"', "5"), "nodes.source.fieldList", "must be a text or a list", ""),
        (PLAIN.replace('"${fields}"', '"id:zzz"'), "nodes.source.fieldList", "unknown type 'zzz'", ""),
        (PLAIN.replace('"${fields}"', "[{ name = true }]"), "nodes.source.fieldList", "not bool", ""),
        (PLAIN.replace('"${fields}"', "[{ name = 'a' }]"), "nodes.source.fieldList", "item 1 has no type", ""),
        (PLAIN + SQL + "when = 5.5\n", "nodes.query.when", "must be a text", ""),
        (PLAIN + SQL + "when = '$'\n", "nodes.query.when", "character 1", ""),
        (PLAIN + SQL.replace('"t"', "['t']"), "nodes.query.sources.source", "must be a text", ""),
        (
            PLAIN + "[nodes.f]\ntype='TRANSFORM_FILTER'\nparents=['source']\nfilter=['${a}']\n",
            "nodes.f.filter",
            "must be a text",
            "several filters are several nodes",
        ),
        (
            PLAIN + "[nodes.f]\ntype='TRANSFORM_FILTER'\nparents=['source']\nfilter='a = 1 OR b = 2 AND c = 3'\n",
            "nodes.f.filter",
            "AND after OR",
            "several filter nodes",
        ),
        (
            PLAIN + "[nodes.r]\ntype='TRANSFORM_RENAME'\nparents='source'\nrenameFieldList=[{name='a', newNam='b'}]\n",
            "nodes.r.renameFieldList",
            "unknown key 'newNam'",
            "did you mean 'newName'?",
        ),
        # Columns, defaults, variables
        ("[defaults]\na = []\n" + PLAIN, "defaults.a", "must be a text", ""),
        ("[defaults]\na = '$'\n" + PLAIN, "defaults.a", "character 1", ""),
        ("[defaults]\na='${b}'\nb='${c}'\nc='x${a}'\n" + PLAIN, "defaults.", "a circle: ", ""),
        ("[defaults]\na='${a}'\n" + PLAIN, "defaults.a", "a circle: a → a", ""),
        ("[variables]\nenv = []\n" + PLAIN, "variables.env", "must be a text", ""),
        ("[variables]\nenv = true\n" + PLAIN, "variables.env", "must be a text", ""),
        ("[variables]\nenv='x'\n[defaults]\nEnv='y'\n" + PLAIN, "defaults.Env", "is a variable and cannot be a", ""),
        ("[variables]\nenv='x'\n[columns.env]\n" + PLAIN, "columns.env", "is a variable and cannot be a column", ""),
        ("[columns]\na = 5\n" + PLAIN, "columns.a", "must be a table", "write [columns.a]"),
        ("[columns.a]\nabout = 5\n" + PLAIN, "columns.a.about", "must be a text", ""),
        ("[columns.a]\nexmple = 'x'\n" + PLAIN, "columns.a.exmple", "unknown key", "did you mean 'example'?"),
        (PLAIN.replace("${table}", "${nodes}"), "nodes", "no value can be ${nodes}", "replaces the whole layout"),
        ("[defaults]\nNodes = ''\n" + PLAIN, "defaults.Nodes", "the column `nodes` replaces a layout", ""),
        ("[variables]\nnodes = ''\n" + PLAIN, "variables.nodes", "the column `nodes` replaces a layout", ""),
        # Numbers and depth that nothing could carry
        ("[variables]\nn = 9223372036854775808\n" + PLAIN, "variables.n", "the number is too large", "in quotes"),
        (PLAIN + f"coalesce = 0x{'f' * 9000}\n", "nodes.target.coalesce", "the number is too large", ""),
        (f"description = {'[' * 60}{']' * 60}\n" + PLAIN, "description[0][0]", "is nested more than 40 levels", ""),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_key(text: str, key: str, message: str, hint: str) -> None:
    error = _refusal(text)
    assert error.message.startswith(f"layout mine.toml: {key}")
    assert message in error.message
    assert hint in (error.hint or "")


@pytest.mark.parametrize("text", ["[nodes", "a = ", "a = 1\na = 2", "x" + "[" * 3000, "a = " + "[" * 3000, "\x00"])
def test_text_that_is_no_toml_is_told_with_its_file(text: str) -> None:
    assert "not valid TOML: " in _refusal(text).message


def test_toml_errors_give_the_line() -> None:
    assert "line 2" in _refusal("[job]\nname =\n").message


def test_more_than_a_thousand_nodes_are_too_many() -> None:
    drop = "type='TRANSFORM_DROP_DUPLICATION'\ndropFieldList='a'\n"
    chain = "".join(f"[nodes.n{i}]\nparents=['{f'n{i - 1}' if i else 'source'}']\n{drop}" for i in range(999))
    error = _refusal(PLAIN + chain)
    assert error.message == "layout mine.toml: nodes: a job has at most 1,000 nodes, these are 1,001"


def test_a_join_that_may_lose_a_side_is_told_of_the_rows_that_lose_it() -> None:
    # It is a fault of the rows: with the cell filled in, the layout is good. See test_expand.
    text = (
        SOURCE
        + _other(SOURCE)
        + "when = '${b}'\n"
        + JOIN.replace("[]", "'${on}'")
        + TARGET.replace('"source"', '"join"')
    )
    Expander(read_layout(text, "mine.toml", {}))


# Variables


def test_set_wins_over_the_layouts_own_value_in_any_letter_case() -> None:
    text = "[variables]\nEnv = 'dev'\nn = 7\n" + PLAIN.replace("${table}", "${env}_${N}_${table}")
    assert read_layout(text, "mine.toml", {}).variables == {"env": "dev", "n": "7"}
    assert read_layout(text, "mine.toml", {" ENV ": "prod"}).variables == {"env": "prod", "n": "7"}


def test_set_may_name_any_reference_that_the_layout_does_not_declare() -> None:
    text = PLAIN.replace("${table}", "${My Table}")
    assert read_layout(text, "mine.toml", {"my table": "x"}).variables == {"my table": "x"}


def test_set_of_an_unknown_variable_names_it_and_the_nearest() -> None:
    error = _refusal("[variables]\nenv = 'dev'\n" + PLAIN, envi="x")
    assert (error.message, error.hint) == (
        "layout mine.toml: --set envi: no such variable in it",
        "did you mean 'env'?",
    )
    assert _refusal(PLAIN, zzz="x").hint == "write ${zzz} in the layout, or leave --set out"


def test_a_dollar_sign_written_twice_is_no_use_of_a_variable() -> None:
    assert "--set table: no such variable" in _refusal(PLAIN.replace("${table}", "$${table}"), table="x").message


def test_set_of_what_has_a_default_as_a_column_is_refused() -> None:
    assert "defaults.table: is a variable" in _refusal("[defaults]\ntable = ''\n" + PLAIN, table="x").message


def test_set_of_bytes_that_are_no_text_is_refused() -> None:
    assert "--set table: its value is not UTF-8 text" in _refusal(PLAIN, table="\udcff").message


# Files


def test_a_layout_file_is_read_with_or_without_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "l.toml"
    path.write_bytes(b"\xef\xbb\xbf" + PLAIN.encode())
    assert load_layout(path).source == str(path)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"layout .*missing.toml: cannot be read: No such file"):
        load_layout(tmp_path / "missing.toml")
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        load_layout(tmp_path)
    with pytest.raises(UsageError, match="is not a path"):
        load_layout(Path("a\0b"))
    (tmp_path / "utf16.toml").write_bytes(PLAIN.encode("utf-16"))
    with pytest.raises(UsageError, match="is not UTF-8 text"):
        load_layout(tmp_path / "utf16.toml")

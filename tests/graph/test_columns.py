"""Which columns a layout reads, and what it says of each."""

from __future__ import annotations

from bulkjobs.graph.columns import Column, columns_of, names_itself, required_columns, used_columns
from bulkjobs.graph.layout import load_layout

from .made import layout

TABLES = """
[defaults]
table = "${schema}_t"
schema = "${owner}"
update = ""
[columns.table]
about = "the table"
example = "orders"
[columns.name]
about = "a name of your own"
example = "my_job"
[nodes.s]
type = "SOURCE_CDB_MYSQL"
connectionId = "1"
table = "${table}"
fieldList = "${fields}"
[nodes.f]
type = "TRANSFORM_FILTER"
parents = ["s"]
when = "${keep}${always}"
filter = "${keep}"
[nodes.d]
type = "TRANSFORM_DROP_DUPLICATION"
parents = ["f"]
dropFieldList = "${unique}"
[nodes.t]
type = "TARGET_CATALOG"
parents = ["d"]
database = "d"
table = "${table}"
schemaVersion = "1"
fieldList = "${fields}"
updateType = "${update}"
coalesce = "${files}"
"""


def _by_name(text: str) -> dict[str, Column]:
    return {column.name: column for column in columns_of(layout(text))}


def test_the_built_in_layouts_columns_are_those_of_the_design() -> None:
    made = columns_of(load_layout())
    assert [column.name for column in made] == [
        "name", "bucket", "prefix", "fields", "filter", "data_type", "region_no", "target_bucket", "target_prefix",
        "target_data_type", "target_region_no", "update_type", "nodes",
    ]  # fmt: skip
    defaults = {column.name: column.default for column in made if column.default is not None}
    assert defaults == {
        "name": "made from bucket and prefix", "region_no": "1", "data_type": "CSV", "filter": "", "update_type": "",
        "target_region_no": "${region_no}", "target_data_type": "${data_type}",
    }  # fmt: skip
    assert required_columns(load_layout()) == ["bucket", "prefix", "fields", "target_bucket", "target_prefix"]
    allowed = {column.name: column.allowed for column in made if column.allowed}
    assert allowed == {
        "data_type": ("JSON", "CSV", "PARQUET", "NDJSON"),
        "target_data_type": ("JSON", "CSV", "PARQUET"),
        "update_type": ("OVERWRITE", "APPEND", "IGNORE"),
    }
    assert all(column.about and (column.example or column.name == "nodes") for column in made)
    assert names_itself(load_layout())


def test_a_column_says_what_it_accepts_and_where_it_goes() -> None:
    made = _by_name(TABLES)
    assert made["table"].about == "the table"
    assert made["table"].uses == ("s.table", "t.table")
    assert made["fields"].accepts.startswith("name:type, name:type")
    assert made["fields"].about == "used as s.fieldList, t.fieldList"
    assert made["keep"].accepts.startswith("field, operator")
    assert made["unique"].accepts.startswith("names with commas")
    assert made["files"].accepts == "a whole number"
    assert made["update"].accepts == "OVERWRITE, APPEND, IGNORE"
    assert made["always"].about == "used as a condition"
    assert made["name"].about == "a name of your own"
    assert made["name"].example == "my_job"


def test_what_no_default_no_condition_and_no_optional_key_excuses_is_required() -> None:
    made = _by_name(TABLES)
    assert {name for name, column in made.items() if column.required} == {"name", "fields", "unique"}


def test_columns_that_only_defaults_read_are_columns_too_through_any_number_of_them() -> None:
    made = _by_name(TABLES)
    assert made["schema"].uses == ("the default of table",)
    assert made["owner"].uses == ("the default of schema",)
    assert used_columns(layout(TABLES))[:1] == ["name"]
    assert {"schema", "owner", "keep", "always"} <= set(used_columns(layout(TABLES)))


def test_a_default_that_nobody_reads_is_no_column() -> None:
    assert "stray" not in _by_name(
        '[defaults]\nstray = "x"\n'
        + TABLES.replace("[defaults]\n", "", 1).replace('table = "${schema}_t"\nschema = "${owner}"\nupdate = ""\n', "")
    )


def test_columns_of_a_jobs_name_are_required_and_a_default_excuses_the_name_itself() -> None:
    made = _by_name('[job]\nname = "${team}_${name}"\n' + TABLES)
    assert made["team"].required
    assert made["team"].uses == ("the job's name",)
    assert made["name"].required
    fixed = _by_name('[job]\nname = "${team}"\n' + TABLES)
    assert not fixed["name"].required
    named = layout(TABLES.replace("[defaults]\n", '[defaults]\nname = "job_${table}"\n', 1))
    assert columns_of(named)[0].default == "job_${table}"
    assert not names_itself(named)
    assert "name" not in required_columns(named)


def test_words_that_only_one_of_two_uses_allows_are_not_allowed() -> None:
    text = load_layout()
    (column,) = [c for c in columns_of(text) if c.name == "data_type"]
    assert "NDJSON" in column.allowed
    both = layout(
        '[nodes.s]\ntype="SOURCE_OBS"\nregionNo="1"\nbucketName="abc"\nprefix="a"\ndataType="${kind}"\n'
        'fieldList="a:int"\n[nodes.t]\ntype="TARGET_OBS"\nparents=["s"]\nregionNo="1"\nbucketName="abc"\nprefix="b"\n'
        'dataType="${kind}"\nfieldList="a:int"\n'
    )
    assert columns_of(both)[1].allowed == ("JSON", "CSV", "PARQUET")

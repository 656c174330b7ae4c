"""One pass over the inventory: every problem counted, the first of them in order, and what shows across rows only."""

from __future__ import annotations

import json
import weakref
from pathlib import Path

import pytest

from bulkjobs.graph.across_rows import AcrossRows
from bulkjobs.graph.expand import Expander
from bulkjobs.graph.names import default_name
from bulkjobs.graph.survey import Survey
from bulkjobs.inventory.problems import Problem
from bulkjobs.inventory.reader import InventoryFile

from .made import GOOD, layout, survey, write_csv

HEADER = list(GOOD)


def _file(path: Path, *rows: dict[str, str]) -> InventoryFile:
    """Each row has a name and a target of its own, unless it says otherwise."""
    made = [
        GOOD | {"name": f"{path.stem}_{i}", "target_prefix": f"{path.stem}/{i}"} | row for i, row in enumerate(rows)
    ]
    return write_csv(path, list(made[0]), [list(row.values()) for row in made])


def _told(problems: list[Problem]) -> list[tuple[int | None, str | None, str | None, str]]:
    return [(problem.line, problem.column, problem.value, problem.code) for problem in problems]


# Names


def test_a_duplicate_name_is_told_of_the_later_row_and_points_to_the_first(tmp_path: Path) -> None:
    found = survey(_file(tmp_path / "a.csv", {"name": "one"}, {}, {"name": "one"}, {"name": "one"}))
    assert _told(found.problems) == [(4, "name", "one", "duplicate-name"), (5, "name", "one", "duplicate-name")]
    assert {problem.message for problem in found.problems} == {"the same job name as line 2"}
    assert found.errors == 2
    assert [found.duplicate(seq) is not None for seq in range(4)] == [False, False, True, True]


def test_the_first_may_be_in_another_file(tmp_path: Path) -> None:
    one, two = _file(tmp_path / "a.csv", {}, {"name": "one"}), _file(tmp_path / "b.csv", {}, {}, {"name": "one"})
    (problem,) = survey(one, two).problems
    assert (problem.file, problem.line) == (two.path, 4)
    assert problem.message == f"the same job name as {one.path}:3"


def test_a_made_name_that_is_there_twice_is_shown_since_no_cell_shows_it(tmp_path: Path) -> None:
    (problem,) = survey(_file(tmp_path / "a.csv", {"name": ""}, {"name": ""})).problems
    assert (problem.line, problem.value, problem.code) == (3, "", "duplicate-name")
    assert problem.message == f"the same job name as line 2: {default_name('shop-raw', 'orders')}"
    assert problem.hint == "it was made from bucket and prefix, which are the same: add a `name`"


def test_a_made_name_and_a_written_one_collide_too(tmp_path: Path) -> None:
    made = default_name("shop-raw", "orders")
    assert _told(survey(_file(tmp_path / "a.csv", {"name": ""}, {"name": made})).problems) == [
        (3, "name", made, "duplicate-name")
    ]


def test_a_rows_name_counts_even_if_the_row_has_no_job(tmp_path: Path) -> None:
    found = survey(_file(tmp_path / "a.csv", {"name": "one", "prefix": "/"}, {"name": "one"}))
    assert [problem.code for problem in found.problems] == ["leading-slash", "duplicate-name"]


def test_rows_without_names_are_no_duplicates_of_each_other(tmp_path: Path) -> None:
    found = survey(_file(tmp_path / "a.csv", {"name": "", "bucket": ""}, {"name": "", "bucket": ""}))
    assert [problem.code for problem in found.problems] == ["empty", "empty"]


def test_names_that_differ_in_letter_case_only_are_warned_of(tmp_path: Path) -> None:
    found = survey(_file(tmp_path / "a.csv", {"name": "Orders"}, {"name": "orders"}, {"name": "ORDERS"}, {}))
    assert [(p.line, p.code, p.severity) for p in found.problems] == [
        (3, "name-differs-in-case", "warning"),
        (4, "name-differs-in-case", "warning"),
    ]
    assert found.problems[1].message == "the job name differs from that of line 2 in letter case only"
    assert (found.errors, found.warnings) == (0, 2)


def test_a_name_with_a_line_break_shifts_no_other(tmp_path: Path) -> None:
    found = survey(_file(tmp_path / "a.csv", {"name": "Abc\nabc"}, {"name": "abc"}, {"name": "xyz"}, {"name": "XYZ"}))
    assert [(p.line, p.code) for p in found.problems] == [(2, "bad-name"), (6, "name-differs-in-case")]


def test_names_made_by_a_layout_are_compared_as_they_are_made(tmp_path: Path) -> None:
    by = layout(
        '[job]\nname = "${team}_job"\n[nodes.s]\ntype="SOURCE_CDB_MYSQL"\nconnectionId="1"\ntable="x"\n'
        'fieldList="a:int"\n[nodes.t]\ntype="TARGET_CDB_MYSQL"\nparents=["s"]\nconnectionId="2"\ntable="${team}"\n'
        'fieldList="a:int"\n'
    )
    file = write_csv(tmp_path / "a.csv", ["team"], [["kr"], ["jp"], ["kr"]])
    found = survey(file, by=by)
    assert [(p.line, p.column, p.code) for p in found.problems] == [
        (4, "name", "duplicate-name"),
        (4, "team", "same-target"),
    ]
    assert found.problems[0].message == "the same job name as line 2: kr_job"


# Places


@pytest.mark.parametrize(("one", "other"), [("x", "x"), ("x/y", "x/y/"), ("x//", "x")])
def test_two_jobs_that_write_to_one_place_are_warned_of(tmp_path: Path, one: str, other: str) -> None:
    found = survey(_file(tmp_path / "a.csv", {"target_prefix": one}, {}, {"target_prefix": other}))
    (problem,) = found.problems
    assert _told([problem]) == [(4, "target_prefix", other, "same-target")]
    assert (problem.severity, problem.message) == ("warning", "the job writes to the same place as line 2")


def test_places_in_different_buckets_are_different(tmp_path: Path) -> None:
    rows = [{"target_prefix": "x"}, {"target_prefix": "x", "target_bucket": "shop-other"}]
    assert not survey(_file(tmp_path / "a.csv", *rows)).problems


OVERWRITE = {"update_type": "OVERWRITE", "target_bucket": "shop-raw"}


@pytest.mark.parametrize(
    ("source", "target", "hits"),
    [
        ("a", "a", True),
        ("a", "a/", True),
        ("a/", "a", True),
        ("a", "a/b", True),
        ("a", "a/b/c", True),
        ("a/b", "a/bc", False),
        ("a/bc", "a/b", False),
        ("한국/a", "한국/a/b", True),
        ('q"/a', 'q"/a/b', True),
        ('a', 'a/q"', True),
        ("a\\b", "a\\b/c", True),
    ],
)  # fmt: skip
def test_a_target_that_overwrites_what_its_own_job_reads_is_warned_of(
    tmp_path: Path, source: str, target: str, hits: bool
) -> None:
    found = survey(_file(tmp_path / "a.csv", OVERWRITE | {"prefix": source, "target_prefix": target}))
    expected = [(2, "target_prefix", target, "overwrites-source")] if hits else []
    assert _told(found.problems) == expected
    assert all(problem.message == "the job overwrites what it reads" for problem in found.problems)


def test_a_target_that_overwrites_what_another_job_reads_is_told_with_that_row(tmp_path: Path) -> None:
    one = _file(tmp_path / "a.csv", {}, {"prefix": "in/deep/"})
    two = _file(tmp_path / "b.csv", OVERWRITE | {"target_prefix": "in/deep/er"})
    for files, other in (((one, two), f"{one.path}:3"), ((two, one), f"{one.path}:3")):
        (problem,) = survey(*files).problems
        assert (problem.file, problem.line, problem.code) == (two.path, 2, "overwrites-source")
        assert problem.message == f"the job overwrites what {other} reads"


@pytest.mark.parametrize("update", ["APPEND", "IGNORE", ""])
def test_only_overwrite_destroys(tmp_path: Path, update: str) -> None:
    row = OVERWRITE | {"update_type": update, "prefix": "a", "target_prefix": "a"}
    assert not survey(_file(tmp_path / "a.csv", row)).problems


TWO_TARGETS = """
[nodes.s]
type = "SOURCE_CATALOG"
database = "${db}"
table = "${from}"
schemaVersion = "1"
fieldList = "a:int"
[nodes.one]
type = "TARGET_CATALOG"
parents = ["s"]
database = "${db}"
table = "${first}"
schemaVersion = "1"
updateType = "OVERWRITE"
fieldList = "a:int"
[nodes.two]
type = "TARGET_CATALOG"
parents = ["s"]
database = "${db}"
table = "${second}"
schemaVersion = "1"
updateType = "OVERWRITE"
fieldList = "a:int"
"""


def test_with_several_targets_the_column_of_the_one_that_clashes_is_named(tmp_path: Path) -> None:
    header = ["name", "db", "from", "first", "second"]
    rows = [["job_1", "d", "x", "y", "z"], ["job_2", "d", "v", "w", "z"], ["job_3", "d", "u", "x", "t"]]
    found = survey(write_csv(tmp_path / "a.csv", header, rows), by=layout(TWO_TARGETS))
    assert _told(found.problems) == [(3, "second", "z", "same-target"), (4, "first", "x", "overwrites-source")]


def test_two_targets_of_one_row_in_one_place_are_not_two_jobs(tmp_path: Path) -> None:
    header = ["name", "db", "from", "first", "second"]
    found = survey(write_csv(tmp_path / "a.csv", header, [["job_1", "d", "x", "y", "y"]]), by=layout(TWO_TARGETS))
    assert not found.problems


def test_tables_do_not_lie_in_each_other(tmp_path: Path) -> None:
    header = ["name", "db", "from", "first", "second"]
    rows = [["job_1", "d", "a", "a/b", "z"]]
    assert not survey(write_csv(tmp_path / "a.csv", header, rows), by=layout(TWO_TARGETS)).problems


def test_places_that_the_layout_fixes_are_judged_by_the_rows_and_told_once(tmp_path: Path) -> None:
    # The template's own graph is judged with samples: no finding may come of those.
    text = TWO_TARGETS.replace('"${from}"', '"x"').replace('"${first}"', '"x"').replace('"${db}"', '"d"')
    header = ["name", "second"]
    found = survey(write_csv(tmp_path / "a.csv", header, [["job_1", "s1"], ["job_2", "s2"]]), by=layout(text))
    assert _told(found.problems) == [
        (2, None, None, "overwrites-source"),
        (3, None, None, "same-target"),
        (3, None, None, "overwrites-source"),
    ]


def test_samples_of_the_graph_rules_never_overwrite_each_other(tmp_path: Path) -> None:
    text = TWO_TARGETS.replace('"${first}"', '"${from}-out"')
    rows = [[f"job_{i}", "d", f"t{i}", f"z{i}"] for i in range(3)]
    found = survey(write_csv(tmp_path / "a.csv", ["name", "db", "from", "second"], rows), by=layout(text))
    assert not found.problems


def _graph(prefix: str, target: str, update: str) -> str:
    source = {
        "type": "SOURCE_OBS", "id": 1, "name": "s", "parentNodeIds": [], "regionNo": "1", "bucketName": "shop-raw",
        "prefix": prefix, "dataType": "CSV", "fieldList": [{"name": "a", "type": "int"}],
    }  # fmt: skip
    end = source | {"type": "TARGET_OBS", "id": 2, "parentNodeIds": [1], "prefix": target, "updateType": update}
    return json.dumps([source, end])


def test_graphs_of_the_nodes_column_are_compared_with_all_others(tmp_path: Path) -> None:
    rows = [
        GOOD | {"nodes": "", "target_prefix": "o"},
        {"name": "raw_1", "nodes": _graph("x", "orders/deep", "OVERWRITE")},
        {"name": "raw_2", "nodes": _graph("y", "t", "APPEND")},
        {"name": "raw_3", "nodes": _graph("z", "t", "APPEND")},
        {"name": "raw_4", "nodes": _graph("w", "w/1", "OVERWRITE")},
    ]
    header = [*GOOD, "nodes"]
    found = survey(write_csv(tmp_path / "a.csv", header, [[row.get(n, "") for n in header] for row in rows]))
    assert [(p.line, p.column, p.code) for p in found.problems] == [
        (3, "nodes", "overwrites-source"),
        (5, "nodes", "same-target"),
        (6, "nodes", "overwrites-source"),  # its own source: told by the graph rules, and once
    ]
    assert found.problems[0].message == "the job overwrites what line 2 reads"


# Order, totals, groups


def _many(tmp_path: Path) -> list[InventoryFile]:
    one = _file(tmp_path / "a.csv", {"fields": ""}, {}, {"fields": ""}, {"name": "b_1", "fields": "id"})
    two = _file(tmp_path / "b.csv", {"prefix": "/"}, {}, {"fields": ""}, {"target_prefix": "b/1"})
    return [one, two]


def test_problems_come_by_file_and_line_whatever_kind_they_are(tmp_path: Path) -> None:
    files = _many(tmp_path)
    found = survey(*files)
    assert [(p.file, p.line, p.code) for p in found.problems] == [
        (files[0].path, 2, "empty"),
        (files[0].path, 4, "empty"),
        (files[0].path, 5, "fields-syntax"),
        (files[1].path, 2, "leading-slash"),
        (files[1].path, 3, "duplicate-name"),
        (files[1].path, 4, "empty"),
        (files[1].path, 5, "same-target"),
    ]
    assert (found.rows, found.errors, found.warnings) == (8, 6, 1)


@pytest.mark.parametrize("most", range(9))
def test_of_many_problems_the_first_are_kept_and_all_are_counted(tmp_path: Path, most: int) -> None:
    found = survey(*_many(tmp_path), most=most)
    assert len(found.problems) == min(most, 7)
    assert (found.errors, found.warnings) == (6, 1)


def test_problems_of_one_cause_are_a_group_with_its_size_and_first(tmp_path: Path) -> None:
    found = survey(*_many(tmp_path), most=1)
    group = found.groups["empty", "fields", "`fields` is empty"]
    assert (group.count, group.first.line) == (3, 2)


def test_no_more_groups_are_kept_than_a_person_could_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bulkjobs.graph.survey._GROUPS", 2)
    found = survey(_file(tmp_path / "a.csv", *({"fields": f"id:x{i}"} for i in range(5))))
    assert len(found.groups) == 3
    assert found.groups["unknown-field-type", "fields", ""].count == 3


def test_where_tells_the_file_and_the_line_of_a_row_also_past_files_without_rows(tmp_path: Path) -> None:
    empty = write_csv(tmp_path / "e.csv", HEADER, [])
    files = [empty, _file(tmp_path / "a.csv", {}, {"prefix": "x\ny"}, {}), empty, _file(tmp_path / "b.csv", {})]
    found = survey(*files)
    assert [found.where(seq) for seq in range(4)] == [(1, 2), (1, 3), (1, 5), (3, 2)]
    assert [problem.code for problem in found.problems].count("header-only") == 2


def test_each_chunk_comes_with_its_jobs_and_all_problems_of_its_rows(tmp_path: Path) -> None:
    file = write_csv(tmp_path / "a.csv", HEADER, [list(GOOD.values()), ["short"]])
    (surveyed,) = list(Survey([file], Expander(), 10))
    assert (surveyed.file, surveyed.first, len(surveyed.expansion.jobs)) == (0, 0, 2)
    assert len(list(surveyed.problems)) == 1


def test_what_rows_were_compared_by_is_gone_when_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some sixty bytes a row, which a run would hold until its last row is sent and reported."""
    made: list[weakref.ref[AcrossRows]] = []

    class Watched(AcrossRows):
        def __init__(self) -> None:
            super().__init__()
            made.append(weakref.ref(self))

    monkeypatch.setattr("bulkjobs.graph.survey.AcrossRows", Watched)
    found = survey(_file(tmp_path / "a.csv", {"name": "one"}, {"name": "one"}, {}))
    assert found.errors == 1
    assert [compared() for compared in made] == [None]

"""The picture of a graph: every node once, every edge drawn, nothing that a reader could mistake for an edge."""

from __future__ import annotations

from bulkjobs.cli.picture import picture
from bulkjobs.graph import nodes as n

_FIELDS = [n.Field(name="id", type="int")]


def _source(key: int) -> n.Node:
    return n.SourceObs(
        id=key, name="s", parent_node_ids=[], region_no="1", bucket_name=f"b{key}", prefix="p", data_type="CSV",
        field_list=_FIELDS,
    )  # fmt: skip


def _target(key: int, parent: int) -> n.Node:
    return n.TargetObs(
        id=key, name="t", parent_node_ids=[parent], region_no="1", bucket_name=f"b{key}", prefix="p",
        data_type="CSV", update_type="APPEND", field_list=_FIELDS,
    )  # fmt: skip


def _filter(key: int, parent: int, value: str = "1") -> n.Node:
    condition = n.FilterCondition(name="id", operator="EQ", value=value)
    return n.TransformFilter(
        id=key, name="f", parent_node_ids=[parent], filter_type="AND", filter_condition_list=[condition]
    )


def _join(key: int, left: int, right: int) -> n.Node:
    condition = n.JoinCondition(left_field="id", right_field="key", join_operator="EQ", condition_operator="HEAD")
    return n.TransformJoin(
        id=key, name="j", parent_node_ids=[left, right], join_type="INNER", left_node_id=left, right_node_id=right,
        join_condition_list=[condition],
    )  # fmt: skip


def _union(key: int, *parents: int) -> n.Node:
    return n.TransformUnion(id=key, name="u", parent_node_ids=list(parents), union_type="ALL")


def test_a_chain_is_a_list() -> None:
    assert picture([_source(1), _filter(2, 1), _target(3, 2)]) == [
        "● 1 SOURCE_OBS  b1/p  CSV: id",
        '● 2 TRANSFORM_FILTER  id EQ "1"',
        "● 3 TARGET_OBS  b3/p  CSV  APPEND",
    ]


def test_a_join_brings_its_sides_together_and_several_targets_part() -> None:
    nodes = [_source(1), _source(2), _filter(3, 2), _join(4, 1, 3), _target(5, 4), _target(6, 4), _target(7, 4)]
    assert picture(nodes) == [
        "●     1 SOURCE_OBS  b1/p  CSV: id",
        "│ ●   2 SOURCE_OBS  b2/p  CSV: id",
        '│ ●   3 TRANSFORM_FILTER  id EQ "1"',
        "├─╯",
        "●     4 TRANSFORM_JOIN  INNER  1.id EQ 3.key",
        "├─┬─╮",
        "● │ │ 5 TARGET_OBS  b5/p  CSV  APPEND",
        "  ● │ 6 TARGET_OBS  b6/p  CSV  APPEND",
        "    ● 7 TARGET_OBS  b7/p  CSV  APPEND",
    ]


def test_lines_that_cross_are_drawn_as_crossing() -> None:
    nodes = [
        _source(1),
        _source(2),
        _source(3),
        _join(4, 1, 2),
        _target(5, 2),
        _join(6, 4, 3),
        _target(7, 3),
        _target(8, 6),
    ]
    drawn = picture(nodes)
    assert any("┼" in line for line in drawn)
    assert sum("●" in line for line in drawn) == len(nodes)


def test_two_graphs_in_one_job_do_not_seem_to_hang_together() -> None:
    assert picture([_source(1), _target(2, 1), _source(3), _target(4, 3)])[2] == ""


def test_nodes_may_stand_in_any_order() -> None:
    assert picture([_target(3, 2), _filter(2, 1), _source(1)]) == picture([_source(1), _filter(2, 1), _target(3, 2)])


def test_a_terminal_without_unicode_gets_ascii() -> None:
    drawn = picture([_source(1), _source(2), _union(3, 1, 2), _target(4, 3), _target(5, 3)], ascii_only=True)
    assert all(line.isascii() for line in drawn)
    assert "+-'" in drawn


def test_a_hostile_value_stays_in_its_line() -> None:
    drawn = picture([_source(1), _filter(2, 1, "a\n● 9 SOURCE_OBS\x1b[2J"), _target(3, 2)])
    assert len(drawn) == 3
    assert "\x1b" not in drawn[1]


def test_a_chain_of_a_thousand_nodes_is_drawn() -> None:
    nodes = [_source(1), *(_filter(key, key - 1) for key in range(2, 1000)), _target(1000, 999)]
    assert len(picture(nodes)) == 1000

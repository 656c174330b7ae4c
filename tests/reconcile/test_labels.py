"""Where two definitions part, in words that a person finds again in the console."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import UNSET

from bulkjobs.engine.looks import difference_text
from bulkjobs.engine.three_way import Side, compare_three, shown, side_of

from .test_three_way import encoded, nodes


def conditions(*values: str, joined: str = "AND") -> list[dict[str, Any]]:
    made = nodes()
    made[1]["filterType"] = joined
    made[1]["filterConditionList"] = [{"name": "kind", "operator": "NE", "value": value} for value in values]
    return made


def labels(wanted: list[dict[str, Any]], remote: object) -> list[str]:
    return [change.label for change in compare_three(None, json.dumps(wanted).encode(), remote)]


def test_of_many_differences_a_look_names_five_and_counts_the_rest() -> None:
    diff = compare_three(None, json.dumps(conditions(*"abcdefg")).encode(), conditions(*"tuvwxyz"))
    text = difference_text(diff)
    assert text.startswith('filter.value: "t" → "a", filter[1].value: "u" → "b"')
    assert text.endswith('filter[4].value: "x" → "e", and 2 more')


def test_conditions_after_the_first_have_a_number() -> None:
    assert labels(conditions("a", "b"), conditions("x", "b")) == ["filter.value"]
    assert labels(conditions("a", "b"), conditions("a", "x")) == ["filter[1].value"]


def test_a_condition_that_only_one_side_has_is_named_whole() -> None:
    assert labels(conditions("a", "b"), conditions("a")) == ["filter[1]"]
    assert labels(conditions("a"), conditions()) == ["filter[0]"]


def test_what_stands_at_the_node_itself_has_its_name() -> None:
    assert labels(conditions("a", "b"), conditions("a", "b", joined="OR")) == ["filter.filterType"]


def test_a_node_that_is_not_there_is_named_by_its_type() -> None:
    (change,) = compare_three(None, encoded(), nodes(filters=0))
    assert (change.label, change.there, change.side) == ("filter", UNSET, Side.UNKNOWN)


def test_a_node_that_only_the_service_has_is_named_by_its_place() -> None:
    assert labels(nodes(filters=1), nodes(filters=2)) == ["node 2"]


@pytest.mark.parametrize("remote", [None, "nodes", {"nodes": []}])
def test_a_job_whose_nodes_are_no_list_differs_as_a_whole(remote: object) -> None:
    (change,) = compare_three(encoded(), encoded(), remote)
    assert (change.label, change.path, change.side) == ("nodes", "nodes", Side.CONSOLE)


def test_a_value_that_only_one_side_changed_is_that_sides_even_if_the_other_changed_another() -> None:
    changes = compare_three(encoded("A", "in"), encoded("B", "in"), nodes("A", "elsewhere"))
    assert {change.label: (change.there, change.wanted, change.side) for change in changes} == {
        "source.prefix": ("elsewhere", "in", Side.CONSOLE),
        "filter.value": ("A", "B", Side.HERE),
    }


def test_a_job_all_of_whose_values_one_side_changed_was_changed_by_it() -> None:
    assert side_of(compare_three(encoded("A", "in"), encoded("B", "on"), nodes("A", "in"))) is Side.HERE
    assert side_of(compare_three(encoded("A", "in"), encoded("A", "in"), nodes("B", "on"))) is Side.CONSOLE


def test_a_value_of_the_very_length_is_shown_whole_and_a_longer_one_ends_in_dots() -> None:
    assert shown("x" * 58) == f'"{"x" * 58}"'
    assert shown("x" * 59) == f'"{"x" * 58}…'
    assert shown("abcdef", 4) == '"ab…'

"""Which side changed, value by value, in words a person knows."""

from __future__ import annotations

import json
from typing import Any

from msgspec import UNSET

from bulkjobs.engine.three_way import Side, compare_three, shown, side_of


def nodes(value: str = "A", prefix: str = "in", *, filters: int = 1) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = [
        {
            "type": "SOURCE_OBS", "id": 1, "name": "s", "parentNodeIds": [], "regionNo": "1", "bucketName": "raw",
            "prefix": prefix, "dataType": "CSV", "fieldList": [{"name": "kind", "type": "string"}],
        }
    ]  # fmt: skip
    for number in range(filters):
        condition = {"name": "kind", "operator": "EQ", "value": value if not number else "B"}
        made.append(
            {
                "type": "TRANSFORM_FILTER", "id": 2 + number, "name": "f", "parentNodeIds": [1 + number],
                "filterType": "AND", "filterConditionList": [condition],
            }
        )  # fmt: skip
    return made


def encoded(*args: Any, **kwargs: Any) -> bytes:
    return json.dumps(nodes(*args, **kwargs)).encode()


def test_equal_is_no_difference() -> None:
    assert compare_three(encoded(), encoded(), nodes()) == []


def test_a_row_that_was_edited_is_changed_here() -> None:
    (change,) = compare_three(encoded("A"), encoded("B"), nodes("A"))
    assert (change.label, change.there, change.wanted, change.side) == ("filter.value", "A", "B", Side.HERE)


def test_a_job_that_was_edited_is_changed_in_the_console() -> None:
    (change,) = compare_three(encoded("A"), encoded("A"), nodes("C"))
    assert (change.there, change.wanted, change.side) == ("C", "A", Side.CONSOLE)


def test_both_may_have_changed_one_value_or_each_its_own() -> None:
    (change,) = compare_three(encoded("A"), encoded("B"), nodes("C"))
    assert change.side is Side.BOTH
    apart = compare_three(encoded("A", "in"), encoded("B", "in"), nodes("A", "elsewhere"))
    assert {change.label: change.side for change in apart} == {"source.prefix": Side.CONSOLE, "filter.value": Side.HERE}
    assert side_of(apart) is Side.BOTH


def test_without_a_base_nobody_can_tell() -> None:
    (change,) = compare_three(None, encoded("A"), nodes("C"))
    assert change.side is Side.UNKNOWN


def test_nodes_of_one_kind_are_numbered_and_a_node_more_is_one_difference() -> None:
    (change,) = compare_three(encoded(filters=2), encoded(filters=2), nodes("C", filters=2))
    assert change.label == "filter#1.value"
    more = compare_three(encoded(), encoded(), nodes(filters=2))
    assert [change.wanted for change in more] == [UNSET]


def test_values_are_shown_short() -> None:
    assert (shown(UNSET), shown("A"), shown(["a"])) == ("(nothing)", '"A"', '["a"]')
    assert len(shown("x" * 500)) == 60

"""The keys of the node structures, and untrusted JSON turned into them."""

from __future__ import annotations

import re

import msgspec
import pytest

from bulkjobs.graph.cell_error import CellError
from bulkjobs.graph.nodes import NODE_TYPES, AggregateField, Field, TargetObs, TransformAggregate
from bulkjobs.graph.wire import decode_json, item_of, keys_of, read_list


@pytest.mark.parametrize("cls", NODE_TYPES.values())
def test_keys_come_in_the_order_in_which_they_are_encoded(cls: type[msgspec.Struct]) -> None:
    filled = {key.name: None for key in keys_of(cls).values()}
    assert list(filled)[:3] == ["id", "name", "parentNodeIds"]
    fields = msgspec.structs.fields(cls)
    node = cls(**{field.name: None for field in fields})
    assert list(msgspec.json.decode(msgspec.json.encode(node)))[1:] == list(filled)


def test_optional_keys_are_known_as_such() -> None:
    assert [key.name for key in keys_of(TargetObs).values() if not key.required] == ["updateType", "coalesce"]


def test_the_items_of_lists_are_known_through_the_possibility_to_leave_them_out() -> None:
    assert item_of(keys_of(Field)["properties"].type) is Field
    assert item_of(keys_of(TransformAggregate)["aggregateFieldList"].type) is AggregateField
    assert item_of(keys_of(TransformAggregate)["groupByList"].type) is None
    assert item_of(str) is None


def test_a_list_becomes_structures() -> None:
    assert read_list([{"name": "a", "type": "int"}], Field, "fieldList") == [Field(name="a", type="int")]


@pytest.mark.parametrize(
    ("value", "code", "message"),
    [
        ("a", "bad-json", "x must be a list"),
        ([1], "bad-json", "x, item 1 must be an object"),
        ([{"name": "a"}], "bad-json", "missing required field `type`"),
        ([{"name": "a", "type": 1}], "bad-json", "Expected `str`, got `int`"),
        ([{"name": "a", "typ": "int"}], "unknown-key", "x, item 1: unknown key 'typ'"),
        (
            [{"name": "a", "type": "struct", "properties": [{"nam": "b"}]}],
            "unknown-key",
            "x, item 1.properties, item 1: unknown key 'nam'",
        ),
        ([{"name": "a", "type": "struct", "properties": 5}], "bad-json", "Expected `array`, got `int`"),
    ],
)
def test_what_is_no_such_list_is_told_with_its_place(value: object, code: str, message: str) -> None:
    with pytest.raises(CellError, match=re.escape(message)) as caught:
        read_list(value, Field, "x")
    assert caught.value.code == code


def test_an_unknown_key_comes_with_the_one_that_was_meant() -> None:
    with pytest.raises(CellError) as caught:
        read_list([{"name": "a", "typ": "int"}], Field, "x")
    assert caught.value.hint == "did you mean 'type'?"


def test_nesting_has_an_end() -> None:
    value: dict[str, object] = {"name": "a", "type": "struct"}
    for _ in range(40):
        value = {"name": "a", "type": "struct", "properties": [value]}
    with pytest.raises(CellError) as caught:
        read_list([value], Field, "x")
    assert caught.value.code == "nested-too-deeply"


@pytest.mark.parametrize("text", ["", "{", "[1,]", "nul", "1" * 400 + "e400", "[" * 100_000, "\ud800"])
def test_what_is_no_json_is_told_and_never_anything_but_a_cell_error(text: str) -> None:
    with pytest.raises(CellError, match="nodes is not valid JSON"):
        decode_json(text, "nodes")

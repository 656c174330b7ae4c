"""A layout compiled: one format string, whose holes are the slots and the ids."""

from __future__ import annotations

import msgspec

from bulkjobs.graph.layout import builtin_text, load_layout
from bulkjobs.graph.slots import Slot
from bulkjobs.graph.template import OWNER, Template, compile_template
from bulkjobs.graph.values import Kind

from .made import layout

PERCENT = """
[nodes.s]
type = "SOURCE_CATALOG"
name = "100% %b"
database = "50%"
table = "${table}"
schemaVersion = "1"
fieldList = "a%:int"
[nodes.t]
type = "TARGET_CATALOG"
parents = ["s"]
database = "50%"
table = "t"
schemaVersion = "1"
updateType = "overwrite"
fieldList = "a%:int"
"""


def _filled(template: Template) -> list[dict[str, object]]:
    values = tuple(
        argument.sample or b"" if isinstance(argument, Slot) else b"1000000000" for argument in template.arguments
    )
    nodes: list[dict[str, object]] = msgspec.json.decode(template.text % values)
    return nodes


def test_percent_signs_of_a_layout_stay_percent_signs() -> None:
    source, target = _filled(compile_template(layout(PERCENT)))
    assert (source["name"], source["database"]) == ("100% %b", "50%")
    assert source["fieldList"] == target["fieldList"] == [{"name": "a%", "type": "int"}]


def test_what_does_not_depend_on_a_row_is_settled_when_it_is_compiled() -> None:
    template = compile_template(layout(PERCENT))
    assert [(slot.node, slot.key) for slot in template.slots] == [("s", "table")]
    assert template.graph == ()
    assert template.arguments.count(OWNER) == 3  # two ids, and one as a parent's
    assert b'"updateType":"OVERWRITE"' in template.text


def test_keys_come_in_the_order_of_the_wire_whatever_order_the_layout_has() -> None:
    _, target = _filled(compile_template(layout(PERCENT)))
    assert list(target) == [
        "type", "id", "name", "parentNodeIds", "database", "table", "schemaVersion", "updateType", "fieldList",
    ]  # fmt: skip


def test_a_node_without_a_name_is_called_by_its_key() -> None:
    assert _filled(compile_template(layout(PERCENT)))[1]["name"] == "t"


def test_the_slots_that_decide_the_graph_are_those_with_fields_names_lists_and_filters() -> None:
    template = compile_template(load_layout())
    assert [(slot.node, slot.kind) for slot in template.graph] == [
        ("source", Kind.FIELDS),
        ("filter", Kind.FILTER),
        ("target", Kind.FIELDS),
    ]
    assert len({slot.place for slot in template.slots}) == len(template.slots)


def test_dropped_nodes_are_neither_in_the_text_nor_among_labels_and_places() -> None:
    template = compile_template(load_layout(), frozenset({"filter"}))
    assert template.labels == ("source", "target")
    assert b"TRANSFORM_FILTER" not in template.text
    assert [place.node.key for place in template.places] == ["source", "target"]


def test_ids_do_not_depend_on_which_nodes_are_dropped() -> None:
    whole, without = compile_template(load_layout()), compile_template(load_layout(), frozenset({"filter"}))
    assert whole.text.count(b"%b115") == without.text.count(b"%b115") == 2
    assert whole.text.count(b"%b900") == without.text.count(b"%b900") == 1


def test_places_are_the_addresses_of_sources_and_targets_with_their_update_type() -> None:
    source, target = compile_template(layout(PERCENT)).places
    assert source.parts[:2] == (b'"database"', b'"50%"')
    assert isinstance(source.parts[2], Slot)
    assert source.update is None
    assert target.parts == (b'"database"', b'"50%"', b'"t"')
    assert target.update == b',"updateType":"OVERWRITE"'


def test_a_variable_in_an_address_is_settled_too() -> None:
    text = builtin_text().replace('"${bucket}"', '"${stage}-raw"')
    source = compile_template(layout(text, stage="dev")).places[0]
    assert source.parts[1] == b'"dev-raw"'

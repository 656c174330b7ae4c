"""One value of a node from whole columns: quick where it can be, and never different for that."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkjobs.graph import slots
from bulkjobs.graph.buckets import check_prefix
from bulkjobs.graph.cell_error import CellError
from bulkjobs.graph.names import are_names, check_name
from bulkjobs.graph.nodes import SourceObs, TargetObs
from bulkjobs.graph.references import parse_text
from bulkjobs.graph.slots import Bad, Slot, are_plain
from bulkjobs.graph.values import kind_of, maker, takes_plain, words_of
from bulkjobs.graph.wire import json_of, keys_of

MANY = [f"folder/{i}" for i in range(200)]

odd = st.sampled_from(
    ["", " ", " a", "a ", "/", "/a", "a/", "a\n", "\na", "a\n/b", '"', "\\", "\t", "\x7f", "\x85", "\u2028", "\xa0",
     "\u3000a", "\ud800", "한국", "🚀", "e\u0301", "'", "%", "\u200b"]
)  # fmt: skip
cells = st.lists(st.one_of(odd, st.text(max_size=6)), max_size=8)


def _slot(value: str, key: str = "prefix", cls: type = SourceObs, **more: object) -> Slot:
    known = keys_of(cls)[key]
    kind = kind_of(cls, known)
    columns, make = maker(cls, known, kind, value, lambda text: parse_text(str(text), {}))
    plain = parse_text(value, {}).whole is not None and takes_plain(cls, known, kind)
    return Slot("source", key, kind, columns, make, words=words_of(known), takes_plain=plain, **more)  # type: ignore[arg-type]  # any of its options


def test_a_column_of_plain_texts_takes_the_quick_way_and_comes_out_as_json() -> None:
    assert are_plain(MANY)
    assert _slot("${p}").fragments({"p": MANY}) == [json_of(cell) for cell in MANY]


@given(st.integers(0, len(MANY)), cells)
def test_the_quick_way_is_taken_only_where_the_slow_one_gives_the_same(at: int, strange: list[str]) -> None:
    column = [*MANY[:at], *strange, *MANY[at:]]
    if not are_plain(column):
        return
    for cell in column:
        check_prefix(cell)
        assert b'"%b"' % cell.encode() == json_of(cell)


@pytest.mark.parametrize("place", [0, 1, 199, 200])
@pytest.mark.parametrize(
    "cell", ["", " a", "/a", "a\nb", "\n", "a\n", '"', "\\", "\t", "\x7f", "\u2028", "\xa0", "\ud800", "\u200b"]
)
def test_one_cell_that_needs_a_closer_look_is_enough_for_the_slow_way(cell: str, place: int) -> None:
    assert not are_plain([*MANY[:place], cell, *MANY[place:]])


def test_few_distinct_texts_are_remembered_instead() -> None:
    assert not are_plain(["a", "b"] * 100)
    assert not are_plain([])


@given(st.lists(st.text("ab_-1 /é", max_size=5), max_size=6))
def test_many_names_are_good_when_each_is(names: list[str]) -> None:
    def is_good(name: str) -> bool:
        try:
            check_name(name)
        except CellError:
            return False
        return True

    assert are_names(names) == (bool(names) and all(map(is_good, names)))


def test_the_slow_way_tells_what_is_wrong_in_the_cells_place() -> None:
    slot = _slot("${p}")
    good, bad, empty = slot.fragments({"p": ["a", "/a", ""]})
    assert good == b'"a"'
    assert isinstance(bad, Bad)
    assert (bad.column, bad.code) == ("p", "leading-slash")
    assert empty == Bad("p", "empty", "`p` is empty", "fill it in: source needs it as prefix")
    assert slot.has_bad


def test_while_all_cells_are_good_nobody_need_look_for_bad_ones() -> None:
    slot = _slot("${p}")
    slot.fragments({"p": ["a", "b"]})
    assert not slot.has_bad


def test_of_several_columns_the_one_that_is_quoted_is_blamed_else_the_first_that_is_filled() -> None:
    data_type = _slot("${a}${b}", "dataType", may_be_empty=frozenset("ab"))
    (bad,) = data_type.fragments({"a": [""], "b": ["XML"]})
    assert isinstance(bad, Bad)
    assert bad.column == "b"
    (bad,) = _slot("${a}${b}", may_be_empty=frozenset("ab")).fragments({"a": ["/x"], "b": ["y"]})
    assert isinstance(bad, Bad)
    assert bad.column == "a"
    (bad,) = _slot("${a}${b}", may_be_empty=frozenset("ab")).fragments({"a": [""], "b": [""]})
    assert isinstance(bad, Bad)
    assert (bad.column, bad.code) == ("a", "empty")


def test_an_optional_value_stands_behind_its_key_or_not_at_all() -> None:
    slot = _slot("${u}", "updateType", TargetObs, prefix=b',"updateType":', is_optional=True)
    assert slot.fragments({"u": ["append", ""]}) == [b',"updateType":"APPEND"', b""]
    assert slot.sample == b""


def test_samples_of_slots_differ_and_are_what_their_key_takes() -> None:
    one, other = _slot("${a}", place=1), _slot("${b}", place=2)
    assert one.sample != other.sample
    assert _slot("${a}", "dataType").sample == b'"JSON"'
    assert _slot("${a}", "fieldList").sample == b"1"  # decides the graph, so no sample of it is ever asked for


def test_what_is_remembered_has_an_end_and_forgetting_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "_REMEMBERED", 3)
    slot = _slot("${p}")
    texts = ["a", "b", "/c", "d", "a", "e", "/c"]
    made = slot.fragments({"p": texts})
    assert [isinstance(fragment, Bad) for fragment in made] == [cell == "/c" for cell in texts]
    assert slot.has_bad

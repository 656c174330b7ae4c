"""`${column}`, `${variable}` and `$$` in a layout's texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkjobs.graph.references import BadReference, Ref, names_in, parse_text


def test_a_text_without_a_dollar_sign_is_itself() -> None:
    text = parse_text("a {b} 100%", {})
    assert (text.literal, text.whole, text.names) == ("a {b} 100%", None, ())


def test_two_dollar_signs_are_one() -> None:
    assert parse_text("$$5 and $${bucket}", {}).literal == "$5 and ${bucket}"


def test_columns_are_known_by_their_canonical_names_each_once() -> None:
    text = parse_text("${ Bucket }/${prefix}/${BUCKET}", {})
    assert text.names == ("bucket", "prefix")
    assert text.fill({"bucket": "b", "prefix": "p"}) == "b/p/b"


def test_a_reference_alone_is_the_whole_cell_and_any_text_beside_it_is_not() -> None:
    assert parse_text("${a}", {}).whole == "a"
    assert parse_text(" ${a}", {}).whole is None
    assert parse_text("${a}${b}", {}).whole is None


def test_a_variable_is_put_in_as_it_is() -> None:
    text = parse_text("${Env}-${bucket}", {"env": "$dev ${bucket}"})
    assert text.parts == ("$dev ${bucket}-", Ref("bucket"))


def test_the_empty_text_is_a_literal() -> None:
    assert parse_text("", {}).literal == ""
    assert parse_text("${x}", {"x": ""}).literal == ""


@pytest.mark.parametrize(
    ("text", "character"),
    [("$", 1), ("ab$c", 3), ("${}", 1), ("${ }", 1), ("${a", 1), ("${a{b}}", 1), ("$$$", 3), ("${${a}}", 1)],
)
def test_a_dollar_sign_that_begins_no_reference_is_told_with_its_place(text: str, character: int) -> None:
    with pytest.raises(BadReference, match=rf"character {character}: write \$\{{column\}}, or \$\$"):
        parse_text(text, {})


def test_names_are_found_in_any_text_even_in_a_wrong_one() -> None:
    assert list(names_in("$ ${A b} $${no} ${c}")) == ["a b", "c"]


@given(st.text())
def test_any_text_comes_back_when_its_dollar_signs_are_doubled(text: str) -> None:
    assert parse_text(text.replace("$", "$$"), {}).literal == text


@given(st.text())
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        parse_text(text, {})
    except BadReference:
        assert "$" in text

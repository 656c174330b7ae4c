"""Untrusted text made inert."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bulkjobs.plain import plain, plain_texts


def test_what_would_drive_a_terminal_is_escaped() -> None:
    assert plain("a\x1b[2J\u202eb\n") == "a\\x1b[2J\\u202eb\\n"


def test_what_is_long_is_cut() -> None:
    assert plain("x" * 501) == "x" * 499 + "…"
    assert plain("x" * 500) == "x" * 500


@given(st.lists(st.one_of(st.none(), st.text(max_size=8), st.sampled_from(["\x1b", "name", "한국어", "abcdef"]))))
def test_many_texts_are_made_inert_as_each_would_be(texts: list[str | None]) -> None:
    assert plain_texts(texts, 5) == [None if text is None else plain(text, 5) for text in texts]

"""Did you mean …?"""

import pytest

from bulkjobs.graph.suggest import nearest


@pytest.mark.parametrize(
    ("word", "expected"),
    [("bukcet", "Bucket"), ("BUCKET", "Bucket"), ("prefx", "prefix"), ("zzz", None), ("", None), ("b" * 10_000, None)],
)
def test_the_nearest_known_word_is_given_as_it_is_written(word: str, expected: str | None) -> None:
    assert nearest(word, ["prefix", "Bucket", "filter"]) == expected


def test_any_iterable_will_do_and_none_resembles_nothing() -> None:
    assert nearest("strng", (word for word in ("int", "string"))) == "string"
    assert nearest("strng", []) is None


def test_of_two_that_differ_in_letter_case_the_first_is_given() -> None:
    assert nearest("nme", ["Name", "name"]) == "Name"

"""Bucket names and prefixes: what is refused, and what passes untouched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkjobs.graph.buckets import check_bucket, check_prefix
from bulkjobs.graph.cell_error import CellError


@pytest.mark.parametrize(
    "text", ["abc", "a-b", "a.b", "a..b", "123", "1.2.3", "1.2.3.4.5", "1.2.3.4a", "a" * 63, "0-0"]
)
def test_a_bucket_name_within_the_rule_passes(text: str) -> None:
    check_bucket(text)


@pytest.mark.parametrize(
    ("text", "code", "message", "hint"),
    [
        ("", "empty", "the bucket is empty", "name of a bucket"),
        ("  ", "empty", "the bucket is empty", "name of a bucket"),
        ("ab", "bad-bucket", "a bucket name has at least 3 characters, this one has 2", "3 to 63"),
        ("a" * 64, "bad-bucket", "a bucket name has at most 63 characters, this one has 64", "3 to 63"),
        ("My-Bucket", "bad-bucket", "a bucket name cannot have 'M', at character 1", "did you mean my-bucket?"),
        ("abc ", "bad-bucket", "a bucket name cannot have a blank, at character 4", "did you mean abc?"),
        ("abc\n", "bad-bucket", "a bucket name cannot have U+000A, at character 4", "did you mean abc?"),
        ("s3://raw/2024", "bad-bucket", "a bucket name cannot have ':', at character 3", "did you mean raw?"),
        ("raw/2024", "bad-bucket", "a bucket name cannot have '/', at character 4", "did you mean raw?"),
        ("a_b", "bad-bucket", "a bucket name cannot have '_', at character 2", "3 to 63"),
        ("버킷-1", "bad-bucket", "a bucket name cannot have '버' (U+BC84), at character 1", "3 to 63"),
        (
            "-abc",
            "bad-bucket",
            "a bucket name begins and ends with a letter or digit, not with '-', at character 1",
            "",
        ),
        (
            "abc.",
            "bad-bucket",
            "a bucket name begins and ends with a letter or digit, not with '.', at character 4",
            "",
        ),
        ("192.168.5.4", "bad-bucket", "a bucket name cannot look like an IP address", "3 to 63"),
    ],
)
def test_a_wrong_bucket_says_what_is_wrong_and_where(text: str, code: str, message: str, hint: str) -> None:
    with pytest.raises(CellError) as caught:
        check_bucket(text)
    assert (caught.value.code, caught.value.message) == (code, message)
    assert hint in str(caught.value.hint)


@pytest.mark.parametrize(
    "text", ["a", "a/b/", "a//b", " a ", "데이터/😀", "dt=2024-01-01/", "a\u00a0b", "./..", "\u202ea"]
)
def test_a_prefix_passes_untouched(text: str) -> None:
    check_prefix(text)


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("", "empty", "the prefix is empty"),
        (" ", "empty", "the prefix is empty"),
        ("/", "leading-slash", "the prefix begins with a slash"),
        ("/a", "leading-slash", "the prefix begins with a slash"),
        ("a\nb", "control-character", "the prefix has the control character U+000A at character 2"),
        ("a\x7f", "control-character", "the prefix has the control character U+007F at character 2"),
        ("\u200b\x85b", "control-character", "the prefix has the control character U+0085 at character 2"),
        ("a\ud800", "control-character", "the prefix has the control character U+D800 at character 2"),
    ],
)
def test_a_wrong_prefix_says_what_is_wrong_and_where(text: str, code: str, message: str) -> None:
    with pytest.raises(CellError) as caught:
        check_prefix(text)
    assert (caught.value.code, caught.value.message) == (code, message)
    assert caught.value.hint


@given(text=st.text())
def test_whatever_prefix_passes_can_travel(text: str) -> None:
    try:
        check_prefix(text)
    except CellError:
        return
    assert text.encode()

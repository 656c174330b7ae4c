"""Job names: the service's rule, and the name of a row that gives none, which must never change."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkjobs.graph.cell_error import CellError
from bulkjobs.graph.names import check_name, default_name


def refusal(text: str) -> CellError:
    with pytest.raises(CellError) as caught:
        check_name(text)
    return caught.value


@pytest.mark.parametrize("text", ["abc", "_12", "A-_", "a" * 100, "daily_orders-2024"])
def test_a_name_within_the_rule_passes(text: str) -> None:
    check_name(text)


@pytest.mark.parametrize(
    ("text", "code", "message", "hint"),
    [
        ("", "empty", "the name is empty", "leave the column out"),
        (" ", "empty", "the name is empty", "leave the column out"),
        ("ab", "bad-name", "the job name has 2 characters, 1 too few", "3 to 100"),
        ("a" * 105, "bad-name", "the job name has 105 characters, 5 too many", "3 to 100"),
        ("1ab", "bad-name", "a job name starts with a letter or '_', not with '1'", "for example _1ab"),
        ("-ab", "bad-name", "a job name starts with a letter or '_', not with '-'", "for example _-ab"),
        ("my job", "bad-name", "a job name cannot have a blank, at character 3", "for example my_job"),
        ("job.1\n", "bad-name", "a job name cannot have '.', at character 4", "for example job_1"),
        ("abc\n", "bad-name", "a job name cannot have U+000A, at character 4", "for example abc"),
        ("일일_집계", "bad-name", "a job name cannot have '일' (U+C77C), at character 1", "3 to 100"),
        ("jоb", "bad-name", "a job name cannot have 'о' (U+043E), at character 2", "3 to 100"),
    ],
)
def test_a_wrong_name_says_what_is_wrong_and_where(text: str, code: str, message: str, hint: str) -> None:
    error = refusal(text)
    assert (error.code, error.message) == (code, message)
    assert hint in str(error.hint)


GOLDEN = [
    ("my-bucket", "logs/2024/01/", "my-bucket-logs-2024-01_9b3997d9"),
    ("my-bucket", "logs/2024/01", "my-bucket-logs-2024-01_ea42cbee"),
    ("my.bucket", "Logs/A", "my-bucket-Logs-A_f52d47c6"),
    ("a", "b/c", "a-b-c_cdddb5e2"),
    ("a/b", "c", "a-b-c_4fd0d025"),
    ("2024-raw", "part", "_2024-raw-part_feb4f016"),
    ("raw-data", "데이터/2024/일별", "raw-data-2024_eacb6ee2"),
    ("raw-data", "데이터", "raw-data_0a5e2b98"),
    ("raw-data", "자료", "raw-data_68ff8312"),
    ("raw-data", "dt=2024-01-01/hour=07/", "raw-data-dt-2024-01-01-hour-07_6feba800"),
    ("raw-data", "__a__", "raw-data-__a___df5fbca4"),
    ("", "", "_0ad83173"),
    ("한", "글", "_be6462cf"),
    ("raw-data", "x" * 200, "raw-data-" + "x" * 82 + "_4878cb6e"),
    ("raw-data", "x" * 81 + "/y", "raw-data-" + "x" * 81 + "_e30c0985"),
    ("raw-data", "\U0001f600 a  b\n", "raw-data-a-b_2ca606c1"),
    ("raw-data", "\ud800", "raw-data_b2997fc5"),
]


@pytest.mark.parametrize(("bucket", "prefix", "name"), GOLDEN)
def test_default_names_never_change(bucket: str, prefix: str, name: str) -> None:
    assert default_name(bucket, prefix) == name


def test_the_border_between_bucket_and_prefix_counts() -> None:
    assert default_name("a", "b/c") != default_name("a/b", "c")
    assert default_name("a", "b/c") != default_name("a", "b-c")


@given(bucket=st.text(), prefix=st.text())
def test_any_bucket_and_prefix_give_a_name_the_service_takes(bucket: str, prefix: str) -> None:
    check_name(default_name(bucket, prefix))


_SLUGGISH = st.text(st.sampled_from("aZ09_-/. 데\n"), max_size=120)


@given(bucket=_SLUGGISH, prefix=_SLUGGISH)
def test_the_slug_follows_the_documented_steps(bucket: str, prefix: str) -> None:
    slug = re.sub("-+", "-", re.sub("[^A-Za-z0-9_-]", "-", f"{bucket}-{prefix}")).strip("-")
    if slug[:1].isdigit():
        slug = "_" + slug
    name = default_name(bucket, prefix)
    assert name[:-9] == slug[:91].rstrip("-")
    assert re.fullmatch("_[0-9a-f]{8}", name[-9:])

"""A page says whether it is the last one, however the service counts."""

import json

import pytest

from bulkjobs.dataflow.listing import ListedJob, parse_page


def page(items: int, **keys: object) -> bytes:
    jobs = [{"jobId": f"j{i}", "name": f"n{i}", "status": "RUNNABLE"} for i in range(items)]
    return json.dumps({"list": jobs, **keys}).encode()


@pytest.mark.parametrize(
    ("items", "keys", "seen", "is_last"),
    [
        (10, {"count": 10, "limit": 10}, 0, False),  # full: count may be this page's size
        (9, {"count": 9, "limit": 10}, 0, True),
        (9, {"count": 29, "limit": 10}, 20, True),
        (9, {"count": 30, "limit": 10}, 20, False),  # short, but the total promises one more
        (5, {"count": 5, "limit": 5}, 0, False),  # the service capped the limit: full
        (0, {"count": 99, "limit": 10}, 0, True),
        (9, {}, 0, True),
        (9, {"count": "x", "limit": None}, 0, True),
    ],
)
def test_the_last_page_is_told_by_its_length_its_limit_and_the_count(
    items: int, keys: dict[str, object], seen: int, is_last: bool
) -> None:
    parsed = parse_page(page(items, **keys), 10, seen)
    assert parsed is not None
    assert (parsed.is_last, parsed.size) == (is_last, items)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"list":{}}', b'{"list":[1]}', b"<html>"])
def test_what_is_not_a_page_is_none(body: bytes) -> None:
    assert parse_page(body, 10, 0) is None


def test_items_are_read_tolerantly_and_one_without_a_name_is_left_out() -> None:
    body = json.dumps({"list": [{"jobId": 7, "name": "a"}, {"jobId": "x"}, {"name": "b", "status": 3}]}).encode()
    parsed = parse_page(body, 10, 0)
    assert parsed is not None
    assert parsed.jobs == (ListedJob("", "a", None, None), ListedJob("", "b", None, None))
    assert parsed.size == 3


def test_deleted_jobs_are_not_live() -> None:
    assert not ListedJob("j", "n", "DELETED", None).is_live
    assert ListedJob("j", "n", "ANYTHING", None).is_live

"""Node ids: the rule never changes, so its numbers are pinned."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkjobs.graph.ids import is_ours, key_parts, node_id, owner_part, owner_texts

names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{2,99}", fullmatch=True)
keys = st.lists(st.text(max_size=8), unique=True, max_size=60)


@pytest.mark.parametrize(
    ("name", "owner"),
    [("job001", 1940802514), ("orders_kr", 1152849669), ("shop-raw-events-2026-11_66fedbb0", 1865786040)],
)
def test_the_ten_digits_of_a_name_never_change(name: str, owner: int) -> None:
    assert owner_part(name) == owner


def test_the_three_digits_of_a_key_never_change() -> None:
    assert key_parts(["source", "filter", "target"]) == {"source": 115, "filter": 837, "target": 900}


def test_keys_that_collide_move_on_in_alphabetical_order_whatever_order_they_come_in() -> None:
    by_start: dict[int, list[str]] = {}
    for number in itertools.count():
        key = f"k{number}"
        group = by_start.setdefault(key_parts([key])[key], [])
        group.append(key)
        if len(group) == 3:
            break
    start, (one, two, three) = key_parts([group[0]])[group[0]], sorted(group)
    assert key_parts(reversed(group)) == {
        one: start,
        two: (start + 1) % 1000,
        three: (start + 2) % 1000,
    }


def test_a_thousand_keys_have_a_number_each_and_one_more_has_none() -> None:
    thousand = [f"n{i}" for i in range(1000)]
    assert sorted(key_parts(thousand).values()) == list(range(1000))
    with pytest.raises(ValueError, match="at most 1,000 nodes"):
        key_parts([*thousand, "one more"])


@given(names, keys)
def test_ids_have_thirteen_digits_are_unique_and_ours(name: str, node_keys: list[str]) -> None:
    ids = [node_id(owner_part(name), part) for part in key_parts(node_keys).values()]
    assert len(set(ids)) == len(node_keys)
    assert all(10**12 <= number < 10**13 for number in ids)
    assert all(is_ours(name, [number]) for number in ids)


def test_one_id_of_ours_among_strangers_is_enough_and_none_is_not() -> None:
    mine = node_id(owner_part("job001"), 115)
    assert is_ours("job001", [1697776914576, mine])
    assert not is_ours("job002", [1697776914576, mine])
    assert not is_ours("job001", [])


@given(st.lists(st.one_of(st.none(), st.text(max_size=5))))
def test_many_names_at_once_give_the_same_as_one_by_one(many: list[str | None]) -> None:
    assert owner_texts(many) == [b"%d" % owner_part(name or "") for name in many]

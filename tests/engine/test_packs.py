"""Definitions as the journal keeps them: whatever is packed comes back, and damage is seen."""

from __future__ import annotations

import contextlib
import sqlite3
import zlib
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkjobs.engine.journal.packs import PER_PACK, UNREADABLE, in_packs, pack, register


@contextlib.contextmanager
def _packs() -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        register(connection)
        connection.execute("CREATE TABLE packs (id INTEGER PRIMARY KEY, nodes BLOB NOT NULL)")
        yield connection


def _kept(batch: list[bytes | None]) -> tuple[list[bytes | None], list[tuple[object, ...]], int]:
    """What comes back, the parameters that are written for it, and how many packs were made."""
    with _packs() as connection:
        written = in_packs(connection, [("a", number, nodes) for number, nodes in enumerate(batch)])
        sql = "SELECT definition((SELECT nodes FROM packs WHERE id = ?), ?)"
        back = [connection.execute(sql, (key, place)).fetchone()[0] for *_, key, place in written]
        (packs,) = connection.execute("SELECT count(*) FROM packs").fetchone()
    return back, written, packs


@settings(max_examples=50, deadline=None)
@given(st.lists(st.one_of(st.none(), st.binary(min_size=1, max_size=6)), max_size=3 * PER_PACK))
def test_every_definition_comes_back_in_its_place_and_none_as_none(batch: list[bytes | None]) -> None:
    back, written, _ = _kept(batch)
    assert back == batch
    assert [values[:2] for values in written] == [("a", number) for number in range(len(batch))]
    assert [values[2:] for values, nodes in zip(written, batch, strict=True) if nodes is None] == [
        (None, None) for nodes in batch if nodes is None
    ]


@pytest.mark.parametrize(("count", "packs"), [(0, 0), (1, 1), (PER_PACK, 1), (PER_PACK + 1, 2), (3 * PER_PACK, 3)])
def test_so_many_go_to_a_pack_and_all_come_back(count: int, packs: int) -> None:
    batch: list[bytes | None] = [b"%d" % number for number in range(count)]
    back, _, made = _kept(batch)
    assert (back, made) == (batch, packs)


def test_the_packs_of_a_batch_are_of_one_size() -> None:
    written = _kept([b"a"] * (PER_PACK + 2))[1]
    in_each = Counter(key for *_, key, _ in written)
    assert sorted(in_each.values()) == [PER_PACK // 2 + 1] * 2


def test_without_a_definition_there_is_no_pack() -> None:
    assert _kept([None] * 3)[2] == 0
    assert _kept([b"a"] * PER_PACK + [None] * PER_PACK)[2] == 1


def test_what_definitions_have_in_common_is_kept_once() -> None:
    definitions = [b'{"type":"SOURCE_OBS","bucketName":"raw-data","prefix":"in/%04d"}' % number for number in range(32)]
    assert len(pack(definitions)) < sum(map(len, definitions)) / 5


@pytest.mark.parametrize(
    ("packed", "place"),
    [
        (b"no pack", 0),
        (pack([b"a"])[:-5], 0),
        (pack([b"a"]), 1),
        (pack([b"a"]), "x"),
        (zlib.compress(b"\xc1"), 0),
        (zlib.compress(b"\x91\xa1a"), 0),  # a text, not bytes
    ],
)
def test_a_damaged_pack_is_told_from_no_definition(packed: bytes, place: object) -> None:
    assert UNREADABLE is not None
    with _packs() as connection:
        assert connection.execute("SELECT definition(?, ?)", (packed, place)).fetchone()[0] == UNREADABLE
        assert connection.execute("SELECT definition(NULL, 0), definition(?, NULL)", (packed,)).fetchone() == (
            None,
            None,
        )

"""Names and places across all rows, by their hashes: the same answer as comparing every row with every other."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from bulkjobs.graph.across_rows import AcrossRows
from bulkjobs.graph.expand import Expander

from .made import GOOD, table

names = st.sampled_from(["job", "Job", "JOB", "other", "Other", "third", "x", "ſob", "a\nb"])
paths = st.sampled_from(["a", "a/", "a/b", "a/b/", "a/bc", "a/b/c", "a//b", "b", 'b"', 'b"/c', "b\\", "한/국", "한"])
buckets = st.sampled_from(["shop-raw", "shop-out"])
rows = st.fixed_dictionaries(
    {
        "name": names,
        "bucket": buckets,
        "prefix": paths,
        "target_bucket": buckets,
        "target_prefix": paths,
        "update_type": st.sampled_from(["OVERWRITE", "APPEND", ""]),
        "fields": st.sampled_from(["id:int, name:string", ""]),
    }
)


def _clashes(chunks: list[list[dict[str, str]]]) -> set[tuple[int, int, str]]:
    across, expander, first = AcrossRows(), Expander(), 0
    for part in chunks:
        across.add(first, expander.expand(table(*(GOOD | {"filter": ""} | row for row in part))))
        first += len(part)
    found = list(across.find())
    assert len({(clash.seq, clash.code) for clash in found}) == len(found), "a row was told twice of one thing"
    return {(clash.seq, clash.other, clash.code) for clash in found}


def _reference(all_rows: list[dict[str, str]]) -> set[tuple[int, int, str]]:
    """Every row against every other, in plain text."""
    found: set[tuple[int, int, str]] = set()
    good = [row["fields"] and row["name"] not in ("x", "ſob", "a\nb") for row in all_rows]
    reads = [(row["bucket"], row["prefix"].rstrip("/")) for row in all_rows]
    writes = [(row["target_bucket"], row["target_prefix"].rstrip("/")) for row in all_rows]
    for seq, row in enumerate(all_rows):
        same = [i for i in range(seq) if all_rows[i]["name"] == row["name"]]
        alike = [i for i in range(seq) if all_rows[i]["name"].lower() == row["name"].lower()]
        if same:
            found.add((seq, same[0], "duplicate-name"))
        if alike and all_rows[alike[0]]["name"] != row["name"]:
            found.add((seq, alike[0], "name-differs-in-case"))
        if not good[seq]:
            continue
        together = [i for i in range(seq) if good[i] and writes[i] == writes[seq]]
        if together:
            found.add((seq, together[0], "same-target"))
        if row["update_type"] == "OVERWRITE":
            bucket, path = writes[seq]
            if any(
                good[i] and reads[i][0] == bucket and f"{path}/".startswith(f"{reads[i][1]}/")
                for i in range(len(reads))
            ):
                found.add((seq, -1, "overwrites-source"))
    return found


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(rows, min_size=1, max_size=5), min_size=1, max_size=4))
def test_what_is_found_is_what_comparing_every_row_with_every_other_finds(chunks: list[list[dict[str, str]]]) -> None:
    found = {(s, -1 if code == "overwrites-source" else o, code) for s, o, code in _clashes(chunks)}
    assert found == _reference([row for part in chunks for row in part])


def test_the_row_that_is_named_as_overwritten_does_read_there() -> None:
    base = GOOD | {"update_type": ""}
    several = [
        base | {"name": "one", "prefix": "a/b"},
        base | {"name": "two", "prefix": "a", "target_prefix": "t2"},
        base | {"name": "three", "prefix": "z", "target_bucket": "shop-raw", "target_prefix": "a/x"}
        | {"update_type": "OVERWRITE"},
    ]  # fmt: skip
    assert _clashes([several]) == {(2, 1, "overwrites-source")}


def test_long_paths_are_compared_to_their_ends() -> None:
    long = "deep/" * 2_000
    several = [
        GOOD
        | {"name": f"job_{i}", "prefix": f"in{i}/x", "target_prefix": f"{long}{i % 150}", "update_type": "OVERWRITE"}
        for i in range(200)
    ]
    several[0] |= {"prefix": long[:-7], "bucket": "shop-clean"}
    found = _clashes([several])
    assert {(s, o) for s, o, code in found if code == "same-target"} == {(i, i - 150) for i in range(150, 200)}
    assert {(s, o) for s, o, code in found if code == "overwrites-source"} == set()
    several[0] |= {"prefix": long}
    assert {s for s, _, code in _clashes([several]) if code == "overwrites-source"} == {*range(200)}


def test_no_rows_have_no_clashes() -> None:
    assert list(AcrossRows().find()) == []

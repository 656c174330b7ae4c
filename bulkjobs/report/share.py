"""Which part of an inventory a run with ``--shard`` had, in people's words. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bulkjobs.counted import counted
from bulkjobs.settings import Shard


def shard_of(facts: Mapping[str, object]) -> str | None:
    """``1/4`` of a run that had a part of the rows; None: it had all."""
    shard = facts.get("shard")
    return shard if isinstance(shard, str) else None


def unlisted_by(
    shard: str | None, orphans: Sequence[Mapping[str, object]]
) -> list[tuple[str, Sequence[Mapping[str, object]]]]:
    """Open sends of earlier runs whose names the run did not list, by what that means: a heading, and those of it."""
    ours = None if shard is None else Shard.read(shard)
    listed = [orphan for orphan in orphans if ours is None or ours.holds(str(orphan["name"]))]
    others = [orphan for orphan in orphans if not (ours is None or ours.holds(str(orphan["name"])))]
    groups = [
        ("Names that the inventory does not list", listed),
        (f"Names of other shards than {shard}, or that the inventory does not list", others),
    ]
    return [(heading, group) for heading, group in groups if group]


def share(shard: str, rows: int, in_files: Sequence[int]) -> str:
    """``1/4: 103 of 400 rows``. ``in_files``: rows of each file, whosever they are; none of a run that was killed
    before it had read them all.
    """
    total = sum(in_files)
    if total < rows or not total:
        return f"{shard}: {counted(rows, 'row')}"
    if rows:
        return f"{shard}: {rows:,} of {counted(total, 'row')}"
    return f"{shard} has none of the {total:,} rows" if total > 1 else f"{shard} does not have the one row"

"""Inventories of 12 columns to measure with: every name, prefix and target new, the other cells from a few."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

HEADER = (
    *("name", "bucket", "prefix", "fields", "filter", "data_type", "target_bucket", "target_prefix"),
    *("target_data_type", "update_type", "owner", "note"),
)
_FIELDS = ("id:bigint, name:string, at:timestamp, amount:double", "id:bigint, name:string")
_GROUP = 50_000


def rows(count: int, *, wrong: bool = False) -> Iterator[tuple[str, ...]]:
    """``wrong``: each with a mistake in a cell that differs from row to row."""
    for i in range(count):
        yield (
            f"job_{i:07d}",
            f"raw-{i % 50}",
            f"/tables/t{i}/2026" if wrong else f"tables/t{i}/2026",
            _FIELDS[i % 3 == 0],
            f'name EQ "{i % 100}"',
            "CSV",
            f"out-{i % 50}",
            f"clean/t{i}/2026",
            "PARQUET",
            "OVERWRITE" if i % 2 else "APPEND",
            f"team{i % 7}",
            "a note, with a comma",
        )


def write_csv(path: Path, count: int, *, wrong: bool = False) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows(rows(count, wrong=wrong))
    return path


def write_parquet(path: Path, count: int) -> Path:
    schema = pa.schema([(name, pa.string()) for name in HEADER])
    with pq.ParquetWriter(path, schema) as writer:
        given = rows(count)
        for first in range(0, count, _GROUP):
            columns = zip(*(next(given) for _ in range(min(_GROUP, count - first))), strict=True)
            writer.write_table(pa.table(dict(zip(HEADER, columns, strict=True)), schema))
    return path

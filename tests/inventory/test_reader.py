"""InventoryFile: repeatable passes, one hash, a closed file, and nothing heavy imported for a CSV."""

from __future__ import annotations

import csv
import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from bulkjobs.errors import NotFinished, UsageError
from bulkjobs.inventory.reader import InventoryChanged, InventoryFile, file_sha256

DATA = b"a,b\n" + b"1,2\n" * 5_000


def test_the_hash_is_known_after_the_first_pass_and_equals_the_file(tmp_path: Path) -> None:
    path = tmp_path / "i.csv"
    path.write_bytes(DATA)
    inventory = InventoryFile(path)
    assert inventory.sha256 is None
    assert sum(len(chunk.rows) for chunk in inventory.chunks()) == 5_000
    assert inventory.sha256 == file_sha256(path) == hashlib.sha256(DATA).hexdigest()
    assert sum(len(chunk.rows) for chunk in inventory.chunks()) == 5_000


def test_a_refused_file_has_a_hash_too(tmp_path: Path) -> None:
    path = tmp_path / "i.csv"
    data = b"a;b\n" + b"1;2\n" * 100_000
    path.write_bytes(data)
    inventory = InventoryFile(path)
    list(inventory.chunks())
    assert inventory.sha256 == hashlib.sha256(data).hexdigest()


def test_a_file_that_changes_between_two_passes_ends_the_second(tmp_path: Path) -> None:
    path = tmp_path / "i.csv"
    path.write_bytes(DATA)
    inventory = InventoryFile(path)
    list(inventory.chunks())
    path.write_bytes(DATA.replace(b"2\n", b"3\n", 1))
    with pytest.raises(InventoryChanged, match="changed while it was used") as raised:
        list(inventory.chunks())
    assert isinstance(raised.value, NotFinished)


def test_a_closed_generator_closes_the_file_and_leaves_no_hash(tmp_path: Path) -> None:
    path = tmp_path / "i.csv"
    path.write_bytes(DATA)
    inventory = InventoryFile(path)
    chunks = inventory.chunks()
    next(chunks)
    chunks.close()  # type: ignore[attr-defined]  # a generator; ResourceWarning is an error in this suite
    assert inventory.sha256 is None


def test_what_cannot_be_opened_is_a_usage_error_with_the_systems_reason(tmp_path: Path) -> None:
    for path, says in ((tmp_path / "x.csv", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(UsageError, match=f"cannot be read: {says}"):
            list(InventoryFile(path).chunks())
    with pytest.raises(UsageError, match="cannot be read"):
        file_sha256(tmp_path / "x.csv")


def test_the_interpreters_own_csv_limit_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "i.csv"
    path.write_text("a\n" + "x" * 200_000 + "\n")
    before = csv.field_size_limit()
    (chunk,) = InventoryFile(path).chunks()
    assert (len(chunk.rows[0][0]), chunk.problems) == (200_000, [])
    assert csv.field_size_limit() == before


def test_importing_the_reader_imports_neither_pandas_nor_pyarrow_nor_aiohttp() -> None:
    heavy = "import bulkjobs.inventory.reader, sys; sys.exit(bool({'pandas', 'pyarrow', 'aiohttp'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", heavy], check=False).returncode == 0

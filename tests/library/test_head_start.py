"""The inventory is checked while the journal is opened, which of a large one takes seconds."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

import pytest

import bulkjobs
from bulkjobs import library, reconciliation
from bulkjobs.engine.journal import Journal
from bulkjobs.inventory.reader import InventoryFile
from bulkjobs.inventory.rows import Chunk

SAMPLE = Path(__file__).parents[2] / "inputs" / "sample.csv"
Command = Callable[[Sequence[Path | InventoryFile], bulkjobs.Places], Awaitable[object]]


def submit(inventories: Sequence[Path | InventoryFile], places: bulkjobs.Places) -> Awaitable[object]:
    return bulkjobs.submit(inventories, bulkjobs.Target(sandbox=True), places)


def reconcile(inventories: Sequence[Path | InventoryFile], places: bulkjobs.Places) -> Awaitable[object]:
    return bulkjobs.reconcile(inventories, bulkjobs.Around(bulkjobs.Target(sandbox=True), places))


def plan(inventories: Sequence[Path | InventoryFile], places: bulkjobs.Places) -> Awaitable[object]:
    return bulkjobs.make_plan(inventories, bulkjobs.Around(bulkjobs.Target(sandbox=True), places))


class _Watched(InventoryFile):
    """``read`` is set once somebody reads it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.read = threading.Event()

    def chunks(self) -> Iterator[Chunk]:
        self.read.set()
        return super().chunks()


@pytest.mark.parametrize("command", [submit, reconcile, plan])
async def test_it_is_read_before_the_journal_is_open(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inventory = _Watched(SAMPLE)
    was_read: list[bool] = []

    def open_journal(path: Path, holder: str) -> Journal:
        was_read.append(inventory.read.wait(20))
        return Journal(path, holder)

    for module in (library, reconciliation):
        monkeypatch.setattr(module, "Journal", open_journal)
    await command([inventory], bulkjobs.Places(tmp_path / "journal.db", tmp_path))
    assert was_read == [True]


@pytest.mark.parametrize("command", [submit, reconcile])
async def test_a_run_that_could_not_begin_checks_no_further(command: Command, tmp_path: Path) -> None:
    inventory = tmp_path / "many.csv"
    header, *rows = SAMPLE.read_text(encoding="utf-8").splitlines(keepends=True)
    inventory.write_text(header + rows[0] * 50_000, encoding="utf-8")
    (tmp_path / "journal.db").write_text("no journal", encoding="utf-8")
    with pytest.raises(bulkjobs.StateError):
        await command([inventory], bulkjobs.Places(tmp_path / "journal.db", tmp_path))
    assert "head start" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize("command", [submit, reconcile])
async def test_a_file_that_is_not_there_begins_no_run(command: Command, tmp_path: Path) -> None:
    places = bulkjobs.Places(tmp_path / "journal.db", tmp_path)
    with pytest.raises(bulkjobs.UsageError, match=r"missing\.csv"):
        await command([tmp_path / "missing.csv"], places)
    assert not places.state.exists()

"""Runs made by hand, with real inventory files: what the tests of the report are about."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bulkjobs.engine.records import InventoryRecord, Outcome, RowRecord, RunRecord
from bulkjobs.inventory.reader import InventoryFile
from bulkjobs.report.render import render

START = 1_764_000_000_123


def csv_bytes(*records: Sequence[str]) -> bytes:
    lines = io.StringIO()
    csv.writer(lines, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(records)
    return lines.getvalue().encode()


def inventory(path: Path, content: bytes, rows: int = 0) -> InventoryRecord:
    """An inventory file, and what the journal keeps of it."""
    path.write_bytes(content)
    return InventoryRecord(path.name, hashlib.sha256(content).hexdigest(), rows, str(path))


def lines_of(record: InventoryRecord) -> list[int]:
    """Where the file's records begin."""
    return [line for chunk in InventoryFile(Path(record.location)).chunks() for line in chunk.lines]


def run_of(*inventories: InventoryRecord, **changes: Any) -> RunRecord:
    values: dict[str, Any] = {
        "run_id": "run-1",
        "endpoint": "http://127.0.0.1:1",
        "account": "default",
        "api": "2025-03",
        "state": "finished",
        "reason": None,
        "started_at": START,
        "ended_at": START + 2_500,
        "inventories": list(inventories),
        "facts": {"rate_permitted": 5.0, "sends": 3},
    }
    return RunRecord(**{**values, **changes})


def created(file: int, line: int, **changes: Any) -> RowRecord:
    values: dict[str, Any] = {
        "file": file,
        "line": line,
        "name": f"job-{file}-{line}",
        "outcome": Outcome.CREATED,
        "job_id": f"id-{line}",
        "status": "RUNNABLE",
        "http_status": 200,
        "attempts": 1,
        "first_sent_at": START + 10 * line,
        "finished_at": START + 10 * line + 50,
        "elapsed_ms": 50,
    }
    return RowRecord(**{**values, **changes})


def rejected(file: int, line: int, error: str | None = "the bucket does not exist", **changes: Any) -> RowRecord:
    values = {"outcome": Outcome.REJECTED, "job_id": None, "status": None, "http_status": 400, "error_code": "100"}
    return created(file, line, **{**values, "error": error, **changes})


def rows_of(records: Sequence[RowRecord]) -> Callable[[], Iterator[RowRecord]]:
    return lambda: iter(records)


@dataclass(frozen=True)
class Report:
    """A rendered report, read back."""

    folder: Path
    summary: Mapping[str, Any]

    def bytes_of(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    @property
    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.folder.iterdir()}

    @property
    def results(self) -> list[list[str]]:
        return list(csv.reader(io.StringIO(self.bytes_of("results.csv").decode(), newline="")))

    def column(self, name: str) -> list[str]:
        header, *rows = self.results
        return [row[header.index(name)] for row in rows]

    @property
    def retry(self) -> list[list[str]]:
        return list(csv.reader(io.StringIO(self.bytes_of("retry.csv").decode(), newline="")))

    @property
    def retry_as_inventory(self) -> list[list[str]]:
        chunks = list(InventoryFile(self.folder / "retry.csv").chunks())
        return [list(chunks[0].header.names), *(list(row) for chunk in chunks for row in chunk.rows)]


def rendered(run: RunRecord, records: Sequence[RowRecord], folder: Path) -> Report:
    summary: Mapping[str, Any] = render(run, rows_of(records), folder)
    return Report(folder, summary)

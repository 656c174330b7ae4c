"""Issue 3, "Fast and flat": an inventory validated and expanded against ``csv.reader`` alone."""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path

from bulkjobs.cli.collector import collect_rarely
from bulkjobs.graph.expand import Expander
from bulkjobs.graph.validation import validate
from bulkjobs.inventory.reader import InventoryFile

from .child import Turn, turn
from .figures import Cell, Table, median, median_ratio
from .inventories import write_csv, write_parquet

TURNS = 5


def read_alone(path: str) -> int:
    """What the standard library needs to read the file."""
    with open(path, encoding="utf-8", newline="") as file:
        return sum(1 for _ in csv.reader(file)) - 1


def surveyed(path: str) -> tuple[int, int]:
    """Everything that ``validate`` does: rows and errors."""
    collect_rarely()  # as the command does
    survey = validate([InventoryFile(Path(path))], Expander())
    return survey.rows, survey.errors


def run(rows: int | None, full: bool) -> Table:
    count = rows or (1_000_000 if full else 200_000)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        sound = write_csv(place / "sound.csv", count)
        wrong = write_csv(place / "wrong.csv", count, wrong=True)
        parquet = write_parquet(place / "sound.parquet", count)
        turns: dict[str, list[Turn]] = {"csv.reader alone": [], "CSV": [], "Parquet": [], "CSV, every row wrong": []}
        for _ in range(TURNS):
            turns["csv.reader alone"].append(turn(read_alone, path=str(sound)))
            for what, path, errors in (
                ("CSV", sound, 0),
                ("Parquet", parquet, 0),
                ("CSV, every row wrong", wrong, count),
            ):
                turns[what].append(turn(surveyed, path=str(path)))
                assert turns[what][-1].result == [count, errors]
    base, clean = ([one.cpu for one in turns[what]] for what in ("csv.reader alone", "CSV"))
    found: list[list[Cell]] = []
    for what, several in turns.items():
        cpu = [one.cpu for one in several]
        found.append(
            [
                what,
                median(cpu) / count * 1e6,
                min(cpu) / count * 1e6,
                median_ratio(cpu, base),
                median_ratio(cpu, clean),
                max(one.peak for one in several) / 1e6,
            ]
        )
    return Table(
        f"validate: {count:,} rows of 12 columns, {TURNS} turns",
        ("", "µs a row", "best", "× csv.reader", "× clean CSV", "peak MB"),
        found,
        ("aims: CSV at most 5 × csv.reader, Parquet no slower, every row wrong at most 2 × clean, 500 MB",),
    )

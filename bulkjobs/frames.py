"""pandas at both ends: an inventory from a DataFrame, and a report's rows as one.

The only place that imports pandas, which takes a third of a second: the commands do without.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from pathlib import Path

import pandas as pd

from bulkjobs.errors import StateError
from bulkjobs.inventory.limits import Limits
from bulkjobs.inventory.reader import InventoryFile
from bulkjobs.inventory.row_source import ROWS_DIR, rows_from
from bulkjobs.plain import plain


def rows_from_frame(
    frame: pd.DataFrame,
    *,
    name: str,
    folder: Path = ROWS_DIR,
    limits: Limits = Limits(),  # noqa: B008  # frozen, so safe to share
) -> InventoryFile:
    """``rows_from`` for a DataFrame: its columns are the inventory's, missing values are empty cells.

    The index is left out; ``frame.reset_index()`` makes columns of it. Raises what ``rows_from`` raises.
    """
    return rows_from(_records(frame), name=name, folder=folder, limits=limits)


def results_frame(folder: Path) -> pd.DataFrame:
    """The rows of a report as a DataFrame, from ``results.parquet``.

    ``folder``: ``Submitted.folder``, or ``reports/RUN``. Times have their zone, the inventory's own cells are text.
    Raises StateError when there is no such file, or it is damaged.
    """
    path = folder / "results.parquet"
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:
        reason = "there is none" if not path.is_file() else plain(str(error))
        raise StateError(f"report {path}: cannot be read: {reason}", "write it again: bulkjobs report RUN") from None


def _records(frame: pd.DataFrame) -> Iterator[dict[str, object]]:
    names = [str(column) for column in frame.columns]
    missing = frame.isna().to_numpy()
    values: Iterator[tuple[Hashable, ...]] = frame.astype(object).itertuples(index=False, name=None)
    for number, row in enumerate(values):
        yield {name: None if gone else value for name, value, gone in zip(names, row, missing[number], strict=True)}

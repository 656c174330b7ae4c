"""The figures of a run, gathered in the same pass that writes its rows.

Latencies and times of sending are kept, 16 bytes a row, so that percentiles are exact; all else is bounded by the
number of outcomes and of kinds of errors.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from bulkjobs.engine.records import Outcome, RowRecord
from bulkjobs.report.joined import Batch

_KINDS = 1_000
"""Kinds of errors that are told apart, at most: the service chooses the codes."""

_SECOND_MS = 1_000

PERCENTILES = {"p50": 50, "p90": 90, "p99": 99, "max": 100}
Cause = tuple[str, int | None, str | None]


@dataclass(slots=True)
class Group:
    """Rows that failed alike. ``first`` is the first of them."""

    first: RowRecord
    count: int = 0


class Figures:
    """A sink."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {outcome.value: 0 for outcome in Outcome}
        self.rows = 0
        self.attempts = 0
        self.rows_by_attempts: Counter[int] = Counter()
        self.rows_of_several_attempts = 0
        self.groups: dict[Cause, Group] = {}
        self.ungrouped = 0
        self._elapsed = array("q")
        self._sent = array("q")

    def write(self, batch: Batch) -> None:
        table = batch.table
        self.rows += table.num_rows
        for group in pc.value_counts(table["outcome"]).to_pylist():
            self.counts[group["values"]] += group["counts"]
        self.attempts += pc.sum(table["attempts"], min_count=0).as_py()
        for group in pc.value_counts(table["attempts"]).to_pylist():
            self.rows_by_attempts[group["values"]] += group["counts"]
        self.rows_of_several_attempts += pc.sum(pc.greater(table["attempts"], 1), min_count=0).as_py()
        sent = table["first_sent_at"]
        # Copied: small Arrow arrays kept out of every batch would hold the pages of all that was freed between them.
        self._sent.frombytes(_bytes(sent.cast(pa.int64())))
        self._elapsed.frombytes(_bytes(table["elapsed_ms"].filter(sent.is_valid())))
        for index in batch.failed:
            self._failed(batch.records[index])

    def close(self) -> None:
        """Nothing to complete."""

    def _failed(self, record: RowRecord) -> None:
        cause = (record.outcome.value, record.http_status, record.error_code)
        group = self.groups.get(cause)
        if group is None:
            if len(self.groups) >= _KINDS:
                self.ungrouped += 1
                return
            group = self.groups[cause] = Group(record)
        group.count += 1

    @property
    def sent_ms(self) -> npt.NDArray[np.int64]:
        """When rows were first sent: milliseconds since the epoch, in the order of the rows."""
        return np.asarray(self._sent)

    @property
    def elapsed_ms(self) -> npt.NDArray[np.int64]:
        """What ``latency_ms`` is of."""
        return np.asarray(self._elapsed)

    @property
    def latency_ms(self) -> Mapping[str, int | None]:
        """From a row's first send to its outcome, over rows that were sent: nearest-rank percentiles."""
        elapsed = self.elapsed_ms
        if not len(elapsed):
            return dict.fromkeys(PERCENTILES)
        ordered = np.sort(elapsed)
        return {word: int(ordered[-(-len(ordered) * part // 100) - 1]) for word, part in PERCENTILES.items()}

    @property
    def achieved_per_s(self) -> float | None:
        """First sends a second, from the first of them to the last. None where that is less than a second.

        A rate is kept over a second: two sends that follow each other are no measure of it.
        """
        sent = self.sent_ms
        if len(sent) < 2:
            return None
        span_ms = int(sent.max()) - int(sent.min())
        return round((len(sent) - 1) * 1000 / span_ms, 3) if span_ms >= _SECOND_MS else None

    @property
    def sent(self) -> int:
        """Rows that were sent."""
        return len(self._sent)

    @property
    def peak_per_s(self) -> int:
        """Most first sends within a second, whenever it begins: what a rate promises."""
        sent = np.sort(self.sent_ms)
        until = np.searchsorted(sent, sent + _SECOND_MS, side="left")
        return int((until - np.arange(len(sent))).max(initial=0))

    def largest_groups(self, count: int) -> Sequence[tuple[Cause, Group]]:
        """The kinds of errors with most rows, most first; of equal ones that which came first."""
        return sorted(self.groups.items(), key=lambda item: -item[1].count)[:count]


def _bytes(column: pa.Array) -> bytes:
    """The whole numbers of a column, but the missing ones."""
    present: bytes = pc.drop_null(column).to_numpy().tobytes()
    return present

"""What is kept of a run's rows for its figures."""

from __future__ import annotations

import pyarrow as pa

from bulkjobs.report.columns import columns_of
from bulkjobs.report.figures import Figures
from bulkjobs.report.joined import joined

from .made import START, created, rows_of


def test_they_hold_nothing_of_the_batches() -> None:
    """Columns kept out of each batch are little, but Arrow cannot give back the pages that they lie in."""
    records = [created(0, line, elapsed_ms=line) for line in range(10_000)]
    figures = Figures()
    before = pa.total_allocated_bytes()
    for batch in joined(rows_of(records), [], columns_of({})):
        figures.write(batch)
    del batch
    assert pa.total_allocated_bytes() == before
    assert figures.sent_ms.tolist() == [START + 10 * line for line in range(10_000)]
    assert figures.elapsed_ms.tolist() == [*range(10_000)]
    assert figures.latency_ms == {"p50": 4_999, "p90": 8_999, "p99": 9_899, "max": 9_999}

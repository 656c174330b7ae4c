"""Check a whole inventory, and walk the rows that have a job: needs neither the engine nor the network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bulkjobs.graph.expand import Expander
from bulkjobs.graph.sample import Sample, SampledRow
from bulkjobs.graph.survey import Survey
from bulkjobs.inventory.reader import InventoryFile


def validate(
    files: Sequence[InventoryFile],
    expander: Expander | None = None,
    *,
    max_problems: int = 1_000,
    sample: Sample | None = None,
) -> Survey:
    """Check the whole inventory; nothing is sent. ``sample`` is offered every row that has a job.

    Raises UsageError when a file or the layout cannot be used, InventoryChanged when a file changes meanwhile.
    """
    survey = Survey(files, expander or Expander(), max_problems)
    for surveyed in survey:
        if sample is not None:
            chunk = surveyed.chunk
            for line, job in zip(chunk.lines, surveyed.expansion.jobs, strict=True):
                if job is not None:
                    sample.offer(SampledRow(chunk.file, line, job))
    return survey


def sendable_rows(files: Sequence[InventoryFile], expander: Expander) -> Iterator[SampledRow]:
    """Every row that has a job, in order, read as it is asked for."""
    for file in files:
        for chunk in file.chunks():
            for line, job in zip(chunk.lines, expander.expand(chunk).jobs, strict=True):
                if job is not None:
                    yield SampledRow(chunk.file, line, job)

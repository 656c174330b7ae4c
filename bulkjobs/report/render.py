"""Writes the report of one run: ``results.csv``, ``.parquet``, ``retry.csv``, ``report.html`` and ``summary.json``.

The report is a pure function of the journal's records and the inventory files: rendered twice, it has the same
bytes. Rows are streamed, so memory does not grow with their cells. A folder that has a ``summary.json`` has all the
other files, and they are the ones whose SHA-256 it names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from bulkjobs.engine.records import AttemptRecord, RowRecord, RunRecord
from bulkjobs.report.columns import columns_of
from bulkjobs.report.figures import Figures
from bulkjobs.report.html_page import write_page
from bulkjobs.report.html_rows import TableRows
from bulkjobs.report.joined import Mismatch, joined
from bulkjobs.report.private_files import PrivateFolder
from bulkjobs.report.sinks import ResultsCsv, ResultsParquet, RetryCsv, Sink
from bulkjobs.report.sources import Source, find
from bulkjobs.report.summary import as_json, summary_of

RESULTS_CSV = "results.csv"
RESULTS_PARQUET = "results.parquet"
RETRY_CSV = "retry.csv"
REPORT_HTML = "report.html"
SUMMARY_JSON = "summary.json"
FILES = (RESULTS_CSV, RESULTS_PARQUET, RETRY_CSV, REPORT_HTML, SUMMARY_JSON)


def render(
    run: RunRecord,
    rows: Callable[[], Iterator[RowRecord]],
    folder: Path,
    attempts: Callable[[], Iterator[AttemptRecord]] = lambda: iter(()),
) -> Mapping[str, object]:
    """Write the report into ``folder`` and return the summary as written.

    ``rows`` gives all rows of the run in inventory order, from the beginning each time it is called; it is called
    again if an inventory file turns out to have changed. ``attempts`` gives the retries and what was throttled, for
    the page's charts (``History.again_or_throttled``). Raises StateError when the folder cannot be had or written
    (a report that was there stays, or loses its ``summary.json``), StateBusy when another process is writing it,
    and what ``rows`` raises.
    """
    sources = find(run.inventories)
    with PrivateFolder(folder, FILES, f"bulkjobs report {run.run_id}") as place:
        while True:
            try:
                return _render(run, rows, attempts, sources, place)
            except Mismatch as error:  # each time one file less, so this ends
                sources[error.file] = sources[error.file].given_up(error.state)
                place.discard()


def _render(
    run: RunRecord,
    rows: Callable[[], Iterator[RowRecord]],
    attempts: Callable[[], Iterator[AttemptRecord]],
    sources: Sequence[Source],
    place: PrivateFolder,
) -> Mapping[str, object]:
    columns = columns_of({file: source.header for file, source in enumerate(sources) if source.header is not None})
    drafts = [place.draft(name) for name in FILES if name != SUMMARY_JSON]
    results_csv, results_parquet, retry_csv, report_html = drafts
    retry, figures, table = RetryCsv(retry_csv, columns), Figures(), TableRows(columns)
    sinks: list[Sink] = [
        ResultsCsv(results_csv, columns),
        ResultsParquet(results_parquet, columns),
        retry,
        figures,
        table,
    ]
    for batch in joined(rows, sources, columns, is_part="shard" in run.facts):
        for sink in sinks:
            sink.write(batch)
    for sink in sinks:
        sink.close()
    left_out = {"rows": retry.rows, "left_out": retry.left_out}
    summary = summary_of(run, sources, figures, left_out)
    write_page(report_html, run, summary, figures, table, attempts())
    for draft in drafts:
        draft.seal()
    summary["files"] = {draft.name: draft.sha256 for draft in drafts}
    last = place.draft(SUMMARY_JSON)
    last.write(as_json(summary))
    last.seal()
    place.publish(drafts, last)
    return summary

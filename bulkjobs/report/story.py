"""One row's whole story, in order: from its line in the inventory to its outcome, with the reason of every step.

Made from the journal (``engine.journal.trail``) and, as far as its bytes are still those that the run saw, the
inventory. What the row became is shown only if it is proved: if it is expanded again to the same fingerprint, or was
kept as it was applied. Texts are data, as they came from files and services: whoever shows them makes them inert.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from bulkjobs.counted import counted
from bulkjobs.engine.journal.history import PastRun
from bulkjobs.engine.journal.trail import Trail, Trails
from bulkjobs.engine.records import NO_FILE, Outcome, RunRecord
from bulkjobs.errors import BulkJobsError
from bulkjobs.graph.expand import Expander
from bulkjobs.inventory.rows import Chunk
from bulkjobs.report.cells import iso
from bulkjobs.report.sources import Found, find, one_pass
from bulkjobs.report.steps import Event, steps


@dataclass(frozen=True, slots=True)
class Story:
    """``events`` in order. ``outcome`` None: the run goes on and the row has none yet."""

    run: RunRecord
    name: str | None
    outcome: Outcome | None
    events: tuple[Event, ...]

    def document(self) -> dict[str, object]:
        """``explain --json``."""
        return {
            "run": self.run.run_id,
            "state": self.run.state,
            "name": self.name,
            "outcome": None if self.outcome is None else self.outcome.value,
            "events": [
                {"at": None if event.at is None else iso(event.at), "what": event.what, "text": event.text}
                | {key: value for key, value in event.facts.items() if value is not None}
                for event in self.events
            ],
        }


def tell(state: Path, run_id: str, row: str, expander: Expander) -> Story:
    """The story of ``row`` (a name, a line, or ``FILE:LINE``) in a run. ``expander``: of the layout that it had.

    Raises UsageError when there is no such run or row, StateError when the journal cannot be read.
    """
    with Trails(state) as trails:
        past = trails.run(run_id)
        trail = trails.trail(past, row)
    is_known = trail.is_over or past.record.state != "running"
    events = (*_beginning(past.record, trail, expander), *steps(trail), *_end(past, trail))
    return Story(past.record, trail.row.name, trail.row.outcome if is_known else None, events)


# From the inventory


def _beginning(run: RunRecord, trail: Trail, expander: Expander) -> Iterator[Event]:
    row = trail.row
    if row.file == NO_FILE:
        yield _no_row(run, trail)
        return
    found = find(run.inventories[row.file : row.file + 1])
    source = found[0] if found else None
    path = source.record.path if source is not None else None
    facts: dict[str, object] = {"file": path, "line": row.line}
    chunk = None
    if source is not None and source.file is not None:
        with one_pass(source.file) as chunks:
            chunk = _row_of(chunks, trail.place, row.line)
    if chunk is not None:
        facts["cells"] = dict(zip(chunk.header.names, chunk.rows[0], strict=False))
    yield Event(
        run.started_at, "read", f"read from {path or 'a file that was never read to its end'}:{row.line}", facts
    )
    yield _expanded(trail, chunk, _WHY[source.state] if source is not None else _WHY[Found.UNCHECKED], expander)


def _no_row(run: RunRecord, trail: Trail) -> Event:
    """Where a job comes from that no row of the run asks for."""
    of = run.facts.get("of")
    if of is not None:
        text = (
            f"made by run {of}, from line {trail.row.line} of its inventory: `bulkjobs explain {of} {trail.row.name}`"
        )
        return Event(run.started_at, "undone", text, {"of": of, "line": trail.row.line})
    if any(removal["name"] == trail.row.name for removal in run.removals):
        text = "no row of this run lists it, and an earlier run from the same place made it"
    else:
        text = "it is no row of this run, but an earlier run's send of unknown end, which this one settled"
    return Event(run.started_at, "unlisted", text)


_WHY = {
    Found.READ: "the inventory has no such row any more",
    Found.CHANGED: "the inventory changed since, so the row is not read again",
    Found.MISSING: "the inventory is gone, so the row is not read again",
    Found.UNCHECKED: "the run had not read the inventory to its end, so the row is not read again",
}


def _row_of(chunks: Iterator[Chunk], place: int, line: int) -> Chunk | None:
    """The row at a place of its file, alone in a chunk. None if it is not there, or begins on another line."""
    first = 0
    try:
        for chunk in chunks:
            at = place - first
            if at < len(chunk.rows):
                if at < 0 or chunk.lines[at] != line:
                    return None
                problems = [problem for problem in chunk.problems if problem.line == line]
                return replace(chunk, lines=[line], rows=[chunk.rows[at]], problems=problems)
            first += len(chunk.rows)
    except (OSError, BulkJobsError):
        return None
    return None


def _expanded(trail: Trail, chunk: Chunk | None, why: str, expander: Expander) -> Event:
    digest = None if trail.digest is None else trail.digest.hex()
    problems: list[str] = []
    if chunk is not None:
        expansion = expander.expand(chunk)
        problems = [problem.message for problem in (*chunk.problems, *expansion.problems)]
        job = expansion.jobs[0]
        if job is not None and job.digest == trail.digest and job.name == trail.row.name:
            facts = {"digest": digest, "nodes": msgspec.json.decode(job.nodes), "from": "inventory"}
            return Event(None, "expanded", f"expanded to {_shape(job.nodes)}", facts)
        why = "with this layout the row becomes another definition: give --layout and --set as the run had them"
    if trail.digest is None:
        return Event(None, "expanded", "expanded to no job: the row has an error", {"problems": problems})
    if trail.nodes is not None:
        facts = {"digest": digest, "nodes": msgspec.json.decode(trail.nodes), "from": "journal"}
        return Event(None, "expanded", f"expanded to {_shape(trail.nodes)}, as it was applied; {why}", facts)
    return Event(None, "expanded", f"expanded to the definition {digest}; {why}", {"digest": digest})


def _shape(nodes: bytes) -> str:
    types = [str(node.get("type")) for node in msgspec.json.decode(nodes, type=list[dict[str, object]])]
    return f"{counted(len(types), 'node')}: {', '.join(types)}"


# Its end


def _end(past: PastRun, trail: Trail) -> Iterator[Event]:
    row, run = trail.row, past.record
    if not trail.is_over:
        if run.state == "running":
            yield Event(None, "pending", "the run goes on; this row has no outcome yet")
            return
        how = "its last send is not settled" if row.outcome is Outcome.UNRESOLVED else "nothing is open"
        why = f"the run ended first ({run.reason or run.state}), and {how}{_known_job(trail)}"
        text = f"{row.outcome.value}: {why}; run again to go on"
        yield Event(run.ended_at, "outcome", text, _outcome_facts(trail))
        return
    job = f", job {row.job_id}" if row.job_id else ""
    yield Event(row.finished_at, "outcome", f"{row.outcome.value}{job}: {_reason(trail)}", _outcome_facts(trail))


def _reason(trail: Trail) -> str:
    row = trail.row
    if row.error:
        return row.error + _known_job(trail)
    if (
        not trail.attempts
        and not trail.lookups
        and row.outcome in (Outcome.EXISTING, Outcome.DRIFTED, Outcome.CONFLICT)
    ):
        return "the list shows the job unchanged since it was last compared (the same updatedDate), so it was not read"
    return _REASONS.get(row.outcome, "as decided above") + _known_job(trail)


def _known_job(trail: Trail) -> str:
    """That the job of a row that was not sent may well be there: the journal knows it."""
    if trail.job is None or trail.row.outcome is not Outcome.NOT_SENT:
        return ""
    run = f"run {trail.job.run_id}" if trail.job.run_id else "a run that was deleted since"
    return f", but job {trail.job.job_id} has its name, as {run} saw it"


_REASONS = {
    Outcome.CREATED: "the service made it and said so",
    Outcome.ADOPTED: "an attempt whose answer was lost had made it; found by its name and recognised by its ids",
    Outcome.EXISTING: "it was there before, and is equal",
    Outcome.UPDATED: "the service took the change, and shows it",
    Outcome.DELETED: "the service does not have it any more",
    Outcome.NOT_SENT: "the run ended before its turn",
    Outcome.INVALID: "the row has an error",
}


def _outcome_facts(trail: Trail) -> dict[str, object]:
    row = trail.row
    return {
        "outcome": row.outcome.value,
        "job_id": row.job_id,
        "status": row.status,
        "http_status": row.http_status,
        "error_code": row.error_code,
        "error": row.error,
        "attempts": row.attempts,
        "elapsed_ms": row.elapsed_ms,
    }

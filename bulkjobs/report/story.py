"""One row's whole story, in order: from its line in the inventory to its outcome, with the reason of every step.

Made from the journal (``engine.journal.trail``) and, as far as its bytes are still those that the run saw, the
inventory. What the row became is shown only if it is proved: if it is expanded again to the same fingerprint, or was
kept as it was applied. Texts are data, as they came from files and services: whoever shows them makes them inert.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from bulkjobs.counted import counted
from bulkjobs.engine.journal.history import PastRun
from bulkjobs.engine.journal.trail import Attempt, Lookup, Trail, Trails
from bulkjobs.engine.protocol import Relation
from bulkjobs.engine.records import Outcome, RunRecord
from bulkjobs.errors import BulkJobsError
from bulkjobs.graph.expand import Expander
from bulkjobs.inventory.rows import Chunk
from bulkjobs.report.cells import iso
from bulkjobs.report.sources import Found, find, one_pass


@dataclass(frozen=True, slots=True)
class Event:
    """One step. ``at``: milliseconds since the epoch, None if it has no time of its own. ``what``: a stable word.

    ``facts`` are its figures and texts by stable keys.
    """

    at: int | None
    what: str
    text: str
    facts: Mapping[str, object] = field(default_factory=dict)


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
    events = (*_beginning(past.record, trail, expander), *_middle(trail), *_end(past, trail))
    return Story(past.record, trail.row.name, trail.row.outcome if is_known else None, events)


# From the inventory


def _beginning(run: RunRecord, trail: Trail, expander: Expander) -> Iterator[Event]:
    row = trail.row
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


# Sends and lookups


def _middle(trail: Trail) -> list[Event]:
    earlier = [event for attempt in trail.earlier for event in _attempt(attempt, is_earlier=True)]
    timed: list[tuple[int, Event]] = []
    for attempt in trail.attempts:
        at = attempt.intended_at
        for event in _attempt(attempt):
            at = event.at if event.at is not None else at
            timed.append((at, event))
    timed += [(lookup.at, _lookup(lookup)) for lookup in trail.lookups]
    timed.sort(key=lambda each: each[0])  # stable: within a millisecond an answer stays before the lookup it led to
    return [*earlier, *(event for _, event in timed)]


def _attempt(attempt: Attempt, *, is_earlier: bool = False) -> Iterator[Event]:
    whose = ""
    facts: dict[str, object] = {"attempt": attempt.n, "kind": attempt.kind}
    if is_earlier:
        whose = f" in {f'run {attempt.run_id}' if attempt.run_id else 'a run that was deleted since'}"
        facts |= {"earlier": True, "run": attempt.run_id}
    if attempt.job_id is not None:
        facts["job_id"] = attempt.job_id
    yield Event(attempt.intended_at, "intent", f"intent to {attempt.kind}, attempt {attempt.n}{whose}: on disk", facts)
    if attempt.waited_ms is not None:
        sent_at = attempt.intended_at + attempt.waited_ms
        text = f"sent, after {attempt.waited_ms / 1000:.3f} s in the limiter"
        yield Event(sent_at, "sent", text, facts | {"waited_ms": attempt.waited_ms})
    if attempt.verdict is None:
        if attempt.is_open:
            text = "no answer so far: on its way, or the process ended before it was written down"
        else:
            text = "no answer was written down; settled since by a lookup"
        yield Event(attempt.ended_at, "no_answer", text, facts)
        return
    facts = facts | {
        "verdict": attempt.verdict,
        "http_status": attempt.http_status,
        "code": attempt.code,
        "message": attempt.message,
        "trace_id": attempt.trace_id,
        "open": attempt.is_open,
    }
    status = f"HTTP {attempt.http_status}" if attempt.http_status is not None else "no status"
    code = f" {attempt.code}" if attempt.code else ""
    said = f": {attempt.message}" if attempt.message else ""
    trace = f" (trace {attempt.trace_id})" if attempt.trace_id else ""
    meaning = _MEANING.get(attempt.verdict, attempt.verdict)
    text = meaning if attempt.verdict == "accepted" else f"{status}{code}{said}{trace}: {meaning}"
    yield Event(attempt.ended_at, "answer", text, facts)


_MEANING = {
    "created": "done",
    "accepted": "accepted; it is read back before that counts",
    "rejected": "refused",
    "halted": "refused in a way that stops the run",
    "throttled": "refused for its rate, so it does not count and is sent again",
    "not_sent": "it never left, so it does not count and is sent again",
    "unknown": "it may have been carried out or not: nothing more is sent before a lookup, once it has settled",
}


def _lookup(lookup: Lookup) -> Event:
    seen = _seen(lookup)
    relation = None if lookup.relation is None else Relation[lookup.relation].value
    facts = {
        "how": lookup.how,
        "complete": lookup.complete,
        "ids": list(lookup.ids),
        "relation": relation,
        "deleted": lookup.deleted,
        "decision": lookup.decision,
    }
    return Event(lookup.at, "lookup", f"{seen}: {_DECISIONS.get(lookup.decision, lookup.decision)}", facts)


def _seen(lookup: Lookup) -> str:
    relation = "" if lookup.relation is None else f", {Relation[lookup.relation].value}"
    ids = ", ".join(lookup.ids)
    if lookup.how == "believe":
        return f"not listed yet, but seen less than settle ago: job {ids}{relation}"
    if not lookup.complete:
        return "looked up: the list, or the job, could not be read to its end, which proves nothing"
    did = "listed, read and compared" if lookup.how == "read" else "looked up by name"
    if len(lookup.ids) > 1:
        return f"{did}: several jobs of that name, {ids}"
    if lookup.ids:
        return f"{did}: job {ids}{relation}"
    return f"{did}: no such job{', but a deleted one' if lookup.deleted else ''}"


_DECISIONS = {
    "send": "it was not made, so it is sent",
    "look": "look again",
    **{outcome.value: outcome.value for outcome in Outcome},
}


# Its end


def _end(past: PastRun, trail: Trail) -> Iterator[Event]:
    row, run = trail.row, past.record
    if not trail.is_over:
        if run.state == "running":
            yield Event(None, "pending", "the run goes on; this row has no outcome yet")
            return
        how = "its last send is not settled" if row.outcome is Outcome.UNRESOLVED else "nothing is open"
        text = f"{row.outcome.value}: the run ended first ({run.reason or run.state}), and {how}; run again to go on"
        yield Event(run.ended_at, "outcome", text, _outcome_facts(trail))
        return
    job = f", job {row.job_id}" if row.job_id else ""
    yield Event(row.finished_at, "outcome", f"{row.outcome.value}{job}: {_reason(trail)}", _outcome_facts(trail))


def _reason(trail: Trail) -> str:
    row = trail.row
    if row.error:
        return row.error
    if (
        not trail.attempts
        and not trail.lookups
        and row.outcome in (Outcome.EXISTING, Outcome.DRIFTED, Outcome.CONFLICT)
    ):
        return "the list shows the job unchanged since it was last compared (the same updatedDate), so it was not read"
    return _REASONS.get(row.outcome, "as decided above")


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

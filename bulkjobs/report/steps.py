"""Sends and looks of one row in words: what the journal keeps of each, as events of its story."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bulkjobs.engine.change_protocol import Sight
from bulkjobs.engine.journal.trail import Attempt, Lookup, Trail
from bulkjobs.engine.looks import How
from bulkjobs.engine.protocol import Relation
from bulkjobs.engine.records import Outcome


@dataclass(frozen=True, slots=True)
class Event:
    """One step. ``at``: milliseconds since the epoch, None if it has no time of its own. ``what``: a stable word.

    ``facts`` are its figures and texts by stable keys.
    """

    at: int | None
    what: str
    text: str
    facts: Mapping[str, object] = field(default_factory=dict)


_LEADS_TO_A_SEND = frozenset({"create", "update", "delete", "send"})


def steps(trail: Trail) -> list[Event]:
    """Every send and every look, those of earlier runs first."""
    earlier = [event for attempt in trail.earlier for event in _attempt(attempt, is_earlier=True)]
    sends = [each for attempt in trail.attempts for each in _timed(attempt)]
    for lookup in trail.lookups:
        sends.insert(_place(lookup, sends), (lookup.at, _lookup(lookup)))
    return [*earlier, *(event for _, event in sends)]


def _timed(attempt: Attempt) -> Iterator[tuple[int, Event]]:
    """An attempt's events with the times that place them: never before the one that they follow."""
    at = attempt.intended_at
    for event in _attempt(attempt):
        at = max(at, event.at or at)
        yield at, event


def _place(lookup: Lookup, events: Sequence[tuple[int, Event]]) -> int:
    """Within a millisecond, a look that led to a send is before that one's intent, any other after all."""
    leads_to_a_send = lookup.decision in _LEADS_TO_A_SEND
    for i, (at, event) in enumerate(events):
        if at > lookup.at or (at == lookup.at and leads_to_a_send and event.what == "intent"):
            return i
    return len(events)


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
        if attempt.ended_at is not None:  # times are rounded: an answer within the millisecond is not before its send
            sent_at = max(attempt.intended_at, min(sent_at, attempt.ended_at))
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
    if attempt.verdict == "accepted":
        meaning = _ACCEPTED.get(attempt.kind, attempt.verdict)
    text = meaning if attempt.verdict == "accepted" else f"{status}{code}{said}{trace}: {meaning}"
    yield Event(attempt.ended_at, "answer", text, facts)


_ACCEPTED = {
    "update": "accepted; it is read back before that counts",
    "delete": "accepted: the job is deleted",
}
_MEANING = {
    "created": "done",
    "rejected": "refused",
    "halted": "refused in a way that stops the run",
    "throttled": "refused for its rate, so it does not count and is sent again",
    "not_sent": "it never left, so it does not count and is sent again",
    "unknown": "it may have been carried out or not: nothing more is sent before a lookup, once it has settled",
}


def _lookup(lookup: Lookup) -> Event:
    is_change = lookup.how is How.CHANGE
    seen = None
    if lookup.seen is not None:
        seen = Sight[lookup.seen].value if is_change else Relation[lookup.seen].value
    facts = {
        "how": lookup.how.value,
        "complete": lookup.complete,
        "ids": list(lookup.ids),
        "seen" if is_change else "relation": seen,
        "deleted": lookup.deleted,
        "decision": lookup.decision,
        "reason": lookup.reason,
    }
    decisions = _OF_A_PLAN if lookup.how is How.PLAN else _OF_A_CHANGE if is_change else _DECISIONS
    decision = decisions.get(lookup.decision, lookup.decision)
    why = f", {lookup.reason}" if lookup.reason else ""
    return Event(lookup.at, "lookup", f"{_seen(lookup, seen)}: {decision}{why}", facts)


def _seen(lookup: Lookup, seen: str | None) -> str:
    said = "" if seen is None else f", {seen}"
    ids = ", ".join(lookup.ids)
    if lookup.how is How.BELIEVE:
        return f"not listed yet, but seen less than settle ago: job {ids}{said}"
    if not lookup.complete:
        return "looked up: the list, or the job, could not be read to its end, which proves nothing"
    did = _DID[lookup.how]
    if len(lookup.ids) > 1:
        return f"{did}: several jobs of that name, {ids}"
    if lookup.ids:
        return f"{did}: job {ids}{said}"
    return f"{did}: no such job{', but a deleted one' if lookup.deleted else ''}"


_DID = {
    How.LOOK: "looked up by name",
    How.READ: "listed, read and compared",
    How.BELIEVE: "believed",
    How.PLAN: "looked at for the plan",
    How.CHANGE: "read",
}
_DECISIONS = {
    "send": "it was not made, so it is sent",
    "look": "look again",
    **{outcome.value: outcome.value for outcome in Outcome},
}
_OF_A_PLAN = {
    "create": "to be created",
    "update": "to be updated",
    "delete": "to be deleted",
    "keep": "left alone",
    "unchanged": "equal, nothing is to be done",
    "conflict": "left alone",
    "nothing": "nothing is to be done",
}
_OF_A_CHANGE = {
    "update": "the update may be sent",
    "delete": "the delete may be sent",
    "look": "look again",
}

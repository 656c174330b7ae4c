"""Turns looks at jobs into records of the journal, for ``explain`` only: nothing ever rests on them."""

from __future__ import annotations

from collections.abc import Sequence

from bulkjobs.engine.clock import Clock
from bulkjobs.engine.journal.journal import Journal
from bulkjobs.engine.journal.statements import Kind
from bulkjobs.engine.looks import How, decision_text
from bulkjobs.engine.protocol import AfterLook, Finish, Match, Seen, Send
from bulkjobs.engine.work import Work

_IDS_KEPT = 20
"""Ids of jobs of one name that a look's record keeps."""


class LookRecorder:
    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock

    def looked(self, work: Work, seen: Seen, decision: AfterLook) -> None:
        """What a lookup found, and what followed from it."""
        how = How.LOOK if work.listed is None else How.READ
        ids = [match.job_id for match in seen.matches]
        relation = _relation_of(seen.matches)
        self.note(
            work.seq, work.name, how, ids, _word_of(decision), None, relation,
            complete=seen.complete, deleted=seen.deleted,
        )  # fmt: skip

    def believed(self, seq: int, name: str, finish: Finish) -> None:
        """A row that rests on the journal alone: the list does not show its job yet."""
        relation = finish.relation.name if finish.relation is not None else None
        ids = (finish.job_id or "",)
        self.note(seq, name, How.BELIEVE, ids, finish.outcome.value, None, relation, complete=False)

    def note(
        self,
        seq: int,
        name: str,
        how: How,
        ids: Sequence[str],
        decision: str,
        reason: str | None = None,
        seen: str | None = None,
        *,
        complete: bool = True,
        deleted: bool = False,
    ) -> None:
        """One look at a row's name or job. ``seq`` -1: of no row.

        ``seen``: the name of a Relation, or of a Sight where a job was read for its change.
        """
        self._journal.put(
            Kind.LOOKUP,
            self._journal.run,
            seq,
            name,
            self._clock.wall_ms(),
            how.value,
            int(complete),
            " ".join(ids[:_IDS_KEPT]),
            seen,
            int(deleted),
            decision_text(decision, reason),
        )


def _relation_of(matches: tuple[Match, ...]) -> str | None:
    if len(matches) != 1 or matches[0].relation is None:
        return None
    return matches[0].relation.name


def _word_of(decision: AfterLook) -> str:
    if isinstance(decision, Finish):
        return decision.outcome.value
    return "send" if isinstance(decision, Send) else "look"

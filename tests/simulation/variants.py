"""Deliberately naive variants of the engine: what the simulation is worth is that it catches them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from bulkjobs.dataflow.listing import Page
from bulkjobs.dataflow.replies import Answer, Verdict
from bulkjobs.engine import checked_rows, checking, health, protocol, reader, recorder, resolver, sender, submit
from bulkjobs.engine.protocol import Decision, Delay, Finish, RowState, Seen, Send
from bulkjobs.engine.work import Work

from .inventory import SimSurvey, are, rules_of


@dataclass(frozen=True, slots=True)
class Variant:
    """Which rule is broken; none by default. ``patches``: module or class, attribute, replacement.

    ``is_hasty``: an intent is called durable before it is. ``forgets_crash``: settle does not count from the start
    of the process.
    """

    patches: tuple[tuple[Any, str, Any], ...] = ()
    settles: bool = True
    is_hasty: bool = False
    forgets_crash: bool = False

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The engine with that rule broken, and without the survey, which costs more than a whole run here.

        Any inventory is large enough for its check to be remembered.
        """
        patches = (
            *self.patches,
            (checking, "MANY", 1),
            (checked_rows, "Survey", SimSurvey),
            (checked_rows, "rules_of", rules_of),
            (checked_rows.CheckedRows, "are", are),
        )
        kept = [(owner, name, getattr(owner, name)) for owner, name, _ in patches]
        for owner, name, replacement in patches:
            setattr(owner, name, replacement)
        try:
            yield
        finally:
            for owner, name, original in kept:
                setattr(owner, name, original)


def _retries_blindly(row: RowState, answer: Answer) -> tuple[RowState, Decision]:
    state, decision = protocol.on_answer(row, answer)
    if answer.verdict is Verdict.UNKNOWN and state.attempts < 8:
        return replace(state, unknown=False), Send(Delay.ABSENT)
    return state, decision


def _forgets_acceptance(row: RowState, answer: Answer) -> tuple[RowState, Decision]:
    return protocol.on_answer(row, replace(answer, accepted=False))


def _is_always_up(self: health.Health, now: float, sent_at: float) -> None:
    """No number of failures is taken for an outage."""


def _complete_anyhow(complete: bool, *rest: Any) -> Seen:
    return Seen(True, *rest)


async def _first_page_only(self: reader.Reader, name: str | None = None) -> AsyncIterator[Page]:
    yield await self._page(0, name, 0)


async def _one_pass(self: resolver.Resolver, names: set[str]) -> object:
    return await self._one_pass(names)


async def _not_listed(self: submit.Submit, phase: str) -> None:
    """The existing jobs are not asked for."""


async def _not_waited(self: submit.Submit) -> None:
    """A restart sends at once."""


def _closes_first(self: recorder.Recorder, work: Work, finish: Finish, answer: Answer | None = None) -> None:
    if answer is not None:
        self.ended(work, answer, closed=not finish.is_open)
    elif not finish.is_open:
        self.closed(work)
    self._outcome(work, finish)


VARIANTS = {
    "blind-retry": Variant(((sender, "on_answer", _retries_blindly),)),
    "forgets-acceptance": Variant(((sender, "on_answer", _forgets_acceptance),)),
    "sends-into-outages": Variant(((health.Health, "failed", _is_always_up),)),
    "no-settling": Variant(settles=False),
    "no-settling-after-a-crash": Variant(forgets_crash=True),
    "hasty-intent": Variant(is_hasty=True),
    "trusts-incomplete-lists": Variant(((resolver, "Seen", _complete_anyhow),)),
    "reads-the-first-page-only": Variant(((reader.Reader, "pages", _first_page_only),)),
    "lists-once-for-many": Variant(((resolver.Resolver, "_two_passes", _one_pass),)),
    "never-lists-first": Variant(((submit.Submit, "_list", _not_listed),)),
    "restarts-at-once": Variant(((submit.Submit, "_wait_a_window", _not_waited),)),
    "closes-before-it-records": Variant(((recorder.Recorder, "finished", _closes_first),)),
}

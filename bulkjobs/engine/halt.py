"""When refusals mean that something is wrong with more than single rows. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from bulkjobs.counted import counted
from bulkjobs.dataflow.replies import Answer
from bulkjobs.settings import HaltRule

FIRST = 20
"""Answered rows before a percentage means anything."""

_NEARLY_ALL = 0.9


@dataclass(slots=True)
class HaltWatch:
    """Told of every row that the service answered for good; ``reason`` is why the run should stop, once it should.

    One and the same refusal of nine rows in ten stops it before the rule does: it is not about those rows. Only
    ``--halt 100%`` goes on whatever is refused.
    """

    rule: HaltRule
    reason: str | None = None
    _answered: int = 0
    _rejected: int = 0
    _causes: Counter[tuple[int | None, str | None]] = field(default_factory=Counter)

    def ended(self, answer: Answer, is_rejected: bool) -> None:
        """A row ended, created or rejected; ``answer`` is the last that it got."""
        self._answered += 1
        if not is_rejected:
            return
        self._rejected += 1
        cause = (answer.http_status, answer.code)
        self._causes[cause] += 1
        if self.reason is None:
            self.reason = self._judge(cause, answer)

    def _judge(self, cause: tuple[int | None, str | None], answer: Answer) -> str | None:
        said = f"HTTP {answer.http_status}" + (f" {answer.code}" if answer.code else "") + f": {answer.message}"
        if self.rule.count is not None and self._rejected >= self.rule.count:
            many = f"{counted(self._rejected, 'row')} {'was' if self._rejected == 1 else 'were'} rejected"
            return f"{many} (--halt {self.rule}), the last with {said}"
        if self._answered < FIRST or self.rule.percent == 100:
            return None
        if self._causes[cause] >= _NEARLY_ALL * self._answered:
            return f"{self._causes[cause]:,} of the first {self._answered:,} rows were refused alike: {said}"
        if self.rule.percent is not None and self._rejected > self.rule.percent / 100 * self._answered:
            share = f"{self._rejected:,} of {self._answered:,} rows were rejected"
            return f"{share} (--halt {self.rule}), the last with {said}"
        return None

"""When refusals mean that something is wrong with more than single rows. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from bulkjobs.counted import counted
from bulkjobs.dataflow.replies import Answer
from bulkjobs.engine.records import Outcome
from bulkjobs.engine.work import Stop, Work
from bulkjobs.settings import HaltRule

FIRST = 20
"""Answered rows before a percentage means anything."""

_NEARLY_ALL = 0.9

_Said = tuple[int | None, str | None]


@dataclass(slots=True)
class HaltWatch:
    """Told of whatever becomes of a row; ``stop`` is why the run should stop, once it should.

    One and the same refusal of nine rows in ten stops it before the rule does: it is not about those rows. A refusal
    that waits for its lookup counts for that, until it turns out to be another's job. Only ``--halt 100%`` goes on
    whatever is refused; canaries are not its affair (``canary``).

    A row that an earlier run saw refused counts for nothing: it tells nothing new. Such rows may be all that is left,
    or come first, and would stop every run where the last one stopped.
    """

    rule: HaltRule
    stop: Stop | None = None
    _answered: int = 0
    _rejected: int = 0
    _alike: Counter[_Said] = field(default_factory=Counter)
    _doubtful: dict[int, _Said] = field(default_factory=dict)

    def told(self, work: Work) -> None:
        """A row got an answer, was looked up, or ended: at most once with the same state."""
        if work.seq in self._doubtful:
            self._answered -= 1
            self._alike[self._doubtful.pop(work.seq)] -= 1
        answer = work.row.last
        if answer is None or work.refused_before:
            return
        if work.outcome is Outcome.CREATED or work.outcome is Outcome.ADOPTED:
            self._answered += 1
        elif work.outcome is Outcome.REJECTED:
            self._rejected += 1
            self._refused(answer)
        elif work.outcome is None and work.row.refusal is not None:
            self._doubtful[work.seq] = _said(answer)
            self._refused(answer)

    def _refused(self, answer: Answer) -> None:
        self._answered += 1
        self._alike[_said(answer)] += 1
        if self.stop is None:
            self.stop = self._judge(answer)

    def _judge(self, answer: Answer) -> Stop | None:
        said = f"HTTP {answer.http_status}" + (f" {answer.code}" if answer.code else "") + f": {answer.message}"
        if self.rule.count is not None and self._rejected >= self.rule.count:
            many = f"{counted(self._rejected, 'row')} {'was' if self._rejected == 1 else 'were'} rejected"
            return _stop(f"{many} (--halt {self.rule}), the last with {said}", "raise --halt")
        if self._answered < FIRST or self.rule.percent == 100:
            return None
        alike = self._alike[_said(answer)]
        if alike >= _NEARLY_ALL * self._answered:
            many = f"{alike:,} of the first {self._answered:,} rows were refused alike"
            return _stop(f"{many}: {said}", "go on whatever is refused with --halt 100%")
        if self.rule.percent is not None and self._rejected > self.rule.percent / 100 * self._answered:
            share = f"{self._rejected:,} of {self._answered:,} rows were rejected"
            return _stop(f"{share} (--halt {self.rule}), the last with {said}", "raise --halt")
        return None


def _stop(reason: str, otherwise: str) -> Stop:
    hint = f"mend those rows (retry.csv has them), {otherwise}, or run again: what was refused does not count again"
    return Stop("halted", reason, hint, is_rule=True)


def _said(answer: Answer) -> _Said:
    return answer.http_status, answer.code

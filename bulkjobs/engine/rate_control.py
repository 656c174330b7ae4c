"""The adaptive rate: how many sends a second are permitted now, and until when to pause. Pure: time comes in.

The service publishes no limit, so the answers tell it. The limit is taken to hold over a window of one second.

* **Search**, until the first throttle: the rate is g times the answers of the last second, g from 4 at low rates down
  to 2.5. So it grows only when answers come, and never further than g times what was shown to work.
* **Cut**: to ``MARGIN`` of what the service accepted in the second before the refused send, or of the present rate
  if that is less. At most once a second and a round trip. A cut takes back what was sent too much: the pause lasts
  until no second from then on holds more than the new rate, whether the service counts what it refuses or not.
* **Undo**: if half of what was in flight when the search was cut, and no fewer than four sends, pass after all, the
  refusal was a stray and the search goes on.
* **Belief**: the accepted rate is remembered as the *plateau*; a second cut near it confirms it. Refusals under a
  confirmed plateau are doubted while they are fewer than one in ``PRICE`` answers, and two more: the rate is cut and
  returns within seconds; beyond that the plateau falls.
* **Hold** just under a confirmed plateau until each refusal is paid for with ``PRICE`` answers, so that probing costs
  about 1 % of the requests; then creep up, slowly at first, faster the longer nothing is refused.
* **Latency**: while it is above twice its base (and 50 ms), nothing grows, and the rate is trimmed to what is answered.
* A throttle with no success since the last pause pauses longer and longer (``gate``). ``Retry-After`` is a lower
  bound of any pause.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from bulkjobs.dataflow.replies import Answer
from bulkjobs.engine.course import RateCourse
from bulkjobs.engine.gate import Gate
from bulkjobs.engine.latency import Latency
from bulkjobs.engine.learned import FLOOR, START, Learned

WINDOW = 1.0
MARGIN = 0.97
PRICE = 100
_SEARCH_GAIN = 2.5
_REFINE = 0.25  # growth a second, as an exponent, towards and past a plateau that is not confirmed
_CREEP = 0.03  # the same past a confirmed one
_AGREE = 0.2
_RETRY = 1.5  # the same when it was a single refusal that stopped the search
_HOLD_MIN, _HOLD_MAX = 2.0, 30.0
_GRACE = 5.0  # seconds of debt that finding the limit leaves, at most
_VOUCHERS = 4
_HANDFUL = 3


class RateControl:
    """``ceiling``: never more than this (``--rate N``; the start, too). ``learned``: where ``auto`` begins.

    All times are monotonic seconds. A send is told by ``sent`` and its end by ``accepted`` (any answer that is no
    throttle) or ``throttled``; a send that got no answer is told no further.
    """

    def __init__(
        self,
        uniform: Callable[[float, float], float],
        *,
        ceiling: float | None = None,
        learned: float | None = None,
    ) -> None:
        self._gate = Gate(uniform)
        self._ceiling = ceiling if ceiling is not None else math.inf
        self._rate = ceiling if ceiling is not None else learned if learned is not None else START
        self._plateau = learned if ceiling is None else None
        self._confirmed = False
        self._found = False
        self._growing = 0.0
        self._best = 0.0
        self._before = 0.0
        self._is_first_cut = False
        self._sends: deque[float] = deque()
        self._refused: deque[float] = deque()
        self._answers: deque[float] = deque()
        self._ticked: float | None = None
        self._cut_at = -math.inf
        self._reopened = -math.inf  # answers to sends from before are about an event that is dealt with
        self._refused_at = -math.inf
        self._debt = 0.0
        self._lone = False
        self._undo: _Undo | None = None
        self._surprise = 0.0
        self._anchor = 0.0
        self._strikes = 0
        self._latency = Latency()
        self._ordered = False
        self.until = 0.0
        self.course = RateCourse()

    @property
    def rate(self) -> float:
        """Sends a second, permitted now."""
        return self._rate

    def sent(self, now: float) -> None:
        self.course.note(now, self._rate)
        self._sends.append(now)
        keep = now - 2 * WINDOW - 2 * self._latency.smooth
        while self._sends[0] < keep:
            self._sends.popleft()

    def answered(self, answer: Answer, sent_at: float, now: float) -> None:
        """A send ended with ``answer``: tell what it says of the rate. Nothing, if no answer came."""
        if answer.slow_down:
            self.throttled(sent_at, now, answer.retry_after)
        elif answer.http_status is not None:
            self.accepted(sent_at, now)

    def accepted(self, sent_at: float, now: float) -> None:
        """An answer came that is no throttle."""
        self._latency.measured(now - sent_at, now)
        self._answers.append(now)
        if self._undo is not None and self._undo.sent_at < sent_at <= self._cut_at:
            self._vouch()
        self._debt = max(0.0, self._debt - 1.0 / PRICE)
        self._surprise = max(0.0, self._surprise - 1.0 / PRICE)
        if sent_at >= self._reopened:
            self._strikes = 0
            self._gate.succeeded()
        self.tick(now)
        if self._is_first_cut and self._plateau is not None and sent_at <= self._cut_at:
            # It was on its way when the cut was made: the service accepted more than could be known then.
            self._plateau = max(self._plateau, float(len(self._answers)))
            self._rate = max(self._rate, min(self._before, MARGIN * len(self._answers)))

    def throttled(self, sent_at: float, now: float, retry_after: float | None = None) -> None:
        """A send was refused for its rate. ``retry_after``: seconds the service asked for."""
        self._refused.append(sent_at)
        self._refused_at = now
        self._lone = sent_at >= self._reopened
        self._undo = None
        if self._confirmed and self._plateau is not None and self._rate <= self._plateau:
            self._surprise += 1.0
        self._debt = min(self._debt + 1.0, max(1.5, self._rate * _HOLD_MAX / PRICE))
        if sent_at >= self._reopened and now >= self._cut_at + max(WINDOW, self._latency.smooth):
            self._cut(sent_at, now)
        if retry_after is not None:
            self._ordered = True
            self._pause(now + retry_after)

    def learned(self, at_ms: int) -> Learned | None:
        """What the next run may start with; None when this one saw too little."""
        if self._plateau is not None:
            return Learned(MARGIN * self._plateau if self._rate > self._plateau else self._rate, at_ms)
        return Learned(self._best, at_ms) if self._best >= 1 else None

    # Growth

    def tick(self, now: float) -> None:
        """Let the rate grow for the time that has passed since the last call, as far as the answers allow."""
        answers = self._answers
        while answers and answers[0] <= now - WINDOW:
            answers.popleft()
        while self._refused and self._refused[0] < now - 2 * WINDOW - 2 * self._latency.smooth:
            self._refused.popleft()
        step = min(now - self._ticked, 0.1) if self._ticked is not None else 0.0
        self._ticked = now
        seen = float(len(answers))
        self._best = max(self._best, seen)
        if self._latency.is_strained:
            if seen >= 4 and self._rate > 1.1 * seen and self._in_use(now):
                self._rate = 1.1 * seen
            return
        calm = now - max(self._reopened, self._refused_at)
        if calm < WINDOW + self._latency.smooth:
            return
        self._grow(now, step, seen, calm)
        self._rate = min(self._rate, self._ceiling)

    def _grow(self, now: float, step: float, seen: float, calm: float) -> None:
        if self._plateau is None:
            gain = _SEARCH_GAIN + 1.5 * 20.0 / (20.0 + self._rate)
            self._rate = max(self._rate, min(gain * seen, gain * self._rate))
            return
        if not self._in_use(now):
            return
        target = MARGIN * self._plateau
        if self._rate < target:
            self._growing = 0.0
            self._rate = min(target, self._rate + (target - self._rate) * step / WINDOW + 0.02 * target * step)
            return
        if self._confirmed and (self._debt > 0 or calm < _HOLD_MIN):
            return
        growth = _CREEP if self._confirmed else _RETRY if self._lone and self._plateau > 5 else _REFINE
        if not self._growing:
            self._anchor = self._plateau
        self._growing += step
        growth *= 1 + self._growing / 2
        self._rate = max(self._rate, min(self._rate * math.exp(growth * step), _SEARCH_GAIN * seen))

    def _in_use(self, now: float) -> bool:
        """Whether the permitted rate is nearly used up; if not, more of it would be permission for a burst."""
        sends = self._sends
        recent = len(sends) - bisect_right(sends, now - WINDOW)
        return recent + 1 >= 0.8 * self._rate

    # Cuts

    def _cut(self, sent_at: float, now: float) -> None:
        accepted, is_heavy = self._in_the_second_before(sent_at)
        if self._plateau is None:
            flying = len(self._sends) - bisect_right(self._sends, sent_at)
            self._undo = _Undo(sent_at, self._rate, max(_VOUCHERS, flying // 2))
        if self._surprise > 2.0:
            accepted = min(accepted, self._rate * max(0.9, 1 - len(self._refused) / len(self._sends)))
        self._before = self._rate
        self._is_first_cut = self._plateau is None and self._ceiling < math.inf
        self._believe(accepted, is_heavy)
        self._growing = 0.0
        believed = self._plateau if self._confirmed and self._plateau is not None else math.inf
        self._rate = max(FLOOR, MARGIN * min(accepted, self._rate, believed))
        self._cut_at = now
        self._pause(self._fitting(now))
        self._strikes += 1
        if self._strikes > 1:
            self._gate.throttled(now, None)
            self._pause(self._gate.until)
        self._reopened = max(now, self.until)

    def _vouch(self) -> None:
        """A send from after the refused one passed. Half of those, no fewer than four: it was a stray."""
        assert self._undo is not None
        self._undo.missing -= 1
        if self._undo.missing <= 0 and self._strikes <= 1:
            self._rate, self._plateau, self._undo = self._undo.rate, None, None
            self._refused_at = self._reopened = self._cut_at = -math.inf
            self.until = 0.0 if not self._ordered else self.until

    def _in_the_second_before(self, sent_at: float) -> tuple[float, bool]:
        """Accepted sends in the second before ``sent_at``, and whether refusals made up much of it.

        Sends still on their way count as accepted. At low rates a whole number is too coarse, so the one before
        counts for its part: k + 1 sends in t > 1 s are a rate of (k + 1)/t.
        """
        refused = set(self._refused)
        since = sent_at - WINDOW
        accepted = among = 0
        rate = 0.0
        for index in range(bisect_left(self._sends, sent_at) - 1, -1, -1):
            at = self._sends[index]
            if at in refused:
                among += at > since
            elif at > since:
                accepted += 1
            else:
                if sent_at - at < 1.1 * WINDOW:
                    rate = (accepted + 1) / (sent_at - at)
                break
        is_heavy = among >= 3 and among > 0.25 * (accepted + among)
        if since < self._reopened:  # part of it was the pause after the last cut, in which nothing could be accepted
            paused = min(0.5, self._reopened - max(since, self._cut_at))
            rate = max(rate, 0.5 * self._rate, 0.0 if is_heavy else accepted / (1 - paused))
        known = len(self._sends)  # of a handful nothing can be told: a refusal among them may be anybody's
        return max(rate, accepted, min(START / 2, self._rate / 2) if known <= _HANDFUL else 0.5), is_heavy

    def _believe(self, accepted: float, is_heavy: bool) -> None:
        plateau = self._plateau
        if plateau is None:
            self._plateau = min(accepted, self._rate)
            return
        if self._confirmed and self._rate <= plateau and not is_heavy and self._surprise <= 2.0:
            return
        known = min((plateau, self._anchor), key=lambda rate: abs(accepted - rate))
        accepted = min(accepted, self._rate)
        is_near = not is_heavy and abs(accepted - known) <= max(1.0, _AGREE * known)
        if is_near and not self._found:
            self._found = True
            self._debt = min(self._debt, max(1.0, self._rate * _GRACE / PRICE))
        self._confirmed = is_near
        if not is_near:
            self._plateau = accepted
        elif accepted > known:
            self._plateau = max(known, min(accepted - 1.0, 0.95 * accepted))
        else:
            self._plateau = max(accepted, known - max(1.0, 0.05 * known))
        self._surprise = 0.0

    def _fitting(self, now: float) -> float:
        """When sends at the present rate may start so that no window holds more of them than the rate.

        With m sends x_0 … x_(m-1) in the last window and room for N: the k-th new one goes at P + k/rate, and x_i
        must have left the window by then if k ≥ N - m + i. So P = max over i of x_i + WINDOW - max(0, N-m+i)/rate.
        The window is taken a little longer, for sends that travel quicker than the one before.
        """
        window = WINDOW / MARGIN
        first = bisect_right(self._sends, now - window)
        recent = [self._sends[index] for index in range(first, len(self._sends))]
        room = self._rate * window - len(recent)
        return max((at + window - max(0.0, room + i) / self._rate for i, at in enumerate(recent)), default=now)

    def _pause(self, until: float) -> None:
        self.until = max(self.until, until)
        self._reopened = max(self._reopened, self.until)


@dataclass(slots=True)
class _Undo:
    """What a cut may be taken back to: the refused send's time, the rate before, later sends that must pass yet."""

    sent_at: float
    rate: float
    missing: int

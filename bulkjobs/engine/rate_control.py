"""The adaptive rate: how many sends a second are permitted now, and until when to pause. Pure: time comes in.

The service publishes no limit, so the answers tell it. The limit is taken to hold over a window of one second.

* **Search**, until the first throttle: the rate is g times the answers of the last second, g from 4 at low rates down
  to 2.5. So it grows only when answers come, and never further than g times what was shown to work.
* **Stray**: a refusal that is alone among many that pass (``strays``) changes no rate, where that is seen soon enough
  to be harmless: at 20 a second and more, and in the search, which stands still until the next answers tell.
* **Cut**: to ``MARGIN`` of what the service accepted in the second before the refused send, or of the present rate
  if that is less. At most once a second and a round trip. A cut takes back what was sent too much: the pause lasts
  until no second from then on holds more than the new rate, whether the service counts what it refuses or not.
* **Belief**: the accepted rate is remembered as the *plateau*; a second cut near it confirms it. Refusals under a
  confirmed plateau are doubted while they are few: the rate is cut and returns within seconds; beyond that the
  plateau falls.
* **Hold** just under a confirmed plateau until each refusal is paid for with a *price* in answers, so that probing
  costs less than 2 % of the requests; then creep up, slowly at first, faster the longer nothing is refused.
* **Latency**: while it is above twice its base (and 50 ms), nothing grows, and the rate is trimmed to what is answered.
* A throttle with no success since the last pause pauses longer and longer (``gate``). ``Retry-After`` is a lower
  bound of any pause.

The constants were tuned on ``tests/engine/rate_model.py``; ``tests/engine/rate_judge.py`` judges them on other worlds.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from bulkjobs.dataflow.replies import Answer
from bulkjobs.engine.course import RateCourse
from bulkjobs.engine.gate import Gate
from bulkjobs.engine.latency import Latency
from bulkjobs.engine.learned import FLOOR, START, Learned
from bulkjobs.engine.strays import Strays
from bulkjobs.engine.traffic import MARGIN, WINDOW, Traffic

_PRICE, _PRICE_OF_FEW = 60.0, 80.0
_SEARCH_GAIN = 2.5
_REFINE = 0.25  # growth a second, as an exponent, towards and past a plateau that is not confirmed
_RETRY = 1.5  # the same when it was a single refusal that stopped the search
_CREEP = 0.03  # the same past a confirmed one
_AGREE = 0.2
_HOLD_MIN, _HOLD_MAX = 2.0, 20.0
_GRACE = 5.0  # seconds of debt that finding the limit leaves, at most
_SOON = 20.0  # sends a second at which a stray is told from a limit within a second
_PROOF = 4  # ends after a refusal that show the search whether it was a stray
_PLAIN = 2.5  # sends a second, at least, for a plateau that is tried again quickly
_DOUBT, _DISBELIEF = 1.1, 1.5  # refusals under a confirmed plateau, less one for each price paid in answers
_FORGOTTEN = 3.0  # seconds, at least, until one such refusal is forgotten, where each may cost a Retry-After
_GENTLY = 0.95  # of the rate, at least, is left by a refusal that is doubted
_WORTH, _WORTH_MAX = 20.0, 60.0  # seconds of holding that a second of Retry-After is worth, and at most
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
        self.rate = ceiling if ceiling is not None else learned if learned is not None else START
        """Sends a second, permitted now."""
        self.until = 0.0
        """Before this time nothing is sent."""
        self._plateau = learned if ceiling is None else None
        self._known = max(START, learned if learned is not None else 0.0)
        self._confirmed = False
        self._found = False
        self._growing = 0.0
        self._best = 0
        self._before = 0.0
        self._is_first_cut = False
        self._traffic = Traffic()
        self._strays = Strays()
        self._latency = Latency()
        self._ticked: float | None = None
        self._cut_at = -math.inf
        self._paused_at = math.inf  # when the last pause began
        self._reopened = -math.inf  # answers to sends from before are about an event that is dealt with
        self._refused_at = -math.inf
        self._debt = 0.0
        self._lone = False
        self._surprise = 0.0
        self._orders = False  # the service has sent a Retry-After
        self._anchor = 0.0
        self._strikes = 0
        self.course = RateCourse()

    def sent(self, now: float) -> None:
        self.course.note(now, self.rate)
        self._traffic.sent(now, self._latency.smooth)

    def answered(self, answer: Answer, sent_at: float, now: float) -> None:
        """A send ended with ``answer``: tell what it says of the rate. Nothing, if no answer came."""
        if answer.slow_down:
            self.throttled(sent_at, now, answer.retry_after)
        elif answer.http_status is not None:
            self.accepted(sent_at, now)

    def accepted(self, sent_at: float, now: float) -> None:
        """An answer came that is no throttle."""
        self._latency.measured(now - sent_at, now)
        self._traffic.answers.append(now)
        self._strays.ends += 1
        if self._debt or self._surprise:
            paid = 1.0 / self._price
            self._debt = max(0.0, self._debt - paid)
            if self._orders:
                paid = min(paid, 1.0 / (_FORGOTTEN * self.rate))
            self._surprise = max(0.0, self._surprise - paid)
        if self._strikes and sent_at >= self._reopened:
            self._strikes = 0
            self._gate.succeeded()
        self.tick(now)
        if self._is_first_cut and self._plateau is not None and sent_at <= self._cut_at:
            # It was on its way when the cut was made: the service accepted more than could be known then.
            accepted = float(len(self._traffic.answers))
            self._plateau = max(self._plateau, accepted)
            self.rate = max(self.rate, min(self._before, MARGIN * accepted))

    def throttled(self, sent_at: float, now: float, retry_after: float | None = None) -> None:
        """A send was refused for its rate. ``retry_after``: seconds the service asked for."""
        self._traffic.refused.append(sent_at)
        if self._is_stray():
            self._debt += 1.0
        else:
            self._refused_at = now
            self._lone = sent_at >= self._reopened
            if self._confirmed and self._plateau is not None and self.rate <= self._plateau:
                self._surprise += 1.0
            self._debt = min(self._debt + 1.0, max(1.5, self.rate * _HOLD_MAX / self._price))
            if sent_at >= self._reopened and now >= self._cut_at + max(WINDOW, self._latency.smooth):
                self._cut(sent_at, now)
        if retry_after is not None:
            self._orders = True
            self._debt = max(self._debt, self.rate * min(_WORTH * retry_after, _WORTH_MAX) / self._price)
            self._pause(now, now + retry_after)

    def learned(self, at_ms: int) -> Learned | None:
        """What the next run may start with; None when this one saw no more than was known before it."""
        if self._plateau is not None:
            return Learned(MARGIN * self._plateau if self.rate > self._plateau else self.rate, at_ms)
        return Learned(float(self._best), at_ms) if self._best > self._known else None

    @property
    def _price(self) -> float:
        """Answers that pay for a refusal: 60, and up to 100 where a minute has so few that one more counts."""
        return _PRICE + _PRICE_OF_FEW / max(2.0, self.rate)

    def _is_stray(self) -> bool:
        """The first refusal under a ceiling is never one: it resets the rate to what was in fact accepted."""
        is_alone = self._strays.is_alone()
        if self._plateau is None:
            return is_alone and self._ceiling == math.inf
        return is_alone and self.rate >= _SOON

    # Growth

    def tick(self, now: float) -> None:
        """Let the rate grow for the time that has passed since the last call, as far as the answers allow."""
        self._traffic.age(now, self._latency.smooth)
        step = min(now - self._ticked, 0.1) if self._ticked is not None else 0.0
        self._ticked = now
        seen = len(self._traffic.answers)
        self._best = max(self._best, seen)
        if self._latency.is_strained:
            if seen >= 4 and self.rate > 1.1 * seen and self._traffic.uses(self.rate, now):
                self.rate = 1.1 * seen
            return
        if self.rate >= self._ceiling:
            return
        calm = now - max(self._reopened, self._refused_at)
        if calm < WINDOW + self._latency.smooth:
            return
        self._grow(now, step, seen, calm)
        self.rate = min(self.rate, self._ceiling)

    def _grow(self, now: float, step: float, seen: int, calm: float) -> None:
        if self._plateau is None:
            if self._strays.since() > _PROOF:
                gain = _SEARCH_GAIN + 1.5 * 20.0 / (20.0 + self.rate)
                self.rate = max(self.rate, min(gain * seen, gain * self.rate))
            return
        target = MARGIN * self._plateau
        if self.rate >= target and self._confirmed and (self._debt > 0 or calm < _HOLD_MIN):
            return
        if not self._traffic.uses(self.rate, now):
            return
        if self.rate < target:
            self._growing = 0.0
            self.rate = min(target, self.rate + (target - self.rate) * step / WINDOW + 0.02 * target * step)
            return
        growth = _CREEP if self._confirmed else _RETRY if self._lone and self._plateau > _PLAIN else _REFINE
        if not self._growing:
            self._anchor = self._plateau
        self._growing += step
        growth *= 1 + self._growing / 2
        self.rate = max(self.rate, min(self.rate * math.exp(growth * step), _SEARCH_GAIN * seen))

    # Cuts

    def _cut(self, sent_at: float, now: float) -> None:
        accepted, is_heavy = self._in_the_second_before(sent_at)
        if self._is_doubted(is_heavy):
            accepted = max(accepted, _GENTLY * self.rate)
        if self._surprise > _DISBELIEF:
            accepted = min(accepted, self.rate * max(0.9, 1 - self._traffic.part_refused))
        self._before = self.rate
        self._is_first_cut = self._plateau is None and self._ceiling < math.inf
        self._believe(accepted, is_heavy)
        self._growing = 0.0
        believed = self._plateau if self._confirmed and self._plateau is not None else math.inf
        self.rate = max(FLOOR, MARGIN * min(accepted, self.rate, believed))
        self._cut_at = now
        self._pause(now, self._traffic.fitting(self.rate, now))
        self._strikes += 1
        if self._strikes > 1:
            self._gate.throttled(now, None)
            self._pause(now, self._gate.until)
        self._reopened = max(now, self.until)

    def _in_the_second_before(self, sent_at: float) -> tuple[float, bool]:
        # Of a handful nothing can be told: a refusal among them may be anybody's.
        least = min(START / 2, self.rate / 2) if len(self._traffic.sends) <= _HANDFUL else 0.5
        return self._traffic.in_the_second_before(sent_at, (self._paused_at, self.until), self.rate, least)

    def _is_doubted(self, is_heavy: bool) -> bool:
        """Whether a refusal says little against a confirmed plateau: jitter, or somebody else's load for a moment."""
        is_under = self._confirmed and self._plateau is not None and self.rate <= self._plateau
        return is_under and not is_heavy and self._surprise <= _DISBELIEF

    def _believe(self, accepted: float, is_heavy: bool) -> None:
        plateau = self._plateau
        if plateau is None:
            self._plateau = min(accepted, self.rate)
            return
        if self._is_doubted(is_heavy):
            if self._surprise > _DOUBT:
                self._plateau = min(plateau, max(accepted, 0.975 * plateau))
            return
        known = min((plateau, self._anchor), key=lambda rate: abs(accepted - rate))
        accepted = min(accepted, self.rate)
        is_near = not is_heavy and abs(accepted - known) <= max(1.0, _AGREE * known)
        if is_near and not self._found:
            self._found = True
            self._debt = min(self._debt, max(1.0, self.rate * _GRACE / self._price))
        self._confirmed = is_near
        if not is_near:
            self._plateau = accepted
        elif accepted > known:
            self._plateau = max(known, min(accepted - 1.0, 0.95 * accepted))
        else:
            self._plateau = max(accepted, known - max(1.0, 0.05 * known))
        self._surprise = 0.0

    def _pause(self, now: float, until: float) -> None:
        if now >= self.until:
            self._paused_at = now
        self.until = max(self.until, until)

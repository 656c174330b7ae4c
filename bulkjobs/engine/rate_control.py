"""The adaptive rate: how many sends a second are permitted now, and until when to pause. Pure: time comes in.

The service publishes no limit, so the answers tell it. The limit is taken to hold over a window of one second.

* **Search**, until the first throttle, a slow start: each answer of the last second adds 6 to the rate. So it grows
  only when answers come, the quicker the sooner they come.
* **Plateau** (``plateau``): where the limit is taken to be. Until it is confirmed, growth towards and past it is quick.
* **Stray**: below a confirmed plateau, in the search, and from 20 a second on everywhere, a refusal counts only when
  others are so close by that chance does not explain them (``strays``). Until that is known, nothing grows. One with a
  ``Retry-After`` always counts: it costs a pause each time.
* **Cut**: to ``MARGIN`` of what the service accepted in the second before the refused send, or of the present rate
  or of the confirmed plateau if that is less. At most once a second and a round trip. A cut takes back what was sent
  too much: the pause lasts until no second from then on holds more than the new rate of what was accepted. If all is
  refused even then, the service may count what it refuses (``counting``), and so does this as long as it seems so.
* **Hold** just under a confirmed plateau until each refusal is paid for with a *price* in answers, so that probing
  costs less than 2 % of the requests. What finding the limit costs is owed in part only.
* **Probe** then: grow past the plateau, slowly at first, quicker the further beyond; but until it is proved that the
  limit has risen, no further than costs a few refusals in a round trip.
* **Latency**: while it is above twice its base (and 50 ms), nothing grows, and the rate is trimmed to what is answered.
* A throttle with no success since the last pause pauses longer and longer (``gate``). Below ``START`` it lowers
  nothing, since so few sends say nothing of the rate: when the service is back, so is the run. ``Retry-After`` is a
  lower bound of any pause.

The constants were tuned on ``tests/engine/rate_promise.py`` at limits 2, 15 and 40 and held against
``tests/engine/rate_model.py``; other limits and ``tests/engine/rate_judge.py`` judge them.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from bulkjobs.dataflow.replies import Answer
from bulkjobs.engine.counting import Counting
from bulkjobs.engine.course import RateCourse
from bulkjobs.engine.gate import Gate
from bulkjobs.engine.latency import Latency
from bulkjobs.engine.learned import FLOOR, START, Learned
from bulkjobs.engine.plateau import Plateau
from bulkjobs.engine.strays import Strays
from bulkjobs.engine.traffic import MARGIN, SPAN, WINDOW, Traffic

_PRICE = 60.0  # answers that pay for a refusal
_UNASKED = 0.5  # of that for a refusal at a rate that is known to be accepted: it buys no knowledge
_SLOW_START = 6.0  # what each answer of the last second adds to the rate in the search
_RAMP, _REFINE = 0.05, 0.25  # growth of a probe a second, part of the plateau; the same while it is not confirmed
_STEEP, _STEEP_LEARNED = 1.0, 2.0  # and part of what it is beyond the plateau; the same where that was only learned
_GAIN = 2.5  # a probe asks for no more than so many times the answers of the last second
_AT_STAKE, _AT_STAKE_MIN = 0.12, 2.0  # refusals in a round trip: part of a second's worth, and at least
_HOLD_MIN = 2.0
_DEBT, _DEBT_MIN = 20.0, 2.0  # the most that is owed: seconds of holding, but that many refusals at least
_GRACE, _GRACE_MIN = 3.0, 1.0  # the same while the limit is being found, and for so long after it
_GRACE_LONG = 5.0  # and where little is to be won
_SOON = 20.0  # sends a second at which a stray is told from a limit within a second
_PROOF, _PROOF_MAX = 4.0, 40.0  # ends after a refusal that show whether it was a stray
_DENSE = 5.0  # of refusals (``strays``): what is less may be chance
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
        self._plateau = Plateau(learned / MARGIN if ceiling is None and learned is not None else None)
        self._known = max(START, learned if learned is not None else 0.0)
        self._is_probing = False  # whether more is asked for than is known to be accepted
        self._best = 0
        self._before = 0.0
        self._is_first_cut = False
        self._counting = Counting()
        self._traffic = Traffic()
        self._strays = Strays()
        self._latency = Latency()
        self._ticked: float | None = None
        self._cut_at = -math.inf
        self._paused_at = math.inf  # when the last pause began
        self._reopened = -math.inf  # answers to sends from before are about an event that is dealt with
        self._refused_at = -math.inf
        self._debt = 0.0
        self._sought_at = -math.inf  # when the limit was last being found
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
        self._traffic.heard = max(self._traffic.heard, sent_at)
        if self._counting.asks(sent_at):
            self._counting.accepted(sent_at, self._traffic.crowd(sent_at))
        is_of_the_cut = self._cut_at - SPAN < sent_at <= self._cut_at  # what is older takes no room any more
        if is_of_the_cut and now < self.until and not self._counting.is_taken_so:
            self.until += 1.0 / self.rate  # it was taken to be refused
            self._reopened = max(self._reopened, self.until)
        self._strays.passed()
        self._debt = max(0.0, self._debt - 1.0 / _PRICE)
        self._plateau.accepted(now, 1.0 / _PRICE)
        if self._strikes and sent_at >= self._reopened:
            self._strikes = 0
            self._gate.succeeded()
        self.tick(now)
        if self._is_first_cut and self._plateau.value is not None and sent_at <= self._cut_at:
            # It was on its way when the cut was made: the service accepted more than could be known then.
            accepted = float(len(self._traffic.answers))
            self._plateau.value = max(self._plateau.value, accepted)
            self.rate = max(self.rate, min(self._before, MARGIN * accepted))

    def throttled(self, sent_at: float, now: float, retry_after: float | None = None) -> None:
        """A send was refused for its rate. ``retry_after``: seconds the service asked for."""
        self._traffic.refused.append(sent_at)
        self._counting.refused(sent_at, self._traffic.crowd(sent_at))
        self._traffic.heard = max(self._traffic.heard, sent_at)
        is_known = self._plateau.is_confirmed and not self._is_probing and not self._plateau.is_on_probation
        self._debt = max(self._debt, min(self._debt + (_UNASKED if is_known else 1.0), self._credit(now)))
        is_news = sent_at >= self._reopened
        if is_news and self._strikes == 1 and not self._counting.is_taken_so and now < self._cut_at + WINDOW:
            self._counting.suspected()
            self._pause(now, self._traffic.fitting(self.rate, now, counts_refused=True))
            self._reopened = max(now, self.until)
            is_news = False
        if is_news:
            self._strays.refused()
        if not (is_news and self._is_stray(retry_after is not None)):
            self._refused_at = now
            if is_news and now >= self._cut_at + max(WINDOW, self._latency.smooth):
                self._cut(sent_at, now)
        if retry_after is not None:
            self._debt = max(self._debt, self.rate * min(_WORTH * retry_after, _WORTH_MAX) / _PRICE)
            self._pause(now, now + retry_after)

    def _credit(self, now: float) -> float:
        """The most refusals that may be owed. Those of finding the limit go on to come after it is confirmed."""
        if now < self._sought_at + _GRACE and not self._counting.is_taken_so:
            return self._remitted()
        return max(_DEBT_MIN, self.rate * _DEBT / _PRICE)

    def _remitted(self) -> float:
        """What is owed of the refusals that finding the limit costs."""
        grace = _GRACE_LONG if self._counting.is_taken_so or self._ceiling < math.inf else _GRACE
        return max(_GRACE_MIN, self.rate * grace / _PRICE)

    def learned(self, at_ms: int) -> Learned | None:
        """What the next run may start with; None when this one saw no more than was known before it."""
        plateau = self._plateau.value
        if plateau is not None:
            return Learned(MARGIN * plateau if self.rate > plateau else self.rate, at_ms)
        return Learned(float(self._best), at_ms) if self._best > self._known else None

    def _is_stray(self, is_ordered: bool) -> bool:
        """Whether the last refusal says nothing. ``is_ordered``: it has a Retry-After, costs a pause, and is heeded.

        The first refusal under a ceiling is never a stray: it resets the rate to what was in fact accepted.
        """
        if self._strikes or is_ordered or (self._plateau.value is None and self._ceiling < math.inf):
            return False
        if self._plateau.is_confirmed and not self._is_probing:
            can_wait = not self._plateau.is_on_probation
        else:
            can_wait = self._plateau.value is None or self.rate >= _SOON
        is_slow = self.rate < _SOON and not self._counting.is_taken_so  # soon after a cut: it was not enough
        return can_wait and self._strays.density(with_dealt=is_slow)[0] <= _DENSE

    # Growth

    def tick(self, now: float) -> None:
        """Let the rate grow for the time that has passed since the last call, as far as the answers allow."""
        self._traffic.age(now, self._latency.smooth)
        step = 0.0
        if self._ticked is not None:
            step = min(now - self._ticked, max(0.1, 1.0 / self.rate))
        elif self._plateau.value is not None:
            self._refused_at = now  # of the first requests nothing can be told
        self._ticked = now
        if not self._plateau.is_confirmed:
            self._sought_at = now
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
        plateau = self._plateau.value
        if plateau is None:
            if self._strays.since() > _PROOF:
                self.rate = max(self.rate, START + _SLOW_START * seen)
            return
        target = MARGIN * plateau
        is_confirmed = self._plateau.is_confirmed
        if self.rate >= target and is_confirmed and not self._is_probing and (self._debt > 0 or calm < _HOLD_MIN):
            return
        if not self._traffic.uses(self.rate, now):
            return
        if self.rate < target:
            self._is_probing = False
            self.rate = min(target, self.rate + (target - self.rate) * step / WINDOW + 0.02 * target * step)
            return
        beyond = max(0.0, self.rate / plateau - 1.0)
        if self._strays.since() <= max(_PROOF, min(2.0 / max(beyond, 1e-9), _PROOF_MAX)):
            return
        self._is_probing = True
        ramp = _RAMP if is_confirmed and self._plateau.is_found else _REFINE
        steep = _STEEP_LEARNED if self._plateau.is_learned else _STEEP
        most = _GAIN * seen
        if not self._plateau.has_risen:
            most = min(most, plateau + max(_AT_STAKE * plateau, _AT_STAKE_MIN) / max(self._latency.smooth, 0.02))
        self.rate = max(self.rate, min(self.rate + plateau * (ramp + steep * beyond) * step, most))

    # Cuts

    def _cut(self, sent_at: float, now: float) -> None:
        if not self._strikes or self.rate >= START:
            self._lower(sent_at, now)
        self._strays.forget()
        self._strikes += 1
        if self._strikes > 1:
            self._gate.throttled(now, None)
            self._pause(now, self._gate.until)
        self._reopened = max(now, self.until)

    def _lower(self, sent_at: float, now: float) -> None:
        accepted, is_heavy = self._in_the_second_before(sent_at)
        self._before = self.rate
        self._is_first_cut = self._plateau.value is None and self._ceiling < math.inf
        if self._plateau.refused(now, min(accepted, self.rate), is_heavy, self._strays.density()[1]):
            self._debt = min(self._debt, self._remitted())
        self._is_probing = False
        believed = self._plateau.value if self._plateau.is_confirmed and self._plateau.value is not None else math.inf
        self.rate = max(FLOOR, MARGIN * min(accepted, self.rate, believed))
        self._cut_at = now
        self._pause(now, self._traffic.fitting(self.rate, now, counts_refused=self._counting.is_taken_so))

    def _in_the_second_before(self, sent_at: float) -> tuple[float, bool]:
        # Of a handful nothing can be told: a refusal among them may be anybody's.
        least = min(START / 2, self.rate / 2) if len(self._traffic.sends) <= _HANDFUL else 0.5
        return self._traffic.in_the_second_before(sent_at, (self._paused_at, self.until), self.rate, least)

    def _pause(self, now: float, until: float) -> None:
        if now >= self.until:
            self._paused_at = now
        self.until = max(self.until, until)

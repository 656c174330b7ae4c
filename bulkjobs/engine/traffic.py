"""What was sent and what came back, over the last seconds: the evidence of ``rate_control``. Pure: times come in."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator

WINDOW = 1.0
"""Seconds over which a limit is taken to hold."""

MARGIN = 0.97
"""The part of a rate that is used, so that jitter on the way does not pass it."""

SPAN = WINDOW / MARGIN
"""The window, a little longer, for sends that travel quicker than the one before."""

_IN_USE = 10.0
_PART_IN_USE = 0.8


class Traffic:
    """Sends and refusals of the last two windows and round trips, answers of the last window."""

    def __init__(self) -> None:
        self.sends: deque[float] = deque()
        self.answers: deque[float] = deque()
        self.refused: deque[float] = deque()  # by the time at which they were sent
        self.heard = 0.0
        """When the latest send was sent that an answer has come to."""
        self._forgotten = -math.inf  # the latest send of which nothing is known any more

    def sent(self, now: float, round_trip: float) -> None:
        sends = self.sends
        sends.append(now)
        keep = now - 2 * WINDOW - 2 * round_trip
        while sends[0] < keep:
            self._forgotten = sends.popleft()

    def age(self, now: float, round_trip: float) -> None:
        """Forget what is too long ago."""
        answers, refused = self.answers, self.refused
        while answers and answers[0] <= now - WINDOW:
            answers.popleft()
        while refused and refused[0] < now - 2 * WINDOW - 2 * round_trip:
            refused.popleft()

    def uses(self, rate: float, now: float) -> bool:
        """Whether ``rate`` is nearly used up; if not, more of it would be permission for a burst.

        Looked at over the time of ten sends: over a whole second, a rate that grows fast never looks used up.
        """
        window = min(WINDOW, _IN_USE / rate)
        recent = len(self.sends) - bisect_right(self.sends, now - window)
        return recent + 1 >= _PART_IN_USE * rate * window

    def crowd(self, sent_at: float) -> int:
        """How many were sent in the window before that."""
        return bisect_left(self.sends, sent_at) - bisect_right(self.sends, sent_at - WINDOW)

    def in_the_second_before(
        self, sent_at: float, pause: tuple[float, float], rate: float, least: float
    ) -> tuple[float, bool]:
        """What the service accepted, a second, in the one before ``sent_at``; and whether it refused much of it.

        Sends still on their way count as accepted. At low rates a whole number is too coarse, so the one before
        counts for its part: k + 1 sends in t > 1 s are a rate of (k + 1)/t. ``pause``: the last one, in which nothing
        could be accepted; if it reaches into that second, not less than half of ``rate`` is believed, and what was
        accepted stands for the part that was left, unless all the limit's window was free again when the pause ended.
        ``least``: the result's lower bound.

        Nothing is known of a second that is forgotten, which is not that nothing was accepted in it: a refusal that
        comes so late is judged by the first second that is not, if that has been answered.
        """
        first = self._forgotten + WINDOW
        if sent_at < first <= self.heard:
            sent_at = first
        accepted = among = 0
        coarse = 0.0
        refused = set(self.refused)
        for at in self._sends_before(sent_at):
            is_recent = at > sent_at - WINDOW
            if at in refused:
                among += is_recent
            elif is_recent:
                accepted += 1
            else:
                if sent_at - at < 1.1 * WINDOW:
                    coarse = (accepted + 1) / (sent_at - at)
                break
        is_heavy = among >= 3 and among > 0.25 * (accepted + among)
        begin, end = pause
        paused = end - max(begin, sent_at - WINDOW)
        if paused > 0.0 and end <= sent_at:
            is_whole = is_heavy or end - begin >= WINDOW
            coarse = max(coarse, 0.5 * rate, 0.0 if is_whole else accepted / (WINDOW - min(0.5, paused)))
        return max(coarse, float(accepted), least), is_heavy

    def fitting(self, rate: float, now: float, *, counts_refused: bool) -> float:
        """When sends at ``rate`` may start so that no window holds more of them than the rate.

        What was refused, or may still be, takes room only if ``counts_refused``.

        With m sends x_0 … x_(m-1) in the last window and room for N: the k-th new one goes at P + k/rate, and x_i
        must have left the window by then if k ≥ N - m + i. So P = max over i of x_i + SPAN - max(0, N-m+i)/rate.
        """
        recent = list(self._sends_before(now, since=now - SPAN))[::-1]
        if not counts_refused:
            refused = set(self.refused)
            recent = [at for at in recent if at <= self.heard and at not in refused]
        room = rate * SPAN - len(recent)
        return max((at + SPAN - max(0.0, room + i) / rate for i, at in enumerate(recent)), default=now)

    def _sends_before(self, until: float, since: float | None = None) -> Iterator[float]:
        """Latest first."""
        for index in range(bisect_left(self.sends, until) - 1, -1, -1):
            if since is not None and self.sends[index] <= since:
                return
            yield self.sends[index]

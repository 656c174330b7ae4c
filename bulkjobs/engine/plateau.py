"""Where the service's limit is taken to be, and what a refusal says of it. Pure.

* **Not known** until the first refusal: then it is what the service accepted in the second before.
* **Confirmed** by a second refusal near it. What is far from it, or comes of heavy refusing, is a new plateau to be
  confirmed in its turn: the limit was mistaken, or has changed.
* **Surplus**: when it refuses, a token bucket is empty. What is accepted from then on beyond the plateau's own rate is
  more than it can have taken in: then, and only then, the limit has risen.
* **Learned**: a plateau that an earlier run found counts as confirmed until a refusal comes far above it. Then it was
  too low, or the limit has risen since, and it is to be confirmed like any other.
* **Probes** ask for more than a confirmed plateau. One that is refused without a surplus raises the plateau a little,
  or three times that if it came far above, on *probation*: the next refusal, unless it is paid for before, takes that
  back.
* **Fall**: refusals below a confirmed plateau take back the part that was refused. Where that is not known, a little,
  and more with each that follows before the last one is paid for.
"""

from __future__ import annotations

_RISEN = 0.25  # seconds' worth of surplus that no bucket explains
_REFILL = 1.03  # of the plateau: what a bucket may take in, if the plateau is a little too low
_BUCKET = 1.25  # seconds' worth of the plateau that a bucket may hold
_AGREE = 0.2
_LEAP = 0.25  # part by which a plateau that is not confirmed may rise without a surplus
_STEP = 0.05  # part of a plateau by which a probe may raise it
_STEPS = 0.15  # the same where so much was accepted that the limit is likely to have risen
_FAR = 2.0  # sends a second beyond a plateau that no coarse count explains
_FALL = 0.075  # by which a refusal may lower it where no more is known, at most; the first lowers it by half a step


class Plateau:
    """``value``: sends a second; None: not known. One that is given from the start counts as confirmed."""

    def __init__(self, value: float | None) -> None:
        self.value = value
        self.is_confirmed = value is not None
        self._was_given = value is not None
        self.is_found = False
        """Whether the limit itself was met, not only told by an earlier run."""
        self._surplus = 0.0  # seconds' worth that was accepted since the last refusal and the plateau does not explain
        self._at = 0.0
        self._trusted = 0.0  # the value to return to while on probation
        self._probation = 0.0  # part of the price still to be paid for the last raise
        self._held = 0.0  # prices paid since the last refusal
        self._fall = _STEP / 2  # part by which the next refusal below the plateau lowers it, at least

    @property
    def is_learned(self) -> bool:
        """Whether it rests on what an earlier run told, and the limit was not met yet."""
        return self._was_given and not self.is_found

    @property
    def is_on_probation(self) -> bool:
        """Whether the last raise is not paid for yet."""
        return self._probation > 0.0

    @property
    def has_risen(self) -> bool:
        """Whether more was accepted since the last refusal that counted than any bucket explains."""
        return self._surplus >= _RISEN

    def accepted(self, now: float, paid: float) -> None:
        """A request was accepted, which pays for the part ``paid`` of a refusal."""
        self._probation = max(0.0, self._probation - paid)
        self._held += paid
        if self.value is not None:
            self._surplus = max(-_BUCKET, self._surplus - _REFILL * (now - self._at)) + 1.0 / self.value
            self._at = now

    def refused(self, now: float, accepted: float, is_heavy: bool, part: float) -> bool:
        """A refusal that counts, after a second in which ``accepted`` came through: whether it confirmed the plateau.

        ``is_heavy``: much of that second was refused. ``part``: what part of the requests is refused of late, if known.
        """
        value, has_risen = self.value, self.has_risen
        if self._held >= 1.0:
            self._fall = _STEP / 2
        self._surplus, self._at, self._held = 0.0, now, 0.0
        if value is None:
            self.value = accepted
        elif not self.is_confirmed:
            return self._seek(value, accepted if has_risen else min(accepted, (1 + _LEAP) * value), is_heavy)
        elif self.is_learned and not is_heavy and accepted > (1 + _AGREE) * value:
            self.is_confirmed, self.value = False, accepted if has_risen else (1 + _LEAP) * value
        elif is_heavy or accepted < (1 - _AGREE) * value or (accepted >= value and has_risen):
            self.is_confirmed, self.value = False, accepted
            if not is_heavy and accepted >= value:
                self.is_found = True
        else:
            self.is_found = True
            self._adjust(value, accepted, part)
        return False

    def _seek(self, value: float, accepted: float, is_heavy: bool) -> bool:
        self.is_confirmed = not is_heavy and abs(accepted - value) <= max(1.0, _AGREE * value)
        if not self.is_confirmed:
            self.value = accepted
            return False
        self.is_found = True
        if accepted > value:
            self.value = max(value, min(accepted - 1.0, (1 - _STEP) * accepted))
        else:
            self.value = max(accepted, value - max(1.0, _STEP * value))
        return True

    def _adjust(self, value: float, accepted: float, part: float) -> None:
        if self._probation:
            self.value, self._probation = min(value, self._trusted), 0.0
        elif accepted < value:
            fall = part or self._fall
            most = (1 - (_STEP if part else max(_STEP, fall))) * value
            self.value = max((1 - fall) * value, min(accepted, most))
            self._fall = min(2 * self._fall, _FALL)
        else:
            self._trusted, self._probation = value, 1.0
            most = _STEPS if accepted > max((1 + _AGREE) * value, value + _FAR) else _STEP
            self.value = min(accepted, (1 + most) * value)

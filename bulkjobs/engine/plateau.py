"""Where the service's limit is taken to be, and what a refusal says of it. Pure.

* **Not known** until the first refusal: then it is what the service accepted in the second before.
* **Confirmed** by a second refusal near it. What is far from it, or comes of heavy refusing, is a new plateau to be
  confirmed in its turn: the limit was mistaken, or has changed.
* **Probes** ask for more than a confirmed plateau. A refused one does not go to what was accepted in the last second: a
  token bucket lets much more through for a while. It raises the plateau a little, on *probation*: the next refusal,
  unless it is paid for before, takes that back. Only when more has come through beyond the plateau than a bucket holds
  has the limit risen.
* **Fall**: refusals below a confirmed plateau take back the part that was refused.
"""

from __future__ import annotations

_BURST = 1.5  # seconds' worth of the plateau that came through beyond it, and no bucket explains
_AGREE = 0.2
_STEP = 0.05  # part of a plateau by which a probe may raise it


class Plateau:
    """``value``: sends a second; None: not known. One that is given from the start counts as confirmed."""

    def __init__(self, value: float | None) -> None:
        self.value = value
        self.is_confirmed = value is not None
        self.is_found = False
        """Whether the limit itself was met, not only told by an earlier run."""
        self.beyond = 0.0
        """Seconds' worth of the plateau that the present probe has brought beyond it."""
        self._trusted = 0.0  # the value to return to while on probation
        self._probation = 0.0  # part of the price still to be paid for the last raise

    @property
    def is_on_probation(self) -> bool:
        """Whether the last raise is not paid for yet."""
        return self._probation > 0.0

    def paid(self, part: float) -> None:
        """``part`` of a refusal's price was paid."""
        self._probation = max(0.0, self._probation - part)

    def refused(self, accepted: float, is_heavy: bool, part: float) -> bool:
        """A refusal that counts, after a second in which ``accepted`` came through: whether it confirms the plateau.

        ``is_heavy``: much of that second was refused. ``part``: what part of the requests is refused of late, if known.
        """
        value = self.value
        if value is None:
            self.value = accepted
        elif not self.is_confirmed:
            return self._seek(value, accepted, is_heavy)
        elif is_heavy or accepted < (1 - _AGREE) * value or (accepted >= value and self.beyond >= _BURST):
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
            self.value = max((1 - (part or _STEP / 2)) * value, min(accepted, (1 - _STEP) * value))
        else:
            self._trusted, self._probation = value, 1.0
            self.value = min(accepted, (1 + _STEP) * value)

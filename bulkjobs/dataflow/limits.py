"""A time limit for each of many requests, with one timer for all of them.

All last equally long, so the oldest ends first. A timer for each, as aiohttp's total timeout makes, costs 10 µs of
processor time a request (``performance.md``).
"""

from __future__ import annotations

import asyncio


class Limit:
    """The time limit of what the current task does from now on. To be ended when that is done."""

    __slots__ = ("_cancelled_before", "_has_struck", "_limits", "_task", "due")

    def __init__(self, limits: Limits, task: asyncio.Task[object], due: float) -> None:
        self._limits = limits
        self._task = task
        self._cancelled_before = task.cancelling()
        self._has_struck = False
        self.due = due

    def strike(self) -> None:
        """Time is up: the task's wait ends with a CancelledError."""
        self._has_struck = True
        self._task.cancel()

    def is_cause(self) -> bool:
        """In the handler of a CancelledError: whether it was this limit's alone, and so goes no further."""
        return self._has_struck and self._task.uncancel() <= self._cancelled_before

    def end(self) -> None:
        self._limits.forget(self)


class Limits:
    """Limits of ``seconds`` each. ``begin`` starts one for the current task."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._running: dict[Limit, None] = {}  # the oldest first
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> Limit:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        assert task is not None, "a limit needs a task that it can end"
        limit = Limit(self, task, loop.time() + self._seconds)
        self._running[limit] = None
        if self._timer is None:
            self._timer = loop.call_at(limit.due, self._strike)
        return limit

    def forget(self, limit: Limit) -> None:
        self._running.pop(limit, None)

    def _strike(self) -> None:
        """Strike whose time is up, and come again when the next one's is: about once in ``seconds``."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        for limit in list(self._running):
            if limit.due > now:
                self._timer = loop.call_at(limit.due, self._strike)
                return
            self.forget(limit)
            limit.strike()
        self._timer = None

    def strike_all(self) -> None:
        """Time is up for all that have begun."""
        for limit in list(self._running):
            self.forget(limit)
            limit.strike()

    def close(self) -> None:
        """No timer is left behind."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

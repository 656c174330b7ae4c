"""An event loop on virtual time: it never waits, it jumps. Deterministic, and it can be cut off at any step.

A *step* is one callback. Nothing of the real world is reached: no selector, no threads (``run_in_executor`` runs
the call on the loop, a little later), no signals.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from contextvars import Context
from typing import Any, TypeVar, TypeVarTuple, Unpack

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

ENOUGH = 40_000
"""Steps after which a schedule's run is taken for endless: an undisturbed one takes a few hundred."""


class Crashed(Exception):
    """The process ended here: the loop was cut off at the step that was asked for."""


class Hangs(Exception):
    """The run waits for something that will never happen, or goes on for ever."""


class _Handle:
    """As much of ``asyncio.TimerHandle`` as tasks, futures and timeouts ask for; made at a fifth of its price.

    Callbacks run in the caller's context: what the engine awaits here sets no context variables.
    """

    __slots__ = ("_when", "args", "callback", "is_cancelled")

    def __init__(self, callback: Callable[..., object], args: tuple[Any, ...], when: float) -> None:
        self.callback = callback
        self.args = args
        self._when = when
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True

    def cancelled(self) -> bool:
        return self.is_cancelled

    def when(self) -> float:
        return self._when


class VirtualLoop(asyncio.AbstractEventLoop):
    """``now`` is the virtual time at which it begins, in seconds; ``at_step[n]`` is called before step n."""

    def __init__(self, now: float) -> None:
        self._now = now
        self.at_step: dict[int, Callable[[], None]] = {}
        self.enough = ENOUGH
        self._ready: deque[_Handle] = deque()
        self._timers: list[tuple[float, int, _Handle]] = []
        self._numbers = 0
        self._tasks: list[asyncio.Task[Any]] = []
        self.steps = 0
        self.is_dead = False
        self.complaints: list[str] = []

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run to the end. Raises what the coroutine raises, Crashed out of ``at_step``, or Hangs."""
        asyncio._set_running_loop(self)
        try:
            task: asyncio.Task[T] = self.create_task(coroutine)
            self._turn(task)
            return task.result()
        finally:
            asyncio._set_running_loop(None)
            self._bury()

    def _turn(self, task: asyncio.Task[Any]) -> None:
        ready, timers, at_step = self._ready, self._timers, self.at_step
        while not task.done():
            if not ready:
                while timers and timers[0][2].is_cancelled:
                    heapq.heappop(timers)
                if not timers:
                    raise Hangs("every task waits and nothing is due")
                self._now = max(self._now, timers[0][0])
            while timers and timers[0][0] <= self._now:
                handle = heapq.heappop(timers)[2]
                if not handle.is_cancelled:
                    ready.append(handle)
            for _ in range(len(ready)):
                handle = ready.popleft()
                if handle.is_cancelled:
                    continue
                self.steps += 1
                if self.steps in at_step:
                    at_step[self.steps]()
                try:
                    handle.callback(*handle.args)
                except Exception as error:  # as a loop takes it: told, and gone on
                    self.call_exception_handler({"message": f"in {handle.callback}", "exception": error})
            if self.steps > self.enough:
                raise Hangs(f"still going on after {self.steps} steps")

    def _bury(self) -> None:
        """Take down what still runs without letting it act: ``is_dead`` tells the journal and the service."""
        self.is_dead = True
        for task in self._tasks:
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # a crash leaves tasks pending
            if task.done():
                if not task.cancelled():
                    task.exception()
                continue
            for _ in range(20):  # a coroutine may answer the first closing with another await
                try:
                    task.get_coro().close()
                except BaseException:  # the process is gone, nobody hears it
                    continue
                break
        self._ready.clear()
        self._timers.clear()
        self._tasks.clear()

    # What tasks and futures ask of a loop

    def time(self) -> float:
        return self._now

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return not self.is_dead

    def is_closed(self) -> bool:
        return self.is_dead

    def call_soon(
        self, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        handle = _Handle(callback, args, self._now)
        if not self.is_dead:
            self._ready.append(handle)
        return handle  # type: ignore[return-value]  # all of it that anybody asks for

    def call_later(
        self, delay: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args)

    def call_at(
        self, when: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        handle = _Handle(callback, args, when)
        if not self.is_dead:
            self._numbers += 1
            heapq.heappush(self._timers, (when, self._numbers, handle))
        return handle  # type: ignore[return-value]  # all of it that anybody asks for

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, *, name: str | None = None, context: Context | None = None) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=self, name=name or "task", context=context)
        self._tasks.append(task)
        return task

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """``func`` on the loop itself, a millisecond later."""
        future: asyncio.Future[T] = self.create_future()
        self.call_later(0.001, _settle, future, func, args)
        return future

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if not self.is_dead:
            self.complaints.append(f"{context.get('message')}: {context.get('exception')!r}")


def _settle(future: asyncio.Future[Any], func: Callable[..., Any], args: tuple[Any, ...]) -> None:
    if future.cancelled():
        return
    try:
        future.set_result(func(*args))
    except BaseException as error:  # as a thread would hand it over
        future.set_exception(error)

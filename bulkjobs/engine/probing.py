"""While the service is down, one cheap read now and then asks whether it is back (invariant 11)."""

from __future__ import annotations

from collections.abc import Callable

from bulkjobs.engine.backoff import full_jitter
from bulkjobs.engine.bell import Bell
from bulkjobs.engine.clock import Clock
from bulkjobs.engine.health import Condition, Health
from bulkjobs.engine.reader import Reader
from bulkjobs.engine.work import Stop, Tally
from bulkjobs.logs import Log


class Probing:
    """``stop`` is called when the service has been silent for longer than the run's patience.

    ``changed`` is to be rung when the service's condition changes; ``on_change`` is called when a probe changed it.
    """

    def __init__(
        self,
        reader: Reader,
        health: Health,
        clock: Clock,
        tally: Tally,
        log: Log,
        on_change: Callable[[], None],
        stop: Callable[[Stop], None],
    ) -> None:
        self.changed = Bell()
        self._reader = reader
        self._health = health
        self._clock = clock
        self._tally = tally
        self._log = log
        self._on_change = on_change
        self._stop = stop

    async def run(self) -> None:
        """Probe whenever the service is down, for ever. Raises Fatal when it will not answer this run any more."""
        while True:
            now = self._clock.monotonic()
            self._tally.service_down = self._health.condition is not Condition.UP
            if self._health.condition is not Condition.DOWN:
                await self.changed.wait()
            elif self._health.exhausted(now):
                self._stop(
                    Stop("halted", "the service has not answered for too long", "run the same command again later")
                )
                return
            else:
                delay = full_jitter(self._health.probes + 2, self._clock.uniform)
                self._log.warning("service.down", probe_in_s=round(delay, 1))
                await self._clock.sleep(delay)
                self._health.probed(await self._reader.probe(), self._clock.monotonic())
                self._on_change()

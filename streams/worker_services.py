"""What a worker runs beside its Faust app: the lanes, and what looks after pauses, probes and the event loop itself."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Any

from mode import Service

from connectors.errors import ConnectorError
from risk.policy import PolicyError
from streams.metrics import Metrics
from streams.orders import REFRESH_S, PauseBoard
from streams.policies_in_force import PoliciesInForce
from streams.supervision import LaneSupervisor

LOOP_LAG_EVERY_S = 0.25
LOOP_ALIVE_S = 10.0
POLICIES_EVERY_S = 30.0
POLICIES_FIRST_S = 1.0
_log = logging.getLogger(__name__)


class LaneService(Service):
    """The lanes as a service of the worker: up before the agents, down after them."""

    def __init__(self, supervisor: LaneSupervisor, **options: Any) -> None:
        super().__init__(**options)
        self._supervisor = supervisor

    async def on_start(self) -> None:
        self._supervisor.start()

    async def on_stop(self) -> None:
        await self._supervisor.stop()


class Watch(Service):
    """Reads pauses and policies, measures the event loop, and gives the connections back at the end."""

    def __init__(
        self,
        pauses: PauseBoard,
        policies: PoliciesInForce,
        metrics: Metrics,
        closings: Sequence[Callable[[], Awaitable[None]]],
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._pauses = pauses
        self._policies = policies
        self._metrics = metrics
        self._closings = closings
        self._woke_s = monotonic()

    def is_alive(self) -> bool:
        """Whether the event loop has turned lately; asked by another thread."""
        return monotonic() - self._woke_s < LOOP_ALIVE_S

    async def on_start(self) -> None:
        await self._pauses.refresh()

    async def on_stop(self) -> None:
        for close in self._closings:
            try:
                await close()
            except Exception:  # the rest must be closed too
                _log.exception("a connection could not be closed")

    @Service.task
    async def _read_pauses(self) -> None:
        while not self.should_stop:
            await self._pauses.refresh()
            await self.sleep(REFRESH_S)

    @Service.task
    async def _read_policies(self) -> None:
        found = False
        while not self.should_stop:
            await self.sleep(POLICIES_EVERY_S if found else POLICIES_FIRST_S)
            try:
                found = await asyncio.to_thread(self._policies.refresh)
            except (ConnectorError, PolicyError) as error:  # a newer release may judge by what this one cannot read
                _log.warning("which policies are in force is not known: %s", error)

    @Service.task
    async def _measure(self) -> None:
        while not self.should_stop:
            before_s = monotonic()
            await asyncio.sleep(LOOP_LAG_EVERY_S)
            self._woke_s = monotonic()
            self._metrics.event_loop_lag_seconds.set(max(0.0, self._woke_s - before_s - LOOP_LAG_EVERY_S))

"""The worker's frame: a Faust app with its agents, and beside it lanes, probes and pauses. It judges nothing.

Lanes carry state, agents carry side effects. Lanes start first and end last; SIGTERM lets both finish what they hold.
"""

import asyncio
import logging
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import monotonic, time_ns
from typing import Any

import faust
from mode import Service

from connectors.topology import Topics, partition_of
from risk.local_time import to_ms
from streams.agents import (
    assigned_partitions,
    register_alert_agent,
    register_alert_redrive,
    register_order_agent,
    register_order_redrive,
)
from streams.alert_routes import AlertRedrive, AlertRouter
from streams.liveness import Liveness
from streams.metrics import Metrics
from streams.order_submission import OpenOrders, OrderBody, OrderSubmitter
from streams.orders import REFRESH_S, PauseBoard
from streams.supervision import LaneSupervisor

LOOP_LAG_EVERY_S = 0.25
LOOP_ALIVE_S = 10.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the agents work with, made by the composition root. `close` gives connections back."""

    submitter: OrderSubmitter
    open_orders: OpenOrders
    router: AlertRouter
    alert_redrive: AlertRedrive


def build_app(bootstrap: str, topics: Topics, parts: Parts) -> faust.App:
    """The Faust app with its agents, on topics that exist. It keeps no table and no file, and creates no topic."""
    app = faust.App(
        f"{topics.prefix}agents",
        broker=";".join(f"kafka://{node}" for node in bootstrap.split(",")),
        store="memory://",
        datadir=Path(tempfile.gettempdir()) / f"{topics.prefix}agents",
        autodiscover=False,
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        # An alert or order before the first offset is the redrive's; the agent begins with what comes now.
        consumer_auto_offset_reset="latest",
        broker_commit_interval=1.0,
        broker_session_timeout=10.0,  # a worker that was killed is missed as soon as its lanes are
        broker_heartbeat_interval=3.0,
        broker_rebalance_timeout=15.0,
        stream_wait_empty=False,
        worker_redirect_stdouts=False,
    )
    register_alert_agent(app, topics.alerts, parts.router)
    register_order_agent(app, topics.withholding, parts.submitter)
    register_order_redrive(app, parts.submitter, parts.open_orders)
    register_alert_redrive(app, parts.alert_redrive, lambda: assigned_partitions(app, topics.alerts))
    return app


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
    """What runs beside the agents all the time: reading the pauses, measuring the event loop."""

    def __init__(self, pauses: PauseBoard, metrics: Metrics, **options: Any) -> None:
        super().__init__(**options)
        self._pauses = pauses
        self._metrics = metrics
        self._woke_s = monotonic()

    def is_alive(self) -> bool:
        """Whether the event loop has turned lately; asked by another thread."""
        return monotonic() - self._woke_s < LOOP_ALIVE_S

    async def on_start(self) -> None:
        await self._pauses.refresh()

    @Service.task
    async def _read_pauses(self) -> None:
        while not self.should_stop:
            await self._pauses.refresh()
            await self.sleep(REFRESH_S)

    @Service.task
    async def _measure(self) -> None:
        while not self.should_stop:
            before_s = monotonic()
            await asyncio.sleep(LOOP_LAG_EVERY_S)
            self._woke_s = monotonic()
            self._metrics.event_loop_lag_seconds.set(max(0.0, self._woke_s - before_s - LOOP_LAG_EVERY_S))


def shard_finder(partitions: int) -> Callable[[str], int]:
    """The shard of a person among `partitions`."""
    return lambda psn_no: partition_of(psn_no, partitions)


def bank_clock(clock: str, liveness: Liveness, shard_of: Callable[[str], int]) -> Callable[[str, OrderBody], int]:
    """When a bank's answer counts as given: now; under the log's clock the shard's now, not before the order itself."""

    def wall(psn_no: str, body: OrderBody) -> int:
        return time_ns() // 1_000_000

    def log(psn_no: str, body: OrderBody) -> int:
        emitted_ms = to_ms(datetime.fromisoformat(str(body["not_before"]))) if body.get("not_before") else 0
        return max(emitted_ms, liveness.clock_ms(shard_of(psn_no)))

    return log if clock == "log" else wall


async def no_open_orders() -> AsyncIterator[tuple[str, OrderBody]]:
    """For a worker without agents' state: nothing is open."""
    return
    yield

"""The worker's frame: a Faust app with its agents, and beside it lanes, probes and pauses. It judges nothing.

Lanes carry state, agents carry side effects. Lanes start first and end last; SIGTERM lets both finish what they hold.
"""

import asyncio
import logging
import os
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import sleep, time_ns
from typing import TYPE_CHECKING

import faust

from connectors.append import Pen, Record
from connectors.codec import encode_fact
from connectors.errors import ConnectorError
from connectors.kafka import cluster_identity, producer
from connectors.store import Store
from connectors.topology import Topics, partition_of
from risk.facts import Fact
from risk.local_time import to_ms
from streams.agents import (
    Appended,
    assigned_partitions,
    register_alert_agent,
    register_alert_flush,
    register_alert_redrive,
    register_handling,
    register_order_agent,
    register_order_redrive,
)
from streams.alert_desk import AlertDesk
from streams.alert_redrive import AlertRedrive
from streams.alert_routes import AlertRouter
from streams.alert_targets import open_office, pager
from streams.banks import bank_gateway
from streams.handling_board import HandlingBoard
from streams.hold_survey import HoldSurvey
from streams.lane_process import lane_main
from streams.letter_count import register_letter_count
from streams.liveness import Liveness
from streams.metrics import Metrics
from streams.national_intake import NationalIntake
from streams.open_orders import open_orders
from streams.order_submission import OpenOrders, OrderBody, OrderSubmitter, Surroundings
from streams.orders import PauseBoard
from streams.ownership import LaneSettings
from streams.policies_in_force import PoliciesInForce
from streams.probes import probe_server
from streams.quick_fetch import fetch_quickly
from streams.stop import Stop
from streams.supervision import LaneSupervisor
from streams.worker_services import LaneService, Watch

if TYPE_CHECKING:
    from streams.settings import Settings

APPEND_WITHIN_S = 10.0
Closing = Callable[[], Awaitable[None]]
LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the agents work with."""

    submitter: OrderSubmitter
    open_orders: OpenOrders
    router: AlertRouter
    alert_redrive: AlertRedrive
    board: HandlingBoard | None = None
    desk: AlertDesk | None = None
    alert_appended: Appended = lambda detected_at, appended_s: None


def build_app(bootstrap: str, topics: Topics, parts: Parts) -> faust.App:
    """The Faust app with its agents, on topics that exist. It keeps no table and no file, and creates no topic."""
    app = faust.App(
        f"{topics.prefix}agents",
        broker=";".join(f"kafka://{node.strip()}" for node in bootstrap.split(",")),
        store="memory://",
        datadir=Path(tempfile.gettempdir()) / f"{topics.prefix}agents",
        autodiscover=False,
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        # What stands before the group's first offset is the redrive's; the agents begin with what comes now.
        consumer_auto_offset_reset="latest",
        broker_commit_interval=1.0,
        broker_session_timeout=10.0,  # a worker that was killed is missed as soon as its lanes are
        broker_heartbeat_interval=3.0,
        broker_rebalance_timeout=15.0,
        stream_wait_empty=False,
        worker_redirect_stdouts=False,
    )
    fetch_quickly(app)
    register_alert_agent(app, topics.alerts, parts.router, parts.alert_appended)
    register_order_agent(app, topics.withholding, parts.submitter)
    register_order_redrive(app, parts.submitter, parts.open_orders)
    register_alert_flush(app, parts.router)
    register_alert_redrive(app, parts.alert_redrive, lambda: assigned_partitions(app, topics.alerts))
    if parts.board is not None and parts.desk is not None:
        register_handling(app, parts.board, parts.desk, lambda: assigned_partitions(app, topics.alerts))
    return app


def run_worker(settings: "Settings") -> int:
    """The body of `xinmai worker`: lanes and agents until SIGTERM or Ctrl-C. Exit code 0 when ended on purpose."""
    logging.basicConfig(level=os.environ.get("XINMAI_LOG", "WARNING"), format=LOG_FORMAT)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # away, a broker would fill the log; the redrives say it
    worker = compose(settings, _partitions(settings))
    try:
        worker.execute_from_commandline()
    except SystemExit as ending:
        return ending.code if isinstance(ending.code, int) else 0


def compose(settings: "Settings", partitions: int) -> faust.Worker:
    """Everything a worker is made of, wired; only the probes and the listening for pulses run already."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    metrics = Metrics()
    pauses = PauseBoard(Store(settings.redis).client)
    app, router, closings = compose_agents(settings, partitions, metrics, pauses)
    supervisor = LaneSupervisor(
        lane_main,
        lambda index: lane_settings(settings, index),
        lanes=settings.lanes,
        page=pager(router, settings.worker),
        heard=lambda index, message: metrics.heard(message),
    )

    metrics.lanes_down.set_function(supervisor.lanes_down)

    async def stop_probes() -> None:
        await asyncio.to_thread(probes.stop)

    policies = PoliciesInForce(lambda: Store(settings.redis), metrics, settings.clock)
    watch = Watch(pauses, policies, metrics, [stop_probes, *closings])
    probes = probe_server(
        metrics.registry, supervisor.health, watch.is_alive, port=settings.probes.port, host=settings.probes.host
    )
    probes.start()
    _log.warning("worker %s: probes at %s", settings.worker, probes.url)
    # Ended in the opposite order: agents, lanes, then what both lean on.
    return faust.Worker(
        app,
        watch,
        LaneService(supervisor),
        NationalIntake(settings, pager(router, settings.worker)),
        HoldSurvey(lambda: Store(settings.redis), metrics, settings.clock),
        loop=loop,
        loglevel=os.environ.get("XINMAI_LOG", "WARNING"),
        override_logging=False,
        quiet=True,
    )


def compose_agents(
    settings: "Settings", partitions: int, metrics: Metrics, pauses: PauseBoard
) -> tuple[faust.App, AlertRouter, list[Closing]]:
    """The app with its agents, who tells people, and what has to be closed after them."""
    topics = settings.topics
    liveness = Liveness(Store(settings.redis).client)
    gateway = bank_gateway(settings)
    facts = Pen(lambda: producer(settings.kafka))

    def shard_of(psn_no: str) -> int:
        return partition_of(psn_no, partitions)

    def owned_shards() -> frozenset[int]:
        return assigned_partitions(app, topics.withholding)

    async def append(fact: Fact) -> None:
        record = Record(topics.events, fact.psn_no, encode_fact(fact), shard_of(fact.psn_no))
        await asyncio.to_thread(facts.append, [record], timeout_s=APPEND_WITHIN_S)

    around = Surroundings(
        append=append,
        shard_of=shard_of,
        is_live=liveness.is_live,
        is_owned=lambda shard: shard in owned_shards(),
        is_paused=pauses.is_paused,
        now_ms=bank_clock(settings.clock, liveness, shard_of),
        count=lambda kind, result: metrics.orders_total.labels(kind, result).inc(),
        unanswered=metrics.order_unanswered_seconds.set,
    )
    office = open_office(settings, facts, metrics)
    redrive = AlertRedrive(settings.kafka, topics.alerts, office.router)
    parts = Parts(
        submitter=OrderSubmitter(gateway, around),
        open_orders=open_orders(Store(settings.redis), partitions, lambda: sorted(owned_shards())),
        router=office.router,
        alert_redrive=redrive,
        board=office.board,
        desk=office.desk,
        alert_appended=metrics.alert_appended,
    )
    app = build_app(settings.kafka, topics, parts)
    register_letter_count(app, topics.deadletter, metrics.deadletters_total)

    async def close_readers() -> None:
        for close in (liveness.stop, redrive.close, office.board.close, lambda: facts.close(5)):
            await asyncio.to_thread(close)

    liveness.start()
    return app, office.router, [close_readers, gateway.close, *office.closings]


def lane_settings(settings: "Settings", index: int) -> LaneSettings:
    """What lane `index` of this worker is told."""
    return LaneSettings(
        kafka=settings.kafka,
        redis=settings.redis,
        member=settings.member(index),
        prefix=settings.prefix,
        clock=settings.clock,
        batch_records_max=settings.tuning.batch_records_max,
        group=settings.group,
        session_timeout_ms=settings.tuning.session_timeout_ms,
    )


def bank_clock(clock: str, liveness: Liveness, shard_of: Callable[[str], int]) -> Callable[[str, OrderBody], int]:
    """When a bank's answer counts as given: now; under the log's clock the shard's now, not before the order itself."""

    def wall(psn_no: str, body: OrderBody) -> int:
        return time_ns() // 1_000_000

    def log(psn_no: str, body: OrderBody) -> int:
        emitted_ms = to_ms(datetime.fromisoformat(str(body["not_before"]))) if body.get("not_before") else 0
        return max(emitted_ms, liveness.clock_ms(shard_of(psn_no)))

    return log if clock == "log" else wall


def _partitions(settings: "Settings") -> int:
    """How many person shards there are; waits for a broker that is not up yet."""
    while True:
        try:
            _, found = cluster_identity(settings.kafka, [settings.topics.events])
        except ConnectorError as error:
            if not error.retryable:
                raise
            _log.warning("waiting for Kafka: %s", error)
            sleep(1.0)
            continue
        if settings.topics.events not in found:
            raise Stop(
                f"缺少主题 {settings.topics.events}，请运行 xinmai topics create", "run xinmai topics create first"
            )
        return found[settings.topics.events][1]

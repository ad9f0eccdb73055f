"""The API process: one event loop that holds server, producer and Redis subscription. It wires and runs, no more.

`run_api` is the command; `serve_api` is the same inside a loop that somebody else runs.
"""

import asyncio
import gc
import logging
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import uvloop

from connectors.append import Pen
from connectors.handling import ActReader
from connectors.http.alert_acts import AlertActs
from connectors.http.alert_feed import AlertFeed
from connectors.http.alerts import AlertStream
from connectors.http.asgi import Application
from connectors.http.bank_notices import BankNotices
from connectors.http.checkout import Checkout, Place
from connectors.http.events import Events
from connectors.http.log import KafkaLog
from connectors.http.metrics import Metrics
from connectors.http.notices import Notices
from connectors.http.people import StoredPeople
from connectors.http.probes import Probes
from connectors.http.reads import Reads, Topic
from connectors.http.routes import Calls, routes
from connectors.http.server import HttpServer
from connectors.http.shedding import Limits, Shedding
from connectors.http.tokens import TokenTable, read_tokens
from connectors.intake import Edge, Intake
from connectors.kafka import consumer, producer
from connectors.replies import Pulses, Replies, listen
from connectors.store import Store
from streams.banks import bank_keys
from streams.edges import now_ms, open_edge
from streams.pacing import Backlog
from streams.stop import Stop

if TYPE_CHECKING:
    from streams.settings import Settings, Tuning

ACKNOWLEDGED_WITHIN_S = 10.0
STOP_WITHIN_S = 5
CONNECTIONS_WAITING = 4_096
IDLE_MS = 30_000  # a connection that says nothing, or half a head, is closed: HIS pools open another
LINGER_MS = 0.5  # 2 would save the broker 21 of 135 us a record at 2,000/s (measured), and each answer waits for it
COLLECT_EVERY_OBJECTS = 20_000  # made and not freed: a collection costs as much as some tens of calls
_log = logging.getLogger(__name__)

Ready = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiOptions:
    """Where the API listens, whom it knows, how much it takes. Port 0: any free one. It crosses a process border."""

    tokens: TokenTable
    host: str = "127.0.0.1"
    port: int = 0
    limits: Limits = field(default_factory=Limits)


def options_of(settings: "Settings") -> ApiOptions:
    """What the settings say of this process. Without a token file nobody may call, so it refuses to start."""
    if settings.tokens_file is None:
        raise Stop(
            "请设置 XINMAI_TOKENS（令牌文件）", "set XINMAI_TOKENS to the token file; without it nobody may call"
        )
    host, port = settings.listen
    limits = limits_of(settings.tuning)
    return ApiOptions(tokens=read_tokens(settings.tokens_file), host=host, port=port, limits=limits)


def limits_of(tuning: "Tuning") -> Limits:
    """How much one process takes, as [api] of config/settings.toml says; reads and reports go between."""
    holds, increases = tuning.shed_holds_percent, tuning.shed_increases_percent
    return Limits(
        in_flight=tuning.in_flight_max,
        rate_per_s=float(tuning.rate_per_s),
        percents=(holds, increases, tuning.shed_others_percent, 100),
        waits_ms=(tuning.shed_holds_ms, tuning.shed_increases_ms, tuning.shed_ends_ms, tuning.shed_ends_ms),
        waiting_min=tuning.shed_waiting_min,
    )


class EdgeClock:
    """The edge's clocks: the wall, or under `XINMAI_CLOCK=log` the now of the shard that will judge."""

    def __init__(self, pulses: Pulses, *, follows_log: bool) -> None:
        self._pulses = pulses
        self._follows_log = follows_log
        self.monotonic_s = asyncio.get_running_loop().time

    def instant_ms(self, partition: int) -> int:
        """What `occurred_at` says; a shard that has applied nothing yet has no now, so the wall's."""
        return (self._pulses.clock_ms(partition) if self._follows_log else 0) or now_ms()


class Api:
    """Everything one API process holds, made inside its event loop."""

    def __init__(self, settings: "Settings", options: ApiOptions, edge: Edge) -> None:
        self._settings = settings
        self.api_id = uuid4().hex[:12]
        self.metrics = Metrics()
        self._shedding = Shedding(options.limits, note=self.metrics.note_shed)
        self._backlog = Backlog(edge.topics.events)
        self.replies = Replies(self._backlog.heard)
        self._clock = EdgeClock(self.replies.pulses, follows_log=settings.clock == "log")
        self._intake_pen = Pen(lambda: producer(settings.kafka))
        self.log = KafkaLog(lambda: producer(settings.kafka, **{"linger.ms": LINGER_MS}), _log.warning)
        self.people = StoredPeople(lambda: Store(settings.redis), edge.partitions, self._clock.instant_ms, now_ms)
        self.notices = Notices(ActReader(self._alert_consumer, edge.topics.handling))
        self.feed = AlertFeed(self._alert_consumer, edge.topics.alerts)
        self.app = Application(
            routes(self._calls(edge)),
            options.tokens,
            self._clock.monotonic_s,
            shedding=self._shedding,
            rate_per_s=options.limits.rate_per_s,
            note=self.metrics.note_call,
            report=lambda path, error: _log.error("a bug answered %s", path, exc_info=error),
        )
        self.metrics.in_flight.set_function(lambda: self.app.in_flight)

    def _calls(self, edge: Edge) -> Calls:
        monotonic_s = self._clock.monotonic_s
        reads = Reads(
            self.people,
            self.log,
            queries=Topic(edge.topics.queries, edge.partitions),
            subjects=Topic(edge.topics.subjects, edge.subjects_partitions),
            pseudonym=edge.pseudonyms.of,
            pseudonyms_only=not edge.pseudonyms.sandbox,
            wall_ms=now_ms,
        )
        checkout = Checkout(
            Place(self.api_id, edge.topics.events, edge.partitions),
            self.log,
            self.replies,
            self._clock,
            pseudonym=edge.pseudonyms.of,
            await_funding=reads.answered_order,
            shedding=self._shedding,
            note_wait=self.metrics.note_wait,
            note_fallback=self.metrics.note_fallback,
        )
        intake = Intake(
            self._intake_pen,
            edge,
            lag=lambda: self._backlog.lag(monotonic_s()),
            ack_within_s=ACKNOWLEDGED_WITHIN_S,
            delivered=self._backlog.delivered,
        )
        events = Events(intake, monotonic_s)
        return Calls(
            checkout=checkout,
            reads=reads,
            events=events,
            bank_notices=BankNotices(events, bank_keys(self._settings), now_ms),
            alerts=AlertStream(self.feed),
            alert_acts=AlertActs(
                log=self.log,
                topic=edge.topics.handling,
                partitions=edge.partitions,
                pseudonym=edge.pseudonyms.of,
                wall_ms=now_ms,
                days_max=self._settings.tuning.suppression_days_max,
            ),
            notices=self.notices,
            probes=Probes(self.log, self.replies, self.metrics, partitions=edge.partitions, monotonic_s=monotonic_s),
        )

    def _alert_consumer(self) -> Any:
        over = {"auto.offset.reset": "earliest", "enable.partition.eof": False, "fetch.wait.max.ms": 50}
        return consumer(self._settings.kafka, f"xinmai-api-{self.api_id}", **over)

    def tasks(self) -> list["asyncio.Task[None]"]:
        """What runs beside the server."""
        listening = listen(self._settings.redis, self.api_id, self.replies, _log.warning)
        return [asyncio.create_task(listening), asyncio.create_task(self.metrics.watch_loop())]

    async def close(self) -> None:
        """Deliver what was promised to the log, give everything back."""
        undelivered = await asyncio.to_thread(self.log.close, STOP_WITHIN_S)
        if undelivered:
            _log.error("%d records could not be appended before the end", undelivered)
        self.people.close()
        await asyncio.to_thread(self.notices.close)
        await asyncio.to_thread(self.feed.join, STOP_WITHIN_S)


async def serve_api(settings: "Settings", options: ApiOptions, ready: Ready, stop: asyncio.Event) -> None:
    """Serve until `stop` is set; `ready` hears the address once a connection is accepted."""
    edge = await asyncio.to_thread(open_edge, settings)
    api = Api(settings, options, edge)
    tasks = api.tasks()
    server = HttpServer(
        api.app, idle_s=IDLE_MS / 1000, connections_max=2 * options.limits.in_flight, stop_within_s=STOP_WITHIN_S
    )
    try:
        port = server.listen(options.host, options.port, CONNECTIONS_WAITING)
        ready(f"http://{options.host}:{port}")
        await server.serve_until(stop)
    finally:
        api.feed.stop()
        api.replies.stop_waiting()  # whoever waits is told fallback, and the log that he was
        await server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await api.close()


def _spare_collections() -> None:
    """Look for garbage seldom, and never among what lives as long as the process: a call leaves nothing in cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_EVERY_OBJECTS, 10, 10)


def check_port(host: str, port: int) -> None:
    """Refuse a port that somebody else listens on, in one line and before anything is opened."""
    if port:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # only a listener is in the way
            try:
                probe.bind((host, port))
            except OSError as error:
                raise Stop(f"无法监听 {host}:{port}：{error}", f"cannot listen at {host}:{port}: {error}") from error


def run_api(settings: "Settings") -> int:
    """`xinmai api`: serve at the address of XINMAI_API until SIGTERM or Ctrl-C."""
    options = options_of(settings)
    check_port(options.host, options.port)

    def ready(url: str) -> None:
        _spare_collections()
        _log.info("listening at %s", url)

    async def run() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        await serve_api(settings, options, ready, stop)

    uvloop.run(run())
    return 0

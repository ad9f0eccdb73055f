"""Whom a worker tells of alerts, as its settings say, and of the engine's own troubles. It wires; it sends nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from time import time_ns
from typing import TYPE_CHECKING, Any, NamedTuple

from confluent_kafka import Consumer

from connectors.append import Pen
from connectors.errors import ConnectorError
from connectors.handling import ActReader, act_record
from connectors.notify import Alertmanager, Webhook
from risk.handling import Act
from risk.local_time import HOUR_MS, SECOND_MS, rfc3339
from risk.outputs import derived_id
from streams.alert_desk import AlertDesk, Escalation
from streams.alert_history import AlertHistory
from streams.alert_outbox import Pacing
from streams.alert_routes import AlertRouter, Heard, Route
from streams.handling_board import HandlingBoard, reading_client
from streams.metrics import Metrics

if TYPE_CHECKING:
    from streams.settings import Settings

SEVERITY_MIN_OUTSIDE = 3  # 严重, 紧急: a chat that says everything is read by nobody
APPEND_WITHIN_S = 10.0


class Office(NamedTuple):
    """Who tells, who knows what was done, who does what is due later; and what has to be closed after them."""

    router: AlertRouter
    board: HandlingBoard
    desk: AlertDesk
    closings: list[Callable[[], Awaitable[None]]]


def open_office(settings: "Settings", pen: Pen, metrics: Metrics) -> Office:
    """The parts, wired; nothing is read or told yet. `pen` appends what the worker itself does about alerts."""
    topics = settings.topics

    def connect() -> Consumer:
        return reading_client(settings.kafka)

    async def append(act: Act) -> None:
        await asyncio.to_thread(pen.append, [act_record(topics.handling, act)], timeout_s=APPEND_WITHIN_S)

    def count(target: str, result: str, alerts: int) -> None:
        metrics.alert_deliveries_total.labels(target, result).inc(alerts)

    routes = alert_routes(settings)
    board = HandlingBoard(ActReader(connect, topics.handling), append)
    router = AlertRouter(routes, count, board=board)
    tuning = settings.tuning
    escalation = Escalation(
        tuning.escalate_after_hours * HOUR_MS, tuning.escalate_severity_min, tuning.escalate_steps_max
    )
    desk = AlertDesk(AlertHistory(connect, topics.alerts), board, router, escalation=escalation)
    return Office(router, board, desk, [route.target.close for route in routes])


def alert_routes(settings: "Settings") -> list[Route]:
    """Alertmanager hears everything at once and groups by itself; webhooks, outside the network, what is serious."""
    console = settings.api or f"http://{settings.listen.host}:{settings.listen.port}"
    routes = []
    if settings.alertmanager:
        routes.append(Route(Alertmanager(settings.alertmanager, console_url=console)))
    chats = {
        "json": Webhook(settings.webhook, console_url=console),
        "wecom": Webhook(settings.wecom, style="wecom", console_url=console),
        "dingtalk": Webhook(settings.dingtalk, style="dingtalk", console_url=console, secret=settings.dingtalk_secret),
    }
    told = {"json": settings.webhook, "wecom": settings.wecom, "dingtalk": settings.dingtalk}
    tuning = settings.tuning
    pacing = Pacing(tuning.group_wait_s * SECOND_MS, tuning.messages_per_minute)
    named = [chat for style, chat in chats.items() if told[style]]
    return routes + [Route(chat, SEVERITY_MIN_OUTSIDE, pacing=pacing) for chat in named]


def pager(router: AlertRouter, worker: str) -> Callable[[str], None]:
    """Tells people, by the ways alerts go, that the engine itself needs them."""
    running: set[asyncio.Task[None]] = set()

    async def tell(alert: dict[str, Any]) -> None:
        try:
            await router.tell([Heard(alert)])
        except ConnectorError:
            return  # the log has it, and /readyz

    def page(text: str) -> None:
        now = rfc3339(time_ns() // 1_000_000)
        alert = {
            "alert_id": derived_id("al_", "ENGINE", worker, text, now),
            "rule_id": "ENGINE",
            "level": 1,
            "kind": "sla",
            "sev_deg": 4,
            "subject_kind": "system",
            "subject_id": worker,
            "occurred_at": now,
            "detected_at": now,
            "episode": "opened",
            "vola_cont_en": text,
        }
        task = asyncio.get_running_loop().create_task(tell(alert))
        running.add(task)
        task.add_done_callback(running.discard)

    return page

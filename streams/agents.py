"""The Faust agents: what leaves the log for the outside world. They decode, ask, and hand on; they never judge.

Faust 0.15.3 may move its offset over a message it did not finish (its issues 316, 606). So an agent only makes things
quick; that nothing is lost is the redrive's work, which reads the state and the log and not Faust's offset.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from time import monotonic, time
from typing import Any

import faust
import orjson

from connectors.errors import ConnectorError
from streams.alert_desk import AlertDesk
from streams.alert_redrive import AlertRedrive
from streams.alert_routes import AlertRouter, Heard, decode_alert
from streams.handling_board import REFRESH_S, HandlingBoard
from streams.order_submission import OpenOrders, OrderSubmitter

ORDERS_AT_ONCE = 64
ORDER_REDRIVE_S = 1.0
ALERT_REDRIVE_S = 2.0
ALERT_FLUSH_S = 1.0
ALERT_DESK_S = 10.0
DESK_PARTITION = 0  # who has it of the alert topic sits at the desk
LOOK_S = 0.1
REST_FACTOR = 10  # a redrive that has much to read takes at most a tenth of the time
Appended = Callable[[object, float], None]
_log = logging.getLogger(__name__)


def _unheard(detected_at: object, appended_s: float) -> None:
    """Nobody measures."""


def register_alert_agent(app: faust.App, topic_name: str, router: AlertRouter, appended: Appended = _unheard) -> Any:
    """Attach the agent that tells alerts as they arrive. What it cannot tell now is the redrive's.

    `appended` hears of each alert its `detected_at` and when, in seconds, the topic took it in.
    """

    @app.agent(_raw_topic(app, topic_name), name="route_alerts")
    async def route_alerts(records: Any) -> None:
        async for event in records.events():
            alert = decode_alert(event.message.value)
            if alert is None:
                _log.error("no alert at %s@%s", event.message.partition, event.message.offset)
                continue
            appended(alert.get("detected_at"), event.message.timestamp)
            try:
                await router.tell([Heard(alert, round(event.message.timestamp * 1000))])
            except ConnectorError:
                continue  # said by the router; the delivered mark stays before it

    return route_alerts


def register_order_agent(
    app: faust.App, topic_name: str, submitter: OrderSubmitter, since_s: float | None = None
) -> Any:
    """Attach the agent that submits orders as they are emitted.

    It acts only on records younger than itself. An older one may have been sent by a worker that died, or belong to a
    past that was settled long ago: only the state knows, and the redrive asks it.
    """
    started_s = time()
    slots = asyncio.Semaphore(ORDERS_AT_ONCE)
    running: set[asyncio.Task[None]] = set()

    async def carry(psn_no: str, body: Mapping[str, Any]) -> None:
        try:
            await submitter.submit(psn_no, body, is_new=True)
        except Exception:  # a bug must not end the worker: the order stays open, and is told with every redrive
            _log.exception("order %s could not be carried", body.get("order_id"))
        finally:
            slots.release()

    @app.agent(_raw_topic(app, topic_name), name="submit_orders")
    async def submit_orders(records: Any) -> None:
        async for event in records.events():
            message = event.message
            body = _object(message.value)
            if body is None or message.key is None or message.timestamp < started_s:
                continue
            # Not awaited: one slow bank must not hold up another's orders. A crash here is what the redrive is for.
            await slots.acquire()
            task = asyncio.create_task(carry(message.key.decode(), body))
            running.add(task)
            task.add_done_callback(running.discard)

    return submit_orders


def register_order_redrive(app: faust.App, submitter: OrderSubmitter, open_orders: OpenOrders) -> Any:
    """Every second, whatever is open in the state and has no result is submitted or asked after."""

    async def redrive_orders() -> None:
        await submitter.redrive(open_orders)

    return _every(app, ORDER_REDRIVE_S, "redrive_orders", redrive_orders, hurries=lambda: submitter.is_released)


def register_alert_redrive(app: faust.App, redrive: AlertRedrive, partitions: Callable[[], frozenset[int]]) -> Any:
    """Every two seconds, whatever stands behind the delivered mark and was not told is told."""

    async def redrive_alerts() -> None:
        await redrive.run_once(partitions())

    return _every(app, ALERT_REDRIVE_S, "redrive_alerts", redrive_alerts)


def register_alert_flush(app: faust.App, router: AlertRouter) -> Any:
    """Every second, whatever has waited long enough in an outbox is told."""
    return _every(app, ALERT_FLUSH_S, "flush_alerts", router.flush)


def register_handling(
    app: faust.App, board: HandlingBoard, desk: AlertDesk, partitions: Callable[[], frozenset[int]]
) -> None:
    """Twice a second the board reads what was done about alerts; the desk does what is due, on one worker."""

    async def sit_at_the_desk() -> None:
        if DESK_PARTITION in partitions():
            await desk.run_once()

    _every(app, REFRESH_S, "read_handling", board.refresh)
    _every(app, ALERT_DESK_S, "alert_desk", sit_at_the_desk)


def assigned_partitions(app: faust.App, topic_name: str) -> frozenset[int]:
    """The partitions of this topic that Kafka gave to this worker."""
    return frozenset(tp.partition for tp in app.consumer.assignment() if tp.topic == topic_name)


def _every(
    app: faust.App,
    period_s: float,
    name: str,
    work: Callable[[], Awaitable[None]],
    *,
    hurries: Callable[[], bool] = lambda: False,
) -> Any:
    """A loop beside the agents that outlives what it meets: Faust would end the worker on an exception in a timer.

    It works every `period_s`, and as soon as `hurries` says so.
    """

    @app.task  # type: ignore[untyped-decorator] # Faust has no types
    async def loop() -> None:
        took_s = 0.0
        while not app.should_stop:
            rested_s, rest_s = 0.0, max(period_s, took_s * REST_FACTOR)
            while rested_s < rest_s and not (hurries() or app.should_stop):
                await app.sleep(min(LOOK_S, rest_s - rested_s))
                rested_s += LOOK_S
            started_s = monotonic()
            try:
                await work()
            except ConnectorError as error:
                _log.warning("%s waits: %s", name, error)
            except Exception:
                _log.exception("%s failed", name)
            took_s = monotonic() - started_s

    return loop


def _raw_topic(app: faust.App, name: str) -> Any:
    """An existing topic, undecoded: Faust must neither create it nor drop what it cannot parse."""
    return app.topic(
        name, key_serializer="raw", value_serializer="raw", value_type=bytes, key_type=bytes, internal=False
    )


def _object(value: bytes | None) -> dict[str, Any] | None:
    try:
        body = orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        return None
    return body if isinstance(body, dict) else None

"""Who is told of which alert, and that each is told once. It words nothing; a target does.

The agent tells at once what arrives. The redrive reads the topic again from the delivered mark, a position that this
module keeps in Kafka for itself and moves only over what was told: so an alert that the stream skipped, or that nobody
took, is told later, and one that was told is remembered and not told again.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import time
from typing import Any

import orjson
from confluent_kafka import Consumer, KafkaException, TopicPartition

from connectors.errors import ConnectorError
from connectors.kafka import consumer
from connectors.notify import Alert, Target

REMEMBERED_MAX = 100_000
READ_MAX = 500
STREAM_FIRST_S = 3.0  # the agent has so long to tell a new alert itself
FIRST_LOOK_BACK_S = 600.0  # without a mark, what is older has been seen by others or by nobody: it is not told now
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Route:
    """A target and which alerts concern it."""

    target: Target
    severity_min: int = 1
    kinds: frozenset[str] = frozenset()

    def wants(self, alert: Alert) -> bool:
        """Whether the target is told of this alert."""
        return int(alert["sev_deg"]) >= self.severity_min and (not self.kinds or alert["kind"] in self.kinds)


class AlertRouter:
    """Tells each route what it has not been told; what an alert is called is (alert_id, episode)."""

    def __init__(
        self,
        routes: Sequence[Route],
        count: Callable[[str, str], None] = lambda target, result: None,
        remembered_max: int = REMEMBERED_MAX,
    ) -> None:
        self._routes = routes
        self._count = count
        self._remembered_max = remembered_max
        self._told: list[OrderedDict[tuple[str, str], None]] = [OrderedDict() for _ in routes]
        self._turn = asyncio.Lock()

    async def tell(self, alerts: Sequence[Alert]) -> None:
        """Tell all routes. ConnectorError when one could not be told now; the others were."""
        failure: ConnectorError | None = None
        async with self._turn:  # agent and redrive: the second must see what the first has told
            for route, told in zip(self._routes, self._told, strict=True):
                news = [alert for alert in alerts if route.wants(alert) and not _is_told(told, alert)]
                if not news:
                    continue
                try:
                    await route.target.tell(news)
                except ConnectorError as error:
                    self._count(route.target.name, "failed")
                    _log.warning("alerts not told: %s", error)
                    if error.retryable:
                        failure = error
                        continue  # a refusal for good is not repeated: it would hold up everything behind it
                else:
                    self._count(route.target.name, "told")
                self._remember(told, news)
        if failure is not None:
            raise failure

    def _remember(self, told: OrderedDict[tuple[str, str], None], alerts: Iterable[Alert]) -> None:
        for alert in alerts:
            told[_name(alert)] = None
        while len(told) > self._remembered_max:
            told.popitem(last=False)


def _name(alert: Alert) -> tuple[str, str]:
    return str(alert["alert_id"]), str(alert.get("episode", "opened"))


def _is_told(told: Mapping[tuple[str, str], None], alert: Alert) -> bool:
    """Also an opening whose closing was told: it must not be opened again."""
    return _name(alert) in told or (str(alert["alert_id"]), "closed") in told


def decode_alert(value: bytes | None) -> dict[str, Any] | None:
    """The alert of a record, or None when it is none."""
    try:
        alert = orjson.loads(value or b"")
        complete = isinstance(alert, dict) and {"alert_id", "rule_id", "level", "kind", "subject_kind"} <= alert.keys()
        return alert if complete and isinstance(alert.get("sev_deg"), int) else None
    except orjson.JSONDecodeError:
        return None


class AlertRedrive:
    """Reads alerts from the delivered mark of each partition that this worker has, and tells what was not told."""

    def __init__(self, bootstrap: str, topic: str, router: AlertRouter, clock: Callable[[], float] = time) -> None:
        self._topic = topic
        self._router = router
        self._clock = clock
        self._consumer: Consumer = consumer(bootstrap, f"{topic}-delivered", **{"auto.offset.reset": "earliest"})
        self._marks: dict[int, int] = {}

    async def run_once(self, partitions: frozenset[int]) -> int:
        """Tell what is due; how many alerts were looked at. ConnectorError when somebody could not be told."""
        for partition in set(self._marks) - partitions:
            del self._marks[partition]  # another worker moves the mark now
        seen = 0
        for partition in sorted(partitions):
            while True:
                alerts, next_offset = await asyncio.to_thread(self._read, partition)
                await self._router.tell(alerts)
                seen += len(alerts)
                if next_offset == self._marks.get(partition):
                    break
                await asyncio.to_thread(self._mark, partition, next_offset)
        return seen

    def close(self) -> None:
        """Give the connection back."""
        self._consumer.close()

    def _read(self, partition: int) -> tuple[list[Alert], int]:
        """Up to READ_MAX alerts behind the mark that are old enough, and the offset behind them."""
        try:
            start, is_first = self._start_of(partition)
            _, end = self._consumer.get_watermark_offsets(TopicPartition(self._topic, partition), timeout=10)
            if start >= end:
                return [], start
            self._consumer.assign([TopicPartition(self._topic, partition, start)])
            return self._read_until(start, end, is_first=is_first)
        except KafkaException as error:
            raise ConnectorError("kafka", str(error), retryable=True) from error

    def _read_until(self, start: int, end: int, *, is_first: bool) -> tuple[list[Alert], int]:
        alerts: list[Alert] = []
        next_offset = start
        now_s = self._clock()
        while next_offset < end and len(alerts) < READ_MAX:
            messages = self._consumer.consume(READ_MAX, timeout=1.0)
            if not messages:
                break
            for message in messages:
                if message.error() is not None:
                    raise KafkaException(message.error())
                age_s = now_s - message.timestamp()[1] / 1000
                if age_s < STREAM_FIRST_S:
                    return alerts, next_offset
                next_offset = message.offset() + 1
                alert = decode_alert(message.value())
                if alert is not None and not (is_first and age_s > FIRST_LOOK_BACK_S):
                    alerts.append(alert)
        return alerts, next_offset

    def _start_of(self, partition: int) -> tuple[int, bool]:
        if partition in self._marks:
            return self._marks[partition], False
        low, _ = self._consumer.get_watermark_offsets(TopicPartition(self._topic, partition), timeout=10)
        (found,) = self._consumer.committed([TopicPartition(self._topic, partition)], timeout=10)
        if found.offset < 0:
            return low, True
        self._marks[partition] = max(low, found.offset)
        return self._marks[partition], False

    def _mark(self, partition: int, offset: int) -> None:
        position = TopicPartition(self._topic, partition, offset)
        try:
            self._consumer.commit(offsets=[position], asynchronous=False)
        except KafkaException as error:
            raise ConnectorError("kafka", str(error), retryable=True) from error
        self._marks[partition] = offset

"""Reads the alert topic again from the delivered mark, so that every alert is told. It tells; whom, the router knows.

The agent tells at once what arrives. The mark is a position that this module keeps in Kafka for itself and moves only
over what is owed to nobody: so an alert that the stream skipped, that nobody took, or that waited in the memory of a
worker that died, is brought again, and one that was told is remembered and not told again.
"""

import asyncio
from collections.abc import Callable
from time import time

from confluent_kafka import Consumer, KafkaException, TopicPartition

from connectors.errors import ConnectorError
from connectors.kafka import consumer
from streams.alert_routes import AlertRouter, Heard, decode_alert

READ_MAX = 500
STREAM_FIRST_S = 3.0  # the agent has so long to tell a new alert itself
FIRST_LOOK_BACK_S = 600.0  # without a mark, what is older has been seen by others or by nobody: it is not told now


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
                if next_offset == self._marks.get(partition) or self._router.owes(alerts):
                    break  # what waits in an outbox is looked at again with the next run
                await asyncio.to_thread(self._mark, partition, next_offset)
        return seen

    def close(self) -> None:
        """Give the connection back."""
        self._consumer.close()

    def _read(self, partition: int) -> tuple[list[Heard], int]:
        """Up to READ_MAX alerts behind the mark that are old enough, and the offset behind them."""
        try:
            start, is_first = self._start_of(partition)
            _, end = self._consumer.get_watermark_offsets(TopicPartition(self._topic, partition), timeout=10)
            if start >= end:
                return [], start
            self._consumer.assign([TopicPartition(self._topic, partition, start)])
            alerts, next_offset, first = self._read_until(start, end, is_first=is_first)
        except KafkaException as error:
            raise ConnectorError("kafka", str(error), retryable=True) from error
        if is_first:
            self._mark(partition, first)  # from here on all is owed, however long nobody listens
        return alerts, next_offset

    def _read_until(self, start: int, end: int, *, is_first: bool) -> tuple[list[Heard], int, int]:
        """The alerts, the offset behind them, and the first offset that was not passed over as too old."""
        alerts: list[Heard] = []
        next_offset = first = start
        now_s = self._clock()
        while next_offset < end and len(alerts) < READ_MAX:
            # asked for more than there is, it would wait out its time
            messages = self._consumer.consume(min(READ_MAX, end - next_offset), timeout=1.0)
            if not messages:
                break
            for message in messages:
                if message.error() is not None:
                    raise KafkaException(message.error())
                age_s = now_s - message.timestamp()[1] / 1000
                if age_s < STREAM_FIRST_S:
                    return alerts, next_offset, first
                offset = message.offset()
                assert offset is not None, "it was consumed"
                next_offset = offset + 1
                if is_first and age_s > FIRST_LOOK_BACK_S and not alerts:
                    first = next_offset
                    continue
                alert = decode_alert(message.value())
                if alert is not None:
                    alerts.append(Heard(alert, message.timestamp()[1]))
        return alerts, next_offset, first

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

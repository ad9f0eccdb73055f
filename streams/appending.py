"""Facts that the worker itself brings to the log: bank results, each acknowledged by Kafka before anybody goes on."""

import asyncio
from threading import Thread

from confluent_kafka import Producer

from connectors.codec import encode_fact
from connectors.errors import ConnectorError
from connectors.topology import partition_of
from risk.facts import Fact


class FactAppender:
    """Appends facts to the person log, on the partition of their person."""

    def __init__(self, producer: Producer, topic: str) -> None:
        self._producer = producer
        self._topic = topic
        self._partitions = 0
        self._running = True
        self._poller = Thread(target=self._poll, name="appender", daemon=True)
        self._poller.start()

    async def append(self, fact: Fact) -> None:
        """Append and wait for the acknowledgement."""
        loop = asyncio.get_running_loop()
        acknowledged: asyncio.Future[None] = loop.create_future()
        if not self._partitions:
            self._partitions = await asyncio.to_thread(self._count)

        def delivered(error: object, _: object) -> None:
            loop.call_soon_threadsafe(_resolve, acknowledged, error)

        key = fact.psn_no
        try:
            self._producer.produce(
                self._topic,
                key=key,
                value=encode_fact(fact),
                partition=partition_of(key, self._partitions),
                on_delivery=delivered,
            )
        except BufferError as error:
            raise ConnectorError("kafka", "the producer's queue is full", retryable=True) from error
        await acknowledged

    def close(self, wait_s: float = 5.0) -> None:
        """Send what waits, and end."""
        self._producer.flush(wait_s)
        self._running = False
        self._poller.join(wait_s)

    def _count(self) -> int:
        metadata = self._producer.list_topics(self._topic, timeout=10).topics[self._topic]
        if metadata.error is not None or not metadata.partitions:
            raise ConnectorError("kafka", f"{self._topic}: {metadata.error}", retryable=True)
        return len(metadata.partitions)

    def _poll(self) -> None:
        while self._running:
            self._producer.poll(0.1)


def _resolve(acknowledged: "asyncio.Future[None]", error: object) -> None:
    if acknowledged.done():  # nobody waits any more: the worker is ending
        return
    if error is None:
        acknowledged.set_result(None)
    else:
        acknowledged.set_exception(ConnectorError("kafka", str(error), retryable=True))

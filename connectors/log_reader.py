"""Reads a stretch of one log partition, offset by offset, without being a member of any group."""

from collections.abc import Iterator

import stamina
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from connectors.errors import ConnectorError
from connectors.kafka import consumer_settings

_TIMEOUT_S = 15.0
_BATCH = 5_000


@stamina.retry(
    on=lambda error: isinstance(error, ConnectorError) and error.retryable,
    timeout=_TIMEOUT_S,
    attempts=None,
    wait_jitter=0.1,
)
def log_end(bootstrap: str, topic: str, partition: int) -> tuple[int, int]:
    """The first offset still kept, and the one after the last.

    A topic just created has no leader for a moment: ask again.
    """
    client = Consumer(consumer_settings(bootstrap, "xinmai.reader"))
    try:
        low, high = client.get_watermark_offsets(TopicPartition(topic, partition), timeout=5)
        return low, high
    except KafkaException as error:
        raise ConnectorError("kafka", str(error.args[0]), retryable=True) from error
    finally:
        client.close()


def offset_at(bootstrap: str, topic: str, partition: int, instant_ms: int) -> int:
    """The first offset whose record was appended at or after the instant; the end, where there is none."""
    client = Consumer(consumer_settings(bootstrap, "xinmai.reader"))
    try:
        (found,) = client.offsets_for_times([TopicPartition(topic, partition, max(0, instant_ms))], timeout=_TIMEOUT_S)
        if found.offset >= 0:
            return int(found.offset)
        _, high = client.get_watermark_offsets(TopicPartition(topic, partition), timeout=_TIMEOUT_S)
        return int(high)
    except KafkaException as error:
        raise ConnectorError("kafka", str(error.args[0]), retryable=True) from error
    finally:
        client.close()


def retention_ms(bootstrap: str, topic: str) -> int:
    """How long a topic keeps its records; -1: for ever."""
    wanted = ConfigResource(ResourceType.TOPIC, topic)
    admin = AdminClient({"bootstrap.servers": bootstrap})  # by name: one that is collected never answers
    try:
        found = admin.describe_configs([wanted], request_timeout=_TIMEOUT_S)[wanted].result()
        return int(found["retention.ms"].value)
    except KafkaException as error:
        raise ConnectorError("kafka", str(error.args[0]), retryable=True) from error


def read_log(
    bootstrap: str, topic: str, partition: int, span: tuple[int, int]
) -> Iterator[list[tuple[int, int, bytes]]]:
    """Batches of (offset, time stamp ms, value) of the span (first, end). Raises where the log ends earlier."""
    start, stop = span
    if start >= stop:
        return
    client = Consumer(
        consumer_settings(bootstrap, "xinmai.reader", **{"queued.min.messages": 100_000, "enable.partition.eof": True})
    )
    client.assign([TopicPartition(topic, partition, start)])
    try:
        reached = start
        while reached < stop:
            batch = []
            # asked for more than there is, it would wait out its time
            for message in client.consume(min(_BATCH, stop - reached), 0.2):
                error, offset = message.error(), message.offset() or 0
                if error is not None:
                    _check_end(error, offset, stop)
                    continue
                if offset < stop:
                    batch.append((offset, message.timestamp()[1], message.value() or b""))
                reached = offset + 1
            if batch:
                yield batch
    finally:
        client.close()


def _check_end(error: KafkaError, ends_at: int, stop: int) -> None:
    """The end of the partition is no error where all that was asked for has come."""
    if error.code() != KafkaError._PARTITION_EOF:
        raise ConnectorError("kafka", str(error), retryable=True)
    if ends_at < stop:
        raise ConnectorError(
            "kafka", f"the log ends at {ends_at}, expected to read to {stop}: it was cut", retryable=False
        )

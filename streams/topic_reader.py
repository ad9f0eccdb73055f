"""Reads a topic from its beginning, or only its newest records, without being a member of anything."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import orjson
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, TopicPartition

from connectors.errors import ConnectorError
from connectors.topology import partition_of

TIMEOUT_S = 10.0
_BATCH = 500

Stamped = tuple[dict[str, Any], int]


def bodies(
    bootstrap: str,
    topic: str,
    *,
    newest: int | None = None,
    follow: bool = False,
    is_stopped: Callable[[], bool] = lambda: False,
    key: str | None = None,
) -> Iterator[dict[str, Any]]:
    """The JSON bodies of a topic, oldest first within a partition; with `follow` it does not end until stopped.

    With `key` only the partition in which such records stand is read.
    """
    for body, _ in stamped_bodies(bootstrap, topic, newest=newest, follow=follow, is_stopped=is_stopped, key=key):
        yield body


def stamped_bodies(
    bootstrap: str,
    topic: str,
    *,
    newest: int | None = None,
    follow: bool = False,
    is_stopped: Callable[[], bool] = lambda: False,
    key: str | None = None,
) -> Iterator[Stamped]:
    """The same, each with the instant in milliseconds at which the topic took it in."""
    read = _read(bootstrap, topic, newest=newest, follow=follow, is_stopped=is_stopped, key=key)
    return (each for each in read if each is not None)


def past_then_coming(bootstrap: str, topic: str, *, newest: int | None = None) -> Iterator[Stamped | None]:
    """The past as it stood when asked, then None, then each record as it comes, for ever; none falls in between."""
    return _read(bootstrap, topic, newest=newest, follow=True)


def _read(
    bootstrap: str,
    topic: str,
    *,
    newest: int | None,
    follow: bool,
    is_stopped: Callable[[], bool] = lambda: False,
    key: str | None = None,
) -> Iterator[Stamped | None]:
    client = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "xinmai-reader",
            "enable.auto.commit": False,
            "log.connection.close": False,
        }
    )
    try:
        ends = _assign(client, topic, newest, key)
        missing = {partition: end - start for partition, (start, end) in ends.items() if start < end}
        early: list[Message] = []  # came while other partitions are still in the past
        while missing and not is_stopped():
            # asked for more than there is, it would wait out its time
            for message in _consumed(client, min(_BATCH, sum(missing.values()))):
                partition = message.partition() or 0
                if partition not in missing:
                    early.append(message)
                    continue
                missing[partition] = ends[partition][1] - (message.offset() or 0) - 1
                if missing[partition] <= 0:
                    del missing[partition]
                yield from _stamped(message)
        yield None
        for message in early:
            yield from _stamped(message)
        while follow and not is_stopped():
            for message in _consumed(client, 1):
                yield from _stamped(message)
    except KafkaException as error:
        raise ConnectorError("kafka", str(error.args[0]), retryable=True) from error
    finally:
        client.close()


def _consumed(client: Consumer, count: int) -> list[Message]:
    return [message for message in client.consume(count, 0.3) if message.error() is None]


def _stamped(message: Message) -> Iterator[Stamped]:
    value = message.value()
    if value is not None:
        yield orjson.loads(value), message.timestamp()[1]


def _assign(client: Consumer, topic: str, newest: int | None, key: str | None) -> dict[int, tuple[int, int]]:
    until = time.monotonic() + TIMEOUT_S
    while True:
        metadata = client.list_topics(topic, timeout=TIMEOUT_S).topics[topic]
        if metadata.error is None and metadata.partitions:
            break
        if time.monotonic() > until:
            raise ConnectorError("kafka", f"no topic {topic}: run xinmai topics create", retryable=False)
        time.sleep(0.2)
    ends = {}
    count = len(metadata.partitions)
    for partition in metadata.partitions if key is None else [partition_of(key, count)]:
        low, high = client.get_watermark_offsets(TopicPartition(topic, partition), timeout=TIMEOUT_S)
        start = low if newest is None else max(low, high - newest)
        ends[partition] = (start, high)
    client.assign([TopicPartition(topic, p, start if start else OFFSET_BEGINNING) for p, (start, _) in ends.items()])
    return ends

"""The acts of `handling.v1` as records, and one reader that follows all of them from the first. It judges nothing."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Union

import msgspec
from confluent_kafka import Consumer, KafkaException, TopicPartition

from connectors.append import Record
from connectors.errors import ConnectorError
from risk.handling import (
    ACTS,
    Act,
    AlertSuppressed,
    AlertUnsuppressed,
    NoticePrepared,
    SuppressionSummarised,
)

_TIMEOUT_S = 10.0
_BATCH = 1_000
_decode = msgspec.json.Decoder(Union[ACTS]).decode  # noqa: UP007 - a tuple of types has no other union
_encode = msgspec.json.Encoder().encode


def act_record(topic: str, act: Act) -> Record:
    """The record of an act; acts about one thing share its key, so they stand in order."""
    return Record(topic, key_of(act), encode_act(act))


def key_of(act: Act) -> str:
    """What an act is about: a suppression, a notice, or an alert."""
    match act:
        case AlertSuppressed() | AlertUnsuppressed() | SuppressionSummarised():
            return act.suppression_id
        case NoticePrepared():
            return act.notice_id
    return str(getattr(act, "alert_id"))  # noqa: B009 - every other act is about an alert


def encode_act(act: Act) -> bytes:
    """The act as canonical JSON, `event_type` first."""
    return _encode(act)


def decode_act(value: bytes | None) -> Act | None:
    """The act of a record, or None when it is none that this release knows."""
    with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        act: Act = _decode(value or b"")
        return act
    return None


class ActReader:
    """Reads the topic from its beginning; each `read` gives what came since the last. Used by one thread at a time."""

    def __init__(self, connect: Callable[[], Consumer], topic: str) -> None:
        self._connect = connect
        self._topic = topic
        self._consumer: Consumer | None = None
        self._next: dict[int, int] = {}

    def read(self) -> list[Act]:
        """Every act up to the topic's end as it is now. ConnectorError when the end was not reached."""
        try:
            if self._consumer is None:
                self._open()
            return self._read_to_end()
        except (ConnectorError, KafkaException) as error:
            self.close()  # what was read is read again: the same act twice is one
            if isinstance(error, ConnectorError):
                raise
            raise ConnectorError("kafka", str(error.args[0]), retryable=True) from error

    def close(self) -> None:
        """Give the connection back."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def _open(self) -> None:
        self._consumer = consumer = self._connect()
        found = consumer.list_topics(self._topic, _TIMEOUT_S).topics[self._topic]
        if found.error is not None or not found.partitions:
            raise ConnectorError("kafka", f"no topic {self._topic}: run xinmai topics create", retryable=True)
        self._next = {partition: self._bounds(partition)[0] for partition in found.partitions}
        consumer.assign([TopicPartition(self._topic, *place) for place in self._next.items()])

    def _bounds(self, partition: int) -> tuple[int, int]:
        assert self._consumer is not None
        return self._consumer.get_watermark_offsets(TopicPartition(self._topic, partition), _TIMEOUT_S)

    def _read_to_end(self) -> list[Act]:
        assert self._consumer is not None
        acts: list[Act] = []
        ends = {partition: self._bounds(partition)[1] for partition in self._next}
        deadline_s = time.monotonic() + _TIMEOUT_S
        while any(self._next[partition] < end for partition, end in ends.items()):
            missing = sum(max(0, end - self._next[partition]) for partition, end in ends.items())
            # asked for more than there is, it would wait out its time
            messages = self._consumer.consume(min(_BATCH, missing), 0.2)
            for message in messages:
                if message.error() is not None:
                    raise KafkaException(message.error())
                self._next[message.partition() or 0] = (message.offset() or 0) + 1
                if (act := decode_act(message.value())) is not None:
                    acts.append(act)
            if messages:
                deadline_s = time.monotonic() + _TIMEOUT_S
            elif time.monotonic() > deadline_s:
                raise ConnectorError("kafka", f"{self._topic} was not read to its end", retryable=True)
        return acts

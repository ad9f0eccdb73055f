"""Appending to Kafka and knowing it: records go out together, and each is acknowledged before anybody is told."""

from collections.abc import Callable, Sequence
from threading import Lock
from time import monotonic
from typing import Any, NamedTuple, Protocol

from connectors.errors import ConnectorError

_POLL_S = 0.02
_ANY_PARTITION = -1  # librdkafka: by the key's hash


class Record(NamedTuple):
    """One record to append. `partition` None: chosen by the key's hash."""

    topic: str
    key: str
    value: bytes
    partition: int | None = None


class ProducerLike(Protocol):
    """What of confluent_kafka's Producer is used here; a fake is ten lines."""

    def produce(
        self,
        topic: str,
        value: bytes,
        key: str,
        partition: int = _ANY_PARTITION,
        *,
        on_delivery: Callable[[Any, Any], None],
    ) -> None:
        """Queue a record; BufferError if the queue is full. `on_delivery(error, message)` comes with a later poll."""

    def poll(self, timeout: float) -> int:
        """Serve what was acknowledged."""


class _Acks:
    """Counts acknowledgements; they may be served on another thread's poll()."""

    def __init__(self, expected: int, delivered: Callable[[str, int, int], None] | None) -> None:
        self.missing = expected
        self.error: object = None
        self._delivered = delivered
        self._lock = Lock()

    def __call__(self, error: object, message: Any) -> None:
        with self._lock:
            self.missing -= 1
            self.error = self.error or error
        if error is None and self._delivered is not None:
            self._delivered(message.topic(), message.partition(), message.offset())


def append_all(
    producer: ProducerLike,
    records: Sequence[Record],
    *,
    timeout_s: float | None = None,
    delivered: Callable[[str, int, int], None] | None = None,
) -> None:
    """Append and wait for every acknowledgement; safe from any thread. `delivered` hears (topic, partition, offset).

    After `timeout_s` it raises: the records may still arrive, so the sender repeats the same lines, whose ids make a
    second arrival a duplicate.
    """
    acks = _Acks(len(records), delivered)
    end_s = None if timeout_s is None else monotonic() + timeout_s
    for record in records:
        _produce(producer, record, acks, end_s)
    while acks.missing:
        _check_time(end_s)
        producer.poll(_POLL_S)
    if acks.error is not None:
        raise ConnectorError("kafka", f"a record was not accepted: {acks.error}", retryable=False)


def _produce(producer: ProducerLike, record: Record, acks: _Acks, end_s: float | None) -> None:
    partition = _ANY_PARTITION if record.partition is None else record.partition
    while True:
        try:
            producer.produce(record.topic, value=record.value, key=record.key, partition=partition, on_delivery=acks)
            return
        except BufferError:  # the local queue is full: let it drain
            _check_time(end_s)
            producer.poll(_POLL_S)


def _check_time(end_s: float | None) -> None:
    if end_s is not None and monotonic() > end_s:
        raise ConnectorError("kafka", "no acknowledgement in time; send the same lines again", retryable=True)

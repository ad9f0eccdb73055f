"""Appending to Kafka and knowing it: records go out together, and each is acknowledged before anybody is told."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Lock
from time import monotonic
from typing import Any, NamedTuple, Protocol

from confluent_kafka import KafkaError, KafkaException

from connectors.errors import ConnectorError

GIVEN_UP_AFTER_S = 120.0
"""librdkafka retries without end, and was once seen to sit without a connection to a broker that was there."""
_LET_GO_S = 0.5
_POLL_S = 0.02
LET_GO = frozenset({KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT})
"""How the senders of a producer that was let go are told: the record is good, the same lines go to the next one."""
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

    def purge(self) -> None:
        """Give up what waits; it is reported as failed."""

    def flush(self, timeout: float) -> int:
        """Serve until nothing waits; how many records still do."""


class ProducerFinished(ConnectorError):
    """The producer can never send again."""


class Pen:
    """A producer, and the next one where it is finished: by a fatal error, or because Kafka said nothing for long."""

    def __init__(self, connect: Callable[[], ProducerLike]) -> None:
        self._connect = connect
        self._producer = connect()
        self._heard_s = 0.0
        self._unheard_s = 0.0  # how long was waited since anything was acknowledged
        self._lock = Lock()

    def append(
        self,
        records: Sequence[Record],
        *,
        timeout_s: float | None = None,
        delivered: Callable[[str, int, int], None] | None = None,
    ) -> None:
        """`append_all`. Without `timeout_s` it appends the same records again, by a new producer, until they are in."""
        within_s = GIVEN_UP_AFTER_S if timeout_s is None else timeout_s

        def heard(topic: str, at: int, offset: int) -> None:
            self._heard_s, self._unheard_s = monotonic(), 0.0
            if delivered is not None:
                delivered(topic, at, offset)

        while True:
            producer, begun_s = self._producer, monotonic()
            try:
                append_all(producer, records, timeout_s=within_s, delivered=heard)
            except ConnectorError as error:
                self._failed(producer, begun_s, error)
                if timeout_s is not None or not (error.retryable or isinstance(error, ProducerFinished)):
                    raise
            else:
                return

    def poll(self) -> None:
        """Serve what was acknowledged."""
        producer, begun_s = self._producer, monotonic()
        try:
            _serve(producer, 0)
        except ConnectorError as error:
            self._failed(producer, begun_s, error)

    def close(self, wait_s: float) -> int:
        """Deliver what waits; how many records could not be."""
        return self._producer.flush(wait_s)

    def _failed(self, producer: ProducerLike, begun_s: float, error: ConnectorError) -> None:
        with self._lock:
            if producer is not self._producer:
                return  # another thread has a new one already
            if error.retryable:
                self._unheard_s += monotonic() - max(begun_s, self._heard_s)
                if self._unheard_s < GIVEN_UP_AFTER_S:
                    return
            elif not isinstance(error, ProducerFinished):
                return  # Kafka answers: it is the record that it does not want
            let_go(producer)
            self._producer, self._unheard_s = self._connect(), 0.0


def let_go(producer: ProducerLike) -> None:
    """Leave a producer: what waits is given up and its senders are told. What was sent just then may still arrive."""
    producer.purge()
    with suppress(KafkaException):  # a fatal error, said once more
        producer.flush(_LET_GO_S)


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
        _serve(producer, _POLL_S)
    if acks.error is not None:
        raise _refusal(acks.error)


def _serve(producer: ProducerLike, wait_s: float) -> None:
    """Serve what was acknowledged. A fatal error is raised here, in nobody's name, and only once."""
    try:
        producer.poll(wait_s)
    except KafkaException as error:
        raise _refusal(error.args[0]) from error


def _refusal(error: object) -> ConnectorError:
    code = error.code() if isinstance(error, KafkaError) else None
    kind = ProducerFinished if code == KafkaError._FATAL else ConnectorError
    return kind("kafka", f"a record was not accepted: {error}", retryable=code in LET_GO)


def _produce(producer: ProducerLike, record: Record, acks: _Acks, end_s: float | None) -> None:
    partition = _ANY_PARTITION if record.partition is None else record.partition
    while True:
        try:
            producer.produce(record.topic, value=record.value, key=record.key, partition=partition, on_delivery=acks)
            return
        except BufferError:  # the local queue is full: let it drain
            _check_time(end_s)
            _serve(producer, _POLL_S)
        except KafkaException as error:  # how a producer answers after a fatal error
            raise _refusal(error.args[0]) from error


def _check_time(end_s: float | None) -> None:
    if end_s is not None and monotonic() > end_s:
        raise ConnectorError("kafka", "no acknowledgement in time; send the same lines again", retryable=True)

"""A lane's producer: sends what the fold said and knows when all of it is safe. It sends; it decides nothing."""

from collections.abc import Callable, Iterable

import orjson
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from connectors.codec import encode_fact
from connectors.errors import ConnectorError
from connectors.state_codec import CONTRIBUTIONS_PER_RECORD, Contributed, encode_contributed
from connectors.topology import Topics
from risk.facts import Fact
from streams.shards import Effects, Numbered, ShardStopped

_REFUSED_FOR_GOOD = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.INVALID_MSG,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.INVALID_RECORD,
    }
)


class Sending:
    """The records of one piece of work on their way: how many are not yet acknowledged, and what went wrong with any."""

    __slots__ = ("error", "waiting")

    def __init__(self) -> None:
        self.waiting = 0
        self.error: KafkaError | None = None

    @property
    def done(self) -> bool:
        """All acknowledged, or one failed for good."""
        return self.waiting == 0 or self.error is not None

    def delivered(self, error: KafkaError | None, _message: Message) -> None:
        """Kafka's word about one record."""
        self.waiting -= 1
        if error is not None and self.error is None:
            self.error = error

    def check(self) -> None:
        """Raise what went wrong: what the broker refuses for good stops the shard, anything else is a re-claim."""
        if self.error is None:
            return
        if self.error.code() in _REFUSED_FOR_GOOD:
            raise ShardStopped(
                f"Kafka refuses an output for good: {self.error}. Repair the topic or the rights, then restart."
            )
        raise ConnectorError("kafka", str(self.error), retryable=True)


class Publisher:
    """Produces outputs, contributions, re-routed records and timers to their topics."""

    def __init__(self, producer: Producer, topics: Topics) -> None:
        self._producer = producer
        self._topics = topics
        self._names = {
            "alerts": topics.alerts,
            "decisions": topics.decisions,
            "withholding": topics.withholding,
            "deadletter": topics.deadletter,
        }

    def send(self, source: int, said: Iterable[Effects], between: Callable[[], None]) -> Sending:
        """Send everything these records say; `between` is called after the first half (a place where tests kill)."""
        sending = Sending()
        numbered: dict[int, list[Numbered]] = {}
        for effects in said:
            for output in effects.outputs:
                self._produce(sending, self._names[output.topic], output.key, orjson.dumps(output.body))
            if effects.rerouted is not None:
                rerouted = effects.rerouted
                self._produce(sending, self._topics.events, rerouted.key, rerouted.value, rerouted.partition)
            for each in effects.numbered:
                numbered.setdefault(each.target, []).append(each)
        between()
        for target, run in numbered.items():
            for start in range(0, len(run), CONTRIBUTIONS_PER_RECORD):
                part = run[start : start + CONTRIBUTIONS_PER_RECORD]
                value = encode_contributed(
                    Contributed(source, part[0].number, tuple(each.contribution for each in part))
                )
                self._produce(sending, self._topics.subjects, f"p{source}", value, target)
        return sending

    def append_facts(self, partition: int, facts: Iterable[Fact]) -> Sending:
        """Append engine facts (timers) to a partition of the person log."""
        sending = Sending()
        for fact in facts:
            self._produce(sending, self._topics.events, fact.psn_no, encode_fact(fact), partition)
        return sending

    def serve(self, timeout_s: float) -> None:
        """Let acknowledgements in."""
        self._producer.poll(timeout_s)

    def drop_all(self) -> None:
        """Forget what is queued; the position was lost and everything will be derived again."""
        self._producer.purge()
        self._producer.flush(1)

    def _produce(self, sending: Sending, topic: str, key: str, value: bytes, partition: int = -1) -> None:
        while True:
            try:
                self._producer.produce(topic, value, key.encode(), partition, sending.delivered)
            except BufferError:
                self._producer.poll(0.05)  # the queue is full: acknowledgements make room
            except KafkaException as error:
                sending.error = error.args[0]
                return
            else:
                sending.waiting += 1
                return

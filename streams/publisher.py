"""A lane's producer: sends what the fold said and knows when all of it is safe. It sends; it decides nothing."""

import time
from collections.abc import Iterable, Sequence

import orjson
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from connectors.append import GIVEN_UP_AFTER_S
from connectors.codec import encode_fact
from connectors.errors import ConnectorError
from connectors.state_codec import CONTRIBUTIONS_PER_RECORD, Contributed, encode_contributed
from connectors.topology import Topics
from risk.contributions import Contribution
from risk.facts import Fact
from risk.local_time import MINUTE_MS, SECOND_MS
from streams.shards import Effects, ShardStopped

ACKNOWLEDGED_WITHIN_S = GIVEN_UP_AFTER_S
_MERGED_BY_SECOND_MAX = 200
_STRETCH_MS = 5 * MINUTE_MS  # of a backlog; the second hop bears fifteen minutes, and records are dear
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


class ProducerLost(Exception):
    """The producer can never send again; only a new process has a new one."""


class Sending:
    """The records of one piece of work on their way: how many are not acknowledged yet, and what went wrong."""

    __slots__ = ("_since_s", "error", "waiting")

    def __init__(self) -> None:
        self._since_s = time.monotonic()
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

    def check_time(self) -> None:
        """Raise where nobody says anything: what is not acknowledged is derived and sent again by a new producer."""
        if not self.done and time.monotonic() - self._since_s > ACKNOWLEDGED_WITHIN_S:
            raise ProducerLost(f"{self.waiting} records were not acknowledged within {ACKNOWLEDGED_WITHIN_S:.0f} s")

    def check(self) -> None:
        """Raise what went wrong: what the broker refuses for good stops the shard, anything else is a re-claim."""
        if self.error is None:
            return
        if self.error.code() == KafkaError._FATAL:
            raise ProducerLost(str(self.error))
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

    def send_outputs(self, said: Iterable[Effects], sending: Sending) -> None:
        """Send alerts, decisions, orders, dead letters, and what stood on the wrong partition."""
        for effects in said:
            for output in effects.outputs:
                self._produce(sending, (self._names[output.topic], -1), output.key, orjson.dumps(output.body))
            for log, partition, key, value in effects.rerouted:
                topic = self._topics.events if log == "events" else self._topics.subjects
                self._produce(sending, (topic, partition), key, value)

    def send_contributions(self, batch: Sequence[tuple[int, Sequence[Effects], Sending]]) -> None:
        """Send the contributions of several shards (source, said, sending), merged in business time.

        Each source's own order is that of its counters; merging only interleaves sources, so that none makes another
        late. A backlog is merged by minutes, what just happened by the second: then a burst arrives as it happened.
        """
        count = sum(len(effects.numbered) for _, said, _ in batch for effects in said)
        stretch_ms = SECOND_MS if count <= _MERGED_BY_SECOND_MAX else _STRETCH_MS
        runs = [(*run, sending) for source, said, sending in batch for run in _runs(source, said, stretch_ms)]
        for _, source, target, contributions, first, sending in sorted(runs, key=lambda run: run[:2]):
            for start in range(0, len(contributions), CONTRIBUTIONS_PER_RECORD):
                part = tuple(contributions[start : start + CONTRIBUTIONS_PER_RECORD])
                value = encode_contributed(Contributed(source, first + start, part))
                self._produce(sending, (self._topics.subjects, target), f"p{source}", value)

    def append_facts(self, partition: int, facts: Iterable[Fact]) -> Sending:
        """Append engine facts (timers) to a partition of the person log."""
        sending = Sending()
        for fact in facts:
            self._produce(sending, (self._topics.events, partition), fact.psn_no, encode_fact(fact))
        return sending

    def serve(self, timeout_s: float) -> None:
        """Let acknowledgements in."""
        self._producer.poll(timeout_s)

    def _produce(self, sending: Sending, place: tuple[str, int], key: str, value: bytes) -> None:
        topic, partition = place
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


def _runs(
    source: int, said: Iterable[Effects], stretch_ms: int
) -> Iterable[tuple[int, int, int, list[Contribution], int]]:
    """Contributions of one source by target and stretch of business time: (stretch, source, target, contributions,
    first number).

    A late one goes with the stretch its source has come to: its number would not fit anywhere else.
    """
    clock_ms = 0
    runs: dict[tuple[int, int], tuple[list[Contribution], int]] = {}
    for effects in said:
        for each in effects.numbered:
            clock_ms = max(clock_ms, each.contribution.moved_ms)
            contributions, _ = runs.setdefault((clock_ms // stretch_ms, each.target), ([], each.number))
            contributions.append(each.contribution)
    return [
        (stretch, source, target, contributions, first) for (stretch, target), (contributions, first) in runs.items()
    ]

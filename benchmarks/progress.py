"""How far the shards are, read from Redis as their owners commit: the benches' stop watch for draining a log."""

import time
from collections.abc import Callable
from typing import NamedTuple

import stamina
from confluent_kafka import Consumer, KafkaException, TopicPartition

from benchmarks.ours import wait_until
from connectors.errors import ConnectorError
from connectors.store import Store
from connectors.topology import Topics, tags


class Drain(NamedTuple):
    """Records applied per second while a preloaded log was drained, without the start-up."""

    first_hop_per_s: float
    both_hops_per_s: float
    records: int
    seconds: float


class Progress:
    """The applied offsets of one prefix."""

    def __init__(self, kafka: str, redis: str, topics: Topics, *, partitions: int, subjects: int) -> None:
        self._store = Store(redis)
        self._log = Consumer({"bootstrap.servers": kafka, "group.id": "bench-progress", "log.connection.close": False})
        self._topics = topics
        self._people = tags("p", partitions)
        self._subjects = tags("q", subjects)

    def applied(self, family: str = "p") -> list[int]:
        """How many records each shard has applied."""
        shards = self._people if family == "p" else self._subjects
        return [1 + (position.offset if position.offset is not None else -1) for position, _ in self._read(shards)]

    @stamina.retry(on=ConnectorError, timeout=15.0)
    def _read(self, shards: tuple[str, ...]) -> list[tuple[object, list[bytes | None]]]:  # type: ignore[type-arg]
        return self._store.read([(tag, []) for tag in shards])  # type: ignore[return-value]

    @stamina.retry(on=KafkaException, timeout=15.0)
    def ends(self, topic: str, count: int) -> list[int]:
        """The log's ends. A topic just made has no leader for a moment: asked again."""
        return [
            self._log.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)[1]
            for partition in range(count)
        ]

    def is_drained(self, family: str) -> bool:
        """Whether everything in that log is applied."""
        topic, shards = (
            (self._topics.events, self._people) if family == "p" else (self._topics.subjects, self._subjects)
        )
        return all(at >= end for at, end in zip(self.applied(family), self.ends(topic, len(shards)), strict=True))

    def await_claims(self) -> bool:
        """Every shard claimed and its policy applied, and nothing else yet; False if that takes a minute."""
        return wait_until(lambda: sum(self.applied()) >= len(self._people) and self.is_drained("q"), 60)

    def await_drained(self, within_s: float = 600) -> bool:
        """Both logs drained, and still so two seconds later: timers that the shards append are work too."""
        if not wait_until(self.is_all_drained, within_s):
            return False
        applied = self.applied()
        time.sleep(2)
        return self.applied() == applied or self.await_drained(within_s)

    def is_all_drained(self) -> bool:
        """Whether both logs are applied to their ends."""
        return self.is_drained("p") and self.is_drained("q")

    def drain(self, total: int, alive: Callable[[], bool], within_s: float = 600) -> Drain | None:
        """Watch `total` person records being drained; None if it does not end."""
        until_s = time.monotonic() + within_s
        while sum(self.applied()) <= len(self._people):  # the first record of each partition is the policy
            if time.monotonic() > until_s or not alive():
                return None
            time.sleep(0.01)
        began_s, already = time.monotonic(), sum(self.applied()) - len(self._people)
        while not self.is_drained("p"):
            if time.monotonic() > until_s or not alive():
                return None
            time.sleep(0.1)
        first_s = time.monotonic() - began_s
        while not self.is_drained("q"):
            if time.monotonic() > until_s or not alive():
                return None
            time.sleep(0.1)
        both_s = time.monotonic() - began_s
        counted = total - already
        return Drain(counted / max(first_s, 0.001), counted / max(both_s, 0.001), counted, both_s)

    def used_memory(self) -> int:
        """Redis' used_memory, in bytes."""
        return int(self._store.client.info("memory")["used_memory"])

    def close(self) -> None:
        """Give both connections back."""
        self._log.close()
        self._store.close()

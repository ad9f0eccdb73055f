"""Waits until an engine under the log's clock has nothing left to do: records applied, no timer due, no order out.

Only then may simulated time go on: banks answer in real milliseconds what the city spreads over hours.
"""

import time
from typing import TYPE_CHECKING

from confluent_kafka import Consumer, TopicPartition

from connectors.kafka import cluster_identity, consumer_settings
from connectors.store import KEY_PREFIX, Store, meta_key
from connectors.topology import partition_of, tags
from streams.stop import Stop

if TYPE_CHECKING:
    from streams.settings import Settings

POLL_S = 0.01


class Quiet:
    """Looks at the log's ends and at Redis, and changes neither."""

    def __init__(self, settings: "Settings") -> None:
        self._topic = settings.topics.events
        _, found = cluster_identity(settings.kafka, (self._topic,))
        self.partitions = found[self._topic][1]
        self._tags = tags("p", self.partitions)
        self._client = Consumer(consumer_settings(settings.kafka, "xinmai.quiet"))
        self.store = Store(settings.redis)
        self.excused: set[str] = set()
        """Whose open orders are not waited for: their bank is away on purpose."""

    def close(self) -> None:
        """Hang up."""
        self._client.close()
        self.store.close()

    def keepers(self) -> list[str]:
        """One number for each partition: whose only record is what hour it is."""
        found: dict[int, str] = {}
        for number in range(10_000):
            found.setdefault(partition_of(psn_no := f"4305keeper{number}", self.partitions), psn_no)
            if len(found) == self.partitions:
                break
        return [found[partition] for partition in sorted(found)]

    def next_ms(self) -> int | None:
        """The next instant at which something happens by itself; None: nothing is scheduled."""
        pipe = self.store.client.pipeline(transaction=False)
        for tag in self._tags:
            pipe.hvals(f"{KEY_PREFIX}{tag}:schedule")
        return min((int(instant) for instants in pipe.execute() for instant in instants), default=None)

    def ends(self) -> list[int]:
        """Where each partition of the person log ends."""
        return [
            self._client.get_watermark_offsets(TopicPartition(self._topic, partition), timeout=10)[1]
            for partition in range(self.partitions)
        ]

    def wait(self, now_ms: int, *, within_s: float = 60.0) -> None:
        """Until nothing is left to do at `now_ms`, which every shard has reached. Stop when it takes too long."""
        end_s = time.monotonic() + within_s
        while left := self._left(now_ms):
            if time.monotonic() > end_s:
                raise Stop(f"引擎在 {within_s:.0f} 秒内未空闲：{left}", f"not quiet within {within_s:.0f} s: {left}")
            time.sleep(POLL_S)

    def _left(self, now_ms: int) -> str:
        ends = self.ends()
        pipe = self.store.client.pipeline(transaction=False)
        for tag in self._tags:
            pipe.hget(meta_key(tag), "offset")
            pipe.hvals(f"{KEY_PREFIX}{tag}:schedule")
            pipe.hkeys(f"{KEY_PREFIX}{tag}:orders")
        answers = pipe.execute()
        behind = sum(end - 1 - int(answers[3 * n] or -1) for n, end in enumerate(ends))
        due = sum(int(instant) <= now_ms for n in range(len(ends)) for instant in answers[3 * n + 1])
        waiting = {psn_no.decode() for n in range(len(ends)) for psn_no in answers[3 * n + 2]}
        orders = len(waiting - self.excused)
        if behind or due or orders:
            return f"{behind} records, {due} timers, {orders} persons with open orders"
        return "" if self.ends() == ends else "the log grows"

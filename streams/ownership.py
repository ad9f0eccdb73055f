"""Which shards a lane owns: assigned by Kafka's group, claimed in Redis, checked against the log, lost and claimed
again, or stopped.

Kafka's group says whose a partition is; Redis says where its state stands and fences who was its writer before.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from confluent_kafka import OFFSET_INVALID, Consumer, KafkaError, KafkaException, Message, TopicPartition

from connectors.errors import ConnectorError
from connectors.kafka import cluster_identity, consumer_settings
from connectors.store import Store
from connectors.topology import Topics, tags
from streams.owned import Owned
from streams.person_shard import PersonShard
from streams.shards import Record, Shard, ShardStopped
from streams.subject_shard import SubjectShard
from streams.tally import Tally

GROUP = "xinmai.lanes"
_RETRY_S = 0.5

Key = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneSettings:
    """What a lane is told. `clock` is `wall` or `log`; `member` is stable over restarts (static membership)."""

    kafka: str
    redis: str
    member: str
    prefix: str = "xinmai."
    clock: str = "wall"
    batch_records_max: int = 1000
    group: str = GROUP
    session_timeout_ms: int = 6_000
    redis_within_s: float = 2.0
    """A turn may ask Redis half a dozen times before it polls Kafka, which takes the shards away after 15 s. What it
    asks for takes milliseconds: a script has 250 values at most."""


def topology_of(kafka: str, topics: Topics, clock: str) -> tuple[dict[str, str], dict[str, int]]:
    """Which cluster and which incarnation of each log: what Redis must remember to be the state of it; and partition
    counts.
    """
    names = (topics.events, topics.subjects)
    cluster_id, found = cluster_identity(kafka, names)
    missing = [name for name in names if name not in found]
    if missing:
        raise ShardStopped(f"{', '.join(missing)} does not exist. Run: xinmai topics create")
    counts = {name: found[name][1] for name in names}
    return {name: f"{cluster_id}/{found[name][0]}/{counts[name]}/{clock}" for name in names}, counts


class ConsumerLost(Exception):
    """The consumer can never read again (a broker that lost its memory fenced it); only a new process has a new one."""


class Ownership:
    """The shards of one lane and the consumer that feeds them. `tell` hears of claims, re-claims, stops and pages."""

    def __init__(
        self,
        settings: LaneSettings,
        store: Store,
        *,
        tally: Tally,
        tell: Callable[[dict[str, object]], None],
        checkpoint: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._store = store
        self._tally = tally
        self._tell = tell
        self._checkpoint = checkpoint
        self.topics = Topics(settings.prefix)
        self.owned: dict[Key, Owned] = {}
        self._lost: dict[Key, float] = {}  # to be claimed (again), not before this instant
        self._marks: dict[Key, int] = {}
        self._identity, self._counts = topology_of(settings.kafka, self.topics, settings.clock)
        self.consumer = self._make_consumer()

    @property
    def people_tags(self) -> tuple[str, ...]:
        """Every shard of people there is, whoever owns it."""
        return tags("p", self._counts[self.topics.events])

    def __iter__(self) -> Iterator[Owned]:
        """The shards whose writer this lane is right now."""
        return (owned for owned in list(self.owned.values()) if owned.serves)

    def _make_consumer(self) -> Consumer:
        consumer = Consumer(
            consumer_settings(
                self._settings.kafka,
                self._settings.group,
                **{
                    "group.instance.id": self._settings.member,
                    "session.timeout.ms": self._settings.session_timeout_ms,
                    "fetch.wait.max.ms": 10,
                    "queued.min.messages": 10_000,
                },
            )
        )
        # Spread by number: of two lanes that come one after the other one gets all people. Half of people and of
        # subjects each drains a backlog more slowly: lanes of people keep together in business time (pace.py).
        consumer.subscribe(
            [self.topics.events, self.topics.subjects],
            on_assign=self._assigned,
            on_revoke=self._revoked,
            on_lost=self._revoked,
        )
        return consumer

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Assigned at the applied offset; a shard that cannot be claimed now is assigned paused and claimed later.

        One that is waited for in vain is enough: nobody polls Kafka meanwhile, and it takes back what it gave.
        """
        must_wait = False
        for given in partitions:
            key = (given.topic, given.partition)
            owned = Owned(given.topic, self._maker(*key), self._store, self._identity[given.topic])
            self.owned[key] = owned
            if must_wait:
                self._lost[key] = time.monotonic() + _RETRY_S
            offset = None if must_wait else self._try_claim(owned)
            must_wait = key in self._lost
            consumer.incremental_assign([TopicPartition(*key, 0 if offset is None else offset)])
            if offset is None:
                consumer.pause([TopicPartition(*key)])
        self._tell({"kind": "owned", "shards": sorted(owned.tag for owned in self.owned.values())})

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for given in partitions:
            owned = self.owned.pop((given.topic, given.partition), None)
            self._lost.pop((given.topic, given.partition), None)
            if owned is not None:
                owned.epoch = ""  # whatever is on its way is dropped: the next owner derives it again
        consumer.incremental_unassign(partitions)

    def _maker(self, topic: str, partition: int) -> Callable[[], Shard]:
        people, subjects = self._counts[self.topics.events], self._counts[self.topics.subjects]
        counts = {"partitions": people, "subject_partitions": subjects}
        clock = self._settings.clock
        if topic == self.topics.subjects:
            return lambda: SubjectShard(tags("q", subjects)[partition], partition, **counts, clock=clock)
        return lambda: PersonShard(tags("p", people)[partition], partition, **counts, clock=clock)

    def _try_claim(self, owned: Owned) -> int | None:
        """Claim and check a shard; the offset to consume from, or None where it has to wait or was stopped."""
        key = (owned.topic, owned.partition)
        try:
            self._checkpoint("in_claim")
            offset = owned.claim()
            here = TopicPartition(*key)
            (mark,) = self.consumer.committed([here], timeout=5)
            low, high = self.consumer.get_watermark_offsets(here, timeout=5)
            if mark.offset == OFFSET_INVALID:
                raise ShardStopped(f"{key[0]}[{key[1]}] has no published mark. Run: xinmai topics create")
            if owned.committed is None and low > 0:
                raise ShardStopped(
                    f"{key[0]}[{key[1]}] begins at {low}: the log was truncated and there is no state to begin from"
                )
            if owned.committed is not None and owned.committed >= high:
                raise ShardStopped(
                    f"{key[0]}[{key[1]}] ends at {high}, state stands at {owned.committed}: the log lost its tail"
                )
            owned.published_mark, owned.live_from = mark.offset, high
        except ShardStopped as stopped:
            self.stop(owned, str(stopped))
            return None
        except (ConnectorError, KafkaException) as error:
            if isinstance(error, ConnectorError) and not error.retryable:
                self.stop(owned, str(error))
                return None
            self._lost[key] = time.monotonic() + _RETRY_S
            self._tell({"kind": "claim_failed", "shard": owned.tag.strip("{}"), "detail": str(error)})
            return None
        return offset

    def claim_lost(self) -> None:
        """Claim again what was lost, as long as Kafka still assigns it to this lane, until one has to wait: then all
        do, and it comes last the next time.
        """
        now = time.monotonic()
        for key in [key for key, not_before in self._lost.items() if not_before <= now]:
            owned = self.owned[key]
            del self._lost[key]
            offset = self._try_claim(owned)
            if key in self._lost:
                not_before = self._lost[key]
                self._lost = {other: max(at, not_before) for other, at in self._lost.items()}
                return
            if offset is None:
                continue
            self.consumer.seek(TopicPartition(*key, offset))
            self.consumer.resume([TopicPartition(*key)])

    def lose(self, owned_ones: list[Owned], cause: str, error: Exception) -> None:
        """Drop the shards' work, unsaid from here on, and claim them again."""
        for owned in owned_ones:
            key = (owned.topic, owned.partition)
            if self.owned.get(key) is not owned:
                continue
            if owned.stopped:
                owned.epoch = ""  # what it still had on its way ends here: a later mark must not cover it
                continue
            owned.waiting = []
            owned.epoch = ""
            self.consumer.pause([TopicPartition(*key)])
            self._lost[key] = time.monotonic() + (_RETRY_S if cause == "redis" else 0)
            self._tally.reclaimed(cause)
        self._tell({"kind": "reclaim", "cause": cause, "detail": str(error)})

    def stop(self, owned: Owned, why: str) -> None:
        """A person has to look: this shard goes no further, the others do. Without an epoch its work is dropped."""
        owned.stopped = why
        if not owned.finishing:
            owned.epoch = ""
        owned.finishing = False
        owned.waiting = []
        self.consumer.pause([TopicPartition(owned.topic, owned.partition)])
        self._tell({"kind": "stopped", "shard": owned.tag.strip("{}"), "detail": why})

    def offer(self, message: Message) -> None:
        """Give a consumed message to its shard; a message of a shard not owned any more is nobody's here."""
        error, topic, partition, offset = message.error(), message.topic(), message.partition(), message.offset()
        owned = None if topic is None or partition is None else self.owned.get((topic, partition))
        if error is not None:
            if error.code() == KafkaError._FATAL:
                raise ConsumerLost(error.str())
            gone = error.code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE)
            if gone and owned is not None and not owned.stopped:  # the first reason is the clearer one
                self.stop(
                    owned,
                    f"{topic}[{partition}] does not reach back to where the state stands ({error}): it was truncated",
                )
            return
        if owned is None or offset is None or not owned.epoch or owned.stopped:
            return
        try:
            _, stamp_ms = message.timestamp()
            owned.offer(Record(offset, stamp_ms, message.value() or b""))
        except ShardStopped as stopped:
            self.stop(owned, str(stopped))

    def hold_back(self, waiting_max: int) -> None:
        """Pause the shards with enough waiting, resume those that have room again."""
        for owned in self:
            if not owned.held_back and len(owned.waiting) > waiting_max:
                self.consumer.pause([TopicPartition(owned.topic, owned.partition)])
                owned.held_back = True
            elif owned.held_back and len(owned.waiting) < waiting_max // 2:
                self.consumer.resume([TopicPartition(owned.topic, owned.partition)])
                owned.held_back = False

    def mark(self, owned: Owned, offset: int) -> None:
        """The outputs of everything before `offset` are out and acknowledged."""
        if offset > owned.published_mark:  # what is folded again was said before: the mark never falls back
            self._marks[owned.topic, owned.partition] = owned.published_mark = offset

    def high_watermark(self, owned: Owned) -> int:
        """Where the log ends, as far as this lane was told; never before where it stood at the claim."""
        _, high = self.consumer.get_watermark_offsets(TopicPartition(owned.topic, owned.partition), cached=True)
        return max(high, owned.live_from)

    def commit_marks(self) -> None:
        """The published mark: below it the outputs are out and acknowledged."""
        if not self._marks:
            return
        offsets = [TopicPartition(*key, offset) for key, offset in self._marks.items() if key in self.owned]
        self._marks = {}
        if offsets:
            try:
                self.consumer.commit(offsets=offsets, asynchronous=True)
            except KafkaException as error:
                self._tell({"kind": "mark_late", "detail": str(error)})  # only costs repeated outputs after a crash

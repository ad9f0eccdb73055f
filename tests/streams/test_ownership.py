"""Claims while Redis does not answer: each costs the time-out, and whoever does not poll Kafka loses its shards."""

import pytest
from confluent_kafka import TopicPartition

from connectors.errors import ConnectorError
from connectors.kafka import MOCK_PARTITIONS
from connectors.store import Claim
from streams import ownership
from streams.ownership import LaneSettings, Ownership
from streams.tally import Tally


class Hanging:
    """A Redis that says nothing about some shards; nothing was ever committed."""

    def __init__(self, *silent: str) -> None:
        self.silent = set(silent)
        self.asked: list[str] = []

    def claim(self, tag: str, at_ms: int) -> Claim:
        self.asked.append(tag)
        if tag in self.silent:
            raise ConnectorError("redis", "Timeout reading from socket", retryable=True)
        return Claim("1", None, "", "", b"", "")


class Group:
    """Kafka's part: it gives everything, and remembers what it was told to pause."""

    def __init__(self, settings: object) -> None:
        self.paused: set[tuple[str, int]] = set()

    def subscribe(self, topics: list[str], **callbacks: object) -> None: ...

    def incremental_assign(self, partitions: list[TopicPartition]) -> None: ...

    def seek(self, partition: TopicPartition) -> None: ...

    def pause(self, partitions: list[TopicPartition]) -> None:
        self.paused |= {(each.topic, each.partition) for each in partitions}

    def resume(self, partitions: list[TopicPartition]) -> None:
        self.paused -= {(each.topic, each.partition) for each in partitions}

    def committed(self, partitions: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        return [TopicPartition(each.topic, each.partition, 0) for each in partitions]

    def get_watermark_offsets(self, partition: TopicPartition, timeout: float) -> tuple[int, int]:
        return 0, 1


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> tuple[Ownership, Hanging]:
    """Four shards of people, assigned while Redis hangs on all of them."""

    def topology(kafka: str, topics, clock: str) -> tuple[dict[str, str], dict[str, int]]:
        names = (topics.events, topics.subjects)
        return dict.fromkeys(names, "mock"), dict.fromkeys(names, MOCK_PARTITIONS)

    monkeypatch.setattr(ownership, "Consumer", Group)
    monkeypatch.setattr(ownership, "topology_of", topology)
    monkeypatch.setattr(ownership, "_RETRY_S", 0.0)
    redis = Hanging("{p0}", "{p1}", "{p2}", "{p3}")
    settings = LaneSettings(kafka="", redis="", member="m0")
    owner = Ownership(settings, redis, tally=Tally(), tell=lambda told: None, checkpoint=lambda name: None)
    monkeypatch.setattr(owner, "_maker", lambda topic, partition: lambda: Shardlike(f"{{p{partition}}}", partition))
    owner._assigned(owner.consumer, [TopicPartition(owner.topics.events, number) for number in range(4)])
    return owner, redis


class Shardlike:
    """As much of a shard as a claim of an empty one looks at."""

    def __init__(self, tag: str, partition: int) -> None:
        self.partition = partition
        self.values = type("Values", (), {"tag": tag})


def test_in_the_callback_of_an_assignment_redis_is_waited_for_once(world):
    owner, redis = world
    assert redis.asked == ["{p0}"]
    assert len(owner.consumer.paused) == 4
    assert list(owner) == []


def test_a_turn_waits_for_redis_once_and_begins_the_next_time_with_another_shard(world):
    owner, redis = world
    redis.asked.clear()
    for _ in range(4):
        owner.claim_lost()
    assert sorted(redis.asked) == ["{p0}", "{p1}", "{p2}", "{p3}"]


def test_shards_on_a_node_that_answers_are_claimed_though_another_node_hangs(world):
    owner, redis = world
    redis.silent = {"{p1}"}
    for _ in range(2):
        owner.claim_lost()
    assert [owned.tag for owned in owner] == ["{p0}", "{p2}", "{p3}"]
    redis.silent = set()
    owner.claim_lost()
    assert len(list(owner)) == 4
    assert owner.consumer.paused == set()

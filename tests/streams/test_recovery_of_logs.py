"""Kafka on a bad day: away, truncated, regrown, without marks, of another shape. A shard in doubt stops, says why."""

from collections.abc import Callable, Iterable, Iterator
from threading import Thread

import orjson
import pytest
from confluent_kafka import KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient

from connectors.embedded import RealKafka, RedisServer
from connectors.errors import ConnectorError
from connectors.kafka import cluster_identity, create_topics, set_published_mark
from connectors.store import PULSE_CHANNEL, Store
from connectors.topology import Topics, tags
from streams.lane import Lane
from streams.ownership import ConsumerLost
from streams.publisher import Publisher, Sending
from streams.shards import Effects
from tests.streams.lane_world import SUBJECTS, World, settlements

pytestmark = pytest.mark.kafka
P0, P1 = tags("p", 2)


@pytest.fixture
def world(real_kafka: RealKafka, redis_62: RedisServer, topics: Topics) -> Iterator[World]:
    opened = World(real_kafka, redis_62, topics)
    yield opened
    opened.close()


def _truncate(world: World, topic: str, partition: int, before: int) -> None:
    admin = AdminClient({"bootstrap.servers": world.kafka.bootstrap})
    for done in admin.delete_records([TopicPartition(topic, partition, before)]).values():
        done.result()


def _stopped(world: World) -> dict[str, str]:
    return {str(each["shard"]): str(each["detail"]) for each in world.told("stopped")}


def _drained_and_ended(world: World) -> None:
    world.append(settlements(200))
    lane = world.lane()
    world.drain(lane)
    world.end(lane)


def test_a_log_truncated_behind_the_state_changes_nothing(world: World):
    _drained_and_ended(world)
    _truncate(world, world.topics.events, 0, world.position(P0))
    world.append(settlements(20, seed=5))
    world.drain(world.lane())
    assert _stopped(world) == {}


def test_a_log_truncated_beyond_the_state_stops_that_shard_only(world: World):
    _drained_and_ended(world)
    world.append(settlements(100, seed=5))
    _truncate(world, world.topics.events, 0, world.position(P0) + 10)
    lane = world.lane()
    world.turn(lane, until=lambda: bool(_stopped(world)) and world.position(P1) + 1 == _end(world, 1))
    assert set(_stopped(world)) == {P0.strip("{}")}
    assert "truncated" in _stopped(world)[P0.strip("{}")]


def _end(world: World, partition: int) -> int:
    return world.end_of(world.topics.events, partition)


def test_a_truncated_log_without_any_state_stops_its_shard(world: World):
    _drained_and_ended(world)
    world.redis.flush()
    _truncate(world, world.topics.events, 0, 5)
    lane = world.lane()
    world.turn(lane, until=lambda: bool(_stopped(world)) and world.position(P1) + 1 == _end(world, 1))
    assert set(_stopped(world)) == {P0.strip("{}")}
    assert "no state to begin from" in str(world.told("stopped")[0]["detail"])


def test_a_tail_that_was_lost_and_grew_again_stops_its_shard(world: World):
    _drained_and_ended(world)
    with world.redis.client() as client:  # the record at this offset was another one when it was applied
        client.hset(f"xm:{P0}:meta", "record", "0" * 32)
    world.append(settlements(20, seed=5))
    lane = world.lane()
    world.turn(lane, until=lambda: bool(_stopped(world)) and world.position(P1) + 1 == _end(world, 1))
    assert "grew again" in _stopped(world)[P0.strip("{}")]


def test_a_log_that_ends_before_the_state_stops_its_shard(world: World):
    _drained_and_ended(world)
    with world.redis.client() as client:
        client.hset(f"xm:{P0}:meta", "offset", _end(world, 0) + 5)
    lane = world.lane()
    world.turn(lane, until=lambda: bool(_stopped(world)))
    assert "lost its tail" in _stopped(world)[P0.strip("{}")]


def test_the_parent_goes_on_hearing_of_a_stopped_shard_and_nobody_else_does(world: World):
    _drained_and_ended(world)
    with world.redis.client() as client:
        client.hset(f"xm:{P0}:meta", "offset", _end(world, 0) + 5)
        subscription = client.pubsub(ignore_subscribe_messages=True)
        subscription.subscribe(PULSE_CHANNEL)
        lane = world.lane()
        world.turn(lane, until=lambda: bool(_stopped(world)) and bool(world.told("pulse")[-1]["shards"]))
        messages = [subscription.get_message(timeout=0.01) for _ in range(100)]
    published = {orjson.loads(message["data"])["shard"] for message in messages if message}
    serving = {shard["shard"]: shard["serving"] for shard in world.told("pulse")[-1]["shards"]}
    assert serving == {tag.strip("{}"): tag != P0 for _, _, tag in world.logs()}
    assert published == {shard for shard, is_served in serving.items() if is_served}


@pytest.mark.parametrize("remembered", ["other-cluster", "other-topic", "other-count", "other-clock"])
def test_a_redis_that_remembers_another_log_stops_its_shards(world: World, remembered: str):
    _drained_and_ended(world)
    with world.redis.client() as client:
        whole = client.hget(f"xm:{P0}:meta", "topology").decode()
        ids, count, clock = whole.rsplit("/", 2)  # an id may hold a slash itself
        others = {
            "other-cluster": f"another{whole}",
            "other-topic": f"{ids}another/{count}/{clock}",
            "other-count": f"{ids}/{int(count) * 2}/{clock}",
            "other-clock": f"{ids}/{count}/another",
        }
        client.hset(f"xm:{P0}:meta", "topology", others[remembered])
    before = world.position(P0)
    lane = world.lane()
    world.turn(lane, until=lambda: bool(_stopped(world)))
    assert "Redis remembers" in _stopped(world)[P0.strip("{}")]
    world.append(settlements(50, seed=9))
    world.turn(lane, until=lambda: world.position(P1) + 1 == _end(world, 1))
    assert world.position(P0) == before


def test_a_topic_made_anew_under_the_same_name_stops_every_shard(
    real_kafka: RealKafka, redis_62: RedisServer, topics: Topics
):
    world = World(real_kafka, redis_62, topics)
    _drained_and_ended(world)
    admin = AdminClient({"bootstrap.servers": real_kafka.bootstrap})
    for done in admin.delete_topics([topics.events, topics.subjects], operation_timeout=10).values():
        done.result()
    create_topics(real_kafka.bootstrap, topics, partitions=2, subjects_partitions=SUBJECTS)
    while len(cluster_identity(real_kafka.bootstrap, (topics.events, topics.subjects))[1]) < 2:
        pass  # a broker learns of a new topic a moment after it was made
    again = World(real_kafka, redis_62, topics, group="others")  # the first group still has its static member
    lane = again.lane()
    again.turn(lane, until=lambda: len(_stopped(again)) == 3)
    assert all("made anew" in detail for detail in _stopped(again).values())
    again.close()


def test_a_missing_published_mark_stops_the_shard_and_says_what_to_run(
    real_kafka: RealKafka, redis_62: RedisServer, topics: Topics
):
    world = World(real_kafka, redis_62, topics)
    world.append(settlements(20))
    lane = world.lane(group=f"{topics.prefix}unmarked")
    world.turn(lane, until=lambda: len(_stopped(world)) == 3)
    assert all("no published mark. Run: xinmai topics create" in detail for detail in _stopped(world).values())
    assert world.position(P0) == -1
    world.close()


def test_a_partition_without_a_policy_is_not_judged(real_kafka: RealKafka, redis_62: RedisServer, topics: Topics):
    create_topics(real_kafka.bootstrap, topics, partitions=2, subjects_partitions=SUBJECTS)
    for topic, partitions in ((topics.events, [0, 1]), (topics.subjects, [0])):
        set_published_mark(real_kafka.bootstrap, f"{topics.prefix}lanes", topic, dict.fromkeys(partitions, 0))
    world = World(real_kafka, redis_62, topics, prepared=True)
    world.append(settlements(20))
    lane = world.lane()
    world.turn(lane, until=lambda: len(_stopped(world)) == 2)
    assert all("no policy is active" in detail for detail in _stopped(world).values())
    world.close()


def test_a_flushed_redis_with_settled_outputs_behind_it_says_none_of_them_again(world: World):
    """The published mark: whatever lies below it was said once, and the bank is not asked to pay twice."""
    _drained_and_ended(world)
    topics = world.topics
    said = {topic: len(world.values(topic)) for topic in (topics.alerts, topics.withholding, topics.subjects)}
    assert said[topics.alerts] > 5
    world.redis.flush()
    lane = world.lane()
    world.drain(lane)
    assert {topic: len(world.values(topic)) for topic in said} == said
    world.assert_proved()


def test_a_broker_that_dies_and_returns_loses_nothing(fresh_topics: Callable[[], Topics], redis_62: RedisServer):
    with RealKafka(heap="384m") as kafka:
        world = World(kafka, redis_62, fresh_topics())
        world.append(settlements(300))
        lane = world.lane(batch_records_max=50)
        world.turn(lane, until=lambda: world.position(P0) > 40)
        kafka.kill9()
        lost: list[ConsumerLost] = []
        at_work = Thread(target=_turned, args=(lane, 200, lost))  # it waits for acknowledgements meanwhile
        at_work.start()
        kafka.start()
        at_work.join(60)
        assert not at_work.is_alive()
        world.append(settlements(50, seed=4))
        if not lost:
            lost = _drained(world, lane)
        if lost:  # killed between two lives of the group, the broker fences this lane: its parent starts another
            assert _drained(world, world.lane("another")) == []
        assert _stopped(world) == {}
        world.assert_proved()
        world.close()


def _turned(lane: Lane, turns: int, lost: list[ConsumerLost]) -> None:
    try:
        for _ in range(turns):
            lane.turn()
    except ConsumerLost as error:
        lost.append(error)


def _drained(world: World, lane: Lane) -> list[ConsumerLost]:
    try:
        world.drain(lane, within_s=60)
    except ConsumerLost as error:
        return [error]
    return []


class _FailsOnce(Publisher):
    """A publisher whose first batch fails in a way that may succeed later."""

    def __init__(self, publisher: Publisher, code: int) -> None:
        self.__dict__ = publisher.__dict__
        self._code: int | None = code

    def send_outputs(self, said: Iterable[Effects], sending: Sending) -> None:
        super().send_outputs(said, sending)
        if self._code is not None and sending.waiting:
            sending.error, self._code = KafkaError(self._code), None


def test_a_first_batch_that_fails_retriably_is_derived_and_sent_again(world: World):
    world.append(settlements(300))
    lane = world.lane()
    lane._publisher = _FailsOnce(lane._publisher, KafkaError._TIMED_OUT_QUEUE)
    world.drain(lane)
    assert world.reclaims("produce") >= 1
    assert _stopped(world) == {}
    world.assert_proved()


def test_an_output_refused_for_good_stops_its_shard_and_what_follows_is_not_marked(world: World):
    world.append(settlements(300))
    lane = world.lane(batch_records_max=40)
    lane._publisher = _FailsOnce(lane._publisher, KafkaError.MSG_SIZE_TOO_LARGE)
    world.turn(lane, until=lambda: bool(_stopped(world)))
    for _ in range(100):
        lane.turn()
    assert any("refuses an output for good" in detail for detail in _stopped(world).values())
    world.end(lane)
    for shard in _stopped(world):
        tag = next(tag for _, _, tag in world.logs() if tag.strip("{}") == shard)
        number = next(number for _, number, each in world.logs() if each == tag)
        if shard.startswith("p"):
            assert world.marks()[number] <= world.position(tag) + 1
    world.drain(world.lane())  # the topic was repaired and the worker started again
    world.assert_proved()


def test_a_redis_that_evicts_is_refused_at_the_start(real_kafka: RealKafka, fresh_topics: Callable[[], Topics]):
    with RedisServer("6.2", settings={"maxmemory-policy": "allkeys-lru"}) as redis:
        world = World(real_kafka, redis, fresh_topics())
        with pytest.raises(ConnectorError, match="noeviction"):
            world.lane()


def test_redis_out_of_memory_holds_the_shard_and_loses_nothing(world: World):
    world.append(settlements(300))
    lane = world.lane(batch_records_max=50)
    world.turn(lane, until=lambda: world.position(P0) > 20)
    client = Store(world.redis.url).client
    try:
        client.config_set("maxmemory", "1")
        world.turn(lane, until=lambda: any("maxmemory" in each["detail"] for each in world.told("reclaim")))
        for _ in range(20):
            lane.turn()
    finally:
        client.config_set("maxmemory", "0")
    world.drain(lane)
    world.assert_proved()

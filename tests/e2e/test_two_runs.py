"""Two live runs of one log agree about every person; the second hop's alerts are a function of the log it recorded."""

from collections.abc import Iterator

import pytest

from connectors.embedded import RealKafka, RedisServer
from connectors.log_reader import log_end
from connectors.topology import Topics, tags
from streams.verify import begun, folded, logs
from tests.streams.lane_world import PEOPLE, World, rush, settlements

pytestmark = pytest.mark.kafka
LOG = rush(400) + settlements(900)


@pytest.fixture
def other_redis() -> Iterator[RedisServer]:
    with RedisServer("6.2") as server:
        yield server


def _lived(world: World, *, lanes: int, batch_records_max: int) -> World:
    """The log, applied by so many lanes in batches of this size while it is still growing."""
    world.append(LOG[:500])
    members = [world.lane(f"m{number}", batch_records_max=batch_records_max) for number in range(lanes)]
    world.turn(*members, until=lambda: world.position(tags("p", PEOPLE)[0]) > 50, within_s=60)
    world.append(LOG[500:])
    world.drain(*members, within_s=60)
    world.close()
    return world


def _digests(world: World) -> dict[str, bytes]:
    with world.redis.client() as client:
        return {tag: client.hget(f"xm:{tag}:meta", "digest") for tag in tags("p", PEOPLE)}


def _alert_ids(world: World) -> set[tuple[str, str]]:
    return {(alert["alert_id"], alert["episode"]) for alert in world.outputs(world.topics.alerts)}


def _replayed(world: World, topic: str) -> set[tuple[str, str]]:
    """The alerts that a recorded log says, each of its partitions folded into nothing."""
    said: set[tuple[str, str]] = set()
    for log in logs(world.kafka.bootstrap, world.topics, "log"):
        if log.topic == topic:
            shard = log.make()
            begun(shard, None)
            end = log_end(world.kafka.bootstrap, log.topic, log.partition)
            for batch in folded(world.kafka.bootstrap, log, shard, end):
                bodies = [output.body for _, effects in batch for output in effects.outputs if output.topic == "alerts"]
                said |= {(str(body["alert_id"]), str(body["episode"])) for body in bodies}
    return said


def test_two_live_runs_of_a_settlements_only_log_are_equal_and_each_second_hop_replays(
    real_kafka: RealKafka, redis_62: RedisServer, other_redis: RedisServer, topics: Topics
):
    one = _lived(World(real_kafka, redis_62, Topics(f"{topics.prefix}one.")), lanes=1, batch_records_max=400)
    two = _lived(World(real_kafka, other_redis, Topics(f"{topics.prefix}two.")), lanes=2, batch_records_max=35)
    assert _digests(one) == _digests(two)
    of_people = _replayed(one, one.topics.events)
    assert len(of_people) > 10
    for world in (one, two):
        of_subjects = _replayed(world, world.topics.subjects)
        assert len(of_subjects) > 0
        assert _alert_ids(world) == of_people | of_subjects
        world.assert_proved()

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


def _alert_ids(world: World, *, of_people: bool) -> set[tuple[str, str]]:
    return {
        (alert["alert_id"], alert["episode"])
        for alert in world.outputs(world.topics.alerts)
        if (alert["subject_kind"] == "person") == of_people
    }


def _replayed_second_hop(world: World) -> set[tuple[str, str]]:
    """The alerts that the recorded subjects.v1 says, folded into nothing."""
    said: set[tuple[str, str]] = set()
    for log in logs(world.kafka.bootstrap, world.topics, "log"):
        if log.topic == world.topics.subjects:
            shard = log.make()
            begun(shard, None)
            for batch in folded(world.kafka.bootstrap, log, shard, log_end(world.kafka.bootstrap, log.topic, 0)):
                bodies = [output.body for effects in batch for output in effects.outputs if output.topic == "alerts"]
                said |= {(str(body["alert_id"]), str(body["episode"])) for body in bodies}
    return said


def test_two_live_runs_of_a_settlements_only_log_are_equal_and_each_second_hop_replays(
    real_kafka: RealKafka, redis_62: RedisServer, other_redis: RedisServer, topics: Topics
):
    one = _lived(World(real_kafka, redis_62, Topics(f"{topics.prefix}one.")), lanes=1, batch_records_max=400)
    two = _lived(World(real_kafka, other_redis, Topics(f"{topics.prefix}two.")), lanes=2, batch_records_max=35)
    assert _digests(one) == _digests(two)
    assert len(_alert_ids(one, of_people=True)) > 10
    assert _alert_ids(one, of_people=True) == _alert_ids(two, of_people=True)
    for world in (one, two):
        assert len(_alert_ids(world, of_people=False)) > 0
        assert _replayed_second_hop(world) == _alert_ids(world, of_people=False)
        world.assert_proved()

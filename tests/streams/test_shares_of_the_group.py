"""What a lane gets when another joins: as much of the people as of the subjects."""

from collections import Counter
from collections.abc import Iterator

import pytest

from connectors.embedded import RealKafka, RedisServer
from connectors.topology import Topics
from streams.activate import prepare_logs
from streams.lane import Lane
from tests.streams.lane_world import POLICY, World

pytestmark = pytest.mark.kafka


@pytest.fixture(params=[(4, 4), (4, 2), (2, 6)], ids=str)
def world(
    request: pytest.FixtureRequest, real_kafka: RealKafka, redis_62: RedisServer, topics: Topics
) -> Iterator[World]:
    people, subjects = request.param
    group = f"{topics.prefix}lanes"
    prepare_logs(real_kafka.bootstrap, topics, POLICY, partitions=people, subjects_partitions=subjects, group=group)
    opened = World(real_kafka, redis_62, topics, prepared=True)
    yield opened
    opened.close()


def shards_of(lane: Lane) -> Counter[str]:
    """How many shards of each family it owns."""
    return Counter(owned.shard.family for owned in lane._ownership)


def test_a_second_lane_takes_over_half_of_the_people_and_half_of_the_subjects(world: World) -> None:
    first = world.lane("m0")
    world.turn(first, until=lambda: shards_of(first).total() > 0)
    everything = shards_of(first)
    half = Counter({family: count // 2 for family, count in everything.items()})
    second = world.lane("m1")
    world.turn(first, second, until=lambda: shards_of(first) == half and shards_of(second) == half)
    world.end(second)
    world.turn(first, until=lambda: shards_of(first) == everything)

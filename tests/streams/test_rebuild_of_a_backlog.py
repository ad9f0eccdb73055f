"""A rebuild while records wait: what was never said is left to the lanes, which then say it, on both hops."""

from collections.abc import Iterator
from itertools import pairwise

import orjson
import pytest

from connectors.embedded import RealKafka, RedisServer
from connectors.state_codec import decode_contributed
from connectors.topology import Topics
from streams.rebuild import rebuild
from streams.settings import Settings
from tests.streams.lane_world import World, rush, settlements

pytestmark = pytest.mark.kafka


@pytest.fixture
def world(real_kafka: RealKafka, redis_62: RedisServer, topics: Topics) -> Iterator[World]:
    opened = World(real_kafka, redis_62, topics)
    yield opened
    opened.close()


def test_what_waited_during_a_rebuild_is_said_when_the_lanes_return(world: World, capsys: pytest.CaptureFixture[str]):
    world.append(settlements(200))
    first = world.lane()
    world.drain(first)
    world.end(first)
    said = len(world.values(world.topics.alerts))
    world.append(rush() + settlements(200, seed=7))  # the lanes stand still, the edge goes on
    world.redis.flush()
    settings = Settings(kafka=world.kafka.bootstrap, redis=world.redis.url, prefix=world.topics.prefix, clock="log")
    assert rebuild(settings, as_json=True) == 0
    behind = sum(world.marks().values()) + world.end_of(world.topics.subjects, 0)
    told = capsys.readouterr()
    assert orjson.loads(told.out)["records"] == behind
    assert "orders paused: nothing. Pauses stand in Redis only" in told.err
    world.drain(world.lane())
    assert len(world.values(world.topics.alerts)) > said + 5
    assert world.tallied()["event", "subject.contributed", "gap"] == 0
    heard = [decode_contributed(value) for value in world.values(world.topics.subjects)]
    numbers = sorted((each.source, each.first, len(each.contributions)) for each in heard if each is not None)
    assert all(first + count == following for (p, first, count), (q, following, _) in pairwise(numbers) if p == q)
    world.assert_proved()

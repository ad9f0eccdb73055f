"""What a proof says when Redis is not what the log makes: the key by its name, or that nothing could be compared."""

import pytest

from connectors.embedded import RealKafka, RedisServer
from connectors.topology import Topics
from streams.settings import Settings
from streams.verify import prove, verify
from tests.streams.lane_world import World, settlements

pytestmark = pytest.mark.kafka


@pytest.fixture
def world(real_kafka: RealKafka, redis_62: RedisServer, topics: Topics) -> World:
    opened = World(real_kafka, redis_62, topics)
    opened.append(settlements(60))
    opened.drain(opened.lane())
    opened.close()
    return opened


def _headline(world: World, capsys: pytest.CaptureFixture[str]) -> str:
    where = {"kafka": world.kafka.bootstrap, "redis": world.redis.url, "prefix": world.topics.prefix, "clock": "log"}
    assert verify(Settings(**where), outputs=False, as_json=False) == 1
    return capsys.readouterr().out.partition(":")[0]


def test_a_key_that_is_gone_is_named_as_redis_names_it(world: World, capsys: pytest.CaptureFixture[str]):
    with world.redis.client() as client:
        key = next(each.decode() for each in client.keys("xm:{p*:a:*"))
        client.delete(key)
    assert world.proof().differences == [f"{key}: missing in Redis"]
    assert _headline(world, capsys) == "NOT EQUAL"


def test_the_state_of_another_log_is_called_so_and_not_compared(world: World):
    findings = prove(world.kafka.bootstrap, world.redis.url, world.topics, clock="wall", outputs=False)
    assert (findings.shards, findings.differences) == (0, [])
    assert "the state of another log or clock" in findings.told[0]


def test_an_empty_redis_is_not_proved_rather_than_unequal(world: World, capsys: pytest.CaptureFixture[str]):
    world.redis.flush()
    assert _headline(world, capsys) == "NOT PROVED"

"""A lane that ends on a bad day: killed while it folds the past again, or with a producer that can never send again."""

import time
from collections.abc import Iterable, Iterator

import pytest
from confluent_kafka import KafkaError

from connectors.embedded import RealKafka, RedisServer
from connectors.topology import Topics
from streams.publisher import ProducerLost, Publisher, Sending
from streams.shards import Effects
from tests.e2e.chaos.watched import Worker
from tests.streams.lane_world import World, by_identity, rush, settlements

pytestmark = pytest.mark.kafka


@pytest.fixture
def world(real_kafka: RealKafka, redis_62: RedisServer, topics: Topics) -> Iterator[World]:
    opened = World(real_kafka, redis_62, topics)
    yield opened
    opened.close()


def _said(world: World) -> dict[str, int]:
    topics = (world.topics.alerts, world.topics.decisions, world.topics.withholding, world.topics.subjects)
    return {topic: len(world.values(topic)) for topic in topics}


def _killed_lane(world: World, place: str, after: int) -> list[str]:
    """A lane in a process of its own, killed at its own hand; what it said it was."""
    settings = {
        "kafka": world.kafka.bootstrap,
        "redis": world.redis.url,
        "member": "m0",
        "prefix": world.topics.prefix,
        "clock": "log",
        "batch_records_max": 40,
        "group": world.group,
    }
    worker = Worker(settings, place, after)

    def is_gone() -> bool:
        worker.take()  # only who says its lane's id can be seen to end
        return worker.gone

    world.turn(until=is_gone, within_s=40)
    return [str(each["kind"]) for each in worker.said]


@pytest.mark.parametrize("place", ["sent", "committed"])
def test_a_worker_killed_while_it_folds_a_flushed_past_again_neither_repeats_nor_loses_anything(
    world: World, place: str
):
    #  log   ──────── 750 records, all published ────────┤ 60 new ┤
    #  Redis ✗ flushed ── folded again ✗ killed ── folded by another lane ───────►
    world.append(settlements(500) + rush(250))
    lane = world.lane()
    world.drain(lane)
    world.end(lane)
    said, marks = _said(world), world.marks()
    assert marks == {number: world.end_of(world.topics.events, number) for number in range(world.people)}
    assert said[world.topics.alerts] > 5
    assert said[world.topics.subjects] > 5

    world.redis.flush()
    assert "owned" in _killed_lane(world, place, after=6)
    reached = {tag: world.position(tag) for _, _, tag in world.logs()}
    assert -1 < max(reached.values()) < max(marks.values()) - 1, "killed in the middle of the past"
    assert world.marks() == marks, "the published mark never falls"
    assert _said(world) == said

    world.append(settlements(60, seed=7))
    world.drain(world.lane(), within_s=40)
    assert world.told("stopped") == []
    alerts = by_identity(world.outputs(world.topics.alerts), "alert_id", "episode").values()
    assert all(len(bodies) == 1 for bodies in alerts), "nothing published was said again"
    world.assert_proved()  # and nothing is missing


class _Fatal(Publisher):
    """A publisher whose producer is finished at its first batch with something to say: what an epoch conflict does."""

    def __init__(self, publisher: Publisher) -> None:
        self.__dict__ = publisher.__dict__

    def send_outputs(self, said: Iterable[Effects], sending: Sending) -> None:
        super().send_outputs(said, sending)
        if sending.waiting:
            sending.error = KafkaError(KafkaError._FATAL, "the producer is fenced", fatal=True)


def test_a_lane_whose_producer_is_finished_ends_and_a_new_one_says_what_it_could_not(world: World):
    world.append(settlements(300) + rush(150))
    lane = world.lane(batch_records_max=60)
    lane._publisher = _Fatal(lane._publisher)
    with pytest.raises(ProducerLost, match="fenced"):
        world.turn(lane, until=lambda: False)
    assert max(world.position(tag) for _, _, tag in world.logs()) <= 0, "nothing is committed that was not said"
    world.lanes.remove(lane)
    lane._ownership.consumer.close()  # its process ends

    world.drain(world.lane())
    for bodies in by_identity(world.outputs(world.topics.alerts), "alert_id", "episode").values():
        assert len(set(bodies)) == 1
    world.assert_proved()


class _Deaf(Publisher):
    """A publisher that never hears that anything was acknowledged."""

    def __init__(self, publisher: Publisher) -> None:
        self.__dict__ = publisher.__dict__

    def serve(self, timeout_s: float) -> None:
        time.sleep(timeout_s)


def test_a_lane_that_hears_of_no_acknowledgement_ends_and_a_new_one_says_it_again(world: World, monkeypatch):
    monkeypatch.setattr("streams.publisher.ACKNOWLEDGED_WITHIN_S", 1.0)
    world.append(settlements(300) + rush(150))
    lane = world.lane(batch_records_max=60)
    lane._publisher = _Deaf(lane._publisher)
    with pytest.raises(ProducerLost, match="not acknowledged within 1 s"):
        world.turn(lane, until=lambda: False)
    world.lanes.remove(lane)
    lane._ownership.consumer.close()  # its process ends

    monkeypatch.undo()
    world.drain(world.lane())
    for bodies in by_identity(world.outputs(world.topics.alerts), "alert_id", "episode").values():
        assert len(set(bodies)) == 1
    world.assert_proved()

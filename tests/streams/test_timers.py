"""The records that a lane appends by itself: one that Kafka does not take is not lost in silence."""

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from confluent_kafka import KafkaError

from connectors.embedded import RealKafka, RedisServer
from connectors.topology import Topics
from risk import facts
from risk.facts import Fact
from risk.local_time import DAY_MS, to_datetime
from streams.city.settlements import START_MS
from streams.publisher import ProducerLost, Publisher, Sending
from tests.streams.lane_world import World

pytestmark = pytest.mark.kafka
HOSPITAL = "H43050200001"


@pytest.fixture
def world(real_kafka: RealKafka, redis_62: RedisServer, topics: Topics) -> Iterator[World]:
    opened = World(real_kafka, redis_62, topics)
    yield opened
    opened.close()


class _Failing(Publisher):
    """A publisher whose timers Kafka does not take, `times` times."""

    def __init__(self, publisher: Publisher, code: int, times: int) -> None:
        self.__dict__ = publisher.__dict__
        self._code, self._times = code, times

    def append_facts(self, partition: int, facts: Iterable[Fact]) -> Sending:
        if not self._times:
            return super().append_facts(partition, facts)
        self._times -= 1
        sending = Sending()
        sending.error = KafkaError(self._code, fatal=self._code == KafkaError._FATAL)
        return sending


def a_forgotten_hold(world: World) -> None:
    """Two days after a hold of half an hour its person's shard owes a timer: it expires."""
    hold = {"event_id": f"auth:{HOSPITAL}:A1", "authorization_id": "A1", "mdtrt_id": "V1", "fixmedins_code": HOSPITAL}
    asked = {"service": "visit_first", "med_type": "11", "amount_fen": 10_000, "attempt": "t1", "reply_to": ""}
    line = {"funding_mode": "credit_line", "bank_line_fen": 400_000, "services": ("visit_first",)}
    world.append_facts(
        fact(facts.InsuredStatusChanged, status="normal"),
        fact(facts.CommitmentSigned, commitment_no="C1", version="1", channel="app"),
        fact(facts.CreditLevelSet, level="A", decided_by="医保局"),
        fact(facts.AgreementSigned, agreement_no="AG1", bank_code="B1", **line),
        fact(facts.AuthorizationRequested, **hold, **asked),
        fact(facts.InsuredStatusChanged, day=2, status="normal"),
    )


def fact(kind: type[Any], day: int = 0, **fields: Any) -> Any:
    at = to_datetime(START_MS + day * DAY_MS)
    return kind(**{"event_id": f"{kind.__name__}:{day}", "occurred_at": at, "psn_no": "P1"} | fields)


def timers_applied(world: World) -> int:
    return sum(count for key, count in world.tallied().items() if key[:2] == ("event", "timer.due"))


def test_a_timer_that_kafka_refuses_for_good_stops_its_shard(world: World):
    a_forgotten_hold(world)
    lane = world.lane()
    lane._publisher = _Failing(lane._publisher, KafkaError.TOPIC_AUTHORIZATION_FAILED, 1)
    world.turn(lane, until=lambda: bool(world.told("stopped")))
    (stopped,) = world.told("stopped")
    assert "refuses an output for good" in stopped["detail"]
    world.end(lane)
    world.turn(lane := world.lane(), until=lambda: timers_applied(world) == 1)  # the rights were given back
    world.drain(lane)
    world.assert_proved()


def test_a_timer_that_did_not_get_through_is_due_again_after_the_claim(world: World):
    a_forgotten_hold(world)
    lane = world.lane()
    lane._publisher = _Failing(lane._publisher, KafkaError._TIMED_OUT_QUEUE, 2)
    world.turn(lane, until=lambda: timers_applied(world) == 1)
    assert world.reclaims("produce") == 2
    assert not world.told("stopped")


def test_a_timer_of_a_finished_producer_ends_the_lane(world: World):
    a_forgotten_hold(world)
    lane = world.lane()
    lane._publisher = _Failing(lane._publisher, KafkaError._FATAL, 1)
    with pytest.raises(ProducerLost):
        world.turn(lane, until=lambda: False)
    world.lanes.remove(lane)
    lane._ownership.consumer.close()  # its process ends

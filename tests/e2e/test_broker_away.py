"""The log away under load, and one broker of three gone: nothing that was answered is lost.

At scale: python -m tests.e2e.broker_away --away 60, and --of-three.
"""

import json

import pytest

from connectors.embedded import RealKafka, RealKafkaCluster, RedisServer
from connectors.topology import Topics
from tests.e2e.broker_away import away, one_of_three

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


def test_a_broker_that_is_down_for_a_while_costs_fallbacks_and_nothing_else(real_kafka: RealKafka, topics: Topics):
    with RedisServer("any") as redis:
        answer = away(real_kafka, redis, topics, away_s=3, rate=60, say=print)
    print(json.dumps(answer, indent=2))
    assert answer["approved_and_held"] > 0


def test_one_broker_of_three_killed_under_load_loses_nothing_that_was_answered(real_kafka: RealKafka, topics: Topics):
    # real_kafka is asked for because it says whether a Kafka can run here at all
    with RealKafkaCluster() as kafka, RedisServer("any") as redis:
        answer = one_of_three(kafka, redis, topics, seconds=8, rate=25, say=print)
    print(json.dumps(answer, indent=2))
    assert answer["approved_and_held"] > 0

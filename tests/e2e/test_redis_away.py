"""What a patient was told stands, whatever Redis forgot meanwhile. At scale: python -m tests.e2e.redis_away."""

import json

import pytest

from connectors.embedded import RealKafka
from connectors.topology import Topics
from tests.e2e.redis_away import Redis, run

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


def test_no_answered_approval_is_lost_while_redis_is_restarted_short_failed_over_and_flushed(
    real_kafka: RealKafka, topics: Topics
):
    with Redis() as redis:
        answer = run(real_kafka.bootstrap, redis, topics, seconds=10, rate=100)
    print(json.dumps(answer, indent=2))
    assert len(answer["approved_between_breaks"]) == 4
    assert all(answer["approved_between_breaks"])  # how many depends on how fast a machine re-applies what Redis forgot

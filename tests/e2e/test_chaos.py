"""A day on which lanes and their parents die by kill -9 anywhere in the cycle: nothing is lost, nothing said otherwise.

XINMAI_CHAOS_EVENTS=200000 XINMAI_CHAOS_KILLS=20 makes it the acceptance run; its summary is printed (pytest -s).
"""

import json
import os

import pytest

from connectors.embedded import RealKafka, RedisServer
from connectors.topology import Topics
from tests.e2e.chaos.checks import checked
from tests.e2e.chaos.run import PLACES, Chaos

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


def test_kills_anywhere_in_the_cycle_leave_the_state_and_the_outputs_of_one_quiet_fold(
    real_kafka: RealKafka, topics: Topics
):
    events = int(os.environ.get("XINMAI_CHAOS_EVENTS", "12000"))
    kills = int(os.environ.get("XINMAI_CHAOS_KILLS", "8"))
    with RedisServer("any") as redis, RedisServer("any") as second:
        chaos = Chaos(real_kafka.bootstrap, redis, topics, events=events, kills=kills, seed=1)
        summary = chaos.run()
        answer = checked(chaos, summary, second)
    print(json.dumps(answer, indent=2))
    assert sum(summary.kills.values()) >= kills
    assert set(PLACES[:kills]) - summary.kills.keys() == set(), "every named place, and the parent"
    assert summary.left == 1

"""Sixteen clients at two API processes want the same people's credit: no limit is passed, no hold is lost."""

import json
from pathlib import Path

import pytest

from connectors.embedded import RealKafka, RedisServer
from connectors.topology import Topics
from tests.e2e.books import assert_proved
from tests.e2e.crowd import Crowd
from tests.e2e.live_engine import LIMIT_FEN, LiveEngine
from tests.e2e.naive_ledger import ledger_in_redis, ledger_of

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


@pytest.mark.parametrize("people", [1, 100])
def test_limits_hold_and_replays_are_equal_whoever_asks_where(
    real_kafka: RealKafka, topics: Topics, tmp_path: Path, people: int
):
    with RedisServer("any") as redis:
        engine = LiveEngine(real_kafka.bootstrap, redis.url, topics, tmp_path, apis=2)
        engine.sign(range(people))
        with engine:
            engine.wait_until_drained()
            crowd = Crowd(engine, people)
            crowd.live(seconds=6)
            for api in engine.apis:
                api.stop()
            engine.wait_until_drained()
            engine.worker.stop()
        assert crowd.said == []
        naive, lived = ledger_of(real_kafka.bootstrap, topics), ledger_in_redis(redis.url)
        assert max(person.most_fen for person in naive.values()) <= LIMIT_FEN
        assert {name: (person.held, person.used_fen) for name, person in naive.items()} == lived
        holds = {name: fen for person in naive.values() for name, fen in person.held.items()}
        assert holds == crowd.approved, "who was told yes and did not end it holds just that, and nobody else does"
        waits_ms = sorted(1000 * each for each in crowd.waits_s)
        print(
            json.dumps(
                {
                    "did": crowd.did,
                    "calls": len(waits_ms),
                    "p50_ms": round(waits_ms[len(waits_ms) // 2]),
                    "p99_ms": round(waits_ms[len(waits_ms) * 99 // 100]),
                    "most_held_and_used_fen": max(person.most_fen for person in naive.values()),
                    "verify": assert_proved(real_kafka.bootstrap, redis.url, topics),
                },
                indent=2,
            )
        )
        assert waits_ms[len(waits_ms) * 99 // 100] <= 1_000

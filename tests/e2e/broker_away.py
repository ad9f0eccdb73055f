"""The log away for a while, or one broker of three gone for good, while patients ask at the counter.

`python -m tests.e2e.broker_away --away 60` (one broker, down so long), or `--of-three` (one of three is killed).
"""

import argparse
import json
import time
from contextlib import ExitStack
from typing import Any

from connectors.embedded import RealKafka, RealKafkaCluster, RedisServer
from connectors.topology import Topics
from tests.e2e.bad_day import Breaks, Say, Servers, run_day

CALM_S = 4  # before and after
KEPT = 3


def away(kafka: RealKafka, redis: RedisServer, topics: Topics, *, away_s: int, rate: int, say: Say) -> dict[str, Any]:
    """The only broker dies and returns with everything it had acknowledged."""
    seconds = away_s + 2 * CALM_S
    breaks = (
        Breaks(CALM_S / seconds, "the broker dies", kafka.kill9),
        Breaks((CALM_S + away_s) / seconds, "the broker returns", kafka.start),
    )
    return run_day(Servers(kafka.bootstrap, redis.url, topics), breaks, seconds=seconds, per_s=rate, say=say)


def one_of_three(
    kafka: RealKafkaCluster, redis: RedisServer, topics: Topics, *, seconds: int, rate: int, say: Say
) -> dict[str, Any]:
    """One of three brokers dies and does not return: two replicas are enough to write, and to know everything."""
    # three brokers share these few cores: what counts here is that nothing is lost, not how soon it is said
    servers = Servers(kafka.bootstrap, redis.url, topics, replication=KEPT, answer_within_ms=3_000)
    breaks = [Breaks(0.3, "one broker of three dies", kafka.nodes[0].kill9)]
    return run_day(servers, breaks, seconds=seconds, per_s=rate, say=say)


def main() -> None:
    parser = argparse.ArgumentParser(description="The log is away under load.")
    parser.add_argument("--away", type=int, default=60, help="seconds without the broker")
    parser.add_argument("--of-three", action="store_true", help="kill one of three instead")
    parser.add_argument("--seconds", type=int, default=30, help="how long the day with three brokers is")
    parser.add_argument("--rate", type=int, default=40)
    asked = parser.parse_args()
    began_s = time.monotonic()

    def say(line: str) -> None:
        print(f"[{time.monotonic() - began_s:6.1f}] {line}", flush=True)

    with ExitStack() as stack:
        redis, topics = stack.enter_context(RedisServer("any")), Topics("away.")
        if asked.of_three:
            three = stack.enter_context(RealKafkaCluster())
            answer = one_of_three(three, redis, topics, seconds=asked.seconds, rate=asked.rate, say=say)
        else:
            one = stack.enter_context(RealKafka())
            answer = away(one, redis, topics, away_s=asked.away, rate=asked.rate, say=say)
    print(json.dumps(answer, indent=2))
    print("VERDICT: every answered approval stands, state and outputs are equal")


if __name__ == "__main__":
    main()

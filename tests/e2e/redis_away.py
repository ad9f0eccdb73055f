"""Redis restarted short, failed over and flushed, while patients ask at the counter.

`python -m tests.e2e.redis_away --seconds 60 --rate 200` on servers of its own; it prints how the day went, second by
second, and its verdict.
"""

import argparse
import json
import time
from contextlib import ExitStack
from typing import Any, Self

from connectors.embedded import RealKafka, RedisServer
from connectors.topology import Topics
from tests.e2e.bad_day import Breaks, Say, Servers, run_day
from tests.e2e.front import Front

CUT_BYTES = 200_000
LAG_S = 0.4
LAG_MAX_S = 5.0
AWAY_S = 0.5
NOWHERE = 1  # a port that nobody listens on
NO_REWRITE = {"auto-aof-rewrite-percentage": "0"}  # a file just rewritten has no tail to lose


class Redis:
    """A primary at an address that moves, and a replica that hears it over a line that can freeze."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.primary = self.replica = RedisServer("any", settings=NO_REWRITE)
        self.lost: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._stack.enter_context(self.primary)
        self._line = self._stack.enter_context(Front(self.primary.port))
        following = NO_REWRITE | {"replicaof": f"127.0.0.1 {self._line.port}"}
        self.replica = self._stack.enter_context(RedisServer("any", settings=following))
        self._front = self._stack.enter_context(Front(self.primary.port))
        self._wait_for_replica()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def url(self) -> str:
        """The address that the engine is told."""
        return self._front.url

    def restart_short(self) -> None:
        """A power failure: what the disk had not got is gone."""
        applied = _applied(self.primary)
        self._front.point_at(NOWHERE)
        self.primary.kill9()
        self.primary.cut_tail(min(CUT_BYTES, self.primary.append_only_file().stat().st_size // 3))
        time.sleep(AWAY_S)
        self.primary.start()
        self._moved("restarted short", applied, self.primary)

    def fail_over(self) -> None:
        """The line to the replica freezes, then the primary dies: the replica is promoted without the tail."""
        self._wait_for_replica()
        self._line.freeze()
        carried, until_s = _applied(self.primary), time.monotonic() + LAG_MAX_S
        time.sleep(LAG_S)
        while (applied := _applied(self.primary)) == carried and time.monotonic() < until_s:
            time.sleep(0.05)  # a slow machine may still be working off the first break
        self._front.point_at(NOWHERE)
        self.primary.kill9()
        self._line.point_at(NOWHERE)  # what the line still held is lost
        time.sleep(AWAY_S)
        self.replica.promote()
        self.primary, self.replica = self.replica, self.primary
        self._moved("failed over", applied, self.primary)

    def flush(self) -> None:
        """FLUSHALL by somebody's mistake."""
        self.lost["flushed"] = _applied(self.primary)
        self.primary.flush()

    def _moved(self, how: str, applied: int, server: RedisServer) -> None:
        """Note how many applied records it forgot, before any lane can apply them again."""
        self.lost[how] = applied - _applied(server)
        self._front.point_at(server.port)

    def _wait_for_replica(self) -> None:
        until_s = time.monotonic() + 20
        with self.replica.client() as client:
            while client.info("replication")["master_link_status"] != "up":
                assert time.monotonic() < until_s, "the replica does not follow"
                time.sleep(0.05)


def _applied(server: RedisServer) -> int:
    """How many records of both logs it knows as applied."""
    with server.client() as client:
        return sum(int(client.hget(key, "offset") or -1) + 1 for key in client.scan_iter(match="xm:*:meta"))


def run(
    kafka: str, redis: Redis, topics: Topics, *, seconds: int, rate: int, say: Say = lambda _: None
) -> dict[str, Any]:
    """The day with its three breaks."""
    breaks = (
        Breaks(0.15, "Redis is restarted short", redis.restart_short, after_credit=True),
        Breaks(0.42, "Redis is failed over to a replica that lags", redis.fail_over, after_credit=True),
        Breaks(0.70, "Redis is flushed", redis.flush, after_credit=True),
    )
    answer = run_day(Servers(kafka, redis.url, topics), breaks, seconds=seconds, per_s=rate, say=say)
    assert all(lost > 0 for lost in redis.lost.values()), (redis.lost, "nothing was lost, so nothing was proved")
    return answer | {"records_redis_forgot": redis.lost}


def main() -> None:
    parser = argparse.ArgumentParser(description="Redis loses its tail, fails over and is flushed under load.")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rate", type=int, default=200)
    asked = parser.parse_args()
    with RealKafka() as kafka, Redis() as redis:
        answer = run(
            kafka.bootstrap,
            redis,
            Topics("away."),
            seconds=asked.seconds,
            rate=asked.rate,
            say=lambda line: print(line, flush=True),
        )
    print(json.dumps(answer, indent=2))
    print("VERDICT: every answered approval stands, state and outputs are equal")


if __name__ == "__main__":
    main()

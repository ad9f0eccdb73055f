"""One exchange of a lane with Redis, as the engine makes it and through redis-py's own pipeline, in turns.

Eight shards' values read, or written, together. What is told is the client's side: time on the clock, and the client's
processor time, of which a lane has one core.
"""

import time
from collections.abc import Callable
from statistics import median

from benchmarks.report import Report
from connectors.embedded_redis import RedisServer
from connectors.redis_connection import connected, exchange

SHARDS = 8
VALUE = b"v" * 900  # what most people's conduct takes
Commands = list[tuple[str | bytes, ...]]
READ, WRITE = "read of eight values", "write of eight values"


def run(quick: bool) -> Report:
    """The median of rounds; each round is some exchanges of each kind, one client after the other."""
    rounds, each = (5, 200) if quick else (30, 500)
    report = Report({"value": f"{len(VALUE)} bytes", "rounds": rounds, "exchanges a round": each})
    reads: Commands = [("GET", f"bench:{shard}") for shard in range(SHARDS)]
    writes: Commands = [("SET", f"bench:{shard}", VALUE) for shard in range(SHARDS)]
    with RedisServer("any") as redis:
        client = connected(redis.url, 5.0, None)

        def pipelined(commands: Commands) -> None:
            pipe = client.pipeline(transaction=False)
            for command in commands:
                pipe.execute_command(*command)
            pipe.execute(raise_on_error=False)

        ways = {"xinmai": lambda commands: exchange(client, commands), "redis-py pipeline": pipelined}
        exchange(client, writes)
        for metric, commands in ((READ, reads), (WRITE, writes)):
            took: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
            for _ in range(rounds):
                for name, way in ways.items():
                    took[name].append(_took_us(way, commands, each))
            for name, found in took.items():
                report.add("redis", name, metric, median(clock for clock, _ in found), "µs")
                report.add("redis", name, f"{metric}, processor", median(spent for _, spent in found), "µs")
        client.close()
    return report


def _took_us(way: Callable[[Commands], object], commands: Commands, times: int) -> tuple[float, float]:
    clock_s, spent_s = time.perf_counter(), time.process_time()
    for _ in range(times):
        way(commands)
    return (time.perf_counter() - clock_s) / times * 1e6, (time.process_time() - spent_s) / times * 1e6

"""Our side of a bench: production lanes as child processes on a broker and a Redis that the bench owns."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Event, Thread
from typing import Any

from benchmarks.peers.harness import Heard, listen
from benchmarks.peers.workload import PARTITIONS, Workload
from connectors.embedded_redis import RedisServer
from connectors.kafka import producer
from connectors.topology import Topics, partition_of
from streams.activate import prepare_logs
from streams.lane_process import lane_main
from streams.ownership import LaneSettings

POLICIES = Path(__file__).parents[1] / "config" / "policies"


@dataclass(slots=True)
class Lanes:
    """Lanes that run, and what they told."""

    processes: list[BaseProcess]
    pipes: list[Connection]
    told: list[dict[str, Any]] = field(default_factory=list)

    @property
    def alive(self) -> bool:
        """Whether every lane runs."""
        return all(process.is_alive() for process in self.processes)

    def stops(self) -> list[str]:
        """What went wrong, in the lanes' own words."""
        return [
            str(message.get("detail", message)) for message in self.told if message.get("kind") in ("stopped", "page")
        ]


@contextmanager
def lanes(kafka: str, redis: str, prefix: str, count: int, **over: Any) -> Iterator[Lanes]:
    """`count` lanes of one group; ended by closing their pipes, as their supervisor does."""
    context = get_context("spawn")
    running = Lanes([], [])
    for index in range(count):
        ours, theirs = context.Pipe()
        settings = LaneSettings(
            kafka=kafka, redis=redis, member=f"{prefix}bench-{index}", prefix=prefix, group=f"{prefix}lanes", **over
        )
        process = context.Process(target=lane_main, args=(settings, index, theirs), daemon=True)
        process.start()
        theirs.close()
        running.processes.append(process)
        running.pipes.append(ours)
    ended = Event()
    hearer = Thread(target=_hear, args=(running, ended), daemon=True)
    hearer.start()
    try:
        yield running
    finally:
        ended.set()
        hearer.join(2)
        for pipe in running.pipes:
            pipe.close()
        for process in running.processes:
            process.join(20)
            if process.is_alive():
                process.kill()
                process.join()


def _hear(running: Lanes, ended: Event) -> None:
    while not ended.is_set():
        for pipe in running.pipes:
            try:
                while pipe.poll(0.05):
                    running.told.append(pipe.recv())
            except (EOFError, OSError):
                ended.wait(0.05)


def prepare(
    kafka: str,
    prefix: str,
    policy: str,
    *,
    partitions: int = PARTITIONS,
    subjects: int = PARTITIONS,
    replication: int = 1,
) -> Topics:
    """Topics with the policy as record 0 and the published mark at 0."""
    topics = Topics(prefix)
    prepare_logs(
        kafka,
        topics,
        POLICIES / policy,
        partitions=partitions,
        subjects_partitions=subjects,
        replication=replication,
        group=f"{prefix}lanes",
    )
    return topics


def preload(kafka: str, topic: str, records: Iterable[tuple[str, bytes]], partitions: int = PARTITIONS) -> int:
    """Append records, each on its person's partition; how many."""
    client = producer(kafka, **{"queue.buffering.max.messages": 1_000_000, "linger.ms": 20})
    count = 0
    for key, data in records:
        client.produce(topic, data, key, partition=partition_of(key, partitions))
        count += 1
        if count % 1_000 == 0:
            client.poll(0)
    assert client.flush(120) == 0, "the log did not take everything in within two minutes"
    return count


def drain_one_rule(kafka: str, job: Workload, count: int) -> Heard | str:
    """The peers' job by production lanes with the one-rule policy."""
    prefix = f"peers{count}."
    topics = prepare(kafka, prefix, "one-rule")
    preload(kafka, topics.events, job.records)
    with RedisServer("any") as redis, lanes(kafka, redis.url, prefix, count) as running:
        heard = listen(kafka, topics.alerts, job, lambda: running.alive)
        if not heard.first_ms.keys() >= job.last_markers:
            return f"did not finish ({len(heard.first_ms)} alerts): {' | '.join(running.stops())[-300:]}"
    return heard


def wait_until(reached: Callable[[], bool], within_s: float, every_s: float = 0.05) -> bool:
    """Whether it came to pass in time."""
    until_s = time.monotonic() + within_s
    while not reached():
        if time.monotonic() > until_s:
            return False
        time.sleep(every_s)
    return True

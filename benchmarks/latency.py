"""From the append of an event to the append of its alert, by the broker's clock (whole milliseconds), open loop.

Each load is a day of a province, the days following each other; two percent of the bills alert. The generator sends at
intended instants; the event's own append is what counts, and by how much the generator fell behind is printed. So is
the processor time that broker, Redis, lane and generator spent on an event: they share the machine.
"""

import os
import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import orjson

from benchmarks.ours import lanes, prepare, wait_until
from benchmarks.peers.workload import PARTITIONS
from benchmarks.processor_time import ProcessorTime
from benchmarks.progress import Progress
from benchmarks.report import Report
from connectors.embedded_kafka import RealKafka, kafka_missing
from connectors.embedded_redis import RedisServer
from connectors.kafka import producer
from connectors.log_reader import log_end, read_log
from connectors.topology import Topics, partition_of
from streams.api import LINGER_MS
from streams.city import settlements
from streams.stop import Stop

LOADS_PER_S = (500, 1_000, 2_000, 4_000)
WARM_PER_S, WARM_S = 1_000, 30
BILLS_OF_FOUR = 3  # people that three in four bills are of: most come once that day
PERCENTILES = (50, 90, 99, 99.9)


class Engine(NamedTuple):
    """What is measured, and the processes that share the machine with it."""

    kafka: str
    topics: Topics
    progress: Progress
    processes: dict[str, int]


def run(quick: bool) -> Report:
    """Every load for the same time, on one engine that has been warmed up: a broker just started compiles itself."""
    missing = kafka_missing()
    if missing:
        raise Stop(f"没有真实的 Kafka：{missing}", f"no real Kafka: {missing}")
    seconds, warm_s = (4, 4) if quick else (20, WARM_S)
    mix = {"bills": "a day of a province for each load", "alerting": "2 % (P13), others as they come"}
    times = {"seconds": seconds, "warm_up": f"{warm_s} s at {WARM_PER_S:,} events/s"}
    report = Report({"mix": mix, **times, "kafka": "one node, acks=all", "redis": "AOF everysec", "lanes": 1})
    prefix = "latency."
    with RealKafka() as kafka, RedisServer("any") as redis:
        topics = prepare(kafka.bootstrap, prefix, "shaoyang")
        with lanes(kafka.bootstrap, redis.url, prefix, 1) as running:
            lane_pid = running.processes[0].pid
            assert lane_pid is not None, "it was started"
            processes = {"broker": kafka.pid, "Redis": redis.pid, "lane": lane_pid, "generator": os.getpid()}
            progress = Progress(kafka.bootstrap, redis.url, topics, partitions=PARTITIONS, subjects=PARTITIONS)
            engine = Engine(kafka.bootstrap, topics, progress, processes)
            send_at(kafka.bootstrap, topics.events, WARM_PER_S, warm_s, 0)
            if not wait_until(lambda: _is_drained(engine) or not running.alive, 60) or not running.alive:
                raise Stop("引擎未能就绪", f"the lane did not drain the warm-up: {running.stops()}")
            for day, load in enumerate(LOADS_PER_S, 1):
                _one_load(report, engine, load, seconds, day)
            progress.close()
    return report


def _is_drained(engine: Engine) -> bool:
    return engine.progress.is_drained("p") and engine.progress.is_drained("q")


def _one_load(report: Report, engine: Engine, load: int, seconds: int, day: int) -> None:
    kafka, topics = engine.kafka, engine.topics
    starts = {partition: log_end(kafka, topics.events, partition)[1] for partition in range(PARTITIONS)}
    alerts_from = {partition: log_end(kafka, topics.alerts, partition)[1] for partition in range(PARTITIONS)}
    spent = ProcessorTime(engine.processes)
    behind_ms = send_at(kafka, topics.events, load, seconds, day)
    system = f"{load:,} events/s"
    if not wait_until(lambda: _is_drained(engine), 60):
        report.add("latency", system, "p50", None, "ms", "not drained within 60 s: above saturation")
        return
    us_each = spent.us_each(load * seconds)
    appended = {orjson.loads(value)["event_id"]: at_ms for at_ms, value in _records(kafka, topics.events, starts)}
    waits = []
    for at_ms, value in _records(kafka, topics.alerts, alerts_from):
        body = orjson.loads(value)
        crossing = body["vola_evid"][0]
        if body["subject_kind"] == "person" and body["episode"] == "opened" and crossing in appended:
            waits.append(at_ms - appended[crossing])
    note = f"{len(waits)} alerts; generator behind by at most {behind_ms:.0f} ms"
    for percent in PERCENTILES:
        report.add("latency", system, f"p{percent}", float(np.percentile(waits, percent)), "ms", note)
    for name, us in us_each.items():
        report.add("latency", system, f"processor time, {name}", us, "µs an event")


def send_at(kafka: str, topic: str, load: int, seconds: int, day: int) -> float:
    """Send one day's bills at the intended instants; by how many milliseconds the worst send was late."""
    size = load * seconds
    shape = {"span_days": 1, "first_day": day, "places": 2_000, "large_share": 0.02}
    records = list(settlements.preencoded(size, size * BILLS_OF_FOUR // 4, 100 + day, **shape))
    client = producer(kafka, **{"linger.ms": LINGER_MS})
    began_s, worst_s = time.perf_counter(), 0.0
    for sent, (key, data) in enumerate(records):
        due_s = began_s + sent / load
        while (left_s := due_s - time.perf_counter()) > 0:
            client.poll(0)
            time.sleep(left_s)  # not poll(left_s): below a millisecond that does not wait, and a core is gone
        worst_s = max(worst_s, -left_s)
        client.produce(topic, data, key, partition=partition_of(key, PARTITIONS))
    client.flush(30)
    return worst_s * 1000


def _records(kafka: str, topic: str, starts: dict[int, int]) -> Iterator[tuple[int, bytes]]:
    for partition, start in starts.items():
        for batch in read_log(kafka, topic, partition, (start, log_end(kafka, topic, partition)[1])):
            for _, at_ms, value in batch:
                yield at_ms, value

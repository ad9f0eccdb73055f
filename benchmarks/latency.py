"""From the append of an event to the append of its alert, by the broker's clock (whole milliseconds), open loop.

Two percent of the events alert. The generator sends at intended instants; the event's own append is what counts, and by
how much the generator fell behind is printed.
"""

import time
from collections.abc import Iterator

import numpy as np
import orjson

from benchmarks.ours import lanes, preload, prepare, wait_until
from benchmarks.peers.workload import PARTITIONS
from benchmarks.progress import Progress
from benchmarks.report import Report
from connectors.embedded_kafka import RealKafka, kafka_missing
from connectors.embedded_redis import RedisServer
from connectors.kafka import producer
from connectors.log_reader import log_end, read_log
from connectors.topology import Topics, partition_of
from streams.city import settlements
from streams.stop import Stop

LOADS_PER_S = (500, 1_000, 2_000, 4_000)
PEOPLE = 20_000
PERCENTILES = (50, 90, 99, 99.9)


def run(quick: bool) -> Report:
    """Every load for the same time, on one engine that has been warmed up."""
    missing = kafka_missing()
    if missing:
        raise Stop(f"没有真实的 Kafka：{missing}", f"no real Kafka: {missing}")
    seconds = 4 if quick else 20
    mix = {"people": PEOPLE, "alerting": "2 % of events (P13), others as they come", "seconds": seconds}
    report = Report({"mix": mix, "kafka": "one node, acks=all, linger 0", "redis": "AOF everysec", "lanes": 1})
    prefix = "latency."
    with RealKafka() as kafka, RedisServer("any") as redis:
        topics = prepare(kafka.bootstrap, prefix, "shaoyang")
        warm = settlements.preencoded(2_000, PEOPLE, 99, span_days=1, large_share=0.02)
        preload(kafka.bootstrap, topics.events, warm)
        with lanes(kafka.bootstrap, redis.url, prefix, 1) as running:
            progress = Progress(kafka.bootstrap, redis.url, topics, partitions=PARTITIONS, subjects=PARTITIONS)
            if not wait_until(lambda: progress.is_drained("p") or not running.alive, 60):
                raise Stop("引擎未能就绪", f"the lane did not start: {running.stops()}")
            for number, load in enumerate(LOADS_PER_S):
                _one_load(report, kafka.bootstrap, topics, progress, load, seconds, number)
            progress.close()
    return report


def _one_load(
    report: Report, kafka: str, topics: Topics, progress: Progress, load: int, seconds: int, number: int
) -> None:
    starts = {partition: log_end(kafka, topics.events, partition)[1] for partition in range(PARTITIONS)}
    alerts_from = {partition: log_end(kafka, topics.alerts, partition)[1] for partition in range(PARTITIONS)}
    behind_ms = send_at(kafka, topics.events, load, seconds, number)
    drained = wait_until(lambda: progress.is_drained("p") and progress.is_drained("q"), 60)
    system = f"{load:,} events/s"
    if not drained:
        report.add("latency", system, "p50", None, "ms", "not drained within 60 s: above saturation")
        return
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


def send_at(kafka: str, topic: str, load: int, seconds: int, number: int) -> float:
    """Send at the intended instants; by how many milliseconds the worst send was late."""
    records = list(settlements.preencoded(load * seconds, PEOPLE, 100 + number, span_days=1, large_share=0.02))
    client = producer(kafka, **{"linger.ms": 0})
    began_s, worst_s = time.perf_counter(), 0.0
    for sent, (key, data) in enumerate(records):
        due_s = began_s + sent / load
        while (left_s := due_s - time.perf_counter()) > 0:
            client.poll(min(left_s, 0.001))
        worst_s = max(worst_s, -left_s)
        client.produce(topic, data, key, partition=partition_of(key, PARTITIONS))
    client.flush(30)
    return worst_s * 1000


def _records(kafka: str, topic: str, starts: dict[int, int]) -> Iterator[tuple[int, bytes]]:
    for partition, start in starts.items():
        for batch in read_log(kafka, topic, partition, (start, log_end(kafka, topic, partition)[1])):
            for _, at_ms, value in batch:
                yield at_ms, value

"""From the append of an event to the append of its alert, by the broker's clock (whole milliseconds), open loop.

Each load is a day of a province, the days following each other; two percent of the bills alert. The first seconds of a
load are not counted: at a new rate a broker compiles itself anew. The generator sends at intended instants; the event's
own append is what counts, and by how much the generator fell behind is printed. So is the processor time that broker,
Redis, lane and generator spent on an event: they share the machine.
"""

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import orjson

from benchmarks.ours import Lanes, lanes, prepare, wait_until
from benchmarks.peers.workload import PARTITIONS
from benchmarks.processor_time import ProcessorTime
from benchmarks.progress import Progress
from benchmarks.report import Report
from connectors.append import Record
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
LEAD_S = 5
BILLS_OF_FOUR = 3  # people that three in four bills are of: most come once that day
PERCENTILES = (50, 90, 99, 99.9)


class Engine(NamedTuple):
    """What is measured, and the processes that share the machine with it."""

    kafka: str
    topics: Topics
    progress: Progress
    running: Lanes
    processes: dict[str, int]

    def await_drained(self, within_s: float = 60) -> None:
        """What is to be there before anything is measured."""
        if not wait_until(lambda: self.progress.is_all_drained() or not self.running.alive, within_s):
            raise Stop("引擎未能就绪", "the warm-up was not drained in time")
        if not self.running.alive:
            raise Stop("引擎未能就绪", f"a lane ended: {self.running.stops()}")


class Waits(NamedTuple):
    """What came of a load. `by_kind`: ms from the append of its cause to that of an alert, by whom it is about."""

    by_kind: dict[str, list[int]]
    causeless: int
    """Alerts whose evidence names no event that was sent: a box of a line, an event of an earlier load."""
    behind_ms: float
    us_each: dict[str, float]


def run(quick: bool) -> Report:
    """Every load for the same time, on one engine that has been warmed up: a broker just started compiles itself."""
    missing = kafka_missing()
    if missing:
        raise Stop(f"没有真实的 Kafka：{missing}", f"no real Kafka: {missing}")
    seconds, warm_s = (4, 4) if quick else (20, WARM_S)
    mix = {"bills": "a day of a province for each load", "alerting": "2 % (P13), others as they come"}
    lead_s = min(LEAD_S, warm_s)
    warm_up = f"{warm_s} s at {WARM_PER_S:,} events/s, then {lead_s} s of each load"
    times = {"seconds": seconds, "warm_up": warm_up}
    report = Report({"mix": mix, **times, "kafka": "one node, acks=all", "redis": "AOF everysec", "lanes": 1})
    with RealKafka() as kafka, RedisServer("any") as redis, engine_of(kafka, redis, "latency.", 1) as engine:
        send_at(engine.kafka, engine.topics.events, WARM_PER_S, warm_s, 0)
        engine.await_drained()
        for day, load in enumerate(LOADS_PER_S, 1):
            _one_load(report, engine, load, (lead_s, seconds), day)
    return report


@contextmanager
def engine_of(kafka: RealKafka, redis: RedisServer, prefix: str, count: int) -> Iterator[Engine]:
    """So many lanes under the whole book, on logs that hold nothing yet."""
    topics = prepare(kafka.bootstrap, prefix, "shaoyang")
    with lanes(kafka.bootstrap, redis.url, prefix, count) as running:
        processes = {"broker": kafka.pid, "Redis": redis.pid, "generator": os.getpid()}
        for number, process in enumerate(running.processes, 1):
            assert process.pid is not None, "it was started"
            processes["lane" if count == 1 else f"lane {number}"] = process.pid
        progress = Progress(kafka.bootstrap, redis.url, topics, partitions=PARTITIONS, subjects=PARTITIONS)
        yield Engine(kafka.bootstrap, topics, progress, running, processes)
        progress.close()


def _one_load(report: Report, engine: Engine, load: int, seconds: tuple[int, int], day: int) -> None:
    lead_s, system = seconds[0], f"{load:,} events/s"
    records = day_of_bills(engine.topics.events, load * sum(seconds), day)
    came = waits_after(engine, len(records), lambda: send(records, engine.kafka, load), lead_s)
    if came is None:
        report.add("latency", system, "p50", None, "ms", "not drained within 60 s: above saturation")
        return
    waits = came.by_kind["person"]
    note = f"{len(waits)} alerts; generator behind by at most {came.behind_ms:.0f} ms"
    for percent in PERCENTILES:
        report.add("latency", system, f"p{percent}", float(np.percentile(waits, percent)), "ms", note)
    for name, us in came.us_each.items():
        report.add("latency", system, f"processor time, {name}", us, "µs an event")


def waits_after(engine: Engine, size: int, sending: Callable[[], float], lead_s: int = 0) -> Waits | None:
    """Send `size` events and wait for what comes of them; None if they are not drained a minute later. The waits leave
    out the first `lead_s` of them, processor time and how far the generator was behind do not.
    """
    kafka, topics = engine.kafka, engine.topics
    starts = {topic: _ends(kafka, topic) for topic in (topics.events, topics.subjects, topics.alerts)}
    spent = ProcessorTime(engine.processes)
    behind_ms = sending()
    if not wait_until(engine.progress.is_all_drained, 60):
        return None
    us_each = spent.us_each(size)
    sent, told = (_appended(kafka, topic, starts[topic]) for topic in (topics.events, topics.subjects))
    waits: dict[str, list[int]] = defaultdict(list)
    causeless, counted_from_ms = 0, min(sent.values(), default=0) + lead_s * 1_000 if lead_s else 0
    for at_ms, body in bodies(kafka, topics.alerts, starts[topics.alerts]):
        cause_ms = cause_of(body["vola_evid"], sent, told)
        if body["episode"] == "opened" and cause_ms is not None and cause_ms >= counted_from_ms:
            waits[body["subject_kind"]].append(at_ms - cause_ms)
        else:
            causeless += body["episode"] == "opened" and cause_ms is None
    return Waits(waits, causeless, behind_ms, us_each)


def cause_of(evidence: list[str], sent: dict[str, int], told: dict[str, int]) -> int | None:
    """When what an alert waited for was appended: the record it crossed at, of those that persons' logs hold; or what
    was told of a subject and now accuses an older bill, which it names behind the bill.
    """
    causes_ms = [told[each] for each in evidence if each in told]
    if evidence[0] in sent:
        causes_ms.append(sent[evidence[0]])
    return max(causes_ms, default=None)


def day_of_bills(topic: str, size: int, day: int) -> list[Record]:
    """One day's bills of a province."""
    shape = {"span_days": 1, "first_day": day, "places": 2_000, "large_share": 0.02}
    bills = settlements.preencoded(size, size * BILLS_OF_FOUR // 4, 100 + day, **shape)
    return [Record(topic, key, data, partition_of(key, PARTITIONS)) for key, data in bills]


def send_at(kafka: str, topic: str, load: int, seconds: int, day: int) -> float:
    """Send one day's bills at the intended instants; by how many milliseconds the worst send was late."""
    return send(day_of_bills(topic, load * seconds, day), kafka, load)


def send(records: Sequence[Record], kafka: str, load: int) -> float:
    """Send records at the intended instants, open loop; by how many milliseconds the worst send was late."""
    client = producer(kafka, **{"linger.ms": LINGER_MS})
    client.list_topics(timeout=10)  # it is connected before the first is due: else a fifth of a second comes at once
    began_s, worst_s = time.perf_counter(), 0.0
    for sent, (topic, key, data, partition) in enumerate(records):
        due_s = began_s + sent / load
        while (left_s := due_s - time.perf_counter()) > 0:
            client.poll(0)
            time.sleep(left_s)  # not poll(left_s): below a millisecond that does not wait, and a core is gone
        worst_s = max(worst_s, -left_s)
        client.produce(topic, data, key, partition=partition)
    client.flush(30)
    return worst_s * 1000


def _appended(kafka: str, topic: str, starts: dict[int, int]) -> dict[str, int]:
    """When each event was first appended; contributions are none, and have no id."""
    appended: dict[str, int] = {}
    for at_ms, body in bodies(kafka, topic, starts):
        if "event_id" in body:
            appended.setdefault(body["event_id"], at_ms)
    return appended


def _ends(kafka: str, topic: str) -> dict[int, int]:
    return {partition: log_end(kafka, topic, partition)[1] for partition in range(PARTITIONS)}


def bodies(kafka: str, topic: str, starts: dict[int, int] | None = None) -> Iterator[tuple[int, dict[str, Any]]]:
    """What stands on a topic from there on, with the instant (ms) of its append by the broker's clock."""
    for partition, end in _ends(kafka, topic).items():
        for batch in read_log(kafka, topic, partition, (starts[partition] if starts else 0, end)):
            for _, at_ms, value in batch:
                yield at_ms, orjson.loads(value)

"""Checkout over HTTP, open loop: approved holds on distinct signed persons; alone, and beside a stream of events.

Beside them a no-op on the same server and a bare produce-to-consume on the same broker, so that what is ours, what is
HTTP's and what is Kafka's can be told apart.
"""

import json
import os
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import httpx
import orjson
from confluent_kafka import OFFSET_END, Consumer, TopicPartition
from hdrh.histogram import HdrHistogram

from benchmarks.latency import send_at
from benchmarks.open_loop import Outcome, drive, request_bytes
from benchmarks.ours import lanes, preload, prepare, wait_until
from benchmarks.peers.workload import PARTITIONS
from benchmarks.progress import Progress
from benchmarks.report import Report
from connectors.codec import encode_fact
from connectors.embedded_kafka import RealKafka, kafka_missing
from connectors.embedded_redis import RedisServer
from connectors.kafka import producer
from connectors.server_process import free_ports
from streams.city.canonical import signed_up
from streams.city.settlements import START_MS
from streams.city.world import Person
from streams.stop import Stop
from streams.up import Program

PREFIX = "authorize."
TOKEN = "bench-operator-0123456789abcdef"
INSTITUTION = "H43050200001"
PERCENTILES = (50, 90, 99, 99.9)


class Load(NamedTuple):
    """One run: how many requests a second for how long, beside how many events a second."""

    name: str
    per_s: int
    seconds: int
    events_per_s: int


FULL = (
    Load("alone", 2_000, 10, 0),
    Load("beside 5,000 events/s", 2_000, 10, 5_000),
    Load("as fast as asked", 8_000, 6, 0),
)
QUICK = (Load("alone", 300, 3, 0), Load("beside 500 events/s", 300, 3, 500), Load("as fast as asked", 1_000, 2, 0))


def run(quick: bool) -> Report:
    """Sign everybody, wait until the log is drained, then run the loads one after the other."""
    missing = kafka_missing()
    if missing:
        raise Stop(f"没有真实的 Kafka：{missing}", f"no real Kafka: {missing}")
    loads = QUICK if quick else FULL
    people = sum(load.per_s * load.seconds for load in loads)
    report = Report({"people": people, "kafka": "one node, acks=all", "redis": "AOF everysec", "lanes": 1, "api": 1})
    with ExitStack() as stack:
        kafka = stack.enter_context(RealKafka())
        redis = stack.enter_context(RedisServer("any"))
        topics = prepare(kafka.bootstrap, PREFIX, "shaoyang")
        signed = (
            (fact.psn_no, encode_fact(fact)) for index in range(people) for fact in signed_up(_person(index), START_MS)
        )
        preload(kafka.bootstrap, topics.events, signed)
        running = stack.enter_context(lanes(kafka.bootstrap, redis.url, PREFIX, 1))
        progress = Progress(kafka.bootstrap, redis.url, topics, partitions=PARTITIONS, subjects=PARTITIONS)
        if not wait_until(lambda: progress.is_drained("p") or not running.alive, 600):
            raise Stop("引擎未能就绪", f"the lane did not drain the log: {running.stops()}")
        port = _start_api(stack, kafka.bootstrap, redis.url)
        _beside(report, kafka.bootstrap, port, loads[0])
        first = 0
        for load in loads:
            count = load.per_s * load.seconds
            requests = [_request(index) for index in range(first, first + count)]
            first += count
            _note(report, load, _run(kafka.bootstrap, topics.events, port, load, requests))
    return report


def _start_api(stack: ExitStack, kafka: str, redis: str) -> int:
    port = free_ports(1)[0]
    home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="xinmai-bench-")))
    roles = ["hospital", "pharmacy", "bank", "authority", "audit", "person"]
    tokens = home / "tokens.toml"
    lines = (
        "[[tokens]]",
        'name = "bench"',
        f'secret = "{TOKEN}"',
        f"roles = {json.dumps(roles)}",
        "rate_per_s = 1000000",
    )
    tokens.write_text("\n".join(lines))
    environment = {
        "XINMAI_KAFKA": kafka,
        "XINMAI_REDIS": redis,
        "XINMAI_API": f"http://127.0.0.1:{port}",
        "XINMAI_TOKENS": str(tokens),
        "XINMAI_PREFIX": PREFIX,
        "PYTHONPATH": os.getcwd(),
    }
    api = Program("api", [sys.executable, "-m", "streams.command_line", "api"], environment, home / "api.log")
    api.start()
    stack.callback(api.stop)
    if not wait_until(lambda: not api.running or _is_ready(port), 30):
        raise Stop("API 未能就绪", f"the API is not ready: {api.tail()}")
    if not api.running:
        raise Stop("API 未能启动", f"the API did not start: {api.tail()}")
    return port


def _is_ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def _beside(report: Report, kafka: str, port: int, load: Load) -> None:
    """What the same server and the same broker do with nothing in between."""
    noop = drive("127.0.0.1", port, [request_bytes("GET", "/livez", TOKEN)] * (load.per_s * load.seconds), load.per_s)
    for percent in PERCENTILES:
        report.add("authorize", f"no-op, {load.per_s:,}/s", f"p{percent}", noop.ms(percent), "ms")
    bare = _produce_to_consume(kafka, 500)
    for percent in PERCENTILES:
        value = bare.get_value_at_percentile(percent) / 1000
        report.add("authorize", "bare produce to consume", f"p{percent}", value, "ms", "one at a time")


def _produce_to_consume(kafka: str, count: int) -> HdrHistogram:
    histogram = HdrHistogram(1, 60_000_000, 3)
    topic = f"{PREFIX}deadletter.v1"
    sender = producer(kafka, **{"linger.ms": 0})
    reader = Consumer({"bootstrap.servers": kafka, "group.id": "bench-bare", "fetch.wait.max.ms": 10})
    reader.assign([TopicPartition(topic, 0, OFFSET_END)])
    reader.poll(2)
    for _ in range(count):
        began_s = time.perf_counter()
        sender.produce(topic, b"x" * 400, partition=0)
        sender.poll(0)
        while (message := reader.poll(1)) is None or message.error():
            pass
        histogram.record_value(max(1, int((time.perf_counter() - began_s) * 1e6)))
    reader.close()
    return histogram


def _run(kafka: str, topic: str, port: int, load: Load, requests: list[bytes]) -> Outcome:
    if not load.events_per_s:
        return drive("127.0.0.1", port, requests, load.per_s)
    stream = get_context("spawn").Process(
        target=send_at, args=(kafka, topic, load.events_per_s, load.seconds + 2, 500), daemon=True
    )
    stream.start()
    time.sleep(3)  # it prepares its records first
    try:
        return drive("127.0.0.1", port, requests, load.per_s)
    finally:
        stream.join(60)


def _note(report: Report, load: Load, outcome: Outcome) -> None:
    decisions = Counter(orjson.loads(body).get("decision", "error") for body in outcome.bodies)
    system = f"{load.per_s:,}/s {load.name}"
    note = (
        ", ".join(f"{count} {name}" for name, count in decisions.most_common()) + f", {outcome.unanswered} unanswered"
    )
    report.add("authorize", system, "approved", decisions["approve"] / outcome.seconds, "holds/s", note)
    for percent in PERCENTILES:
        report.add("authorize", system, f"p{percent}", outcome.ms(percent), "ms")


def _person(index: int) -> Person:
    number = f"p1_{index:022d}"
    return Person(number, "390", "430502", 0, 0, True, "A", "card_withhold", "BCM", 0, f"AG{number}")


def _request(index: int) -> bytes:
    number = _person(index).psn_no
    body = {
        "authorization_id": f"A{index}",
        "psn_no": number,
        "mdtrt_id": f"V{index}",
        "fixmedins_code": INSTITUTION,
        "service": "visit_first",
        "med_type": "11",
        "amount_fen": 12_300,
    }
    return request_bytes("POST", "/v1/authorizations", TOKEN, orjson.dumps(body))

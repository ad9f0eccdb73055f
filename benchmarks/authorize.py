"""Checkout over HTTP, open loop: approved holds on distinct signed persons; alone, beside a stream of events, faster.

On one broker and on three. Beside them a no-op on the same server and a bare produce-to-consume on the same brokers, so
that what is ours, what is HTTP's and what is Kafka's can be told apart.
"""

import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count, islice
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import httpx
import orjson
from confluent_kafka import OFFSET_END, Consumer, TopicPartition
from hdrh.histogram import HdrHistogram

from benchmarks.latency import send_at
from benchmarks.open_loop import Outcome, drive, request_bytes
from benchmarks.ours import Lanes, lanes, preload, prepare, wait_until
from benchmarks.peers.workload import PARTITIONS
from benchmarks.progress import Progress
from benchmarks.report import Report
from connectors.codec import encode_fact
from connectors.embedded_kafka import RealKafka, RealKafkaCluster, kafka_missing
from connectors.embedded_redis import RedisServer
from connectors.kafka import check_topics, producer
from connectors.server_process import free_ports
from connectors.topology import Topics
from streams.city.canonical import signed_up
from streams.city.settlements import START_MS
from streams.city.world import signed_person
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
    events_per_s: int = 0


class Plan(NamedTuple):
    """The first load of all, for a broker just started compiles itself; one that goes before each later one, so that
    the API is warm and lets everybody in again; the two that design.md 8 names; the steps of the search for the highest
    rate.
    """

    first: Load
    warm: Load
    named: tuple[Load, Load]
    steps: tuple[Load, ...]


FULL = Plan(
    Load("first", 1_000, 30),
    Load("warm-up", 500, 5),
    (Load("alone", 2_000, 10), Load("beside 5,000 events/s", 2_000, 10, 5_000)),
    tuple(Load("alone, searching", per_s, 6) for per_s in range(1_000, 8_001, 1_000)),
)
QUICK = Plan(
    Load("first", 100, 5),
    Load("warm-up", 60, 3),
    (Load("alone", 300, 3), Load("beside 500 events/s", 300, 3, 500)),
    tuple(Load("alone, searching", per_s, 2) for per_s in (300, 600)),
)
APPROVED_SHARE_MIN = 0.9
P99_MS_MAX = 1_000
CONNECTIONS = 256
PULSES_S = 1  # the API goes by what lanes last told of how far they are


class Engine(NamedTuple):
    """What is measured: a broker or three, a lane, an API."""

    brokers: int
    kafka: str
    topics: Topics
    progress: Progress
    running: Lanes
    port: int


def run(quick: bool) -> Report:
    """The same plan on one broker and on three, each with a Redis, a lane and an API of its own."""
    missing = kafka_missing()
    if missing:
        raise Stop(f"没有真实的 Kafka：{missing}", f"no real Kafka: {missing}")
    plan = QUICK if quick else FULL
    kafka = "one node; three nodes, replication 3, min.insync.replicas 2; acks=all, linger 0"
    orders = "full order of checks, policy shaoyang"
    report = Report({"kafka": kafka, "redis": "AOF everysec", "lanes": 1, "api": 1, "decides": orders})
    for brokers in (1, 3):
        with ExitStack() as stack:
            _measure(report, _engine(stack, brokers), plan)
    return report


def _engine(stack: ExitStack, brokers: int) -> Engine:
    kafka: RealKafka | RealKafkaCluster
    if brokers == 1:
        kafka = stack.enter_context(RealKafka())
    else:
        kafka = stack.enter_context(RealKafkaCluster(brokers, heap="512m"))
    redis = stack.enter_context(RedisServer("any"))
    topics = prepare(kafka.bootstrap, PREFIX, "shaoyang", replication=brokers)
    wrong = check_topics(kafka.bootstrap, topics, replication=brokers)
    if wrong:
        raise Stop("主题配置不符", f"the topics are not what is to be measured: {wrong}")
    running = stack.enter_context(lanes(kafka.bootstrap, redis.url, PREFIX, 1))
    progress = Progress(kafka.bootstrap, redis.url, topics, partitions=PARTITIONS, subjects=PARTITIONS)
    stack.callback(progress.close)
    return Engine(brokers, kafka.bootstrap, topics, progress, running, _start_api(stack, kafka.bootstrap, redis.url))


def _measure(report: Report, engine: Engine, plan: Plan) -> None:
    """What lies beside it, the named loads, then faster and faster until approvals fail or answers take too long."""
    _beside(report, engine, plan.named[0])
    people = count()
    _asked(engine, plan.first, people)
    for load in plan.named:
        _run(report, engine, (plan.warm, load), people)
    highest, ended_by = 0, "the search's last step"
    for load in plan.steps:
        approved_share, p99_ms = _run(report, engine, (plan.warm, load), people)
        if approved_share < APPROVED_SHARE_MIN or p99_ms > P99_MS_MAX:
            ended_by = f"{load.per_s:,}/s: {approved_share:.0%} approved, p99 {p99_ms:,.0f} ms"
            break
        highest = load.per_s
    condition = f"{APPROVED_SHARE_MIN:.0%} approved, p99 within {P99_MS_MAX:,} ms"
    report.add("authorize", _called(engine, "highest rate"), condition, highest, "requests/s", f"ended by {ended_by}")


def _called(engine: Engine, system: str) -> str:
    return f"{engine.brokers} broker{'s' if engine.brokers > 1 else ''}, {system}"


def _sign(engine: Engine, people: list[int]) -> None:
    """Sign everybody, and wait until the lane has applied it and whatever came before."""
    persons = (signed_person(_psn_no(index)) for index in people)
    signed = ((fact.psn_no, encode_fact(fact)) for person in persons for fact in signed_up(person, START_MS))
    preload(engine.kafka, engine.topics.events, signed)
    drained = wait_until(
        lambda: (engine.progress.is_drained("p") and engine.progress.is_drained("q")) or not engine.running.alive, 600
    )
    if not drained or not engine.running.alive:
        raise Stop("引擎未能就绪", f"the lane did not drain the log: {engine.running.stops()}")
    time.sleep(PULSES_S)


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


def _beside(report: Report, engine: Engine, load: Load) -> None:
    """What the same server and the same brokers do with nothing in between."""
    asked = [request_bytes("GET", "/livez", TOKEN)] * (load.per_s * load.seconds)
    noop = drive("127.0.0.1", engine.port, asked, load.per_s, connections=CONNECTIONS)
    for percent in PERCENTILES:
        system = _called(engine, f"no-op, {load.per_s:,}/s")
        report.add("authorize", system, f"p{percent}", noop.ms(percent), "ms")
    bare = _produce_to_consume(engine.kafka, 500)
    for percent in PERCENTILES:
        value = bare.get_value_at_percentile(percent) / 1000
        system = _called(engine, "bare produce to consume")
        report.add("authorize", system, f"p{percent}", value, "ms", "one at a time")


def _produce_to_consume(kafka: str, times: int) -> HdrHistogram:
    histogram = HdrHistogram(1, 60_000_000, 3)
    topic = f"{PREFIX}deadletter.v1"
    sender = producer(kafka, **{"linger.ms": 0})
    reader = Consumer({"bootstrap.servers": kafka, "group.id": "bench-bare", "fetch.wait.max.ms": 10})
    reader.assign([TopicPartition(topic, 0, OFFSET_END)])
    reader.poll(2)
    for _ in range(times):
        began_s = time.perf_counter()
        sender.produce(topic, b"x" * 400, partition=0)
        sender.poll(0)
        while (message := reader.poll(1)) is None or message.error():
            pass
        histogram.record_value(max(1, int((time.perf_counter() - began_s) * 1e6)))
    reader.close()
    return histogram


def _run(report: Report, engine: Engine, loads: tuple[Load, Load], people: Iterator[int]) -> tuple[float, float]:
    """A warm-up, then the load that is noted: the share of requests that was approved, and the p99 in milliseconds."""
    warm, load = loads
    _asked(engine, warm, people)
    outcome = _asked(engine, load, people)
    answers = [orjson.loads(body) for body in outcome.bodies]
    decisions = Counter(answer.get("decision") or answer.get("code", "error") for answer in answers)
    told = [f"{number} {name}" for name, number in decisions.most_common()]
    system = _called(engine, f"{load.per_s:,}/s {load.name}")
    note = ", ".join([*told, f"{outcome.unanswered} unanswered"])
    report.add("authorize", system, "approved", decisions["approve"] / outcome.seconds, "holds/s", note)
    for percent in PERCENTILES:
        report.add("authorize", system, f"p{percent}", outcome.ms(percent), "ms")
    return decisions["approve"] / (load.per_s * load.seconds), outcome.ms(99)


def _asked(engine: Engine, load: Load, people: Iterator[int]) -> Outcome:
    """One load, by people of its own."""
    own = list(islice(people, load.per_s * load.seconds))
    _sign(engine, own)
    requests = [_request(index) for index in own]
    if not load.events_per_s:
        return drive("127.0.0.1", engine.port, requests, load.per_s, connections=CONNECTIONS)
    stream = get_context("spawn").Process(
        target=send_at,
        args=(engine.kafka, engine.topics.events, load.events_per_s, load.seconds + 2, 1),
        daemon=True,
    )
    stream.start()
    sent_from = sum(engine.progress.applied())
    wait_until(lambda: sum(engine.progress.applied()) > sent_from or not stream.is_alive(), 60)  # it prepares first
    try:
        return drive("127.0.0.1", engine.port, requests, load.per_s, connections=CONNECTIONS)
    finally:
        stream.join(60)


def _psn_no(index: int) -> str:
    return f"p1_{index:022d}"


def _request(index: int) -> bytes:
    number = _psn_no(index)
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

"""Runs each system alone on one real broker and times it from outside, by the broker's own clock.

Every partition begins and ends with a bill that alerts by itself. The time is that from the append of the first such
alert to the append of the last: no system's start-up is in it, and no system's own word is needed. Whose alerts are not
exactly the oracle's gets no figure.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from benchmarks.peers.workload import PARTITIONS, Workload, workload
from benchmarks.report import Report
from connectors.embedded_kafka import RealKafka, kafka_missing
from connectors.kafka import producer
from streams.stop import Stop

HERE = Path(__file__).parent
VENVS = HERE.parents[1] / ".cache" / "peers"
REQUIREMENTS = {
    "faust": ("faust-streaming==0.15.3", "orjson", "uvloop"),
    "quix": ("quixstreams==3.28.1", "orjson"),
    "bytewax": ("bytewax[kafka]==0.21.1", "orjson"),
}
PROGRAMS = {
    "faust": ("faust_agent.py",),
    "quix": ("quix_stream.py",),
    "bytewax": ("-m", "bytewax.run", "bytewax_flow"),
}
SILENCE_S = 90.0


@dataclass(slots=True)
class Heard:
    """What one system wrote on its alert topic."""

    first_ms: dict[str, int] = field(default_factory=dict)
    repeats: int = 0

    def note(self, event_id: str, append_ms: int) -> None:
        """The first append of an alert counts; a repetition is counted apart."""
        if event_id in self.first_ms:
            self.repeats += 1
        self.first_ms.setdefault(event_id, append_ms)


def run_peers(quick: bool, size: int = 400_000) -> Report:
    """Each system once; ours with one lane and with two."""
    missing = kafka_missing()
    if missing:
        raise Stop(f"没有真实的 Kafka：{missing}", f"no real Kafka: {missing}")
    size = 20_000 if quick else size
    job = workload(size, seed=11)
    report = Report(
        {"events": size, "alerts": len(job.expected), "kafka": "one node, acks=all", "partitions": PARTITIONS}
    )
    with RealKafka() as kafka:
        preload(kafka.bootstrap, "peers.in", job)
        for name in PROGRAMS:
            judge(report, name, job, run_peer(name, kafka.bootstrap, job))
        from benchmarks.ours import drain_one_rule

        for lanes in (1, 2):
            judge(report, f"xinmai, {lanes} lane(s)", job, drain_one_rule(kafka.bootstrap, job, lanes))
    ratios(report)
    return report


def judge(report: Report, system: str, job: Workload, heard: Heard | str) -> None:
    """Give the system its figure, or say why it has none."""
    if isinstance(heard, str):
        report.add("peers", system, "throughput", None, "events/s", heard)
        return
    missing, extra = job.expected - heard.first_ms.keys(), heard.first_ms.keys() - job.expected
    if missing or extra:
        report.add(
            "peers", system, "throughput", None, "events/s", f"{len(missing)} alerts missing, {len(extra)} too many"
        )
        return
    first = min(heard.first_ms[marker] for marker in job.first_markers)
    last = max(heard.first_ms[marker] for marker in job.last_markers)
    note = f"{len(job.expected)} alerts equal the oracle's" + (f", {heard.repeats} repeated" if heard.repeats else "")
    report.add("peers", system, "throughput", len(job.records) / max(0.001, (last - first) / 1000), "events/s", note)


def ratios(report: Report) -> None:
    """Ours against each peer, within this run."""
    figures = {result.system: result.value for result in report.results}
    ours = figures.get("xinmai, 1 lane(s)")
    for name in PROGRAMS:
        if ours and figures.get(name):
            report.add("peers", f"xinmai / {name}", "ratio, one process each", ours / float(figures[name] or 1), "×")


def preload(bootstrap: str, topic: str, job: Workload) -> None:
    """The events on a topic, placed by Java's murmur2 as everywhere."""
    make_topic(bootstrap, topic)
    client = producer(bootstrap, **{"queue.buffering.max.messages": 1_000_000, "linger.ms": 20})
    for key, data in job.records:
        client.produce(topic, data, key)
        client.poll(0)
    assert client.flush(120) == 0


def make_topic(bootstrap: str, topic: str) -> None:
    """A topic whose records carry the broker's clock."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    wanted = NewTopic(topic, PARTITIONS, 1, config={"message.timestamp.type": "LogAppendTime"})
    admin.create_topics([wanted])[topic].result(30)


def run_peer(name: str, bootstrap: str, job: Workload) -> Heard | str:
    """One peer, in its own environment, from start to the last marker."""
    python = venv_python(name)
    out = f"peers.out.{name}"
    make_topic(bootstrap, out)
    with tempfile.TemporaryDirectory(prefix=f"xinmai-peer-{name}-") as directory:
        environment = os.environ | {
            "PEER_BOOTSTRAP": bootstrap,
            "PEER_IN": "peers.in",
            "PEER_OUT": out,
            "PEER_GROUP": f"peer-{name}",
            "PEER_STATE": directory,
            "PYTHONPATH": str(HERE),
            "FAUST_LOOP": "uvloop",
        }
        log = Path(directory) / "log"
        with child([str(python), *PROGRAMS[name]], environment, log) as running:
            heard = listen(bootstrap, out, job, lambda: running.poll() is None)
        if not heard.first_ms.keys() >= job.last_markers:
            tail = " | ".join(log.read_text(errors="replace").splitlines()[-3:])
            return f"did not finish ({len(heard.first_ms)} alerts): {tail[-300:]}"
    return heard


def venv_python(name: str) -> Path:
    """The peer's own interpreter, installed at first use."""
    python = VENVS / name / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(VENVS / name)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *REQUIREMENTS[name]], check=True)
    return python


@contextmanager
def child(command: list[str], environment: dict[str, str], log: Path) -> Any:
    """A process of ours, ended by its own pid."""
    with log.open("wb") as sink:
        running = subprocess.Popen(command, cwd=HERE, env=environment, stdout=sink, stderr=sink)
    try:
        yield running
    finally:
        running.terminate()
        try:
            running.wait(10)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def listen(bootstrap: str, topic: str, job: Workload, alive: Callable[[], bool]) -> Heard:
    """Read alerts until every last marker came, the system died, or it fell silent."""
    settings = {"bootstrap.servers": bootstrap, "group.id": f"listen-{topic}", "enable.auto.commit": False}
    client = Consumer(settings)
    client.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in range(PARTITIONS)])
    heard, until, waiting = Heard(), time.monotonic() + SILENCE_S, True
    try:
        while alive() and time.monotonic() < until:
            messages = client.consume(1000, 0.5)
            for message in messages:
                if message.error() is None and (body := orjson.loads(message.value()))["rule_id"] == "X01":
                    if body.get("episode", "opened") == "opened":
                        heard.note(body["vola_evid"][0], message.timestamp()[1])
                    until = time.monotonic() + SILENCE_S
            if waiting and heard.first_ms.keys() >= job.last_markers:
                waiting, until = False, time.monotonic() + 2.0  # a moment for what should not come
            if not waiting and not messages:
                break
    finally:
        client.close()
    return heard

"""A whole engine of processes, worker and APIs, on a broker and a Redis that a test may hurt. Not a test."""

import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import httpx

from connectors.codec import encode_fact
from connectors.kafka import producer
from connectors.log_reader import log_end
from connectors.server_process import free_ports
from connectors.store import Store, meta_key
from connectors.topology import Topics, partition_of, tags
from risk.facts import Fact
from streams.activate import prepare_logs
from streams.city.canonical import signed_up
from streams.city.world import signed_person
from streams.up import Program
from tests.e2e.counter import TOKEN

ROOT = Path(__file__).parents[2]
POLICY = ROOT / "config" / "policies" / "shaoyang"
PARTITIONS = 4
INSTITUTION = "H43050200001"
LIMIT_FEN = 500_000  # level A, visit_first (config/policies/shaoyang/limits.toml)
ROLES = '["hospital", "pharmacy", "bank", "authority", "audit", "person"]'
TOKENS = f'[[tokens]]\nname = "operator"\nsecret = "{TOKEN}"\nroles = {ROLES}\nrate_per_s = 1000000\n'


def psn_no_of(index: int) -> str:
    """Somebody whom the engine may sign."""
    return f"p1_{index:022d}"


class LiveEngine:
    """`xinmai worker` and so many `xinmai api` as processes of their own."""

    def __init__(
        self,
        kafka: str,
        redis: str,
        topics: Topics,
        folder: Path,
        *,
        apis: int = 1,
        clock: str = "wall",
        replication: int = 1,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.kafka, self.redis, self.topics = kafka, redis, topics
        self._folder = folder
        self.ports = free_ports(apis)
        (folder / "tokens.toml").write_text(TOKENS)
        self._told = {
            "XINMAI_KAFKA": kafka,
            "XINMAI_REDIS": redis,
            "XINMAI_PREFIX": topics.prefix,
            "XINMAI_CLOCK": clock,
            "XINMAI_TOKENS": str(folder / "tokens.toml"),
            "XINMAI_SANDBOX": "1",
            "PYTHONPATH": str(ROOT),
            **(environment or {}),
        }
        self._stack = ExitStack()
        self._producer = producer(kafka, **{"queue.buffering.max.messages": 1_000_000})
        self.worker = self._program("worker", {"XINMAI_WORKER": f"{topics.prefix}w0"})
        self.apis = [
            self._program("api", {"XINMAI_LISTEN": f"127.0.0.1:{port}"}, f"api-{number}")
            for number, port in enumerate(self.ports)
        ]
        prepare_logs(
            kafka,
            topics,
            POLICY,
            partitions=PARTITIONS,
            subjects_partitions=PARTITIONS,
            replication=replication,
            group=f"{topics.prefix}lanes",
        )

    def _program(self, command: str, told: Mapping[str, str], name: str = "") -> Program:
        words = [sys.executable, "-m", "streams.command_line", command]
        return Program(name or command, words, self._told | told, self._folder / f"{name or command}.log")

    def __enter__(self) -> Self:
        for program in (self.worker, *self.apis):
            self._stack.callback(program.stop)
            program.start()
        until(self.is_ready, within_s=60, why=lambda: f"{self.worker.tail()} {[api.tail() for api in self.apis]}")
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def append(self, facts: Iterable[Fact]) -> int:
        """Append facts to the person log, past the edge; how many."""
        return self.append_encoded((fact.psn_no, encode_fact(fact)) for fact in facts)

    def append_encoded(self, records: Iterable[tuple[str, bytes]]) -> int:
        """The same for records that are spelled already."""
        client, count = self._producer, 0
        for psn_no, value in records:
            client.produce(self.topics.events, value, psn_no, partition_of(psn_no, PARTITIONS))
            count += 1
            if count % 1_000 == 0:
                client.poll(0)
        assert client.flush(120) == 0
        return count

    def sign(self, people: Iterable[int]) -> None:
        """Append what makes these people able to pay on credit, a minute ago."""
        at_ms = time.time_ns() // 1_000_000 - 60_000
        self.append(fact for index in people for fact in signed_up(signed_person(psn_no_of(index)), at_ms))

    def is_ready(self) -> bool:
        """Does every API find every shard served?"""
        try:
            answers = [httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=2) for port in self.ports]
        except httpx.HTTPError:
            return False
        return all(answer.json()["shards_live"] == PARTITIONS for answer in answers)

    def unapplied(self, redis: str = "") -> int:
        """Records of both logs that Redis has not applied."""
        logs = [(self.topics.events, number, tag) for number, tag in enumerate(tags("p", PARTITIONS))]
        logs += [(self.topics.subjects, number, tag) for number, tag in enumerate(tags("q", PARTITIONS))]
        store = Store(redis or self.redis)
        applied = sum(int(store.client.hget(meta_key(tag), "offset") or -1) + 1 for _, _, tag in logs)
        store.close()
        return sum(log_end(self.kafka, topic, number)[1] for topic, number, _ in logs) - applied

    def wait_until_drained(self, within_s: float = 60) -> None:
        """Wait until Redis stands at the end of both logs, and stays there."""
        until(lambda: self.unapplied() == 0, within_s=within_s, why=lambda: f"{self.unapplied()} {self.worker.tail()}")
        time.sleep(0.2)
        until(lambda: self.unapplied() == 0, within_s=within_s, why=lambda: f"{self.unapplied()} {self.worker.tail()}")


def until(condition: Callable[[], bool], *, within_s: float, why: Callable[[], str] = str) -> None:
    """Wait for something; say why not."""
    deadline_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline_s, why()
        time.sleep(0.05)

"""An API process killed with -9 between append and answer: the same question to another one has the same answer."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import orjson
import pytest

from connectors.codec import encode_fact
from connectors.embedded import MockKafka, RedisServer
from connectors.kafka import producer
from connectors.log_reader import log_end, read_log
from connectors.server_process import free_ports
from connectors.topology import Topics, partition_of
from streams.activate import prepare_logs
from streams.city.canonical import signed_up
from streams.city.world import signed_person
from streams.lane import Lane
from streams.ownership import LaneSettings
from tests.connectors.http.fakes import HOSPITAL, authorization

POLICY = Path(__file__).parents[2] / "config" / "policies" / "shaoyang"
PSN_NO = "43050000000000000001"
AMOUNT_FEN = 26_800
OPERATOR = {"authorization": "Bearer all"}
TOKENS = '[[tokens]]\nname = "operator"\nsecret = "all"\nroles = ["hospital", "bank", "authority", "audit", "person"]\n'


class Gate:
    """Holds the lane at one named place of its cycle until it is opened."""

    def __init__(self) -> None:
        self.place = ""
        self.reached, self.opened = Event(), Event()

    def __call__(self, place: str) -> None:
        if place == self.place:
            self.reached.set()
            self.opened.wait(60)


class Engine:
    """Logs with a policy, a person who may pay on credit, and a real lane in a thread."""

    def __init__(self, kafka: MockKafka, redis: RedisServer, topics: Topics) -> None:
        self.kafka, self.redis, self.topics = kafka, redis, topics
        self.gate = Gate()
        self.lag: dict[str, int] = {}
        self._stop = Event()
        group = f"{topics.prefix}lanes"
        prepare_logs(kafka.bootstrap, topics, POLICY, partitions=4, subjects_partitions=4, group=group)
        self._settings = LaneSettings(
            kafka=kafka.bootstrap, redis=redis.url, member="m0", prefix=topics.prefix, group=group
        )
        person = signed_person(PSN_NO, funding_mode="credit_line", bank_line_fen=300_000)
        sender = producer(kafka.bootstrap)
        for fact in signed_up(person, time.time_ns() // 1_000_000 - 60_000):
            sender.produce(topics.events, encode_fact(fact), PSN_NO, partition=partition_of(PSN_NO, 4))
        sender.flush(20)
        self._thread = Thread(target=self._run)

    def __enter__(self) -> "Engine":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self.gate.opened.set()
        self._thread.join(30)

    def _run(self) -> None:
        lane = Lane(self._settings, tell=self._hear, checkpoint=self.gate)
        while not self._stop.is_set():
            lane.turn()
        lane.run(lambda: False)

    def _hear(self, message: dict[str, Any]) -> None:
        if message["kind"] == "pulse":
            self.lag = {pulse["shard"]: pulse["lag"] for pulse in message["shards"]}

    def has_caught_up(self) -> bool:
        return len(self.lag) == 8 and not any(self.lag.values())

    def decisions(self) -> list[dict[str, Any]]:
        """Everything on the topic, what was sent twice included."""
        return self.told_on(self.topics.decisions)

    def told_on(self, topic: str) -> list[dict[str, Any]]:
        """Every record of a topic."""
        return [
            orjson.loads(value)
            for number in range(4)
            for batch in read_log(self.kafka.bootstrap, topic, number, log_end(self.kafka.bootstrap, topic, number))
            for _, _, value in batch
        ]


@contextmanager
def api(engine: Engine, folder: Path, tokens: str = TOKENS) -> Iterator[tuple[subprocess.Popen[bytes], httpx.Client]]:
    """`xinmai api` as a process of its own, ready."""
    (port,) = free_ports(1)
    (folder / "tokens.toml").write_text(tokens)
    told = {
        "XINMAI_KAFKA": engine.kafka.bootstrap,
        "XINMAI_REDIS": engine.redis.url,
        "XINMAI_PREFIX": engine.topics.prefix,
        "XINMAI_TOKENS": str(folder / "tokens.toml"),
        "XINMAI_LISTEN": f"127.0.0.1:{port}",
    }
    with (folder / f"api-{port}.log").open("wb") as log:
        command = [sys.executable, "-m", "streams.command_line", "api"]
        process = subprocess.Popen(command, env=os.environ | told, stdout=log, stderr=log)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=OPERATOR, timeout=30) as client:
            until(lambda: is_ready(client), folder / f"api-{port}.log")
            yield process, client
    finally:
        process.kill()
        process.wait()


def is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.HTTPError:
        return False


def until(condition, log: Path | None = None) -> None:
    deadline_s = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline_s, log.read_text()[-2000:] if log else ""
        time.sleep(0.02)


@pytest.mark.parametrize("place", ["after_read", "sent", "committed"])
def test_the_retry_at_another_api_process_is_answered_as_the_first_would_have_been(
    place: str, mock_kafka: MockKafka, redis_62: RedisServer, topics: Topics, tmp_path: Path
) -> None:
    #  request appended ── after_read ── decided, outputs sent ── committed ── [answer]
    #                          the API dies at one of these places, so nobody was answered
    body = authorization(psn_no=PSN_NO, amount_fen=AMOUNT_FEN, answer_within_ms=10_000)
    with Engine(mock_kafka, redis_62, topics) as engine, ThreadPoolExecutor(1) as caller:
        with api(engine, tmp_path) as (process, client):
            until(engine.has_caught_up)
            engine.gate.place = place
            first = caller.submit(client.post, "/v1/authorizations", json=body)
            assert engine.gate.reached.wait(20), first.done() and first.result().text
            process.kill()
            process.wait()
            with pytest.raises(httpx.TransportError):
                first.result(30)
        engine.gate.place = ""
        engine.gate.opened.set()

        with api(engine, tmp_path) as (_, client):
            answers = [client.post("/v1/authorizations", json=body).json() for _ in range(2)]
            for answer in answers:
                assert (answer["decision"], answer["state"], answer["replayed"]) == ("approve", "held", True)
                assert (answer["approved_fen"], answer["held_fen"]) == (AMOUNT_FEN, AMOUNT_FEN)
            kept = client.get("/v1/authorizations/A-1", params={"psn_no": PSN_NO, "fixmedins_code": HOSPITAL}).json()
            assert (kept["decision"], kept["held_fen"]) == ("approve", AMOUNT_FEN)
            query = {"psn_no": PSN_NO, "purpose": "supervision"}
            credit = client.post("/v1/credit-queries", json=query).json()
            held = {limit["service"]: limit["held_fen"] for limit in credit["limits"]}
            assert held == {"visit_first": AMOUNT_FEN, "deposit_free": 0}, json.dumps(credit)
        assert len([each for each in engine.decisions() if each["kind"] == "authorization"]) == 1

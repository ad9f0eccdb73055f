"""The API process whole: server, Redis and the in-process broker; the lane is a thread that approves."""

import asyncio
import json
import time
from collections.abc import Callable
from threading import Event, Thread
from typing import Any

import httpx
import orjson
import pytest
import uvloop
from confluent_kafka import TopicPartition
from redis import Redis

from connectors.codec import decode_fact
from connectors.embedded import MockKafka, RedisServer
from connectors.http.shedding import Limits
from connectors.http.tokens import parse_tokens
from connectors.kafka import consumer, create_topics
from connectors.log_reader import log_end, read_log
from connectors.store import PULSE_CHANNEL
from connectors.topology import Topics
from risk.facts import AuthorizationAbandoned, AuthorizationIncreaseRequested, AuthorizationRequested, Fact
from streams.api import ApiOptions, check_port, serve_api
from streams.settings import Settings
from streams.stop import Stop
from tests.connectors.http.fakes import APPROVED, TOKENS, authorization
from tests.pens import pen

OPERATOR = {"authorization": "Bearer all"}
ASKING = AuthorizationRequested | AuthorizationIncreaseRequested


class ApprovingLane:
    """Reads the log, answers on the channel it is told, and lives until `stop`; `silent` people get no answer.

    While `stalled` it says that it lives, and applies nothing.
    """

    def __init__(self, kafka: str, redis_url: str, topics: Topics) -> None:
        self.facts: list[Fact] = []
        self.stop = Event()
        self.stalled = Event()
        self._kafka, self._redis_url, self._topics = kafka, redis_url, topics
        self._thread = Thread(target=self._run, daemon=True)

    def __enter__(self) -> "ApprovingLane":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self._thread.join(10)

    def _run(self) -> None:
        reader = consumer(self._kafka, "lane", **{"auto.offset.reset": "earliest", "fetch.wait.max.ms": 5})
        reader.assign([TopicPartition(self._topics.events, partition, 0) for partition in range(4)])
        with Redis.from_url(self._redis_url) as redis:
            applied_ms = 0
            while not self.stop.is_set():
                if self.stalled.wait(0.0):
                    time.sleep(0.02)
                    self._pulse(redis, applied_ms, lag=1)
                    continue
                applied_ms = int(time.time() * 1000)
                for message in reader.consume(100, 0.01):
                    if message.error() is not None:
                        continue
                    fact = decode_fact(message.value() or b"")
                    self.facts.append(fact)
                    if isinstance(fact, ASKING) and not fact.psn_no.startswith("silent"):
                        answer = {"attempt": fact.attempt, "status": 200, "body": APPROVED}
                        redis.publish(fact.reply_to, orjson.dumps(answer))
                self._pulse(redis, applied_ms, lag=0)
        reader.close()

    def _pulse(self, redis: Any, record_ms: int, lag: int) -> None:
        at_ms = int(time.time() * 1000)
        for partition in range(4):
            pulse = {"shard": f"p{partition}", "offset": 0, "record_ms": record_ms, "at_ms": at_ms, "lag": lag}
            redis.publish(PULSE_CHANNEL, orjson.dumps(pulse))


def serve(
    kafka: MockKafka,
    redis: RedisServer,
    topics: Topics,
    scenario: Callable[..., Any],
    *,
    limits: Limits = Limits(),  # noqa: B008 a frozen tuple
) -> None:
    """Run the scenario against a served API and stop it."""
    create_topics(kafka.bootstrap, topics)
    settings = Settings(kafka=kafka.bootstrap, redis=redis.url, prefix=topics.prefix)

    async def run() -> None:
        stop, ready = asyncio.Event(), asyncio.get_running_loop().create_future()
        options = ApiOptions(tokens=parse_tokens(TOKENS), limits=limits)
        serving = asyncio.create_task(serve_api(settings, options, ready.set_result, stop))
        async with asyncio.timeout(180):
            await asyncio.wait((serving, ready), return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                serving.result()
            async with httpx.AsyncClient(base_url=ready.result(), headers=OPERATOR, timeout=20) as client:
                with ApprovingLane(kafka.bootstrap, redis.url, topics) as lane:
                    await until_ready(client)
                    await scenario(client, lane)
                    stop.set()
                    await serving

    uvloop.run(run())


async def until_ready(client: httpx.AsyncClient) -> None:
    while (await client.get("/readyz")).status_code != 200:
        await asyncio.sleep(0.02)


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


def test_checkout_over_http_kafka_and_redis(mock_kafka: MockKafka, redis_62: RedisServer, topics: Topics) -> None:
    async def scenario(client: httpx.AsyncClient, lane: ApprovingLane) -> None:
        answers = await asyncio.gather(
            *(
                client.post(
                    "/v1/authorizations",
                    json=authorization(authorization_id=f"A{n}", psn_no=f"p{n}", answer_within_ms=10_000),
                )
                for n in range(50)
            )
        )
        assert {answer.json()["decision"] for answer in answers} == {"approve"}
        late = await client.post("/v1/authorizations", json=authorization(psn_no="silent-1", answer_within_ms=50))
        assert late.json()["decision"] == "fallback"
        await until(lambda: any(isinstance(fact, AuthorizationAbandoned) for fact in lane.facts))
        assert len(lane.facts) == 52

    serve(mock_kafka, redis_62, topics, scenario)


def test_when_redis_dies_checkout_falls_back_in_time_and_recovers(
    mock_kafka: MockKafka, redis_62: RedisServer, topics: Topics
) -> None:
    async def scenario(client: httpx.AsyncClient, lane: ApprovingLane) -> None:
        redis_62.pause()
        answer = await client.post("/v1/authorizations", json=authorization(answer_within_ms=300))
        assert answer.json()["decision"] == "fallback"
        redis_62.resume()
        async with asyncio.timeout(60):
            while True:
                answer = await client.post("/v1/authorizations", json=authorization(authorization_id="A-2"))
                if answer.json()["decision"] == "approve":
                    break
                await asyncio.sleep(0.05)

    serve(mock_kafka, redis_62, topics, scenario)


async def warn_again_and_again(sender: Any, topic: str) -> None:
    """The reader of the topic starts with its first listener, and nobody says when it stands at the end."""
    while True:
        sender.produce(topic, b'{"alert_id":"al_1","rule_id":"P13"}', "p1", partition=2)
        sender.flush(5)
        await asyncio.sleep(0.2)


def test_facts_go_in_and_alerts_come_out(mock_kafka: MockKafka, redis_62: RedisServer, topics: Topics) -> None:
    line = {
        "event_id": "e1",
        "event_type": "insured.status_changed",
        "occurred_at": "2026-03-10T08:00:00+08:00",
        "psn_no": "p1",
        "status": "normal",
    }

    async def scenario(client: httpx.AsyncClient, lane: ApprovingLane) -> None:
        posted = await client.post("/v1/events", content=json.dumps(line) + "\nnonsense\n")
        assert [result["result"] for result in posted.json()["results"]] == ["accepted", "refused"]
        await until(lambda: any(fact.event_id == "e1" and fact.source == "operator" for fact in lane.facts))
        async with client.stream("GET", "/v1/alerts/stream") as stream:
            lines = stream.aiter_lines()
            assert await anext(lines) == "retry: 2000"
            sender = pen(mock_kafka.bootstrap)
            while (await anext(lines)) != "":
                pass
            warning = asyncio.create_task(warn_again_and_again(sender, topics.alerts))
            async for text in lines:
                if text.startswith("data: "):
                    assert json.loads(text[6:])["alert_id"] == "al_1"
                    break
            warning.cancel()

    serve(mock_kafka, redis_62, topics, scenario)


def test_over_http_a_listener_resumes_where_it_was_cut_off(
    mock_kafka: MockKafka, redis_62: RedisServer, topics: Topics
) -> None:
    async def read(client: httpx.AsyncClient, count: int, after: str | None) -> tuple[list[int], str]:
        numbers: list[int] = []
        at = ""
        headers = {} if after is None else {"last-event-id": after}
        async with client.stream("GET", "/v1/alerts/stream", params={"recent": 100}, headers=headers) as stream:
            async for line in stream.aiter_lines():
                if line.startswith("id: "):
                    at = line[4:]
                elif line.startswith("data: "):
                    numbers.append(json.loads(line[6:])["n"])
                    if len(numbers) == count:
                        break
        return numbers, at

    async def scenario(client: httpx.AsyncClient, lane: ApprovingLane) -> None:
        sender = pen(mock_kafka.bootstrap)
        for number in range(40):
            sender.produce(topics.alerts, b'{"n":%d}' % number, partition=number % 4)
        sender.flush(10)
        first, at = await read(client, 15, None)
        more, at = await read(client, 15, at)
        sender.produce(topics.alerts, b'{"n":40}', partition=1)
        sender.flush(10)
        rest, _ = await read(client, 11, at)
        assert sorted(first + more + rest) == list(range(41))
        later, _ = await read(client, 1, f"{at},77:5")  # a partition that the topic does not have
        assert later[0] in rest

    serve(mock_kafka, redis_62, topics, scenario)


def test_a_credit_query_that_the_log_does_not_take_is_not_answered(
    redis_62: RedisServer, topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.http.reads.DURABLE_WITHIN_S", 1.0)
    monkeypatch.setattr("streams.api.STOP_WITHIN_S", 1.0)
    query = {"psn_no": "p1", "purpose": "supervision"}
    with MockKafka() as kafka:

        async def scenario(client: httpx.AsyncClient, lane: ApprovingLane) -> None:
            recorded = await client.post("/v1/credit-queries", json=query)
            assert recorded.json()["code"] == "STATE_AWAY"  # nobody's state is here, but who asked is in the log
            asked = [
                json.loads(value)["asked_by"]
                for number in range(4)
                for batch in read_log(
                    kafka.bootstrap, topics.queries, number, log_end(kafka.bootstrap, topics.queries, number)
                )
                for _, _, value in batch
            ]
            assert asked == ["operator"]
            await asyncio.to_thread(kafka.stop)
            refused = await client.post("/v1/credit-queries", json=query)
            assert (refused.status_code, refused.json()["code"]) == (503, "LOG_AWAY")
            assert int(refused.headers["retry-after"]) >= 1

        serve(kafka, redis_62, topics, scenario)


def test_a_port_in_use_is_told_in_one_line() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(Stop, match="cannot listen"):
        check_port("127.0.0.1", taken.getsockname()[1])

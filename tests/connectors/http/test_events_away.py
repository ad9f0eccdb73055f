"""Facts while Kafka is away: everybody is refused in time, and no bodies pile up meanwhile."""

import asyncio
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event
from typing import Any

import httpx
import pytest

from connectors.amounts import AmountProfiles
from connectors.append import Pen
from connectors.http import events
from connectors.intake import Edge, Intake
from connectors.pseudonym import Pseudonyms
from connectors.topology import Topics
from tests.connectors.http.fakes import Api

EDGE = Edge(Topics(), 4, Pseudonyms(None), AmountProfiles(), lambda: 1_773_100_800_000)


class Silent:
    """A producer whose Kafka is away: it takes everything and acknowledges nothing, until `back` is set."""

    def __init__(self) -> None:
        self.back = Event()
        self.waiting: list[Any] = []

    def produce(self, topic: str, value: bytes, key: str, partition: int = -1, *, on_delivery: Any) -> None:
        self.waiting.append(on_delivery)

    def poll(self, timeout: float) -> int:
        time.sleep(timeout)
        while self.back.is_set() and self.waiting:
            self.waiting.pop()(None, Acknowledged())
        return 0

    def purge(self) -> None: ...

    def flush(self, timeout: float) -> int:
        return 0


class Acknowledged:
    """Where a record is."""

    def topic(self) -> str:
        return "events"

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return 0


def api_on(producer: Silent, ack_within_s: float) -> Api:
    """An API whose facts go to this producer, over two threads."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2))

    class OnKafka(Api):
        make_intake = partial(Intake, Pen(lambda: producer), EDGE, ack_within_s=ack_within_s)

    return OnKafka()


def test_whoever_waits_for_a_thread_is_refused_in_the_same_time() -> None:
    async def scenario() -> None:
        api = api_on(Silent(), ack_within_s=0.5)
        begun_s = time.monotonic()
        answers = await asyncio.gather(*(api.call("POST", "/v1/events", b"{}") for _ in range(20)))
        assert {answer.status_code for answer in answers} == {503}
        assert time.monotonic() - begun_s < 2.0  # twenty on two threads, one after the other: 5 s

    asyncio.run(scenario())


async def body_of(api: Api, size: int) -> tuple[httpx.Response, bool]:
    """The answer to a body of this size, and whether it was read."""
    read = []

    async def body() -> AsyncIterator[bytes]:
        read.append(True)
        yield b"\n" * size

    headers = {"authorization": "Bearer hospital", "content-length": str(size)}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(api.app), base_url="http://api") as client:  # type: ignore[arg-type]
        return await client.post("/v1/events", content=body(), headers=headers), bool(read)


def test_while_kafka_is_away_one_call_asks_for_it_and_the_others_bodies_are_not_read() -> None:
    async def scenario() -> None:
        producer = Silent()
        api = api_on(producer, ack_within_s=0.5)
        assert (await api.call("POST", "/v1/events", b"{}")).status_code == 503
        asking = asyncio.create_task(api.call("POST", "/v1/events", b"{}"))
        await asyncio.sleep(0.1)
        refused, was_read = await body_of(api, 1_000)
        assert (refused.status_code, refused.json()["code"], was_read) == (503, "LOG_AWAY", False)
        producer.back.set()
        assert (await asking).status_code == 200
        answers = await asyncio.gather(*(api.call("POST", "/v1/events", b"{}") for _ in range(4)))
        assert {answer.status_code for answer in answers} == {200}

    asyncio.run(scenario())


def test_bodies_under_way_are_bounded_and_one_too_many_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "BYTES_MAX", 2_000)

    async def scenario() -> None:
        producer = Silent()
        api = api_on(producer, ack_within_s=20.0)
        waiting = asyncio.create_task(api.call("POST", "/v1/events", b"{}" + b"\n" * 1_500))
        await asyncio.sleep(0.1)
        refused, was_read = await body_of(api, 600)
        assert (refused.status_code, refused.json()["code"], was_read) == (503, "OVERLOADED", False)
        assert refused.headers["retry-after"] == "2"
        producer.back.set()
        assert (await waiting).status_code == 200
        taken, was_read = await body_of(api, 600)
        assert (taken.status_code, was_read) == (200, True)

    asyncio.run(scenario())

"""A producer that never connects, though its broker is there, is followed by one that does; so is a finished one."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from connectors.append import Pen, ProducerFinished, Record
from connectors.embedded import MockKafka
from connectors.errors import ConnectorError
from connectors.http.log import KafkaLog, LogFull
from connectors.kafka import producer
from connectors.topology import Topics

NOWHERE = "127.0.0.1:1"
WITHIN_S = 4.0  # a first connection takes some tenths


@pytest.fixture
def connected(mock_kafka: MockKafka, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Producer]]:
    """The producers made so far by `connect`: the first is one that finds no broker."""
    for place in ("connectors.append", "connectors.http.log"):
        monkeypatch.setattr(f"{place}.GIVEN_UP_AFTER_S", WITHIN_S)
    made: list[Producer] = []
    yield made
    for each in made:
        each.purge()


def connect(made: list[Producer], bootstrap: str) -> Producer:
    made.append(producer(bootstrap if made else NOWHERE))
    return made[-1]


def test_a_pen_writes_the_same_records_by_a_new_producer(connected, mock_kafka: MockKafka, topics: Topics):
    delivered: list[tuple[str, int, int]] = []
    pen = Pen(lambda: connect(connected, mock_kafka.bootstrap))
    pen.append(
        [Record(topics.events, "a", b"1", 0), Record(topics.events, "a", b"2", 0)],
        delivered=lambda *to: delivered.append(to),
    )
    assert len(connected) == 2
    assert [partition for _, partition, _ in delivered] == [0, 0]
    assert len(connected[0]) == 0, "nothing of the old one may arrive behind what the new one wrote"


def test_whoever_waits_for_less_is_told_and_the_next_call_after_the_long_silence_is_served(
    connected, mock_kafka: MockKafka, topics: Topics
):
    pen = Pen(lambda: connect(connected, mock_kafka.bootstrap))
    record = Record(topics.events, "a", b"1", 0)
    for _ in range(3):  # a third of the silence each
        with pytest.raises(ConnectorError) as told:
            pen.append([record], timeout_s=WITHIN_S / 3)
        assert told.value.retryable
    pen.append([record], timeout_s=10)
    assert len(connected) == 2


class _Fenced:
    """A producer that meets a fatal error, as confluent_kafka tells it: poll() raises it, then produce() does."""

    def __init__(self) -> None:
        self._waiting: list[Any] = []
        self._is_finished = False

    def produce(self, topic: str, value: bytes, key: str, partition: int = -1, *, on_delivery: Any) -> None:
        if self._is_finished:
            raise KafkaException(KafkaError(KafkaError._FATAL, "fenced"))
        self._waiting.append(on_delivery)

    def poll(self, timeout: float) -> int:
        if self._is_finished:
            return 0
        self._is_finished = True
        raise KafkaException(KafkaError(KafkaError._FATAL, "fenced"))

    def purge(self) -> None:
        for told in self._waiting:
            told(KafkaError(KafkaError._PURGE_QUEUE), None)

    def flush(self, timeout: float) -> int:
        return 0


def test_a_finished_producer_is_followed_by_another(mock_kafka: MockKafka, topics: Topics):
    producers: list[Any] = [producer(mock_kafka.bootstrap), _Fenced()]
    pen = Pen(producers.pop)
    record = Record(topics.events, "a", b"1", 0)
    with pytest.raises(ProducerFinished):
        pen.append([record], timeout_s=10)
    pen.append([record], timeout_s=10)


def test_without_a_limit_what_a_finished_producer_held_is_written_by_the_next(mock_kafka: MockKafka, topics: Topics):
    producers: list[Any] = [producer(mock_kafka.bootstrap), _Fenced()]
    delivered: list[tuple[str, int, int]] = []
    Pen(producers.pop).append([Record(topics.events, "a", b"1", 0)], delivered=lambda *to: delivered.append(to))
    assert len(delivered) == 1


@pytest.mark.parametrize("is_known", [False, True], ids=["told while polling", "told while appending"])
def test_the_api_goes_on_after_a_fatal_error(mock_kafka: MockKafka, topics: Topics, is_known: bool):
    fenced = _Fenced()
    producers: list[Any] = [producer(mock_kafka.bootstrap), fenced]
    told: list[str] = []

    async def scenario() -> None:
        log = KafkaLog(producers.pop, told.append)
        if is_known:
            fenced._is_finished = True
        with pytest.raises(LogFull if is_known else KafkaException):
            await asyncio.wait_for(log.append_durably(topics.events, 0, "a", b"1"), 10)
        await asyncio.sleep(0)  # it is renewed after the report, not within it
        assert await asyncio.wait_for(log.append_durably(topics.events, 0, "a", b"2"), 10) >= 0
        assert log.close(5) == 0

    asyncio.run(scenario())
    assert len(told) == 1
    assert "fenced" in told[0]


def test_the_api_appends_by_a_new_producer_and_tells_whoever_waited_on_the_old_one(
    connected, mock_kafka: MockKafka, topics: Topics
):
    told: list[str] = []

    async def scenario() -> None:
        log = KafkaLog(lambda: connect(connected, mock_kafka.bootstrap), told.append)
        with pytest.raises(KafkaException):
            await asyncio.wait_for(log.append_durably(topics.events, 0, "a", b"1"), 10)
        assert not log.is_stuck()
        assert await asyncio.wait_for(log.append_durably(topics.events, 0, "a", b"2"), 10) >= 0
        assert log.close(5) == 0

    asyncio.run(scenario())
    assert len(connected) == 2
    assert told == ["nothing was acknowledged for 4 s: 1 records are given up"]

"""The alert stream on a real broker: nothing twice, nothing missed, wherever a listener resumes."""

import asyncio
import json
from collections.abc import AsyncGenerator

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from connectors.embedded import MockKafka, RealKafka
from connectors.http import alert_feed
from connectors.http.alert_feed import AlertFeed, Positions, Published, format_positions, parse_positions
from connectors.http.problem import Problem
from connectors.kafka import consumer, create_topics, producer
from connectors.topology import Topics

Followed = AsyncGenerator[tuple[Positions, Published | None], None]


def publish(to: Producer, topic: str, numbers: range) -> None:
    for number in numbers:
        to.produce(topic, json.dumps({"n": number}).encode(), str(number), partition=number % 4)
    to.flush(10)


def feed_of(kafka: MockKafka, topic: str) -> AlertFeed:
    return AlertFeed(lambda: consumer(kafka.bootstrap, "feed", **{"auto.offset.reset": "earliest"}), topic)


async def read(followed: Followed, count: int) -> tuple[list[int], Positions]:
    numbers: list[int] = []
    at: Positions = {}
    async with asyncio.timeout(60):
        async for at, published in followed:  # noqa: B007 the last one is what a listener remembers
            if published is not None:
                numbers.append(published.body["n"])
            if len(numbers) == count:
                break
    return numbers, at


def test_a_listener_hears_what_comes_and_another_resumes_where_it_stopped(
    mock_kafka: MockKafka, topics: Topics
) -> None:
    async def scenario() -> None:
        sender = producer(mock_kafka.bootstrap)
        publish(sender, topics.alerts, range(20))
        feed = feed_of(mock_kafka, topics.alerts)
        first = feed.follow(None, 5, 0.05)
        recent, _ = await read(first, 5)
        assert len(recent) == 5
        publish(sender, topics.alerts, range(20, 30))
        news, at = await read(first, 4)
        assert set(news) <= set(range(20, 30))
        rest, _ = await read(feed.follow(parse_positions(format_positions(at)), 0, 0.05), 6)
        assert sorted(news + rest) == list(range(20, 30))
        feed.stop()
        await asyncio.to_thread(feed.join, 10)

    asyncio.run(scenario())


def test_a_listener_from_the_beginning_reads_from_kafka_what_is_no_longer_kept(
    mock_kafka: MockKafka, topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alert_feed, "RECENT_PER_PARTITION", 3)

    async def scenario() -> None:
        sender = producer(mock_kafka.bootstrap)
        publish(sender, topics.alerts, range(100))
        feed = feed_of(mock_kafka, topics.alerts)
        numbers, _ = await read(feed.follow({}, 0, 0.05), 100)
        assert sorted(numbers) == list(range(100))
        feed.stop()
        await asyncio.to_thread(feed.join, 10)

    asyncio.run(scenario())


@pytest.mark.kafka
def test_a_listener_resumes_behind_what_expired_while_it_was_away(real_kafka: RealKafka, topics: Topics) -> None:
    def expire(partition: int, before: int) -> None:
        admin = AdminClient({"bootstrap.servers": real_kafka.bootstrap})
        for done in admin.delete_records([TopicPartition(topics.alerts, partition, before)]).values():
            done.result()

    async def scenario() -> None:
        create_topics(real_kafka.bootstrap, topics)
        sender = producer(real_kafka.bootstrap)
        publish(sender, topics.alerts, range(40))
        expire(0, 10)  # a quiet partition, wholly
        expire(1, 7)
        feed = feed_of(real_kafka, topics.alerts)
        followed = feed.follow({0: 2, 1: 2, 2: 9, 3: 9}, 0, 0.05)
        kept, _ = await read(followed, 3)
        assert kept == [29, 33, 37]
        publish(sender, topics.alerts, range(40, 44))
        assert sorted((await read(followed, 4))[0]) == [40, 41, 42, 43]
        feed.stop()
        await asyncio.to_thread(feed.join, 10)

    asyncio.run(scenario())


class Silent:
    """A consumer to which nothing comes: what it was assigned to expires just then."""

    def __init__(self) -> None:
        self._lows = iter([0, 10])

    def get_watermark_offsets(self, _place: TopicPartition, _within_s: float) -> tuple[int, int]:
        return next(self._lows), 10

    def assign(self, places: list[TopicPartition]) -> None: ...

    def consume(self, _count: int, _within_s: float) -> list[object]:
        return []

    def position(self, places: list[TopicPartition]) -> list[TopicPartition]:
        return places

    def close(self) -> None: ...


def test_what_expires_while_it_is_read_keeps_nobody_and_a_listener_that_waits_for_it_gets_a_beat() -> None:
    async def scenario() -> None:
        older = AlertFeed(Silent, "alerts")._older({0: 2}, {0: 10})  # type: ignore[arg-type]  # what is used of one
        assert [published async for published in older] == [None]

    asyncio.run(scenario())


def test_a_quiet_line_says_where_it_stands(mock_kafka: MockKafka, topics: Topics) -> None:
    async def scenario() -> None:
        publish(producer(mock_kafka.bootstrap), topics.alerts, range(8))
        feed = feed_of(mock_kafka, topics.alerts)
        async with asyncio.timeout(60):
            async for at, published in feed.follow(None, 0, 0.01):
                assert published is None
                assert at == {0: 1, 1: 1, 2: 1, 3: 1}
                break
        feed.stop()
        await asyncio.to_thread(feed.join, 10)

    asyncio.run(scenario())


def test_a_position_that_is_none_is_refused() -> None:
    with pytest.raises(Problem):
        parse_positions("yesterday")

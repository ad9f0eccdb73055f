"""Alerts as they are published: one reader of `alerts.v1` for all listeners of this process, and where they resume."""

import asyncio
import re
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import suppress
from itertools import islice
from typing import Any, NamedTuple

import orjson
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from connectors.http.problem import Problem

KEPT = 10_000
RECENT_PER_PARTITION = 500
BATCH = 200
WAIT_S = 0.2
PATIENCE_S = 10.0

_POSITIONS = re.compile(r"[0-9]{1,5}:(-1|[0-9]{1,18})(,[0-9]{1,5}:(-1|[0-9]{1,18}))*\Z")

Positions = dict[int, int]
"""Per partition, the offset read last."""


class Published(NamedTuple):
    """One alert and where it stands."""

    partition: int
    offset: int
    body: Mapping[str, Any]


def parse_positions(text: str) -> Positions:
    """`0:15,1:3`, the id of an event; several partitions need several numbers to resume exactly."""
    if not _POSITIONS.match(text):
        raise Problem("FIELD_INVALID", "Last-Event-ID", why="expected partition:offset, comma-separated")
    return {int(part): int(offset) for part, _, offset in (pair.partition(":") for pair in text.split(","))}


def format_positions(positions: Positions) -> str:
    """The id of an event."""
    return ",".join(f"{partition}:{offset}" for partition, offset in sorted(positions.items()))


class AlertFeed:
    """The newest alerts in memory, older ones from Kafka. It starts reading when somebody first listens."""

    def __init__(self, connect: Callable[[], Consumer], topic: str, listeners_max: int = 200) -> None:
        self._connect = connect
        self._topic = topic
        self._listeners_max = listeners_max
        self._listeners = 0
        self._kept: deque[tuple[int, Published]] = deque(maxlen=KEPT)
        self._number = 0
        self._begin: Positions = {}
        self._end: Positions = {}
        self._news = asyncio.Event()
        self._stop = threading.Event()
        self._started: asyncio.Future[None] | None = None
        self._thread: threading.Thread | None = None

    async def follow(
        self, after: Positions | None, recent: int, beat_s: float
    ) -> AsyncGenerator[tuple[Positions, Published | None], None]:
        """Every alert after `after`, or the `recent` newest and what comes; None when `beat_s` passed without one."""
        if self._listeners >= self._listeners_max:
            raise Problem("OVERLOADED", retry_after_s=5)
        self._listeners += 1
        try:
            await self._ready()
            at = self._before_newest(recent) if after is None else self._known(after)
            seen = 0
            while not self._stop.is_set():
                begin = dict(self._begin)
                if any(at.get(partition, -1) + 1 < first for partition, first in begin.items()):
                    async for older in self._older(at, begin):
                        if older is not None:
                            at[older.partition] = older.offset
                        yield dict(at), older
                    at |= {partition: max(at.get(partition, -1), first - 1) for partition, first in begin.items()}
                    continue  # while we read, what is kept may have moved on
                newer = self._kept_after(seen)
                for number, published in newer:
                    seen = number
                    if published.offset > at.get(published.partition, -1):
                        at[published.partition] = published.offset
                        yield dict(at), published
                if not newer and not await self._wait(beat_s):
                    yield dict(at), None
        finally:
            self._listeners -= 1

    def stop(self) -> None:
        """End every listener, and the reader at its next breath."""
        self._stop.set()
        self._news.set()

    def join(self, within_s: float) -> None:
        """Wait until the reader has let go of Kafka."""
        if self._thread is not None:
            self._thread.join(within_s)

    def _before_newest(self, recent: int) -> Positions:
        """Where a listener stands who wants the `recent` newest and what follows."""
        at = dict(self._end)
        for _, published in self._kept_after(self._number - recent):
            at[published.partition] = min(published.offset - 1, at[published.partition])
        return at

    def _known(self, after: Positions) -> Positions:
        """`after` where it stands on the topic as it is: a log that lost its tail must not silence a listener."""
        return {
            partition: min(offset, self._end[partition])
            for partition, offset in after.items()
            if partition in self._end
        }

    def _kept_after(self, seen: int) -> list[tuple[int, Published]]:
        """What is kept and was numbered after `seen`; numbers have no gaps."""
        first = self._kept[0][0] if self._kept else 0
        return list(islice(self._kept, max(0, seen + 1 - first), None))

    async def _wait(self, beat_s: float) -> bool:
        self._news.clear()
        try:
            await asyncio.wait_for(self._news.wait(), beat_s)
        except TimeoutError:
            return False
        return True

    async def _ready(self) -> None:
        """Start the reader once; wait until it knows where it began."""
        loop = asyncio.get_running_loop()
        if self._started is None or (self._started.done() and self._started.exception()):
            self._started = loop.create_future()
            self._thread = threading.Thread(target=self._read, args=(loop,), name="alert-feed", daemon=True)
            self._thread.start()
        try:
            await asyncio.wait_for(asyncio.shield(self._started), PATIENCE_S)
        except (TimeoutError, KafkaException):
            raise Problem("STATE_AWAY", retry_after_s=5) from None

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        """The reader's thread."""
        consumer = self._connect()
        try:
            watermarks = {
                partition: consumer.get_watermark_offsets(TopicPartition(self._topic, partition), PATIENCE_S)
                for partition in consumer.list_topics(self._topic, PATIENCE_S).topics[self._topic].partitions
            }
            begin = {partition: max(low, high - RECENT_PER_PARTITION) for partition, (low, high) in watermarks.items()}
            consumer.assign([TopicPartition(self._topic, partition, offset) for partition, offset in begin.items()])
            loop.call_soon_threadsafe(self._begun, begin)
            ends = {partition: high for partition, (_, high) in watermarks.items() if high > begin[partition]}
            is_caught_up = False
            while not self._stop.is_set():
                if not is_caught_up and not (ends := _unread(consumer, self._topic, ends)):
                    is_caught_up = True
                    loop.call_soon_threadsafe(self._caught_up)
                if published := _published(consumer.consume(BATCH, WAIT_S)):
                    loop.call_soon_threadsafe(self._arrived, published)
        except KafkaException as error:
            loop.call_soon_threadsafe(self._failed, error)
        finally:
            consumer.close()

    def _begun(self, begin: Positions) -> None:
        self._begin = begin
        self._end = {partition: first - 1 for partition, first in begin.items()}
        self._kept.clear()

    def _caught_up(self) -> None:
        assert self._started is not None
        if not self._started.done():
            self._started.set_result(None)

    def _failed(self, error: Exception) -> None:
        assert self._started is not None
        if not self._started.done():
            self._started.set_exception(error)

    def _arrived(self, batch: list[Published]) -> None:
        for published in batch:
            self._number += 1
            if len(self._kept) == KEPT:
                _, oldest = self._kept[0]
                self._begin[oldest.partition] = oldest.offset + 1
            self._kept.append((self._number, published))
            self._end[published.partition] = max(published.offset, self._end.get(published.partition, -1))
        self._news.set()

    async def _older(self, after: Positions, before: Positions) -> AsyncGenerator[Published | None, None]:
        """What lies between `after` and the beginning of what is kept, read from Kafka by a reader of its own; None
        where nothing came for a moment.
        """
        missing = {p: (after.get(p, -1) + 1, before[p]) for p in before if after.get(p, -1) + 1 < before[p]}
        if not missing:
            return
        consumer = self._connect()
        try:
            missing = await asyncio.to_thread(_unexpired, consumer, self._topic, missing)
            consumer.assign([TopicPartition(self._topic, p, first) for p, (first, _) in missing.items()])
            while missing and not self._stop.is_set():
                messages = await asyncio.to_thread(consumer.consume, BATCH, WAIT_S)
                for published in _published(messages):
                    if published.partition in missing and published.offset < before[published.partition]:
                        yield published
                ends = _unread(consumer, self._topic, {p: end for p, (_, end) in missing.items()})
                missing = {p: bounds for p, bounds in missing.items() if p in ends}
                if missing and not messages:
                    yield None  # whoever hung up is noticed only when something is sent
                    missing = await asyncio.to_thread(_unexpired, consumer, self._topic, missing)
        except KafkaException:
            raise Problem("STATE_AWAY", retry_after_s=5) from None
        finally:
            consumer.close()


def _unexpired(consumer: Consumer, topic: str, spans: dict[int, tuple[int, int]]) -> dict[int, tuple[int, int]]:
    """What Kafka still has of `spans`, (first, end) by partition; it never comes to the end of one that it has not."""
    lows = {p: consumer.get_watermark_offsets(TopicPartition(topic, p), PATIENCE_S)[0] for p in spans}
    return {p: (max(first, lows[p]), end) for p, (first, end) in spans.items() if lows[p] < end}


def _unread(consumer: Consumer, topic: str, ends: Positions) -> Positions:
    """Those of `ends` that the consumer has not reached."""
    asked = consumer.position([TopicPartition(topic, partition) for partition in ends])
    return {at.partition: ends[at.partition] for at in asked if at.offset < ends[at.partition]}


def _published(messages: list[Message]) -> list[Published]:
    """The readable alerts among `messages`."""
    published = []
    for message in messages:
        value, partition, offset = message.value(), message.partition(), message.offset()
        if message.error() is not None or not value or partition is None or offset is None:
            continue
        with suppress(orjson.JSONDecodeError):  # whatever else lies on the topic is no alert
            published.append(Published(partition, offset, orjson.loads(value)))
    return published

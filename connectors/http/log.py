"""The API's pen: it appends to the log and knows when the log stopped accepting. It holds no state of any person."""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from connectors.append import GIVEN_UP_AFTER_S, LET_GO, let_go

POLL_EVERY_S = 0.005
STUCK_AFTER_S = 1.0


class LogFull(Exception):
    """The producer's queue is full: nothing was appended."""


class Log(Protocol):
    """What the calls need of Kafka."""

    def append(self, topic: str, partition: int, key: str, value: bytes) -> None:
        """Append, in order, without waiting. Raises LogFull."""

    async def append_durably(self, topic: str, partition: int, key: str, value: bytes) -> int:
        """Append and wait for the acknowledgement; the offset. Raises LogFull, KafkaException."""

    def is_stuck(self) -> bool:
        """Whether Kafka has acknowledged nothing for a while although something waits."""


class KafkaLog:
    """A Log on one idempotent producer, its reports polled by the event loop itself: no thread wakes per record.

    Where nothing is acknowledged for two minutes a new producer goes on: one was once seen to sit without a connection
    to a broker that was there. What the old one held is given up, as if this process had ended: nobody waits for it any
    more, whoever did was answered `fallback` or 503, and a hold of it ends by release or expiry.
    """

    def __init__(self, connect: Callable[[], Producer], report: Callable[[str], None]) -> None:
        self._connect = connect
        self._report = report
        self._producer = connect()
        self._loop = asyncio.get_running_loop()
        self._unacknowledged = 0
        self._progress_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def append(self, topic: str, partition: int, key: str, value: bytes) -> None:
        self._produce(topic, partition, key, value, delivered=self._delivered)

    async def append_durably(self, topic: str, partition: int, key: str, value: bytes) -> int:
        future: asyncio.Future[int] = self._loop.create_future()

        def delivered(error: KafkaError | None, message: Message) -> None:
            self._delivered(error, message)
            if future.done():
                return
            if error is None:
                future.set_result(int(message.offset() or 0))
            else:
                future.set_exception(KafkaException(error))

        self._produce(topic, partition, key, value, delivered=delivered)
        return await future

    def is_stuck(self) -> bool:
        return self._unacknowledged > 0 and self._loop.time() - self._progress_s > STUCK_AFTER_S

    def close(self, wait_s: float) -> int:
        """Deliver what waits; how many records could not be."""
        if self._timer is not None:
            self._timer.cancel()
        return int(self._producer.flush(wait_s))

    def _produce(self, topic: str, partition: int, key: str, value: bytes, *, delivered: Callable[..., Any]) -> None:
        try:
            self._producer.produce(topic, value, key, partition, on_delivery=delivered)
        except BufferError as error:
            raise LogFull from error
        except KafkaException as error:  # how a producer answers after a fatal error; not renewed within its own report
            self._loop.call_soon(self._renew_if, self._producer, str(error))
            raise LogFull from error
        if self._unacknowledged == 0:
            self._progress_s = self._loop.time()
        self._unacknowledged += 1
        if self._timer is None:
            self._timer = self._loop.call_later(POLL_EVERY_S, self._poll)

    def _poll(self) -> None:
        try:
            self._producer.poll(0)
            if self._unacknowledged > 0 and self._loop.time() - self._progress_s > GIVEN_UP_AFTER_S:
                self._renew_if(self._producer, f"nothing was acknowledged for {GIVEN_UP_AFTER_S:.0f} s")
        except KafkaException as error:  # a fatal error is raised here, once
            self._renew_if(self._producer, str(error))
        finally:
            again = self._unacknowledged > 0
            self._timer = self._loop.call_later(POLL_EVERY_S, self._poll) if again else None

    def _renew_if(self, finished: Producer, why: str) -> None:
        """A new producer for this one, unless there is one already."""
        if finished is not self._producer:
            return
        given_up = self._unacknowledged
        self._producer, self._unacknowledged = self._connect(), 0
        let_go(finished)
        self._report(f"{why}: {given_up} records are given up")

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        self._unacknowledged = max(0, self._unacknowledged - 1)
        self._progress_s = self._loop.time()
        if error is None or error.code() in LET_GO:
            return
        self._report(f"a record for {message.topic()} was not accepted: {error}")

"""The raw national topic into the log: a thread of every worker that reads, judges, appends, and only then commits.

What is read twice, because a worker died between append and commit, has the same event ids: lanes count duplicates.
Kafka spreads the topic's partitions over the workers.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from mode import Service

from connectors.append import Pen, Record
from connectors.errors import ConnectorError
from connectors.intake import Intake, Sender, read_lines, split_lines
from connectors.kafka import consumer, producer
from streams.edges import open_edge
from streams.pacing import Pacer

if TYPE_CHECKING:
    from streams.settings import Settings

CHUNK_RECORDS = 250
READ_WAIT_S = 0.2
AGAIN_AFTER_S = 1.0
AGAIN_AFTER_A_BUG_S = 10.0
STOP_WITHIN_S = 5.0
SOURCE = "national"
_log = logging.getLogger(__name__)


class NationalIntake(Service):
    """The thread as a service of the worker. What it cannot get past is paged and tried again: nothing is skipped."""

    def __init__(self, settings: "Settings", page: Callable[[str], None], **options: Any) -> None:
        super().__init__(**options)
        self._settings = settings
        self._page = page
        self._ended = Event()
        self._thread: Thread | None = None

    async def on_start(self) -> None:
        loop = asyncio.get_running_loop()

        def page(text: str) -> None:
            loop.call_soon_threadsafe(self._page, text)

        self._thread = Thread(
            target=run_national, args=(self._settings, self._ended), kwargs={"page": page}, name="national", daemon=True
        )
        self._thread.start()

    async def on_stop(self) -> None:
        self._ended.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, STOP_WITHIN_S)


def run_national(settings: "Settings", ended: Event, *, page: Callable[[str], None] = lambda text: None) -> None:
    """Read until `ended`. Kafka away: again after a second. A bug: a person is called, and nothing is passed over."""
    told = ""
    while not ended.is_set():
        try:
            _read_national(settings, ended)
        except (ConnectorError, KafkaException) as error:
            _log.warning("national intake waits: %s", error)
            ended.wait(AGAIN_AFTER_S)
        except Exception as error:
            _log.exception("national intake stands")
            if told != repr(error):
                told = repr(error)
                page(f"the intake of {settings.topics.national} stands: {told}")
            ended.wait(AGAIN_AFTER_A_BUG_S)


def _read_national(settings: "Settings", ended: Event) -> None:
    with Pacer(settings.redis, settings.topics.events) as pacer:
        intake = Intake(
            Pen(lambda: producer(settings.kafka)), open_edge(settings), lag=pacer.lag, delivered=pacer.backlog.delivered
        )
        reader = consumer(settings.kafka, f"{settings.prefix}national", **{"auto.offset.reset": "earliest"})
        reader.subscribe([settings.topics.national])
        try:
            while not ended.is_set():
                _turn(intake, reader)
        finally:
            reader.close()


def _turn(intake: Intake, reader: Consumer) -> None:
    """Take what is there; or, while the lanes are behind, stay a member of the group without asking for more."""
    if intake.has_room():
        take_national(intake, reader.consume(CHUNK_RECORDS, timeout=READ_WAIT_S), reader)
        return
    held = reader.assignment()
    reader.pause(held)
    # A partition given to us in this very call is not paused yet: what it brings is taken like the rest.
    take_national(intake, reader.consume(CHUNK_RECORDS, timeout=0.05), reader)
    reader.resume(held)


def take_national(intake: Intake, messages: Sequence[Message], reader: Consumer) -> None:
    """Append what `messages` say, and commit their offsets once all of it is acknowledged."""
    records: list[Record] = []
    ends: dict[tuple[str, int], int] = {}
    for message in messages:
        if not _is_record(message):
            continue
        topic, partition, offset = str(message.topic()), int(message.partition() or 0), int(message.offset() or 0)
        lines = split_lines(message.value() or b"")
        origin = f"kafka:{topic}/{partition}@{offset}"
        records += read_lines(intake.edge, lines, Sender(SOURCE), form="national", origin=origin).records
        ends[topic, partition] = offset + 1
    if ends:
        intake.append(records)
        offsets = [TopicPartition(topic, partition, end) for (topic, partition), end in ends.items()]
        reader.commit(offsets=offsets, asynchronous=False)


def _is_record(message: Message) -> bool:
    error = message.error()
    if error is None:
        return True
    if error.code() == KafkaError._PARTITION_EOF:
        return False
    raise ConnectorError("kafka", str(error), retryable=bool(error.retriable()))

"""Raw national messages from their topic to the log: nothing lost, whatever dies, and what comes twice has one id."""

import json
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import Any

import pytest

from connectors.append import Pen, Record
from connectors.codec import decode_fact
from connectors.embedded import MockKafka, RedisServer
from connectors.errors import ConnectorError
from connectors.intake import Intake
from connectors.kafka import consumer, producer
from connectors.log_reader import log_end, read_log
from connectors.topology import Topics
from streams import national_intake
from streams.edges import open_edge
from streams.national_intake import run_national
from streams.settings import Settings
from tests.pens import pen

DAY = (Path(__file__).parents[1] / "cases" / "national" / "county_day.jsonl").read_bytes().splitlines()
FACTS, LETTERS = 53, 1


@pytest.fixture
def settings(mock_kafka: MockKafka, redis_62: RedisServer, topics: Topics) -> Settings:
    writer = pen(mock_kafka.bootstrap)
    for topic in topics.all:  # the in-process broker creates a topic when it is asked for
        writer.list_topics(topic, timeout=10)
    for line in DAY:
        writer.produce(topics.national, line)
    writer.flush(10)
    return Settings(kafka=mock_kafka.bootstrap, redis=redis_62.url, prefix=topics.prefix)


def on_topic(settings: Settings, topic: str) -> list[bytes]:
    return [
        value
        for number in range(4)
        for batch in read_log(settings.kafka, topic, number, log_end(settings.kafka, topic, number))
        for _, _, value in batch
    ]


def ids(settings: Settings) -> Counter[str]:
    """How often each fact and each letter stands on its topic."""
    found = Counter(decode_fact(value).event_id for value in on_topic(settings, settings.topics.events))
    found.update(json.loads(value)["deadletter_id"] for value in on_topic(settings, settings.topics.deadletter))
    return found


def run_until(settings: Settings, condition: Callable[[], bool], **words: Any) -> None:
    """Run the intake in a thread until something is so."""
    ended = Event()
    thread = Thread(target=run_national, args=(settings, ended), kwargs=words)
    thread.start()
    end_s = monotonic() + 60
    while not condition():
        assert monotonic() < end_s
        ended.wait(0.05)
    ended.set()
    thread.join(30)
    assert not thread.is_alive()


def all_committed(settings: Settings) -> bool:
    """Whether the group stands at the end of the topic."""
    reader = consumer(settings.kafka, f"{settings.prefix}national")
    try:
        asked = [national_intake.TopicPartition(settings.topics.national, number) for number in range(4)]
        stand = {each.partition: max(0, each.offset) for each in reader.committed(asked, timeout=10)}
    finally:
        reader.close()
    ends = {number: log_end(settings.kafka, settings.topics.national, number)[1] for number in range(4)}
    return stand == ends


def test_every_message_becomes_facts_or_a_letter_and_is_then_committed(settings: Settings) -> None:
    run_until(settings, lambda: len(ids(settings)) == FACTS + LETTERS and all_committed(settings))
    assert set(ids(settings).values()) == {1}
    (letter,) = [json.loads(value) for value in on_topic(settings, settings.topics.deadletter)]
    assert letter["reason"] == "PSN_NO_MISSING"
    assert letter["origin"].startswith(f"kafka:{settings.topics.national}/")


def die_before_the_commit(settings: Settings) -> None:
    """A worker that is killed once what it read is in the log, and its offsets are not yet committed."""
    append = Intake.append

    def append_and_die(self: Intake, records: list[Record]) -> None:
        append(self, records)
        os.kill(os.getpid(), signal.SIGKILL)

    Intake.append = append_and_die  # type: ignore[method-assign]
    run_national(settings, Event())


@pytest.mark.slow  # the dead member keeps its partitions for a session of six seconds
def test_a_kill_between_append_and_commit_loses_nothing_and_repeats_under_the_same_ids(settings: Settings) -> None:
    victim = get_context("spawn").Process(target=die_before_the_commit, args=(settings,))
    victim.start()
    victim.join(60)
    assert victim.exitcode == -signal.SIGKILL
    first = ids(settings)
    assert sum(first.values()) > 0
    run_until(settings, lambda: len(ids(settings)) == FACTS + LETTERS and all_committed(settings))
    found = ids(settings)
    assert set(found.values()) <= {1, 2}
    assert {each for each, count in found.items() if count == 2} == set(first)


class FullLanes:
    """An edge whose lanes are behind for the first turns."""

    def __init__(self, intake: Intake, turns: int) -> None:
        self.edge, self.append, self._turns = intake.edge, intake.append, turns

    def has_room(self) -> bool:
        self._turns -= 1
        return self._turns < 0


@pytest.fixture
def reader(settings: Settings) -> Iterator[Any]:
    made = consumer(settings.kafka, f"{settings.prefix}national", **{"auto.offset.reset": "earliest"})
    made.subscribe([settings.topics.national])
    yield made
    made.close()


def test_what_is_given_while_the_lanes_are_behind_is_taken_and_not_passed_over(settings: Settings, reader: Any) -> None:
    #  turns   1 ... 80 behind: partitions are assigned in one of them   then room
    edge = FullLanes(Intake(Pen(lambda: producer(settings.kafka)), open_edge(settings)), turns=80)
    end_s = monotonic() + 60
    while len(ids(settings)) < FACTS + LETTERS:
        assert monotonic() < end_s
        national_intake._turn(edge, reader)  # type: ignore[arg-type]
    assert set(ids(settings).values()) == {1}


def test_a_bug_calls_a_person_once_and_passes_over_nothing(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(national_intake, "AGAIN_AFTER_A_BUG_S", 0.05)
    monkeypatch.setattr(national_intake, "AGAIN_AFTER_S", 0.01)
    failures: Iterator[Exception] = iter(
        [ZeroDivisionError("a rule"), ConnectorError("kafka", "away", retryable=True), ZeroDivisionError("a rule")]
    )
    read = national_intake._read_national
    pages: list[str] = []

    def fail_first(settings: Settings, ended: Event) -> None:
        for error in failures:
            raise error
        read(settings, ended)

    monkeypatch.setattr(national_intake, "_read_national", fail_first)
    run_until(settings, lambda: len(ids(settings)) == FACTS + LETTERS, page=pages.append)
    assert pages == [f"the intake of {settings.topics.national} stands: ZeroDivisionError('a rule')"]

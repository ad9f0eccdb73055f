"""`xinmai deadletters list|retry`: what was refused, and sending again what has become good.

A retry is judged by the same edge. Accepted, it leaves a resolution beside the letter, so that it is not repeated; a
crash between the two repeats an event under its own id, which the lanes count as a duplicate.
"""

import json
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition
from msgspec.structs import replace

from connectors.append import Pen, Record
from connectors.canonical_line import check_future, check_record
from connectors.codec import BadRecord, decode_fact
from connectors.deadletters import DeadLetter, resolution
from connectors.errors import ConnectorError
from connectors.intake import Edge, Intake, fact_records, letter_record
from connectors.kafka import consumer, producer
from connectors.refusals import Refused
from risk.facts import Fact
from risk.refused import CONFLICT
from streams.edges import open_edge
from streams.pacing import Pacer

if TYPE_CHECKING:
    from streams.settings import Settings

CHUNK = 250
READER_GROUP = "xinmai-deadletters-reader"
_TIMEOUT_S = 10.0


@dataclass(slots=True)
class Letters:
    """The dead-letter topic as read so far: each letter once, and which are resolved."""

    by_id: dict[str, dict[str, Any]] = field(default_factory=dict)
    resolved: set[str] = field(default_factory=set)

    def note(self, body: bytes) -> None:
        """Take one record. One that is no letter (somebody else wrote it) is left."""
        try:
            letter = json.loads(body)
            name = letter["deadletter_id"]
        except (ValueError, KeyError, TypeError):
            return
        if "resolved" in letter:
            self.resolved.add(name)
        else:
            if letter.get("reason") == CONFLICT:  # whatever the letter says: sent again, it conflicts again
                letter["can_retry"] = False
            self.by_id[name] = letter

    @property
    def open(self) -> list[dict[str, Any]]:
        """The letters that wait for somebody."""
        return [letter for name, letter in self.by_id.items() if name not in self.resolved]


@dataclass(slots=True)
class Retried:
    """How a retry went: event ids that are in the log now, and letters that were refused again with the reason."""

    accepted: list[str] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    cannot: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    """Open letters that were not asked for by name and that no retry can help."""

    @property
    def is_clean(self) -> bool:
        """Whether all that was asked for is in the log."""
        return not (self.refused or self.unknown or self.cannot)


def read_letters(bootstrap: str, topic: str) -> Letters:
    """Everything on the dead-letter topic up to its end at the time of asking."""
    letters = Letters()
    reader = consumer(bootstrap, READER_GROUP)
    try:
        for body in _bodies(reader, topic):
            letters.note(body)
    except KafkaException as error:
        raise ConnectorError("kafka", str(error.args[0]), retryable=True) from error
    finally:
        reader.close()
    return letters


def _bodies(reader: Consumer, topic: str) -> Iterator[bytes]:
    metadata = reader.list_topics(topic, timeout=_TIMEOUT_S).topics[topic]
    reached: dict[int, int] = {}
    ends: dict[int, int] = {}
    for partition in metadata.partitions:
        low, high = reader.get_watermark_offsets(TopicPartition(topic, partition), timeout=_TIMEOUT_S)
        if high > low:
            reached[partition], ends[partition] = low, high
    reader.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in ends])
    while ends:
        # asked for more than there is, it would wait out its time
        missing = sum(end - reached[partition] for partition, end in ends.items())
        for message in reader.consume(min(CHUNK, missing), timeout=0.5):
            partition, offset = message.partition(), message.offset()
            if message.error() is None and offset is not None and partition is not None:
                yield message.value() or b""
                reached[partition] = offset + 1
                if offset + 1 >= ends.get(partition, 0):
                    ends.pop(partition, None)


def retry(letters: Letters, ids: Collection[str], intake: Intake, *, chunk: int = CHUNK) -> Retried:
    """Judge and append what can be retried: the letters named by id, or all open ones."""
    retried = Retried(unknown=[name for name in ids if name not in letters.by_id])
    chosen = [letter for letter in letters.open if not ids or letter["deadletter_id"] in ids]
    helpless = [letter["deadletter_id"] for letter in chosen if not letter.get("can_retry")]
    (retried.cannot if ids else retried.left).extend(helpless)
    able = [letter for letter in chosen if letter.get("can_retry")]
    for first in range(0, len(able), chunk):
        intake.wait_for_room()
        _retry_chunk(able[first : first + chunk], intake, retried)
    return retried


def _retry_chunk(letters: list[dict[str, Any]], intake: Intake, retried: Retried) -> None:
    facts, resolutions = list[Record](), list[DeadLetter]()
    for letter in letters:
        try:
            fact = _judged(letter, intake.edge)
        except (Refused, BadRecord) as refused:
            retried.refused.append((letter["deadletter_id"], str(refused)))
            continue
        facts.extend(fact_records(intake.edge, fact))
        resolutions.append(resolution(letter, event_id=fact.event_id, at_ms=intake.edge.now_ms()))
        retried.accepted.append(fact.event_id)
    intake.append(facts)  # acknowledged before any letter is called resolved
    intake.append([letter_record(intake.edge.topics, letter) for letter in resolutions])


def _judged(letter: dict[str, Any], edge: Edge) -> Fact:
    source = letter["event"].get("source", letter["source"])  # it names the bank or institution it is bound to
    now_ms = edge.now_ms() if edge.refuses_future else None
    if letter.get("form") != "national":
        return check_record(letter["event"], source=source, now_ms=now_ms, pseudonym=edge.pseudonyms.of)
    # a fact made of a message: what it leaves for the lane to fill (med_type), no canonical line may leave empty
    fact = decode_fact(json.dumps(letter["event"] | {"source": source}).encode())
    return check_future(replace(fact, psn_no=edge.pseudonyms.of(fact.psn_no)) if fact.psn_no else fact, now_ms)


def run_list(settings: "Settings", *, as_json: bool) -> int:
    """Print the open letters, oldest first."""
    try:
        letters = read_letters(settings.kafka, settings.topics.deadletter)
    except ConnectorError as error:
        print(f"xinmai deadletters: {error}", file=sys.stderr)
        return 2
    for letter in letters.open:
        if as_json:
            print(json.dumps(letter, ensure_ascii=False))
        else:
            again = "can retry" if letter.get("can_retry") else "resend"
            where = f"{letter.get('origin')} line {letter['line']}" if "line" in letter else letter.get("origin")
            why = f"{letter.get('reason')}: {letter.get('detail_en', '')}"
            print(f"{letter['deadletter_id']}  {again:9}  {where}  {why}")
    if not as_json:
        print(f"{len(letters.open)} open, {len(letters.resolved)} retried")
    return 0


def run_retry(settings: "Settings", ids: Collection[str], *, as_json: bool) -> int:
    """Exit code 0: all that was asked for is in the log; 1: some was refused again, unknown, or cannot be retried."""
    topics = settings.topics
    try:
        letters = read_letters(settings.kafka, topics.deadletter)
        with Pacer(settings.redis, topics.events) as pacer:
            pacer.wait_for_lanes(1.0)
            edge = open_edge(settings)
            intake = Intake(
                Pen(lambda: producer(settings.kafka)), edge, lag=pacer.lag, delivered=pacer.backlog.delivered
            )
            retried = retry(letters, ids, intake)
    except (ConnectorError, ValueError) as error:
        print(f"xinmai deadletters: {error}", file=sys.stderr)
        return 2
    if as_json:
        shown = {"accepted": retried.accepted, "refused": retried.refused, "unknown": retried.unknown}
        shown |= {"cannot_retry": retried.cannot, "left": retried.left}
        print(json.dumps(shown, ensure_ascii=False))
    else:
        print(f"{len(retried.accepted)} in the log, {len(retried.refused)} refused again")
        for name, why in (*retried.refused, *((name, "no such letter") for name in retried.unknown)):
            print(f"  {name}  {why}")
        for name in retried.cannot:
            print(f"  {name}  cannot be retried from here: correct the line and send it again")
        if retried.left:
            print(f"  {len(retried.left)} 封未重试：其中没有可重送的事件，或会再次冲突；须更正原行后重新送入")
            print(f"  {len(retried.left)} not retried: no event is kept, or it would conflict again; correct the line")
    return 0 if retried.is_clean else 1

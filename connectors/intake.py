"""The one way in: lines become facts in the log, refusals become dead letters, and each line gets its answer.

Used by POST /v1/events, `xinmai ingest` and the raw national topic. Nothing is confirmed before Kafka has acknowledged
it. The same lines sent twice are the same event ids: the lanes count them as duplicates.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from time import monotonic, sleep
from typing import Any, NamedTuple

from msgspec.structs import replace

from connectors.amounts import AmountProfiles
from connectors.append import Pen, Record
from connectors.canonical_line import check_record, parse_object
from connectors.codec import encode_fact
from connectors.deadletters import Arrival, DeadLetter, Form, dead_letter, schema_fact
from connectors.errors import ConnectorError
from connectors.national_fields import told_institution
from connectors.national_line import Reading, read_national
from connectors.pseudonym import Pseudonyms
from connectors.refusals import Refused, Result
from connectors.topology import Topics, partition_of
from risk.facts import Fact, SettlementCompleted, StockMoved, SubjectFact, TopupReceived, VisitOpened
from risk.facts.stock import codes_moved
from risk.senders import BANK, INSTITUTION, bound_source
from risk.trace_codes import code_shard_key

BODY_BYTES_MAX = 8 * 1024 * 1024
BACKLOG_MAX = 1_000  # records: some milliseconds of a lane's work, which is what checkout then waits behind at most
_ROOM_PAUSE_S = 0.02


class Sender(NamedTuple):
    """Who sends, as the token or the operator's command says; never as a line says. None: bound to nothing."""

    source: str
    allowed_types: Collection[str] | None = None
    institutions: Collection[str] | None = None
    bank_code: str | None = None


class LineResult(NamedTuple):
    """What became of a line. One refused fact makes it `refused`, though the other `facts` of it are in the log."""

    line: int
    event_id: str | None
    result: Result
    facts: int = 0
    reason: str | None = None
    field: str | None = None
    detail_zh: str | None = None
    detail_en: str | None = None

    def wire(self) -> dict[str, object]:
        """The result as JSON carries it."""
        return {name: value for name, value in self._asdict().items() if value is not None}


class Edge(NamedTuple):
    """What an edge knows: the key, each source's way to add up, and the time (`now_ms`)."""

    topics: Topics
    partitions: int
    pseudonyms: Pseudonyms
    profiles: AmountProfiles
    now_ms: Callable[[], int]
    refuses_future: bool = True
    """Off under XINMAI_CLOCK=log."""
    subjects_partitions: int = 1


class Taken(NamedTuple):
    """Lines read: the results to give once the records are acknowledged."""

    results: list[LineResult]
    records: list[Record]


def split_lines(body: bytes) -> Iterable[tuple[int, bytes]]:
    """The lines of an NDJSON body with their numbers, from 1; blank ones are skipped."""
    for number, line in enumerate(body.split(b"\n"), 1):
        if stripped := line.strip():
            yield number, stripped


def read_lines(edge: Edge, lines: Iterable[tuple[int, bytes]], sender: Sender, *, form: Form, origin: str) -> Taken:
    """Judge numbered lines. It appends nothing."""
    taken = Taken([], [])
    received_ms = edge.now_ms()
    for number, data in lines:
        arrival = Arrival(origin, sender.source, form, number, data, received_ms)
        try:
            record: dict[str, Any] | None = parse_object(data)
            readings = _readings(edge, record or {}, sender, arrival)
        except Refused as refused:
            record, readings = None, [Reading(None, refused=refused)]
        taken.results.append(_line_result(number, readings))
        taken.records.extend(_records(edge, arrival, record, readings))
    return taken


def _readings(edge: Edge, record: dict[str, Any], sender: Sender, arrival: Arrival) -> list[Reading]:
    now_ms = arrival.received_ms if edge.refuses_future else None
    if arrival.form == "national":
        found = read_national(
            record,
            source=sender.source,
            now_ms=now_ms,
            profiles=edge.profiles,
            allowed_types=sender.allowed_types,
            pseudonym=edge.pseudonyms.of,
        )
        told_code = told_institution(record) if sender.institutions is not None else None
        return [_own(reading, sender, told_code) for reading in found]
    told_code = record.get("x_fixmedins_code")
    told: dict[str, Any] = {
        "source": sender.source, "allowed_types": sender.allowed_types, "pseudonym": edge.pseudonyms.of,
    }  # fmt: skip
    try:
        fact = check_record(record, now_ms=now_ms, **told)
        return [_own(Reading(fact.event_id, fact), sender, told_code)]
    except Refused as refused:
        event_id = record.get("event_id")
        event_id = event_id if isinstance(event_id, str) and len(event_id) <= 128 else None
        # kept for a retry, which an operator makes: as bound to its sender as it would be in the log
        kept = _own(Reading(event_id, schema_fact(record, **told)), sender, told_code)
        return [Reading(event_id, kept.fact, refused)]


def _own(reading: Reading, sender: Sender, told_code: object = None) -> Reading:
    """A token speaks for its own institution or bank only. `told_code`: whose a line is whose fact names nobody; a
    national message says so in its envelope, a canonical line in `x_fixmedins_code`.
    """
    code = getattr(reading.fact, "fixmedins_code", None) or told_code
    owned = sender.institutions
    if owned is not None and code and not (isinstance(code, str) and code in owned):
        return Reading(reading.event_id, refused=Refused("INSTITUTION_FORBIDDEN", "fixmedins_code"))
    bank_code = getattr(reading.fact, "bank_code", None)
    if sender.bank_code is not None and bank_code is not None and bank_code != sender.bank_code:
        return Reading(reading.event_id, refused=Refused("BANK_FORBIDDEN", "bank_code"))
    fact = reading.fact
    if fact is None:
        return reading
    if fact.event_type.startswith(("bank.", "agreement.")):
        source = bound_source(BANK, sender.bank_code, sender.source) if sender.bank_code else sender.source
        return reading._replace(fact=replace(fact, source=source))
    if not owned:
        return reading._replace(fact=replace(fact, source=sender.source))
    if not code and len(owned) > 1 and reading.refused is None:
        # else a chain's token could end the visit of anybody: the fold knows whose it is, and must know who speaks
        return Reading(reading.event_id, refused=Refused("MISSING_FIELD", "x_fixmedins_code"))
    institution = str(code) if code else next(iter(owned))
    fact = replace(fact, source=bound_source(INSTITUTION, institution, sender.source))
    if isinstance(fact, TopupReceived) and not fact.fixmedins_code:
        # part of the key that tells one payment from another: two institutions may number theirs alike
        fact = replace(fact, fixmedins_code=institution)
    return reading._replace(fact=fact)


def _line_result(line: int, readings: list[Reading]) -> LineResult:
    facts = sum(reading.fact is not None and reading.refused is None for reading in readings)
    for event_id, _, refused, _ in readings:
        if refused is not None:
            details = (refused.reason, refused.field, refused.detail_zh, refused.detail_en)
            return LineResult(line, event_id, refused.result, facts, *details)
    first = readings[0]
    return LineResult(line, first.event_id, "accepted" if facts else "ignored", facts, first.ignored)


def _records(edge: Edge, arrival: Arrival, record: dict[str, Any] | None, readings: list[Reading]) -> Iterator[Record]:
    for event_id, fact, refused, _ in sorted(readings, key=_turn):
        if refused is not None:
            yield letter_record(
                edge.topics,
                dead_letter(
                    arrival, refused, record=record, fact=fact, event_id=event_id, pseudonym=edge.pseudonyms.of
                ),
            )
        elif fact is not None:
            yield from fact_records(edge, fact)


def _turn(reading: Reading) -> int:
    """A visit goes before the lines that ask for its kind, a bill behind the lines that it settles."""
    return isinstance(reading.fact, SettlementCompleted) - isinstance(reading.fact, VisitOpened)


def fact_record(edge: Edge, fact: Fact) -> Record:
    """The fact as a record: on its person's partition, or on that of the institution or doctor it is about."""
    if isinstance(fact, SubjectFact):
        key = fact.shard_key
        return Record(edge.topics.subjects, key, encode_fact(fact), partition_of(key, edge.subjects_partitions))
    partition = partition_of(fact.psn_no, edge.partitions)
    return Record(edge.topics.events, fact.psn_no, encode_fact(fact), partition)


def fact_records(edge: Edge, fact: Fact) -> Iterator[Record]:
    """The fact, and what it says to other shards: a sale goes to the shard of each box's code as well.

    They are appended together and acknowledged together; sent again, each shard knows its own repetition.
    """
    yield fact_record(edge, fact)
    if isinstance(fact, StockMoved):
        for each in codes_moved(fact):
            key = code_shard_key(each.drug_trac_codg)
            yield Record(edge.topics.subjects, key, encode_fact(each), partition_of(key, edge.subjects_partitions))


def letter_record(topics: Topics, letter: DeadLetter) -> Record:
    """A dead letter as a record of its topic."""
    return Record(topics.deadletter, letter.key, letter.body)


class Intake:
    """An edge that appends: `take` is synchronous and safe from any thread (in an event loop: asyncio.to_thread)."""

    def __init__(
        self,
        pen: Pen,
        edge: Edge,
        *,
        lag: Callable[[], int] = lambda: 0,
        backlog_max: int = BACKLOG_MAX,
        ack_within_s: float | None = None,
        delivered: Callable[[str, int, int], None] | None = None,
    ) -> None:
        """`lag` says how many records wait to be applied. `delivered` hears (topic, partition, offset) of each ack."""
        self.edge = edge
        self._pen = pen
        self._lag = lag
        self._backlog_max = backlog_max
        self._ack_within_s = ack_within_s
        self._delivered = delivered

    def take(
        self,
        lines: Iterable[tuple[int, bytes]],
        sender: Sender,
        form: Form,
        origin: str,
        *,
        asked_s: float | None = None,
    ) -> list[LineResult]:
        """Judge, append, wait for the acknowledgements; then the results. ConnectorError if Kafka fails, at the latest
        `ack_within_s` after `asked_s` (time.monotonic), where the caller had to wait for its thread.
        """
        within_s = self._ack_within_s
        if within_s is not None and asked_s is not None:
            within_s -= monotonic() - asked_s
            if within_s <= 0:
                raise ConnectorError("kafka", "it was not its turn in time; send the same lines again", retryable=True)
        taken = read_lines(self.edge, lines, sender, form=form, origin=origin)
        self._pen.append(taken.records, timeout_s=within_s, delivered=self._delivered)
        return taken.results

    def append(self, records: list[Record]) -> None:
        """Append records that are judged already, and wait for their acknowledgements."""
        self._pen.append(records, timeout_s=self._ack_within_s, delivered=self._delivered)

    def wait_for_room(self, is_stopped: Callable[[], bool] = lambda: False) -> None:
        """Wait while the backlog is above the limit: bulk is paced here, so that checkout never queues behind it."""
        while self._lag() > self._backlog_max and not is_stopped():
            self._pen.poll()
            sleep(_ROOM_PAUSE_S)

    def has_room(self) -> bool:
        """Whether bulk may go on now; for those who wait in their own way."""
        return self._lag() <= self._backlog_max

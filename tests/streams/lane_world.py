"""A small world for lanes: two logs on a real Kafka, a Redis, and lanes of this process, driven by hand. Not a test."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import orjson

from connectors.amounts import AmountProfiles
from connectors.embedded import RealKafka, RedisServer
from connectors.intake import Edge, fact_records
from connectors.kafka import published_marks
from connectors.log_reader import log_end, read_log
from connectors.pseudonym import Pseudonyms
from connectors.topology import Topics, partition_of, tags
from risk.facts import Fact, FeeAdded, FeeReversed, StockMoved
from risk.local_time import MINUTE_MS, to_datetime
from streams.activate import prepare_logs
from streams.city.settlements import START_MS, preencoded
from streams.lane import Lane
from streams.ownership import LaneSettings
from streams.verify import Findings, prove
from tests.pens import pen

POLICY = Path(__file__).parents[2] / "config" / "policies" / "shaoyang"
PEOPLE, SUBJECTS = 2, 1
Keyed = tuple[str, bytes]


class World:
    """One engine of its own: topics, group and an emptied Redis."""

    def __init__(
        self, kafka: RealKafka, redis: RedisServer, topics: Topics, *, prepared: bool = False, group: str = "lanes"
    ) -> None:
        self.kafka, self.redis, self.topics, self.people = kafka, redis, topics, PEOPLE
        self.group = topics.prefix + group
        self.heard: list[dict[str, Any]] = []
        self.lanes: list[Lane] = []
        self._producer = pen(kafka.bootstrap)
        if not prepared:
            prepare_logs(
                kafka.bootstrap, topics, POLICY, partitions=PEOPLE, subjects_partitions=SUBJECTS, group=self.group
            )

    def append(self, records: Iterable[Keyed]) -> None:
        """Append records to the person log, each on its person's partition."""
        for psn_no, value in records:
            self.append_at(partition_of(psn_no, self.people), value)
        self._producer.flush(20)

    def append_facts(self, *facts: Fact) -> None:
        """Append facts as the edge does, each to its person's or its institution's log."""
        pseudonyms = Pseudonyms(None)
        edge = Edge(self.topics, self.people, pseudonyms, AmountProfiles(), lambda: 0, subjects_partitions=SUBJECTS)
        for fact in facts:
            for topic, _, value, partition in fact_records(edge, fact):
                self.append_at(partition, value, topic)
        self.flush()

    def append_at(self, partition: int, value: bytes, topic: str = "") -> None:
        """Append one record where it may not belong."""
        self._producer.produce(topic or self.topics.events, value, partition=partition)
        self._producer.poll(0)

    def flush(self) -> None:
        self._producer.flush(20)

    def lane(self, member: str = "m0", *, checkpoint: Callable[[str], None] = lambda _name: None, **over: Any) -> Lane:
        """A lane in this process; `over` overrides its settings."""
        words = {"group": self.group, "clock": "log", "batch_records_max": 400} | over
        settings = LaneSettings(
            kafka=self.kafka.bootstrap, redis=self.redis.url, member=member, prefix=self.topics.prefix, **words
        )
        self.lanes.append(Lane(settings, tell=self.heard.append, checkpoint=checkpoint))
        return self.lanes[-1]

    def turn(self, *lanes: Lane, until: Callable[[], bool], within_s: float = 30.0) -> None:
        """Turn the lanes until something is so."""
        deadline = time.monotonic() + within_s
        while not until():
            assert time.monotonic() < deadline, [each for each in self.heard if each["kind"] != "pulse"][-8:]
            for lane in lanes:
                lane.turn()

    def drain(self, *lanes: Lane, within_s: float = 30.0) -> None:
        """Turn the lanes until every record of both logs is applied, those included that they append themselves."""
        self.turn(*lanes, until=self.is_drained, within_s=within_s)

    def is_drained(self) -> bool:
        if any(self.position(tag) + 1 < self.end_of(topic, number) for topic, number, tag in self.logs()):
            return False
        # the second hop may have grown while we looked at the first
        return all(self.position(tag) + 1 >= self.end_of(topic, number) for topic, number, tag in self.logs())

    def logs(self) -> list[tuple[str, int, str]]:
        people = [(self.topics.events, number, tag) for number, tag in enumerate(tags("p", self.people))]
        return people + [(self.topics.subjects, number, tag) for number, tag in enumerate(tags("q", SUBJECTS))]

    def position(self, tag: str) -> int:
        """The applied offset in Redis, -1 where there is none."""
        with self.redis.client() as client:
            return int(client.hget(f"xm:{tag}:meta", "offset") or -1)

    def end_of(self, topic: str, partition: int) -> int:
        return log_end(self.kafka.bootstrap, topic, partition)[1]

    def outputs(self, topic: str) -> list[dict[str, Any]]:
        """Everything on an output topic, duplicates included."""
        return [orjson.loads(value) for value in self.values(topic)]

    def values(self, topic: str, partitions: Iterable[int] = ()) -> list[bytes]:
        count = SUBJECTS if topic == self.topics.subjects else self.people
        return [
            value
            for number in partitions or range(count)
            for batch in read_log(self.kafka.bootstrap, topic, number, log_end(self.kafka.bootstrap, topic, number))
            for _, _, value in batch
        ]

    def marks(self) -> dict[int, int]:
        return published_marks(self.kafka.bootstrap, self.group, self.topics.events)

    def told(self, kind: str) -> list[dict[str, Any]]:
        return [each for each in self.heard if each["kind"] == kind]

    def reclaims(self, cause: str) -> int:
        """How often a shard was lost for this cause."""
        return sum(each["cause"] == cause for each in self.told("reclaim"))

    def tallied(self) -> Counter[tuple[str, ...]]:
        """What the lanes counted, as far as they have told."""
        counts: Counter[tuple[str, ...]] = Counter()
        for pulse in self.told("pulse"):
            for *key, count in pulse["tally"]["counts"]:
                counts[tuple(key)] += count
        return counts

    def proof(self) -> Findings:
        """The engine's own proof, outputs included."""
        return prove(self.kafka.bootstrap, self.redis.url, self.topics, clock="log", outputs=True)

    def assert_proved(self) -> Findings:
        findings = self.proof()
        assert findings.differences == [], findings.differences
        return findings

    def end(self, lane: Lane) -> None:
        """Let a lane finish and leave; once."""
        if lane in self.lanes:
            self.lanes.remove(lane)
            lane.run(lambda: False)

    def drop(self, lane: Lane) -> None:
        """Lose a lane as a crash does: nothing is finished, and what was not sent yet is never sent."""
        self.lanes.remove(lane)
        lane._publisher._producer.purge()
        lane._ownership.consumer.close()
        lane._store.close()

    def close(self) -> None:
        for lane in list(self.lanes):
            self.end(lane)


def settlements(size: int = 600, people: int = 40, seed: int = 1) -> list[Keyed]:
    """Settlements that raise alerts about persons: few people, few places."""
    return list(preencoded(size, people, seed, places=6, large_share=0.05))


def rush(size: int = 300, seed: int = 2) -> list[Keyed]:
    """Seven minutes in which pharmacies and doctors see too many people: alerts of the second hop."""
    return list(preencoded(size, 4_000, seed, places=2, span_days=0.005))


def shelves() -> list[Fact]:
    """Two pharmacies' stock and boxes: a count, sales, a return, a conflict, a deletion; box 1 is sold again."""
    shop, other = "P43050000001", "P43050000002"

    def stock(number: int, movement: str, place: str = shop, **more: Any) -> StockMoved:
        fields = {"med_list_codg": "X1", "cnt_x10000": 10_000, "fixmedins_bchno": f"B{number}"} | more
        at = to_datetime(START_MS + number * MINUTE_MS)
        return StockMoved(event_id=f"S{number}", occurred_at=at, fixmedins_code=place, movement=movement, **fields)

    def line(number: int, box: str, place: str = shop) -> FeeAdded:
        named = {"psn_no": "P1", "mdtrt_id": f"V{number}", "feedetl_sn": f"L{number}"}
        priced = {"med_list_codg": "X1", "cnt_x10000": 10_000, "amount_fen": 900}
        at = to_datetime(START_MS + number * MINUTE_MS)
        return FeeAdded(
            event_id=f"F{number}", occurred_at=at, fixmedins_code=place, drug_trac_codg=(box,), **named, **priced
        )

    boxes = [f"8{number:019d}" for number in range(4)]
    returned = {"psn_no": "P1", "mdtrt_id": "V12", "feedetl_sn": "L12"}
    return [
        stock(0, "counted", cnt_x10000=500_000),
        *(stock(number, "sold", med_list_codg=f"X{number % 3}") for number in range(1, 9)),
        stock(10, "sold", drug_trac_codg=(boxes[0], boxes[3])),
        line(11, boxes[1]),
        line(12, boxes[2]),
        FeeReversed(event_id="R1", occurred_at=to_datetime(START_MS + 13 * MINUTE_MS), **returned),
        line(14, boxes[2], other),
        line(15, boxes[1], other),
        stock(10, "sold", cnt_x10000=1),
        stock(20, "deleted", med_list_codg=None, cnt_x10000=None, fixmedins_bchno="B10"),
        stock(21, "purchased", other),
    ]


def by_identity(bodies: Iterable[dict[str, Any]], *names: str) -> dict[tuple[str, ...], list[bytes]]:
    """Contents under each id."""
    found: dict[tuple[str, ...], list[bytes]] = defaultdict(list)
    for body in bodies:
        found[tuple(str(body[name]) for name in names)].append(orjson.dumps(body, option=orjson.OPT_SORT_KEYS))
    return found

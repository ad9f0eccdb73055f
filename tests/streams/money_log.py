"""Money lives whose records go through a real lane, and what the log then says of them, folded plainly. Not a test.

The plain fold takes one record after another, keeps everything in memory and knows neither batches nor commits. What it
says has to be on the topics, what it knows has to be in Redis, and the naive ledger hears the topics only.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import orjson
from confluent_kafka import Consumer, TopicPartition
from redis.exceptions import ConnectionError as RedisGone

from connectors.codec import decode_fact
from connectors.embedded import RedisServer
from connectors.kafka import consumer_settings
from connectors.state_codec import pack
from connectors.stored_bytes import value_of
from connectors.topology import tags
from risk import facts
from risk.facts import Fact
from risk.local_time import HOUR_MS, local_day, to_ms
from risk.moment import Moment
from risk.outputs import Output, Reply
from risk.person_fold import Applied, apply
from risk.person_fold import Person as Remembered
from risk.policy import Policy, parse_policy
from streams.shards import position_of
from tests.risk.credit_life import HOSPITAL, Life, Told
from tests.risk.money_machine import AGREEMENTS, INSUTYPE, LINE_FEN, Person, code_of
from tests.streams.lane_world import PEOPLE, World


class Clock:
    """One business time for everybody: a shard's clock is the newest that any of its people told."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms


class LoggedLife(Life):
    """A life that only appends; `credit` is what the plain fold came to when somebody last looked."""

    def __init__(self, append: Callable[[Fact], None], clock: Clock, psn_no: str) -> None:
        self._clock, self._append = clock, append
        super().__init__(now=clock.now_ms, psn_no=psn_no)
        self.reply_to = f"told:{psn_no}"
        self.folded_ms = 0
        self._opened: set[str] = set()

    @property
    def now_ms(self) -> int:
        return self._clock.now_ms

    @now_ms.setter
    def now_ms(self, value: int) -> None:
        self._clock.now_ms = max(self._clock.now_ms, value)

    def context(self, fact=None, now_ms=None):
        return super().context(fact, now_ms or self.folded_ms)

    def make(self, kind, event_id="", **fields):
        return super().make(kind, event_id or f"{self.psn_no}:{next(self._numbers)}", **fields)

    def take(self, fact, _step):
        self._append(fact)
        return Told()

    def visit(self, mdtrt_id="M1", med_type="11", insuplc="430502", **fields):
        is_new = mdtrt_id not in self.visits
        super().visit(mdtrt_id, med_type, insuplc, **fields)
        if is_new and mdtrt_id in self._opened:
            self.tell(facts.VisitReopened, mdtrt_id=mdtrt_id)
        elif is_new:
            self._opened.add(mdtrt_id)
            words = {"med_type": med_type, "insutype": INSUTYPE, "insuplc_admdvs": insuplc, "dr_code": "D1"}
            self.tell(facts.VisitOpened, mdtrt_id=mdtrt_id, fixmedins_code=HOSPITAL, fixmedins_type="1", **words)
        return self

    def pass_time(self, *, hours=0, until=None):
        """The clock runs on by a record; the lane sees what has become due and appends it."""
        self.now_ms += int(hours * HOUR_MS)
        return self.tell(facts.InsuredStatusChanged, status="normal")


class LoggedPerson(Person):
    """Asks and tells without waiting; hears what came of it, and checks it, when the log is read."""

    def __init__(self, life):
        super().__init__(life)
        self.stays, self.over = set(), set()

    def is_silent(self, fact):
        mdtrt_id = getattr(fact, "mdtrt_id", None)
        match fact:
            case facts.VisitOpened() if fact.med_type == "21":
                self.stays.add(mdtrt_id)
            case facts.VisitClosed():
                self.over.add(mdtrt_id)
            case facts.VisitReopened():
                self.over.discard(mdtrt_id)
        return mdtrt_id in self.stays | self.over

    def hear(self, told):
        return told

    def authorize(self, amount, name, mdtrt, attempt, **fields):
        for _ in range(2):  # the caller did not hear the first answer
            self.life.authorize(amount, name, mdtrt, attempt, **fields)
        self.calls.setdefault(name, set()).add(attempt)

    def bank(self, order, result, amount, cause):
        self.life.bank(order, result, amount, cause=cause, code=code_of(result, cause))

    def note(self, fact: Fact, applied: Applied, now_ms: int, told: Told) -> None:
        """One record of the log, what the plain fold makes of it, and what the topics say was said at it."""
        if applied.result == "applied":
            self.note_fact(fact)
        if isinstance(fact, facts.BankOrderResult) and applied.result == "applied":
            self.book_answer(fact.order_id, fact.attempt, fact.result, fact.amount_fen)
        self.life.credit, self.life.folded_ms = applied.person.credit, now_ms
        if self.life.credit is not None:
            super().hear(told)


class Place(NamedTuple):
    """A partition of a topic."""

    topic: str
    partition: int


class Tail:
    """Reads what has been added to some partitions since it looked last."""

    def __init__(self, kafka: str, places: list[Place]) -> None:
        self._consumer = Consumer(consumer_settings(kafka, "money.reader", **{"fetch.wait.max.ms": 5}))
        self._consumer.assign([TopicPartition(*place, 0) for place in places])
        # a question to the broker would wait behind the other's fetch
        self._ends = Consumer(consumer_settings(kafka, "money.reader"))
        self._reached = dict.fromkeys(places, 0)

    def end_of(self, place: Place) -> int:
        _, high = self._ends.get_watermark_offsets(TopicPartition(*place), timeout=5)
        return high

    def read(self) -> Iterator[tuple[Place, int, int, bytes]]:
        ends = {place: self.end_of(place) for place in self._reached}
        while any(self._reached[place] < end for place, end in ends.items()):
            for message in self._consumer.consume(1_000, 0.02):
                assert message.error() is None, message.error()
                place = Place(message.topic(), message.partition())
                self._reached[place] = message.offset() + 1
                yield place, message.offset(), message.timestamp()[1], message.value()

    def close(self) -> None:
        self._consumer.close()
        self._ends.close()


class Answers:
    """What a checkout hears on its channel, whatever becomes of Redis afterwards."""

    def __init__(self, redis: RedisServer) -> None:
        self._redis = redis
        self._subscribe()

    def _subscribe(self) -> None:
        self._channel = self._redis.client().pubsub(ignore_subscribe_messages=True)
        self._channel.psubscribe("told:*")

    def heard(self) -> list[tuple[str, str, int, bytes]]:
        """(channel, attempt, status, body) of each answer since the last look."""
        found = []
        try:
            while (message := self._channel.get_message()) is not None or self._channel.connection.can_read(0):
                for each in orjson.loads(message["data"]) if message else ():
                    channel = message["channel"].decode()
                    found.append((channel, each["attempt"], each["status"], canonical(each["body"])))
        except RedisGone:
            self._channel.close()
            self._subscribe()
        return found

    def close(self) -> None:
        self._channel.close()


def canonical(body: dict[str, Any]) -> bytes:
    """Content to compare."""
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)


class Books:
    """The whole log of people, folded plainly, as far as the lane has applied it; everybody's second book beside it."""

    def __init__(self, world: World, now_ms: int) -> None:
        self.clock = Clock(now_ms)
        self.world = world
        self.folded = self.answered = 0
        self.kinds: dict[str, int] = defaultdict(int)
        self._people: dict[str, LoggedPerson] = {}
        self._remembered: dict[str, Remembered] = defaultdict(Remembered)
        self._clocks = dict.fromkeys(range(PEOPLE), 0)
        self._policies: dict[int, Policy] = {}
        self._said: dict[tuple[str, str], bytes] = {}
        self._answers: dict[tuple[str, str], set[tuple[int, bytes]]] = defaultdict(set)
        self._unapplied: dict[int, list[tuple[int, int, bytes]]] = {number: [] for number in range(PEOPLE)}
        names = (world.topics.events, world.topics.decisions, world.topics.withholding)
        self.tail = Tail(world.kafka.bootstrap, [Place(name, number) for name in names for number in range(PEOPLE)])

    def person(self, kind: int) -> LoggedPerson:
        """Somebody new, signed in one of three ways, in the log at least."""
        number = len(self._people)
        life = LoggedLife(self.world.append_fact, self.clock, f"p1_{number:022d}")
        life.sign(agreements=[f"{name}-{number}" for name in AGREEMENTS[kind]], line_fen=LINE_FEN)
        self._people[life.psn_no] = LoggedPerson(life)
        return self._people[life.psn_no]

    def read(self, heard: list[tuple[str, str, int, bytes]]) -> None:
        """Fold what was applied since the last time; `heard`: the answers that somebody was given."""
        for place, offset, stamp_ms, value in self.tail.read():
            if place.topic == self.world.topics.events:
                self._unapplied[place.partition].append((offset, stamp_ms, value))
            else:
                self._note_said(place.topic, value)
        for partition, tag in enumerate(tags("p", PEOPLE)):
            applied = self.world.position(tag)
            waiting = self._unapplied[partition]
            while waiting and waiting[0][0] <= applied:
                self._fold(partition, tag, *waiting.pop(0))
        for channel, attempt, status, body in heard:
            assert (status, body) in self._answers[channel, attempt], "an answer that was given never changes"
            self.answered += 1

    def _note_said(self, topic: str, value: bytes) -> None:
        body = orjson.loads(value)
        name = body.get("decision_id") or f"{body['order_id']}:{body['attempt']}"
        kind = "decisions" if topic == self.world.topics.decisions else "withholding"
        assert self._said.setdefault((kind, name), value) == value, "said again, it is the same"

    def _fold(self, partition: int, tag: str, offset: int, stamp_ms: int, value: bytes) -> None:
        fact = decode_fact(value)
        if isinstance(fact, facts.PolicyActivated):
            self._policies[partition] = parse_policy(fact.files)
            return
        occurred_ms, policy = to_ms(fact.occurred_at), self._policies[partition]
        now_ms = self._clocks[partition] = max(self._clocks[partition], occurred_ms)
        day, position = local_day(occurred_ms), position_of(tag, offset)
        moment = Moment(position, fact.event_id, occurred_ms, stamp_ms, now_ms, policy, policy.on(day), day)
        applied = apply(self._remembered[fact.psn_no], fact, moment)
        self._remembered[fact.psn_no] = applied.person
        self.folded += 1
        self.kinds[fact.event_type] += 1
        self._people[fact.psn_no].note(fact, applied, now_ms, self._told(applied))

    def _told(self, applied: Applied) -> Told:
        """What the topics hold of it: all of it, with the content that the plain fold gives it."""
        told = Told()
        for said in applied.said:
            if isinstance(said, Reply):
                self._answers[said.reply_to, said.attempt].add((said.status, canonical(said.body)))
            elif said.topic in ("decisions", "withholding"):
                value = self._said[said.topic, said.id]
                assert value == orjson.dumps(said.body)
                told.append(Output(said.topic, said.key, said.id, orjson.loads(value)))
        return told

    def assert_bytes(self) -> int:
        """Every byte that Redis keeps of anybody is the plain fold's; returns how many values there are."""
        count = 0
        with self.world.redis.client() as client:
            keys = [key for tag in tags("p", PEOPLE) for key in client.keys(f"xm:{tag}:[ac]:*")]
            kept = {key: value_of(client.get(key)) for key in keys}
        for psn_no, person in self._remembered.items():
            tag = tags("p", PEOPLE)[self.world.home_of(psn_no)]
            for kind, value in (("a", person.activity), ("c", person.credit)):
                assert kept.pop(f"xm:{tag}:{kind}:{psn_no}".encode(), None) == pack(value), (kind, psn_no)
                count += 1
        assert kept == {}, "nobody is remembered whom no record names"
        return count

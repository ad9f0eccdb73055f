"""The random life of the money again, through real lanes that crash and a Redis that loses what it knew.

Every record goes through Kafka, a lane and commit.lua. Lanes die at their checkpoints and others claim their shards;
Redis is emptied, or loses the tail of its file. What then stands is what a plain fold of the log gives, the naive
ledger hears nothing but the topics and agrees, and no answer that was given changes.
"""

from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule, run_state_machine_as_test

from connectors.codec import encode_fact
from connectors.embedded import RealKafka, RedisServer
from connectors.topology import Topics, partition_of
from risk.facts import Fact
from tests.risk.credit_life import at
from tests.risk.money_machine import Money
from tests.streams.lane_world import World
from tests.streams.money_log import Answers, Books, Place

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
STEPS_MIN = 2_000
PLACES = ("in_claim", "after_read", "half_sent", "sent", "acknowledged", "committed", "replied")
HARMS = ("crash", "crash", "crash", "crash, short", "crash, flush", "short", "flush", "restart")


LIVES = settings(
    max_examples=12,
    stateful_step_count=60,
    deadline=None,
    database=None,
    phases=[Phase.generate],  # a log of hundreds of records is not made smaller by running it again
    suppress_health_check=list(HealthCheck),
)


class Crash(Exception):
    """The lane's process is gone."""


class MoneyWorld(World):
    """One lane after another, each until it is made to crash; the books are read whenever everything is applied."""

    def __init__(self, kafka: RealKafka, redis: RedisServer, topics: Topics) -> None:
        super().__init__(kafka, redis, topics)
        self.books = Books(self, at("2024-03-01"))
        self.answers = Answers(redis)
        self._positions = redis.client()
        self.harmed: Counter[tuple[str, str]] = Counter()
        self._armed: dict[str, tuple[int, str]] = {}
        self._heard: list[tuple[str, str, int, bytes]] = []
        self.steps = 0
        self._start()

    def _start(self) -> None:
        self.at_work = self.lane(checkpoint=self._pass, batch_records_max=24)

    def home_of(self, psn_no: str) -> int:
        return partition_of(psn_no, self.people)

    def append_fact(self, fact: Fact) -> None:
        """On its way; sync() waits for it."""
        self.append_at(self.home_of(fact.psn_no), encode_fact(fact))

    def end_of(self, topic: str, partition: int) -> int:
        return self.books.tail.end_of(Place(topic, partition))

    def is_drained(self) -> bool:
        lane = self.at_work
        return not lane._pending and not any(each.waiting for each in lane._ownership) and super().is_drained()

    def position(self, tag: str) -> int:
        return int(self._positions.hget(f"xm:{tag}:meta", "offset") or -1)

    def arm(self, place: str, after: int, harm: str) -> None:
        """Do the harm when the place is passed next, after being passed `after` times."""
        self._armed[place] = (after, harm)
        if place == "in_claim":  # somebody has to die before anybody claims
            self._armed["after_read"] = (0, "crash")

    def _pass(self, place: str) -> None:
        after, harm = self._armed.get(place, (0, ""))
        if not harm:
            return
        if after:
            self._armed[place] = (after - 1, harm)
            return
        del self._armed[place]
        self.harmed[place, harm] += 1
        self._heard += self.answers.heard()
        if "flush" in harm:
            self.redis.flush()
        if "short" in harm or "restart" in harm:
            self.redis.kill9()
            if "short" in harm:
                self.redis.cut_tail(4_000)
            self.redis.start()
        if "crash" in harm:
            raise Crash(place)

    def sync(self) -> None:
        """Let the lanes apply everything that is in the log, whoever dies on the way; then read the books."""
        self.flush()
        while not self._survives():
            self.drop(self.at_work)
            self._start()
        self._heard += self.answers.heard()
        self.books.read(self._heard)
        self._heard = []

    def _survives(self) -> bool:
        try:
            self.drain(self.at_work)
        except Crash:
            return False
        return True

    def close(self) -> None:
        self._armed.clear()
        self.answers.close()
        super().close()
        self.books.tail.close()


@pytest.fixture
def world(real_kafka: RealKafka, topics: Topics) -> Iterator[MoneyWorld]:
    with RedisServer("any") as redis:
        opened = MoneyWorld(real_kafka, redis, topics)
        yield opened
        opened.close()


class MoneyOnALane(Money):
    """The same rules, and one more."""

    def __init__(self, world: MoneyWorld) -> None:
        self._world = world
        world.steps -= 1  # the invariant is asked once before the first step
        super().__init__()
        self.look()

    def person(self, number):
        return self._world.books.person(number)

    def look(self):
        self._world.sync()

    def later(self, hours):
        self.people[0].life.pass_time(hours=hours)  # one clock for all of them

    @rule(place=st.sampled_from(PLACES), after=st.integers(0, 3), harm=st.sampled_from(HARMS))
    def something_breaks(self, place, after, harm):
        self._world.arm(place, after, harm)

    @invariant()
    def is_counted(self):
        self._world.steps += 1

    def teardown(self):
        self.look()


def test_the_money_of_many_people_survives_lanes_that_crash_and_a_redis_that_forgets(world: MoneyWorld):
    while world.steps < STEPS_MIN:  # some lives are given up before their last step
        run_state_machine_as_test(lambda: MoneyOnALane(world), settings=LIVES)
    for place in PLACES:
        world.arm(place, 0, "crash, short")
        MoneyOnALane(world).teardown()
    books, harmed = world.books, world.harmed
    values = books.assert_bytes()
    findings = world.assert_proved()
    crashes = Counter(place for place, harm in harmed.elements() if "crash" in harm)
    print(
        f"{world.steps} steps, {books.folded} records of {len(books.kinds)} kinds applied by lanes, "
        f"{books.answered} answers, {findings.outputs} outputs, {values} values; crashes {dict(crashes)}; "
        f"Redis harmed {sum(count for (_, harm), count in harmed.items() if harm != 'crash')} times; "
        f"re-claims {sum(each['kind'] == 'reclaim' for each in world.heard)}; {dict(books.kinds)}"
    )
    assert books.folded >= STEPS_MIN
    assert set(crashes) == set(PLACES), "a lane died at every checkpoint"

"""The Faust agents on a broker, the bank and Alertmanager on loopback: quick when all is well, whole when it is not."""

import asyncio
import json
import time
from contextlib import asynccontextmanager

import orjson
import pytest
from confluent_kafka import OFFSET_BEGINNING, KafkaError, Producer, TopicPartition

from connectors.append import Record, append_all
from connectors.bank import BankAccess, BankGateway
from connectors.bank_simulator import SIMULATOR_SECRET, BankSimulator
from connectors.codec import decode_fact, encode_fact
from connectors.errors import ConnectorError
from connectors.kafka import consumer, create_topics
from connectors.topology import partition_of
from risk.local_time import rfc3339
from streams.alert_redrive import AlertRedrive
from streams.alert_routes import AlertRouter, Heard, Route
from streams.app import Parts, build_app
from streams.metrics import Metrics
from streams.order_submission import OrderSubmitter, Surroundings
from tests.pens import pen

PARTITIONS = 4


class Target:
    """Remembers what it was told; deaf when told to be."""

    name = "fake"

    def __init__(self):
        self.told: list[tuple[str, str]] = []
        self.deaf = False
        self.refuses = False

    async def tell(self, alerts, notice=None):
        if self.deaf or self.refuses:
            raise ConnectorError("fake", "deaf", retryable=self.deaf)
        self.told += [(alert["alert_id"], alert["episode"]) for alert in alerts]

    async def close(self):
        pass


def alert(number: int, **over) -> dict:
    body = {"alert_id": f"al_{number}", "rule_id": "P01", "level": 1, "kind": "suspicion", "sev_deg": 2}
    return {**body, "subject_kind": "person", "subject_id": "p1_x", "episode": "opened", **over}


def order(number: int) -> dict:
    return {
        "order_id": f"or_{number}",
        "kind": "draw",
        "attempt": 1,
        "agreement_no": f"AG{number}",
        "bank_code": "ICBC",
        "payee_fixmedins_code": "H1",
        "amount_fen": 100 + number,
        "items": [],
        "not_before": "2026-01-02T08:00:00.000+08:00",
        "due_at": "2026-01-02T08:00:00.000+08:00",
    }


class World:
    """One broker, one bank, the agents of one worker, and the state they are told of."""

    def __init__(self, kafka, topics, bank):
        self.metrics = Metrics()
        self.kafka, self.topics, self.bank = kafka, topics, bank
        self.producer: Producer = pen(kafka.bootstrap)
        self.open: dict[str, tuple[str, dict]] = {}
        self.target = Target()
        create_topics(kafka.bootstrap, topics, partitions=PARTITIONS)

    def emit(self, *orders: dict, is_open: bool = True) -> None:
        records = []
        for body in orders:
            psn_no = f"p1_{body['order_id']}"
            if is_open:
                self.open[body["order_id"]] = (psn_no, body)
            records.append(
                Record(self.topics.withholding, psn_no, orjson.dumps(body), partition_of(psn_no, PARTITIONS))
            )
        append_all(self.producer, records, timeout_s=10)

    def warn(self, *alerts: dict) -> None:
        records = [Record(self.topics.alerts, body["subject_id"], orjson.dumps(body)) for body in alerts]
        append_all(self.producer, records, timeout_s=10)

    async def append(self, fact) -> None:
        record = Record(self.topics.events, fact.psn_no, encode_fact(fact))
        await asyncio.to_thread(append_all, self.producer, [record], timeout_s=10)
        self.open.pop(fact.order_id, None)

    async def open_orders(self):
        for entry in list(self.open.values()):
            yield entry

    def results(self) -> list[tuple[str, str, int]]:
        """What stands on events.v1."""
        over = {"auto.offset.reset": "earliest", "enable.partition.eof": True}
        reader = consumer(self.kafka.bootstrap, self.topics.prefix, **over)
        reader.assign([TopicPartition(self.topics.events, each, OFFSET_BEGINNING) for each in range(PARTITIONS)])
        facts, ended = [], 0
        while ended < PARTITIONS:
            message = reader.poll(10)
            assert message is not None
            if message.error() is None:
                facts.append(decode_fact(message.value()))
            ended += message.error() is not None and message.error().code() == KafkaError._PARTITION_EOF
        reader.close()
        return sorted((fact.order_id, fact.result, fact.amount_fen) for fact in facts)

    def is_marked_delivered(self) -> bool:
        """Whether the delivered mark stands behind every alert there is."""
        reader = consumer(self.kafka.bootstrap, f"{self.topics.alerts}-delivered")
        try:
            places = [TopicPartition(self.topics.alerts, each) for each in range(PARTITIONS)]
            marks = [max(0, mark.offset) for mark in reader.committed(places, timeout=10)]
            return marks == [reader.get_watermark_offsets(place, timeout=10)[1] for place in places]
        finally:
            reader.close()

    @asynccontextmanager
    async def agents(self, *, aged_s: float = 0.0, session_s: float = 0.0):
        """The app as a worker runs it. `aged_s`: how much older alerts look to the redrive than they are. `session_s`:
        how long, almost, the in-process broker lets the next worker wait for the last one, which has gone.
        """
        access = BankAccess(url=self.bank.url, secret=SIMULATOR_SECRET)
        gateway = BankGateway({}, other_banks=access, timeout_s=30.0)
        around = Surroundings(
            append=self.append,
            shard_of=lambda psn_no: partition_of(psn_no, PARTITIONS),
            is_live=lambda _: True,
            is_owned=lambda _: True,
            is_paused=lambda bank_code, institution: False,
            now_ms=lambda *_: 1_767_312_000_000,
            count=lambda kind, result: None,
        )
        router = AlertRouter([Route(self.target)])
        redrive = AlertRedrive(self.kafka.bootstrap, self.topics.alerts, router, clock=lambda: time.time() + aged_s)
        parts = Parts(
            submitter=OrderSubmitter(gateway, around),
            open_orders=self.open_orders,
            router=router,
            alert_redrive=redrive,
            alert_appended=self.metrics.alert_appended,
        )
        app = build_app(self.kafka.bootstrap, self.topics, parts)
        if session_s:
            app.conf.broker_session_timeout, app.conf.broker_heartbeat_interval = session_s, session_s / 4
        await app.start()
        try:
            await self.until(lambda: len(app.consumer.assignment()) == 2 * PARTITIONS)
            for place in app.consumer.assignment():  # what is sent before a stream knows where it begins is behind it
                await asyncio.wait_for(app.consumer.position(place), 60)
            yield
        finally:
            await app.stop()
            await gateway.close()
            redrive.close()

    async def until(self, condition, wait_s: float = 60.0) -> None:
        deadline_s = time.monotonic() + wait_s
        while not condition():
            assert time.monotonic() < deadline_s, (self.target.told, self.open, self.bank.book.calls)
            await asyncio.sleep(0.02)


@pytest.fixture
def world(mock_kafka, topics):
    with BankSimulator() as bank:
        yield World(mock_kafka, topics, bank)


@pytest.fixture
def real_world(real_kafka, topics):
    with BankSimulator() as bank:
        yield World(real_kafka, topics, bank)


def test_the_agent_measures_how_long_an_alert_took_from_append_to_append(world):
    def latencies(suffix: str) -> float:
        return world.metrics.registry.get_sample_value(f"xinmai_alert_latency_seconds_{suffix}")

    async def scene():
        async with world.agents():
            world.warn(alert(1, detected_at=rfc3339(time.time_ns() // 1_000_000 - 2_000)), alert(2))
            await world.until(lambda: latencies("count") == 1 and len(world.target.told) == 2)

    play(scene)
    assert 2.0 <= latencies("sum") < 10.0


def play(scene):
    asyncio.run(scene())


def test_orders_and_alerts_leave_within_moments_and_results_come_back(world):
    async def scene():
        async with world.agents():
            world.emit(*(order(number) for number in range(20)))
            world.warn(alert(1), alert(2))
            await world.until(lambda: not world.open and len(world.target.told) == 2)

    play(scene)
    assert world.results() == sorted((f"or_{number}", "settled", 100 + number) for number in range(20))
    assert len([call for call in world.bank.book.calls if call.call == "submit"]) == 20


def test_an_order_is_at_the_bank_before_a_redrive_would_have_found_it(world, monkeypatch):
    monkeypatch.setattr("streams.agents.ORDER_REDRIVE_S", 3_600.0)

    async def scene():
        async with world.agents():
            await asyncio.sleep(1)
            for number in range(5):
                await asyncio.to_thread(world.emit, order(number))
                await world.until(lambda: not world.open)

    play(scene)
    assert [call.call for call in world.bank.book.calls] == ["submit"] * 5  # nobody asked first: nobody was unsure


def test_orders_that_faust_never_hands_over_are_healed_by_the_redrive(world):
    world.emit(*(order(number) for number in range(5)))  # before the group has an offset: the stream begins behind them

    async def scene():
        async with world.agents():
            await world.until(lambda: not world.open)

    play(scene)
    assert [result for _, result, _ in world.results()] == ["settled"] * 5
    assert all(len(world.bank.book.submitted(f"or_{number}")) == 1 for number in range(5))


def test_a_topic_full_of_orders_settled_long_ago_reaches_no_bank(world):
    world.emit(*(order(number) for number in range(50)), is_open=False)

    async def scene():
        async with world.agents():
            world.emit(order(99))
            await world.until(lambda: not world.open)
            await asyncio.sleep(1.5)

    play(scene)
    assert {call.order_id for call in world.bank.book.calls} == {"or_99"}


def test_a_poison_record_stops_no_agent(world):
    async def scene():
        async with world.agents():
            junk = [
                Record(topic, "x", value)
                for topic in (world.topics.alerts, world.topics.withholding)
                for value in (b"not json", b"[]", b"{}", json.dumps({"order_id": 7}).encode())
            ]
            await asyncio.to_thread(append_all, world.producer, junk, timeout_s=10)
            world.emit(order(1))
            world.warn(alert(1))
            await world.until(lambda: not world.open and bool(world.target.told))

    play(scene)
    assert world.target.told == [("al_1", "opened")]


def test_alerts_that_nobody_could_be_told_are_told_when_somebody_listens_again(world):
    async def scene():
        world.target.deaf = True
        async with world.agents(aged_s=5):
            world.warn(alert(1), alert(2))
            await asyncio.sleep(1)
            world.target.deaf = False
            await world.until(lambda: len(world.target.told) == 2)
            await asyncio.sleep(2.5)

    play(scene)
    assert sorted(world.target.told) == [("al_1", "opened"), ("al_2", "opened")]


def test_an_alert_told_before_the_worker_ended_is_not_told_by_the_next_one(world):
    async def one_worker():
        async with world.agents(aged_s=5, session_s=4.0):
            world.warn(alert(1))
            await world.until(lambda: bool(world.target.told))
            async with asyncio.timeout(60):
                while not await asyncio.to_thread(world.is_marked_delivered):
                    await asyncio.sleep(0.2)

    async def next_worker():
        async with world.agents(aged_s=5, session_s=4.0):
            await asyncio.sleep(3)

    play(one_worker)
    play(next_worker)
    assert world.target.told == [("al_1", "opened")]


@pytest.mark.kafka
def test_agents_outlive_a_broker_that_is_killed_and_comes_back(real_world):
    world = real_world

    async def scene():
        async with world.agents():
            world.emit(order(1))
            world.warn(alert(1))
            await world.until(lambda: not world.open and len(world.target.told) == 1)
            world.kafka.kill9()
            await asyncio.sleep(3)
            world.kafka.start()  # in this thread: the kernel ends a server with the thread that started it
            await asyncio.to_thread(world.emit, order(2))
            await asyncio.to_thread(world.warn, alert(2))
            await world.until(lambda: not world.open and len(world.target.told) == 2)

    play(scene)
    assert world.results() == [("or_1", "settled", 101), ("or_2", "settled", 102)]
    assert world.target.told == [("al_1", "opened"), ("al_2", "opened")]
    assert all(len(world.bank.book.submitted(f"or_{number}")) == 1 for number in (1, 2))


def told(target, *batches, remembered_max=100):
    async def run():
        router = AlertRouter(
            [Route(target, severity_min=2, kinds=frozenset({"suspicion"}))], remembered_max=remembered_max
        )
        for batch in batches:
            await router.tell([Heard(each) for each in batch])

    asyncio.run(run())
    return target.told


def test_an_alert_is_told_once_per_episode():
    batches = ([alert(1)], [alert(1)], [alert(1, episode="closed")], [alert(1, episode="closed")])
    assert told(Target(), *batches) == [("al_1", "opened"), ("al_1", "closed")]


def test_an_opening_that_comes_after_its_closing_is_not_told():
    assert told(Target(), [alert(1, episode="closed")], [alert(1)]) == [("al_1", "closed")]


def test_a_route_is_told_of_its_severities_and_kinds_only():
    assert told(Target(), [alert(1, sev_deg=1), alert(2, kind="over_limit"), alert(3, sev_deg=4)]) == [
        ("al_3", "opened")
    ]


def test_a_target_that_refuses_for_good_does_not_hold_up_what_follows():
    target = Target()
    target.refuses = True
    assert told(target, [alert(1)], [alert(2)]) == []


def test_what_is_remembered_is_bounded():
    assert len(told(Target(), [alert(1)], [alert(2)], [alert(3)], [alert(1)], remembered_max=2)) == 4
